//! The status document: all that an operator may want to know of a helper, as data.
//!
//! ```text
//!   Engine ──► Document ──► JSON on status.sock ──► Document ──► a table, or the same JSON
//! ```
//!
//! Periods are in seconds, times in RFC 3339. [`table`] shows it to people, [`plugin`] to monitoring.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::check::Severity;
use crate::engine::dampening::Mode;
use crate::engine::dampening::window::WINDOW;
use crate::engine::service::ServiceState;
use crate::exabgp::Dialect;
use crate::text::counted;
use crate::text::period::{Period, Shown};

use self::time::Time;

mod from_engine;
pub(crate) mod plugin;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod view;

/// Names the format.
const FORMAT: &str = "dnsherald status 1";

/// A helper at one moment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Document {
    /// `dnsherald status 1`.
    pub(crate) format: String,
    /// Of dnsherald.
    pub(crate) version: String,
    /// As configured, or the host name.
    pub node: String,
    /// The helper's process.
    pub pid: u32,
    /// The file that it was started with.
    pub configuration: PathBuf,
    /// Why that file cannot be used, if it cannot. Until it can, `last_good` is in force, or everything is withdrawn.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trouble: Option<String>,
    /// The file with the last good configuration, where that one is in force.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_good: Option<PathBuf>,
    /// Why the state is not on the disk, if it is not: a helper that starts now would not know of the last drains.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unwritten: Option<String>,
    /// How long it has been running.
    pub(crate) running_seconds: f64,
    /// Since when it has been running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) running_since: Option<Time>,
    /// When this was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Time>,
    /// The other end of standard output.
    pub exabgp: ExaBgp,
    /// In the order of the configuration.
    pub services: Vec<Service>,
    /// Drains of all services, which those that are added later have, too. Each service has its own in `drains`.
    #[serde(default)]
    pub drains_of_all: Vec<Drain>,
    /// Prefixes that are no longer configured, and not yet withdrawn.
    pub left_behind: Vec<String>,
}

/// A configuration file that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Trouble {
    /// What is wrong with it, in one line.
    pub(crate) error: String,
    /// What is in force instead; nothing, where every known prefix is withdrawn.
    pub(crate) last_good: Option<PathBuf>,
}

impl Document {
    /// What became of the routes, where no configuration is in force. A prefix that neither the file nor the state names
    /// cannot be withdrawn: ExaBGP goes on with it.
    fn without_configuration(&self) -> &'static str {
        if self.services.iter().any(|service| !service.prefixes.is_empty()) {
            "every prefix that is known is withdrawn"
        } else {
            "no prefix is known to withdraw, so that earlier announcements stay"
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consequence = match &self.last_good {
            Some(_) => "the LAST GOOD CONFIGURATION is in force",
            None => "every prefix that is known is withdrawn",
        };
        write!(f, "CONFIGURATION NOT IN ORDER, {consequence}: {}", self.error)
    }
}

/// The conversation with ExaBGP.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExaBgp {
    /// As it says; `None` if it does not.
    pub version: Option<String>,
    /// What is spoken to it.
    pub(crate) dialect: Dialect,
    /// Whether it answers commands; where it does not, nothing is ever acknowledged.
    pub answers: bool,
    /// Why it answers none: `exabgp.api.ack is off`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) silence: Option<String>,
    /// From the last command that was answered to its answer.
    pub(crate) latency_seconds: Option<f64>,
    /// Commands that it refused.
    pub(crate) refused: u64,
    /// Commands that it did not answer in time.
    pub(crate) unanswered: u64,
    /// The BGP sessions that ExaBGP has told of, and those of the neighbors that services name. Empty where nothing is
    /// known of any.
    #[serde(default)]
    pub bgp_sessions: Vec<BgpSession>,
}

/// What is known of a BGP session.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// It is established.
    Up,
    /// It is not.
    Down,
    /// ExaBGP has not told: `neighbor-changes` is not configured for this process, or the session has not changed since
    /// the helper started.
    Unknown,
}

/// The BGP session with one neighbor.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BgpSession {
    /// Its address.
    pub neighbor: String,
    /// Its state.
    pub state: SessionState,
    /// Since when it has been so, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// For how long it has been so, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) for_seconds: Option<f64>,
    /// Why it is down, as ExaBGP says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What happens next to a service if nothing else happens.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Next {
    /// In words; a time in them is written as in `at`.
    pub(crate) text: String,
    /// When at the earliest; absent where it depends on an operator, or on what the checks find.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Time>,
    /// How long until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) in_seconds: Option<f64>,
}

/// One service.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Service {
    /// As configured.
    pub name: String,
    /// Whether it is probed and announced; one that is not enabled is `drained` in what follows.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What it is.
    pub state: ServiceState,
    /// For how long it has been so.
    pub(crate) for_seconds: f64,
    /// Why.
    pub reason: String,
    /// Since when it has been so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Time>,
    /// What happens next; absent where nothing is ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<Next>,
    /// The DNS server behind it, where the configuration names one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) backend: Option<String>,
    /// The systemd unit of that server, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) unit: Option<String>,
    /// Its prefixes.
    pub prefixes: Vec<Prefix>,
    /// Its checks.
    pub checks: Vec<CheckStatus>,
    /// Its record of falls.
    pub dampening: Dampening,
    /// Whether its disable-file exists.
    pub(crate) disabled: bool,
    /// Who wants it drained.
    pub drains: Vec<Drain>,
    /// Who wants it announced against its checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// What it would be without these, where that is not `up`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_hold: Option<ServiceState>,
}

/// What an older helper, which has enabled all, does not say.
const fn yes() -> bool {
    true
}

