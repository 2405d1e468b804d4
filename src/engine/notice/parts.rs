//! Parts of several kinds of notices.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::RouteState;
use crate::engine::dampening::RESTARTS_EXCUSED;
use crate::engine::dampening::window::{WINDOW, counted_in_window};
use crate::text::period::{Period, Shown};

/// A fall from serving, and its consequences.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Fall {
    /// The penalty after it, without its fraction.
    pub(crate) penalty: u32,
    /// Whether a suppression would hold the service down.
    pub(crate) enforced: bool,
    /// The falls of the last [`WINDOW`], this one among them.
    pub(crate) falls: u32,
    /// The length of the return, if it is longer than usual.
    pub(crate) return_takes: Option<Duration>,
    /// Whether the process ended and may be back within `restart-grace`, but that has excused too many restarts
    /// already.
    pub(crate) grace_used_up: bool,
}

impl Fall {
    /// Why the exit of a process is a fall at once, if it is.
    pub(super) fn used_up(&self) -> String {
        if self.grace_used_up {
            format!(" (restart-grace has excused {RESTARTS_EXCUSED} restarts within {})", Period(WINDOW))
        } else {
            String::new()
        }
    }

    /// The effect of repeated falls on the return, if any.
    pub(super) fn longer(&self) -> String {
        self.return_takes.map_or_else(String::new, |takes| {
            format!("; {}: the return takes {}", counted_in_window(self.falls, "fall"), Shown(takes))
        })
    }
}

/// Whether ExaBGP has acknowledged a statement.
pub(super) fn acknowledgment(silence: Option<&str>) -> String {
    silence.map_or_else(|| "acknowledged".to_owned(), |silence| format!("NOT acknowledged: {silence}"))
}

/// Why a drain or a hold ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OrderEnd {
    /// Its holder, or an operator, has lifted it.
    Lifted,
    /// Its time is over.
    Expired,
    /// No check takes the service down.
    Healthy,
}

impl fmt::Display for OrderEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lifted => "is lifted",
            Self::Expired => "has expired",
            Self::Healthy => "is over: no check takes it down",
        })
    }
}

impl fmt::Display for RouteState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Announced => "ANNOUNCED",
            Self::Withdrawn => "WITHDRAWN",
        })
    }
}

/// A route that is no longer configured and may be announced.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LeftBehind {
    /// Its prefix is not configured: it, and its neighbors if not all; `acknowledged` if ExaBGP has acknowledged its
    /// announcement.
    Gone { route: String, acknowledged: bool },
    /// Its prefix is configured for these neighbors, and was announced to every one.
    Narrowed { prefix: String, others: String },
    /// Its prefix is configured for other neighbors, but not for these.
    Elsewhere { prefix: String, neighbors: String, others: String },
    /// Its neighbors get the prefix by another route.
    Replaced { prefix: String, neighbors: String, others: String },
}

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { route, acknowledged } => {
                let perhaps = if *acknowledged { "" } else { ", but may be announced" };
                write!(f, "{route} is no longer configured{perhaps}: withdrawing it")
            }
            Self::Narrowed { prefix, others } => write!(
                f,
                "{prefix} is now configured for {others} only: withdrawing it from every neighbor first, since ExaBGP has no \
                 command for all neighbors but some; the next announcement returns the route to {others}"
            ),
            Self::Elsewhere { prefix, neighbors, others } => write!(
                f,
                "{prefix} is now configured for {others}, no longer for {neighbors}: withdrawing the route to \
                 {neighbors}"
            ),
            Self::Replaced { prefix, neighbors, others } => write!(
                f,
                "{prefix} is now configured for {others}, no longer for {neighbors} alone: replacing the route to \
                 {neighbors}"
            ),
        }
    }
}

/// ExaBGP reports the sessions of other neighbors, and none of these.
pub(super) fn no_session(neighbors: &str) -> String {
    format!(
        "ExaBGP has told of no session with {neighbors}, but of sessions with others: whether {neighbors} gets a route is not \
         known; compare the neighbors with exabgp.conf, where each needs `neighbor-changes` in its `api` section"
    )
}
