//! The ladder of a route: what is advertised in each state of its service.

use super::service::State;
use crate::exabgp::Advertisement;

/// An advertisement for each state that has been decided.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ladder {
    /// All checks that count are up.
    pub(crate) up: Advertisement,
    /// At worst, checks that degrade are down.
    pub(crate) degraded: Advertisement,
    /// A check that counts is down, or dampening holds it.
    pub(crate) down: Advertisement,
    /// The operator wants it so.
    pub(crate) drained: Advertisement,
}

/// What a service has stated last: the same rung of the ladder of each route.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stated {
    /// A withdraw, whatever the ladders say.
    Withdraw,
    /// What each ladder has for this state, which is never `starting`.
    For(State),
}

impl Stated {
    /// What is stated in `state`; `None` while nothing has been decided.
    #[must_use]
    pub(crate) const fn of(state: State) -> Option<Self> {
        match state {
            State::Starting => None,
            state => Some(Self::For(state)),
        }
    }
}

impl Ladder {
    /// How many states have a rung.
    pub(crate) const STATES: usize = 4;

    /// Announces in no state.
    #[must_use]
    pub(crate) const fn withdrawn() -> Self {
        use Advertisement::Withdraw;
        Self { up: Withdraw, degraded: Withdraw, down: Withdraw, drained: Withdraw }
    }

    /// What to advertise in `state`; `None` while nothing has been decided.
    #[must_use]
    pub(crate) const fn at(&self, state: State) -> Option<&Advertisement> {
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
    pub(crate) const fn rungs(&self) -> [(State, &Advertisement); Self::STATES] {
        [
            (State::Up, &self.up),
            (State::Degraded, &self.degraded),
            (State::Down, &self.down),
            (State::Drained, &self.drained),
        ]
    }
}
