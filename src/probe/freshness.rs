//! Checks of zones: whether this server has what the reference servers have, and does not expire it soon.
//!
//! ```text
//! list: names ─► ledger: which are due ─► ask: SOA here and at the references ─► ledger: the verdict on all zones
//! ```
//!
//! A round asks for the zones that are due and returns at once with the verdict on all zones: each round stays short with
//! 10,000 zones. The [`ledger`] and each [`zone`] are pure and get the time as an argument. The state of the zones belongs
//! to the probe and survives its rounds, and a reload that does not change the check.
//!
//! The protocol does not show when a server refreshed a zone. A zone expires when the server says so (EDNS EXPIRE,
//! RFC 7314); without that, when the expire time of its SOA has passed since it was last as new as the references.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use self::ask::{References, Server, look};
use self::ledger::{Ledger, Speed};
use self::list::ZoneSource;
use self::zone::Limits;
use crate::engine::moment::Moment;
use crate::outcome::{Cause, Outcome};
use crate::probe::now;
use crate::sys::lock;
use crate::text::{counted, joined};

pub(crate) mod ask;
mod catalog;
pub(crate) mod ledger;
pub(crate) mod list;
pub(crate) mod serial;
pub(crate) mod zone;

/// Maximum number of zones in flight.
const AT_ONCE: usize = 64;

/// A round asks for no further zone after this time.
const ROUND: Duration = Duration::from_secs(1);

/// The zones of a service, compared with reference servers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FreshnessProbe {
    /// The source of the names of the zones.
    pub(crate) zones: ZoneSource,
    /// The server whose zones they are.
    pub(crate) here: Server,
    /// The servers that they are compared with.
    pub(crate) references: References,
    /// The limits beyond which a zone fails.
    pub(crate) limits: Limits,
    /// Time of a round over all zones.
    pub(crate) zone_interval: Duration,
    /// Maximum number of queries per second, to this server and the references together.
    pub(crate) max_queries: NonZeroU32,
    /// Timeout of an answer.
    pub(crate) timeout: Duration,
    /// The state of the zones.
    pub(crate) memory: Memory,
}

/// The state of the zones. Copies share it; it does not count in comparisons.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    ledger: Ledger,
    /// When the list of zones was read last.
    listed: Option<Moment>,
    /// Why it could not be read, or what was left out of it.
    complaint: Option<String>,
}

impl PartialEq for Memory {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl FreshnessProbe {
    /// Asks for the zones that are due, and returns the verdict on all zones. Of `stale` and `expired` it has the cause that
    /// `severity` ranks higher.
    ///
    /// Await it on a tokio runtime with I/O and time enabled.
    pub(crate) async fn ask<K: Ord>(&self, severity: impl Fn(Cause) -> K) -> Outcome {
        let began = Instant::now();
        self.read_list().await;
        let due = lock(&self.memory.0).ledger.due(now(), self.speed());
        let started = self.walk(&due, began + ROUND).await;
        let mut known = lock(&self.memory.0);
        known.ledger.postpone(due.len() - started);
        known.verdict(self, began.elapsed(), severity)
    }

    /// Asks for every zone once, at most as fast as permitted. Returns a summary and the verdict.
    pub(crate) async fn ask_all(&self) -> (String, Outcome) {
        let began = Instant::now();
        self.read_list().await;
        let all = lock(&self.memory.0).ledger.all();
        for second in all.chunks((self.speed().most() as usize).max(1)) {
            let next = tokio::time::Instant::now() + Duration::from_secs(1);
            self.walk(second, Instant::now() + 10 * ROUND).await;
            if second.len() < all.len() {
                tokio::time::sleep_until(next).await;
            }
        }
        let known = lock(&self.memory.0);
        let (unknown, behind) = known.ledger.summary(now(), self.limits);
        let zones = counted(known.ledger.len(), "zone");
        let label = format!("{zones}: {behind} behind, {unknown} not compared");
        (label, known.verdict(self, began.elapsed(), |_| 0))
    }

    /// The queries that this check sends to the server, per second, as far as the number of zones is known.
    pub(crate) fn rate(&self) -> f64 {
        match &self.zones {
            ZoneSource::Named(names) => self.speed().rate(names.len()),
            ZoneSource::File(_) | ZoneSource::Catalog(_) | ZoneSource::Listed(_) => 0.0,
        }
    }

    /// The rate of zones: each takes a query to this server and one to each reference.
    pub(crate) fn speed(&self) -> Speed {
        let queries = u32::try_from(self.references.servers().len()).unwrap_or(u32::MAX).saturating_add(1);
        Speed {
            every: self.zone_interval,
            max_queries: self.max_queries,
            cost: NonZeroU32::new(queries).unwrap_or(NonZeroU32::MIN),
        }
    }

    /// Reads the list of zones when it is due. If that fails, the earlier list stays in force.
    async fn read_list(&self) {
        let asked = now();
        let is_due = match (&self.zones, lock(&self.memory.0).listed) {
            (_, None) => true,
            (ZoneSource::Named(_), Some(_)) => false,
            (_, Some(listed)) => asked.since(listed) >= self.zone_interval,
        };
        if !is_due {
            return;
        }
        let read = self.zones.read(self.references.servers()).await;
        let mut known = lock(&self.memory.0);
        known.listed = Some(asked);
        let complaint = match read {
            Ok(list) => {
                known.ledger.set_zones(list.names);
                list.complaint
            }
            Err(why) => Some(why),
        };
        if let Some(why) = complaint.as_ref().filter(|why| known.complaint.as_ref() != Some(*why)) {
            log::warn!("list of zones to compare: {why}");
        }
        known.complaint = complaint;
    }

    /// Asks for these zones until `end`. Returns how many it has asked for.
    async fn walk(&self, zones: &[(usize, Box<str>)], end: Instant) -> usize {
        let (mut looks, mut started) = (FuturesUnordered::new(), 0);
        loop {
            while looks.len() < AT_ONCE && Instant::now() < end {
                let Some((place, name)) = zones.get(started) else { break };
                looks.push(self.look_at(*place, name));
                started += 1;
            }
            if looks.next().await.is_none() {
                return started;
            }
        }
    }

    async fn look_at(&self, place: usize, name: &str) {
        let look = look(name, &self.here, &self.references, self.timeout).await;
        lock(&self.memory.0).ledger.learn(now(), place, name, look, self.limits);
    }
}

impl Known {
    fn verdict<K: Ord>(
        &self,
        probe: &FreshnessProbe,
        took: Duration,
        severity: impl Fn(Cause) -> K,
    ) -> Outcome {
        if self.ledger.len() == 0 {
            let why = self.complaint.as_deref().unwrap_or("the list is empty");
            return Outcome::from_cause(Cause::NoReference, format!("no zones to compare: {why}"));
        }
        self.ledger.verdict(now(), probe.limits, took, severity)
    }
}

impl fmt::Display for FreshnessProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = joined(self.references.servers(), ", ");
        write!(f, "{} at {} against {} {servers}", self.zones, self.here, self.references.word())
    }
}

#[cfg(test)]
mod tests;
