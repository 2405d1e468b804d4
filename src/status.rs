//! The status document: the state of a helper, as data.
//!
//! ```text
//!   Engine ──► Document ──► JSON on status.sock ──► Document ──► a table, or the same JSON
//! ```
//!
//! Periods are in seconds, times in RFC 3339. [`table`] shows it to people, [`plugin`] to monitoring.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::checks::{CheckStatus, Last};
pub use self::dampening::Dampening;
pub(crate) use self::orders::RemovedService;
pub use self::orders::{Drain, Hold};
pub(crate) use self::service::{AnswerResult, Answered, Next, WarmUp, announces};
pub use self::service::{Prefix, Service};
pub use self::sessions::{BgpSession, ExaBgp, SessionState};
use self::time::Time;
use self::totals::Totals;

mod checks;
mod dampening;
pub(crate) mod explain;
mod from_engine;
mod orders;
pub(crate) mod plugin;
mod service;
mod sessions;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod totals;
pub(crate) mod view;

/// Names the format.
const FORMAT: &str = "dnsherald status 1";

/// A helper at one moment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Document {
    /// `dnsherald status 1`.
    pub(crate) format: String,
    /// The version of dnsherald.
    pub(crate) version: String,
    /// The name of this host: as configured, or the host name.
    pub node: String,
    /// The helper's process.
    pub pid: u32,
    /// The configuration file that the helper was started with.
    pub configuration: PathBuf,
    /// The hash of the configuration in force: FNV-1a, 64 bits; absent where it is not from a file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) configuration_hash: Option<String>,
    /// Why that file cannot be used, if it cannot. Meanwhile `last_good` is in force, or everything is withdrawn.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trouble: Option<String>,
    /// The file with the last good configuration, if that one is in force.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_good: Option<PathBuf>,
    /// Why the state is not on disk, if it is not: a helper that starts now would not know of the last drains.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unwritten: Option<String>,
    /// Why the configuration is not stored as the last good one, if it is not, and what a start with a broken file does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) unwritten_configuration: Option<String>,
    /// How long it has been running.
    pub(crate) running_seconds: f64,
    /// Since when it has been running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) running_since: Option<Time>,
    /// When the document was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Time>,
    /// The API session with ExaBGP.
    pub exabgp: ExaBgp,
    /// In the order of the configuration.
    pub services: Vec<Service>,
    /// Drains of all services; services that are added later have them, too. Each service also lists them in its own
    /// `drains`.
    #[serde(default)]
    pub drains_of_all: Vec<Drain>,
    /// Drained services that are no longer configured. One that gets their prefixes begins drained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) removed_drained: Vec<RemovedService>,
    /// Prefixes that are no longer configured, and not yet withdrawn.
    #[serde(rename = "left-behind")]
    pub stale_routes: Vec<String>,
    /// What the helper has counted since its start.
    #[serde(default, skip_serializing_if = "Totals::is_empty")]
    pub(crate) totals: Totals,
}

/// A configuration file that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Trouble {
    /// The error, in one line.
    pub(crate) error: String,
    /// The configuration in force instead; none if every known prefix is withdrawn.
    pub(crate) last_good: Option<PathBuf>,
}

impl Document {
    /// The state of the routes without a configuration. A prefix that neither the file nor the state names cannot be
    /// withdrawn: ExaBGP keeps announcing it.
    fn without_configuration(&self) -> &'static str {
        if self.services.iter().any(|service| !service.prefixes.is_empty()) {
            "every prefix that is known is withdrawn"
        } else {
            "no prefix is known to be announced, so none is withdrawn"
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consequence = match &self.last_good {
            Some(_) => "the LAST GOOD CONFIGURATION is in force",
            None => "every prefix that is known is withdrawn",
        };
        write!(f, "CONFIGURATION ERROR, {consequence}: {}", self.error)
    }
}
