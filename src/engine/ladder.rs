//! The ladder of a route: what is advertised in each state of its service.

use super::service::ServiceState;
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
    For(ServiceState),
}

impl Stated {
    /// What is stated in `state`; `None` while nothing has been decided.
    #[must_use]
    pub(crate) const fn from_state(state: ServiceState) -> Option<Self> {
        match state {
            ServiceState::Starting => None,
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
    pub(crate) const fn at(&self, state: ServiceState) -> Option<&Advertisement> {
        match state {
            ServiceState::Starting => None,
            ServiceState::Up => Some(&self.up),
            ServiceState::Degraded => Some(&self.degraded),
            ServiceState::Down => Some(&self.down),
            ServiceState::Drained => Some(&self.drained),
        }
    }

    /// The four rungs, best first, with their names.
    #[must_use]
    pub(crate) const fn rungs(&self) -> [(ServiceState, &Advertisement); Self::STATES] {
        [
            (ServiceState::Up, &self.up),
            (ServiceState::Degraded, &self.degraded),
            (ServiceState::Down, &self.down),
            (ServiceState::Drained, &self.drained),
        ]
    }
}
