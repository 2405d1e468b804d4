//! The states of a service, and its state at the start.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The state of a service.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// No verdict yet.
    Starting,
    /// Attracts traffic.
    Up,
    /// Announced with the attributes of `degraded`.
    Degraded,
    /// A check or dampening holds it down.
    Down,
    /// An order of the operator.
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

/// The statement before the first verdict.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum StartPolicy {
    /// None before the first verdict.
    Probe,
    /// The last acknowledged state, if it is younger than this.
    Adopt {
        /// The age limit.
        max_age: Duration,
    },
    /// Withdraw.
    Withdraw,
}
