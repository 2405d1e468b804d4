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

impl ServiceState {
    /// Whether a service serves in this state: up or degraded. What it advertises then is the plan's.
    pub(crate) const fn serves(self) -> bool {
        matches!(self, Self::Up | Self::Degraded)
    }

    /// Whether it serves again after it was down or drained, even if only as degraded.
    pub(crate) const fn returns_from(self, before: Self) -> bool {
        self.serves() && matches!(before, Self::Down | Self::Drained)
    }
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
pub(crate) enum StartPolicy {
    /// None before the first verdict.
    Probe,
    /// The last acknowledged state, if it is younger than `max_age`.
    Adopt { max_age: Duration },
    /// Withdraw.
    Withdraw,
}
