//! The ladder of a route: its advertisement in each state of the service.

use serde::{Deserialize, Serialize};

use super::service::ServiceState;
use crate::exabgp::Advertisement;

/// An advertisement for each state, except `starting`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Ladder {
    /// All checks that count are up.
    pub(crate) up: Advertisement,
    /// Of the checks that count, only some that degrade are down.
    pub(crate) degraded: Advertisement,
    /// A check that counts is down, or dampening holds the service down.
    pub(crate) down: Advertisement,
    /// An order of the operator.
    pub(crate) drained: Advertisement,
}

/// The last statement of a service: one rung for the ladders of all its routes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Stated {
    /// A withdraw, regardless of the ladders.
    Withdraw,
    /// The rung of this state, which is never `starting`.
    For(ServiceState),
}

impl Stated {
    /// The statement in `state`; `None` before the first decision.
    pub(crate) const fn from_state(state: ServiceState) -> Option<Self> {
        match state {
            ServiceState::Starting => None,
            state => Some(Self::For(state)),
        }
    }
}

impl Ladder {
    /// The number of rungs.
    pub(crate) const STATES: usize = 4;

    /// A ladder that announces in no state.
    pub(crate) const fn withdrawn() -> Self {
        use Advertisement::Withdraw;
        Self { up: Withdraw, degraded: Withdraw, down: Withdraw, drained: Withdraw }
    }

    /// The advertisement in `state`; `None` before the first decision.
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
    pub(crate) const fn rungs(&self) -> [(ServiceState, &Advertisement); Self::STATES] {
        [
            (ServiceState::Up, &self.up),
            (ServiceState::Degraded, &self.degraded),
            (ServiceState::Down, &self.down),
            (ServiceState::Drained, &self.drained),
        ]
    }
}
