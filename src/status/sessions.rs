//! The API session with ExaBGP, and the BGP sessions that ExaBGP reports.

use serde::{Deserialize, Serialize};

use super::time::Time;
use crate::engine::api_session::ACKS_OFF;
use crate::exabgp::{Dialect, notification};
use crate::text::joined;

/// The API session with ExaBGP.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExaBgp {
    /// The version, if ExaBGP has reported it.
    pub version: Option<String>,
    /// The form of commands.
    pub(crate) dialect: Dialect,
    /// Whether it answers commands; if it does not, nothing is ever acknowledged.
    pub answers: bool,
    /// Why it answers none: `exabgp.api.ack is off`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) silence: Option<String>,
    /// The time from the last answered command to its answer.
    pub(crate) latency_seconds: Option<f64>,
    /// Commands that it refused.
    pub(crate) refused: u64,
    /// Commands that it did not answer in time.
    pub(crate) unanswered: u64,
    /// The BGP sessions that ExaBGP has reported, and those of the neighbors that services name. Empty if none is
    /// known.
    #[serde(default)]
    pub bgp_sessions: Vec<BgpSession>,
}

impl ExaBgp {
    /// Why it answers no commands.
    pub(super) fn why_silent(&self) -> &str {
        self.silence.as_deref().unwrap_or(ACKS_OFF)
    }
}

/// The state of a BGP session.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// It is established.
    Up,
    /// It is not.
    Down,
    /// Unknown: `neighbor-changes` is not configured for this process, or the session has not changed since the helper
    /// started.
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
    /// Since when it has had this state, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// For how long it has had this state, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) for_seconds: Option<f64>,
    /// The reason that ExaBGP reports for a session that is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl BgpSession {
    /// The reason, as the end of a sentence, with the name of each NOTIFICATION; empty if ExaBGP reported none.
    pub(crate) fn because(&self) -> String {
        let Some(reason) = &self.reason else { return String::new() };
        let named = |part: &str| match notification::name(part) {
            Some(name) => format!("{part}, {name}"),
            None => part.to_owned(),
        };
        format!(": {}", joined(reason.split("; ").map(named), "; "))
    }
}
