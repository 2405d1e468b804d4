//! One zone over time: since when it lacks a serial that the references have, and when it expires. Without I/O.

use std::time::Duration;

use super::serial::is_newer;
use crate::engine::moment::Moment;

/// Maximum number of reference serials that are remembered while a zone is behind. A zone that follows at a distance then
/// shows that distance, although its serial changes all the time.
const REMEMBERED: usize = 8;

/// When a zone fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Limits {
    /// The longest that a zone may lack a serial of the references.
    pub(crate) max_lag: Duration,
    /// The shortest time until a zone expires. For a zone whose SOA leaves less room, half of the time between refresh
    /// and expire counts instead.
    pub(crate) expire_left: Duration,
}

/// A SOA of this server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Soa {
    /// The version of the zone.
    pub(crate) serial: u32,
    /// From one refresh of a secondary to the next.
    pub(crate) refresh: Duration,
    /// From the last successful refresh of a secondary to the end of its answers.
    pub(crate) expire: Duration,
    /// The remaining part of that time, if the server reports it (EDNS EXPIRE, RFC 7314).
    pub(crate) left: Option<Duration>,
}

/// What this server answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Here {
    /// A SOA, with authority.
    Serves(Soa),
    /// It does not serve the zone; with its reason.
    ServesNot(String),
    /// The answer says nothing about the zone, for this reason.
    Unknown(String),
}

/// One look at a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Look {
    /// The answer of this server.
    pub(crate) here: Here,
    /// The serial of the references, or why there is none.
    pub(crate) reference: Result<u32, String>,
}

/// A zone.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    /// In lower case, with its last dot.
    pub(super) name: Box<str>,
    /// The last look, and when it was.
    last: Option<(Moment, Box<Look>)>,
    /// The last SOA of this server, whether or not it still serves the zone.
    soa: Option<Soa>,
    /// When the zone was last seen as new as the references.
    current: Option<Moment>,
    /// Serials of the references that this server lacks, the oldest first, and when each was first seen. Empty for
    /// nearly every zone.
    lacks: Vec<(u32, Moment)>,
}

/// The state of a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ZoneState {
    /// It was not asked for yet.
    NotAsked,
    /// It cannot be compared, for this reason.
    Unknown(String),
    /// It is as new as the references, or newer, or has lacked a serial for a short time only.
    Fresh {
        /// For how long it has lacked a serial; zero if it lacks none.
        lag: Duration,
    },
    /// It has lacked a serial for longer than `max-lag`.
    Stale {
        /// For how long.
        lag: Duration,
    },
    /// It expires sooner than `expire-left`.
    Expires {
        /// After this time; zero if it has expired.
        left: Duration,
        /// Whether the server said so; otherwise it follows from when the zone was last current.
        is_told: bool,
    },
}

impl Zone {
    pub(super) const fn new(name: Box<str>) -> Self {
        Self { name, last: None, soa: None, current: None, lacks: Vec::new() }
    }

    /// Records the result of `now`.
    pub(super) fn learn(&mut self, now: Moment, look: Look, limits: Limits) {
        let serial = match &look.here {
            Here::Serves(soa) => {
                self.soa = Some(*soa);
                Some(Some(soa.serial))
            }
            Here::ServesNot(_) => Some(None),
            Here::Unknown(_) => None,
        };
        if let (Some(serial), Ok(reference)) = (serial, &look.reference) {
            self.compare(now, serial, *reference, limits);
        }
        self.last = Some((now, Box::new(look)));
    }

    fn compare(&mut self, now: Moment, serial: Option<u32>, reference: u32, limits: Limits) {
        let is_lacking = |wanted: u32| serial.is_none_or(|serial| is_newer(wanted, serial));
        self.lacks.retain(|(wanted, _)| is_lacking(*wanted));
        if !is_lacking(reference) {
            // Older serials no longer count: the references have none newer than this one.
            self.lacks.clear();
            self.current = Some(now);
            return;
        }
        let is_next = match self.lacks.last() {
            None => true,
            Some((last, seen)) => {
                is_newer(reference, *last)
                    && now.since(*seen) >= limits.max_lag / 4
                    && self.lacks.len() < REMEMBERED
            }
        };
        if is_next {
            self.lacks.push((reference, now));
        }
    }

    /// The state of the zone at `now`.
    pub(super) fn standing(&self, now: Moment, limits: Limits) -> ZoneState {
        let Some((seen, look)) = &self.last else { return ZoneState::NotAsked };
        // The server's own expiry needs no reference.
        if let Here::Serves(soa) = look.here
            && let Some(left) = soa.left
        {
            let left = left.saturating_sub(now.since(*seen));
            if left <= soa.least_left(limits) {
                return ZoneState::Expires { left, is_told: true };
            }
        }
        let reason = match (&look.here, &look.reference) {
            (Here::Unknown(why), _) | (_, Err(why)) => Some(why),
            (Here::Serves(_) | Here::ServesNot(_), Ok(_)) => None,
        };
        if let Some(why) = reason {
            return ZoneState::Unknown(why.clone());
        }
        let Some((_, since)) = self.lacks.first() else { return ZoneState::Fresh { lag: Duration::ZERO } };
        // Without EDNS EXPIRE, the last refresh was at the latest when the zone was last current.
        let is_untold = !matches!(&look.here, Here::Serves(Soa { left: Some(_), .. }));
        if let (true, Some(soa), Some(current)) = (is_untold, self.soa, self.current) {
            let left = soa.expire.saturating_sub(now.since(current));
            if left <= soa.least_left(limits) {
                return ZoneState::Expires { left, is_told: false };
            }
        }
        match now.since(*since) {
            lag if lag > limits.max_lag => ZoneState::Stale { lag },
            lag => ZoneState::Fresh { lag },
        }
    }

    /// Which serials were compared: "has 3, expected 5".
    pub(super) fn serials(&self) -> String {
        let Some((_, look)) = &self.last else { return "not asked yet".to_owned() };
        let here = match &look.here {
            Here::Serves(soa) => format!("has {}", soa.serial),
            Here::ServesNot(why) | Here::Unknown(why) => why.clone(),
        };
        match look.reference {
            Ok(reference) => format!("{here}, expected {reference}"),
            Err(_) => here,
        }
    }
}

impl Soa {
    /// The time that has to be left. A secondary that refreshes as its SOA says never has less than twice the latter.
    fn least_left(self, limits: Limits) -> Duration {
        limits.expire_left.min(self.expire.saturating_sub(self.refresh) / 2)
    }
}

#[cfg(test)]
mod tests;
