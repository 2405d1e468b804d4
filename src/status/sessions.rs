//! The API session with ExaBGP, and the BGP sessions that ExaBGP reports.

use serde::{Deserialize, Serialize};

use super::time::Time;
use crate::exabgp::Dialect;

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
