//! All zones of a check over time: which are due, and the verdict on them. Without I/O.

use std::cmp::Ordering;
use std::num::NonZeroU32;
use std::time::Duration;

use super::zone::{Limits, Look, Zone, ZoneState};
use crate::engine::moment::Moment;
use crate::outcome::{Cause, Outcome};
use crate::text::period::Shown;

/// Maximum number of zones of a check: some 100 MB.
pub(super) const MOST_ZONES: usize = 500_000;

/// Maximum number of zones that the detail of a failure names.
const NAMED: usize = 3;

/// The rate of queries for zones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Speed {
    /// A round over all zones takes this time, if the limit of queries permits.
    pub(crate) every: Duration,
    /// Maximum number of queries per second, to this server and the references together.
    pub(crate) max_queries: NonZeroU32,
    /// Queries for each zone.
    pub(crate) cost: NonZeroU32,
}

impl Speed {
    /// Zones per second, of `count`.
    pub(super) fn rate(self, count: usize) -> f64 {
        (count as f64 / self.every.as_secs_f64()).min(self.most())
    }

    /// Maximum number of zones per second.
    pub(super) fn most(self) -> f64 {
        f64::from(self.max_queries.get()) / f64::from(self.cost.get())
    }
}

/// The zones of a check, sorted by name.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    zones: Vec<Zone>,
    /// The place of the zone to ask for next.
    next: usize,
    /// The number of zones that may be asked for now, and the time of that number.
    credit: Option<(f64, Moment)>,
}

impl Ledger {
    /// Replaces the zones. A zone that was there before keeps its state.
    pub(super) fn set_zones(&mut self, mut names: Vec<String>) {
        names.sort_unstable();
        names.dedup();
        names.truncate(MOST_ZONES);
        let mut known = std::mem::take(&mut self.zones).into_iter().peekable();
        self.zones.reserve_exact(names.len());
        for name in names {
            while known.peek().is_some_and(|zone| (*zone.name).cmp(&name) == Ordering::Less) {
                known.next();
            }
            let same = known.next_if(|zone| *zone.name == *name);
            self.zones.push(same.unwrap_or_else(|| Zone::new(name.into_boxed_str())));
        }
        self.next = if self.zones.is_empty() { 0 } else { self.next % self.zones.len() };
    }

    /// The number of zones.
    pub(super) fn len(&self) -> usize {
        self.zones.len()
    }

    /// The places and names of the zones to ask for at `now`. At first as many as the limit of queries permits in a
    /// second, then in turn, spread evenly.
    pub(super) fn due(&mut self, now: Moment, speed: Speed) -> Vec<(usize, Box<str>)> {
        let most = speed.most().max(1.0);
        let credit = match self.credit {
            None => most,
            Some((credit, since)) => {
                (credit + speed.rate(self.zones.len()) * now.since(since).as_secs_f64()).min(most)
            }
        };
        let count = (credit as usize).min(self.zones.len());
        // Credit beyond the number of zones is useless.
        self.credit = Some(((credit - count as f64).min(1.0), now));
        let places = (0..count).map(|ahead| (self.next + ahead) % self.zones.len());
        let due: Vec<_> = places.map(|place| (place, self.zones[place].name.clone())).collect();
        if count > 0 {
            self.next = (self.next + count) % self.zones.len();
        }
        due
    }

    /// The last `count` of those that were due were not asked for: they are next.
    pub(super) fn postpone(&mut self, count: usize) {
        if let Some(back) = count.checked_rem(self.zones.len()) {
            self.next = (self.next + self.zones.len() - back) % self.zones.len();
        }
    }

    /// Every place and name.
    pub(super) fn all(&self) -> Vec<(usize, Box<str>)> {
        self.zones.iter().map(|zone| zone.name.clone()).enumerate().collect()
    }

