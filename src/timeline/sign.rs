//! The signs of a timeline: one for each state of a check, a service and a route.

use crate::engine::api_session::route_entry::RouteEntry;
use crate::engine::check::Check;
use crate::engine::hysteresis::CheckState;
use crate::engine::service::{Service, ServiceState};
use crate::exabgp::Advertisement;

/// A state, ordered from best to worst.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Sign {
    Good,
    Unknown,
    Rising,
    Degraded,
    Falling,
    Drained,
    Held,
    Down,
}

impl Sign {
    /// All, from best to worst.
    pub(crate) const ALL: [Self; 8] = [
        Self::Good,
        Self::Unknown,
        Self::Rising,
        Self::Degraded,
        Self::Falling,
        Self::Drained,
        Self::Held,
        Self::Down,
    ];

    /// The character of a timeline in text.
    pub(crate) const fn symbol(self) -> char {
        match self {
            Self::Good => '#',
            Self::Unknown => '.',
            Self::Rising => '/',
            Self::Degraded => '~',
            Self::Falling => '\\',
            Self::Drained => 'x',
            Self::Held => '=',
            Self::Down => '_',
        }
    }

    pub(super) fn from_check(check: &Check) -> Self {
        match check.state() {
            CheckState::Unknown => Self::Unknown,
            CheckState::Rising(_) => Self::Rising,
            CheckState::Up => Self::Good,
            CheckState::Falling(_) => Self::Falling,
            CheckState::Down => Self::Down,
        }
    }

    pub(super) fn from_service(service: &Service) -> Self {
        match service.state() {
            ServiceState::Starting => Self::Unknown,
            ServiceState::Up => Self::Good,
            ServiceState::Degraded => Self::Degraded,
            ServiceState::Drained => Self::Drained,
            ServiceState::Down if service.dampening.keeps_withdrawn() => Self::Held,
            ServiceState::Down => Self::Down,
        }
    }

    pub(super) const fn from_route(entry: &RouteEntry) -> Self {
        match &entry.acknowledged {
            None => Self::Unknown,
            Some(Advertisement::Announce(_)) => Self::Good,
            Some(Advertisement::Withdraw) => Self::Down,
        }
    }
}