impl Service {
    /// Whether anybody wants it drained. Its state is still `drained` for a moment after that, until its checks have
    /// passed anew.
    #[must_use]
    pub(crate) fn is_held(&self) -> bool {
        !self.enabled || self.disabled || !self.drains.is_empty()
    }

    /// Whether it stays drained however well its checks are.
    #[must_use]
    pub(crate) fn is_held_for_good(&self) -> bool {
        !self.enabled || self.disabled || self.drains.iter().any(|drain| !drain.returning)
    }

    /// Whether it attracts traffic.
    #[must_use]
    pub const fn is_serving(&self) -> bool {
        matches!(self.state, ServiceState::Up | ServiceState::Degraded)
    }

    /// Whether ExaBGP has acknowledged what is desired for every prefix.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.prefixes.iter().all(Prefix::is_settled)
    }
}

/// One prefix.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Prefix {
    /// The network.
    pub(crate) prefix: String,
    /// `announce …` or `withdraw`; `None` before the first decision.
    pub(crate) desired: Option<String>,
    /// What ExaBGP has acknowledged last; `None`, written `unknown`, where it has acknowledged nothing, or answers nothing.
    #[serde(with = "unknown")]
    pub acknowledged: Option<String>,
}

impl Prefix {
    /// Whether ExaBGP has acknowledged what is desired.
    #[must_use]
    pub(crate) fn is_settled(&self) -> bool {
        self.desired.is_some() && self.desired == self.acknowledged
    }
}

/// Something that may be unknown, and is then called so.
mod unknown {
    use serde::{Deserialize, Deserializer, Serializer};

    const UNKNOWN: &str = "unknown";

    pub(super) fn serialize<S: Serializer>(value: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.as_deref().unwrap_or(UNKNOWN))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<String>, D::Error> {
        let value: Option<String> = Deserialize::deserialize(deserializer)?;
        Ok(value.filter(|value| value != UNKNOWN))
    }
}

/// One check.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckStatus {
    /// As configured.
    pub(crate) name: String,
    /// `unknown`, `rising`, `up`, `falling`, `down`.
    pub state: String,
    /// How many results in a row have led towards the next state.
    pub(crate) streak: u32,
    /// How many it takes to rise, and to fall.
    pub(crate) rise: u32,
    /// See `rise`.
    pub(crate) fall: u32,
    /// What it does to the service at present; `None` before the first verdict.
    pub(crate) severity: Option<Severity>,
    /// For how long every outcome has said nothing about the server; the last one says why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) unknown_for_seconds: Option<f64>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unknown_since: Option<Time>,
    /// What was found last.
    pub last: Option<Last>,
}

/// What a round has found.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Last {
    /// How long ago.
    pub(crate) ago_seconds: f64,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Time>,
    /// Whether it passed.
    pub passed: bool,
    /// How long the slowest answer that counted took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latency_seconds: Option<f64>,
    /// The class of failure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) cause: Option<String>,
    /// The sentence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) detail: Option<String>,
}

/// The record of falls.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dampening {
    /// Whether a suppression holds the service down.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// Without its fraction.
    pub(crate) penalty: u32,
    /// The service is held down.
    pub(crate) suppressed: bool,
    /// Until it is no longer.
    pub(crate) reuse_in_seconds: Option<f64>,
    /// When it is no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reuse_at: Option<Time>,
    /// With `mode = "enforce"` it would be held down.
    #[serde(default)]
    pub(crate) would_be_suppressed: bool,
    /// Falls within the last ten minutes.
    #[serde(default)]
    pub(crate) falls: u32,
    /// Its checks are up, and it stays withdrawn for so long: it is suppressed, or its return takes longer after falls.
    #[serde(default)]
    pub returns_in_seconds: Option<f64>,
    /// When it returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) returns_at: Option<Time>,
}

impl Dampening {
    /// What holds the service down, in words that follow "it is"; `None` if nothing does.
    #[must_use]
    pub(crate) fn held(&self) -> Option<String> {
        let shown = |seconds| Shown(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO));
        if let Some(reuse_in) = self.reuse_in_seconds {
            return Some(format!("suppressed for {} more", shown(reuse_in)));
        }
        let returns_in = self.returns_in_seconds?;
        let falls = counted(self.falls as usize, "fall");
        Some(format!(
            "passing again, and returns in {} after {falls} within {}",
            shown(returns_in),
            Period(WINDOW)
        ))
    }
}

/// A drain.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Drain {
    /// Whose wish.
    pub holder: String,
    /// Why.
    pub reason: String,
    /// How long it has lasted.
    pub(crate) for_seconds: f64,
    /// Since when it has lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Time>,
    /// Until it ends by itself; `None` if it does not.
    pub expires_in_seconds: Option<f64>,
    /// When it ends by itself; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Time>,
    /// It ends as soon as the checks pass.
    pub returning: bool,
    /// It ends with this helper.
    #[serde(default)]
    pub(crate) until_exit: bool,
    /// The user id of the process that asked for it, as the kernel reported it; `null` where no process asked.
    #[serde(default)]
    pub uid: Option<u32>,
}

/// A hold.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hold {
    /// Whose wish.
    pub holder: String,
    /// Why.
    pub reason: String,
    /// How long it has lasted.
    pub(crate) for_seconds: f64,
    /// Since when it has lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Time>,
    /// Until it ends by itself.
    pub(crate) expires_in_seconds: f64,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Time>,
    /// The user id of the process that asked for it, as the kernel reported it; `null` where no process asked.
    #[serde(default)]
    pub uid: Option<u32>,
}