    /// Records the result for the zone at `place`, if it is still this one.
    pub(super) fn learn(&mut self, now: Moment, place: usize, name: &str, look: Look, limits: Limits) {
        if let Some(zone) = self.zones.get_mut(place).filter(|zone| *zone.name == *name) {
            zone.learn(now, look, limits);
        }
    }

    /// The verdict on all zones at `now`. Of `stale` and `expired` it has the cause that `severity` ranks higher.
    pub(super) fn verdict<K: Ord>(
        &self,
        now: Moment,
        limits: Limits,
        took: Duration,
        severity: impl Fn(Cause) -> K,
    ) -> Outcome {
        let (mut stale, mut expired) = (FailingZones::default(), FailingZones::default());
        let (mut compared, mut unknown) = (0, None);
        for zone in &self.zones {
            match zone.standing(now, limits) {
                ZoneState::NotAsked => {}
                ZoneState::Unknown(why) => {
                    unknown.get_or_insert(why);
                }
                ZoneState::Fresh { .. } => compared += 1,
                ZoneState::Stale { lag } => {
                    stale.add(|| format!("{} {}, behind for {}", zone.name, zone.serials(), Shown(lag)));
                }
                ZoneState::Expires { left, is_told } => {
                    expired.add(|| format!("{} {}", zone.name, expiry(left, is_told)));
                }
            }
        }
        let of = self.zones.len();
        let stale_words = stale.words(of, ["zone is stale", "zones are stale"]);
        let expired_words = expired.words(of, ["zone expires soon", "zones expire soon"]);
        match (stale_words, expired_words) {
            (Some(stale), None) => Outcome::from_cause(Cause::Stale, stale),
            (None, Some(expired)) => Outcome::from_cause(Cause::Expired, expired),
            (Some(stale), Some(expired)) if severity(Cause::Stale) > severity(Cause::Expired) => {
                Outcome::from_cause(Cause::Stale, format!("{stale}; {expired}"))
            }
            (Some(stale), Some(expired)) => {
                Outcome::from_cause(Cause::Expired, format!("{expired}; {stale}"))
            }
            (None, None) if compared > 0 => Outcome::pass(took),
            (None, None) => {
                let why = unknown.unwrap_or_else(|| "no zone was asked for yet".to_owned());
                Outcome::from_cause(Cause::NoReference, format!("no zone of {of} can be compared: {why}"))
            }
        }
    }

    /// Zones that are not known to be fresh, and zones that lack a serial, for a summary.
    pub(super) fn summary(&self, now: Moment, limits: Limits) -> (usize, usize) {
        let (mut unknown, mut behind) = (0, 0);
        for zone in &self.zones {
            match zone.standing(now, limits) {
                ZoneState::NotAsked | ZoneState::Unknown(_) => unknown += 1,
                ZoneState::Fresh { lag: Duration::ZERO } | ZoneState::Expires { .. } => {}
                ZoneState::Fresh { .. } | ZoneState::Stale { .. } => behind += 1,
            }
        }
        (unknown, behind)
    }
}

fn expiry(left: Duration, is_told: bool) -> String {
    let how = if is_told { "" } else { ", counted from when it was last as new as the references" };
    if left.is_zero() { format!("has expired{how}") } else { format!("expires in {}{how}", Shown(left)) }
}

/// Zones that fail for one cause: how many, and the first few in words.
#[derive(Debug, Default)]
struct FailingZones {
    count: usize,
    named: Vec<String>,
}

impl FailingZones {
    fn add(&mut self, words: impl FnOnce() -> String) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(words());
        }
    }

    /// "2 of 5 zones are stale: …; …"
    fn words(&self, of: usize, [one, many]: [&str; 2]) -> Option<String> {
        let what = if self.count == 1 { one } else { many };
        let more = match self.count - self.named.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        (self.count > 0).then(|| format!("{} of {of} {what}: {}{more}", self.count, self.named.join("; ")))
    }
}

#[cfg(test)]
mod tests;
