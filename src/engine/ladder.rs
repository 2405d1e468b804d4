//! The ladder: what is advertised in each state of a service.

use super::service::State;
use crate::exabgp::Advertisement;

/// An advertisement for each state that has been decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ladder {
    /// All checks that count are up.
    pub up: Advertisement,
    /// At worst, checks that degrade are down.
    pub degraded: Advertisement,
    /// A check that counts is down, or dampening holds it.
    pub down: Advertisement,
    /// The operator wants it so.
    pub drained: Advertisement,
}

impl Ladder {
    /// What to advertise in `state`; `None` while nothing has been decided.
    #[must_use]
    pub const fn at(&self, state: State) -> Option<&Advertisement> {
        match state {
            State::Starting => None,
            State::Up => Some(&self.up),
            State::Degraded => Some(&self.degraded),
            State::Down => Some(&self.down),
            State::Drained => Some(&self.drained),
        }
    }

    /// The four rungs, best first, with their names.
    #[must_use]
    pub const fn rungs(&self) -> [(State, &Advertisement); 4] {
        [
            (State::Up, &self.up),
            (State::Degraded, &self.degraded),
            (State::Down, &self.down),
            (State::Drained, &self.drained),
        ]
    }
}
