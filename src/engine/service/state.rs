//! What a service can be, and what it is at its start.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a service is, to the world.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// No verdict yet.
    Starting,
    /// Attracts traffic.
    Up,
    /// Attracts traffic as a last resort.
    Degraded,
    /// Not to be relied on: a check says so, or dampening.
    Down,
    /// The operator wants it so.
    Drained,
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Drained => "drained",
        })
    }
}

/// What to state before the first verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StartPolicy {
    /// Nothing: decide first.
    Probe,
    /// What was last acknowledged, if it is younger than this.
    Adopt {
        /// The age limit.
        max_age: Duration,
    },
    /// Withdraw.
    Withdraw,
}
