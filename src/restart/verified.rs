//! The zones that the server has to serve after the next operation of an operator, kept on disk: those that it served after
//! the last successful one or, where a reload has failed for its zones since, the newest version known of each.
//!
//! ```text
//!  restart, reload or rollback succeeds, no recorded zone is worse ─► the zones that the server serves then, saved
//!  next one, before it: the server does not list its zones ─► the saved ones are queried
//!                       it does not answer for a zone ─► what is saved of it counts as served before
//!  next one, after it: a saved zone is not served, or older ─► a warning, and the record stays
//!  reload fails for its zones ─► the newest version known of each, saved
//! ```
//!
//! Without it nothing would be known of the zones of a server that has crashed or hangs. Operations without an operator do
//! not save it, and neither fail nor wait because of it: an old record would delay the return of every PoP. They only warn.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::snapshot::Snapshot;
use crate::backend::Backend;
use crate::backend::answers::Zone;
use crate::backend::served::{Served, Source, is_among};
use crate::config::Config;
use crate::probe::freshness::serial::is_newer;
use crate::sys::local_time;
use crate::text::{counted, joined, ordered, parse_json};

/// The name of the document.
const NAME: &str = "verified.json";

/// Maximum number of zones in a warning.
const MOST_NAMED: usize = 8;

/// The time to look at the zones after an operation, in timeouts of one question: one for the list, and one for the zones
/// of a server that answers for none.
const QUESTIONS: u32 = 2;

/// Added to the timeouts of these questions.
const LEEWAY: Duration = Duration::from_secs(1);

/// The warning if nothing is known of the zones before the operation.
const UNKNOWN_BEFORE: &str = "which zones the server served before is not known, so a lost one is not noticed: make sure that it serves all of \
     them";

/// The warning if the server, after the operation, does not answer for its zones in time, or not for those of the record.
const UNKNOWN_NOW: &str = "the server does not answer the management address for all its zones in time, so they are not compared, and a \
     lost one is not noticed: let it answer that address, then run `dnsherald backend reload`";

/// A zone as it was served: its name, the address that was queried, whether clients query it, and the serial.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct SavedZone(String, SocketAddr, bool, u32);

impl SavedZone {
    /// `None` for a zone that was not served.
    pub(super) fn from_served(zone: &Zone) -> Option<Self> {
        let serial = zone.serial.filter(|_| zone.is_served())?;
        Some(Self(zone.zone.clone(), zone.server, zone.is_service, serial))
    }
}

impl From<SavedZone> for Zone {
    fn from(SavedZone(zone, server, is_service, serial): SavedZone) -> Self {
        Self { zone, server, is_service, serial: Some(serial), trouble: None, cause: None }
    }
}

/// The saved zones.
#[derive(Debug)]
pub(crate) struct Verified {
    /// The last successful operation; without one, the first reload that failed for its zones.
    at: SystemTime,
    pub(crate) zones: Vec<Zone>,
}

impl Verified {
    /// Those of this backend; `None` if none were saved, they cannot be read, or the document is damaged.
    pub(crate) fn load(config: &Config, backend: &Backend) -> Option<Self> {
        let document = Snapshot::new(&config.state, backend).read_document(NAME).ok()?;
        let (at, zones): (_, Vec<SavedZone>) = parse_json(&document).ok()?;
        Some(Self { at, zones: zones.into_iter().map(Zone::from).collect() })
    }

    /// After a reload that has made zones worse: saves the newest known version of each, of those `before` it and of `verified`, as
    /// what the next operation has to reach.
    pub(crate) fn keep_newest(config: &Config, backend: &Backend, verified: Option<&Self>, before: Served) {
        if let Some((at, served)) = Self::newest(verified, before) {
            Self::save(config, backend, at, &served);
        }
    }

    /// The newest known version of each zone, with the time of the record, which does not change. `None` if no more is known than
    /// the record, or without one not all zones. What a failed reload was to remove still counts.
    fn newest(verified: Option<&Self>, mut before: Served) -> Option<(SystemTime, Served)> {
        match (before.source, verified) {
            (Source::Silent, _) | (Source::Unlisted, None) => None,
            (_, None) => Some((SystemTime::now(), before)),
            (_, Some(verified)) => {
                before.expect(verified.zones.clone(), &[]);
                Some((verified.at, before))
            }
        }
    }

    /// Saves the zones that are `served`. If they cannot be saved, this is only logged.
    fn save(config: &Config, backend: &Backend, at: SystemTime, served: &Served) {
        let zones: Vec<_> = served.all().filter_map(SavedZone::from_served).collect();
        let snapshot = Snapshot::new(&config.state, backend);
        let saved = serde_json::to_vec(&(at, zones))
            .map_err(Into::into)
            .and_then(|document| snapshot.write(NAME, &document));
        if let Err(error) = saved {
            let place = snapshot.directory.display();
            log::warn!(
                "cannot save the zones of the server in {place}, so a restart of a server that does not answer would not \
                 be compared with them: {error}"
            );
        }
    }

    /// Names the zones that are not served any more, and those that are older, without those in `removed`; `None` if there are
    /// none.
    fn worse(&self, now: &Served, removed: &[String]) -> Option<String> {
        let at = local_time::Zone::from_this_host().at(self.at);
        let is_served = |name: &String| now.all().any(|zone| zone.is_served() && zone.zone == *name);
        let is_older = |before: &Zone| {
            let serials =
                now.all().find(|zone| zone.is_of(before)).and_then(|zone| zone.serial.zip(before.serial));
            serials.is_some_and(|(now, before)| is_newer(before, now))
        };
        let named = |is_worse: &dyn Fn(&Zone) -> bool| {
            let zones = self.zones.iter().filter(|zone| is_worse(zone)).map(|zone| &zone.zone);
            let names: BTreeSet<_> = ordered(zones.filter(|name| !is_among(removed, name)));
            let rest = names.len().saturating_sub(MOST_NAMED);
            let more = (rest > 0).then(|| counted(rest, "further zone"));
            let first = names.iter().take(MOST_NAMED).map(ToString::to_string);
            (!names.is_empty()).then(|| joined(first.chain(more), ", "))
        };
        let missing = named(&|zone| !is_served(&zone.zone)).map(|names| {
            format!(
                "zones are missing that the server served before (record of {at}): {names}; repair its configuration, or name \
                 them with --removed"
            )
        });
        let older = named(&is_older).map(|names| {
            format!(
                "zones are older than those that the server served before (record of {at}): {names}; put the newer ones back, \
                 raise the serial, or name them with --removed"
            )
        });
        let worse: Vec<_> = missing.into_iter().chain(older).collect();
        (!worse.is_empty()).then(|| joined(worse, "; "))
    }

    /// What the operator reads where these zones count; `None` if there are none.
    pub(crate) fn note(&self) -> Option<String> {
        let at = local_time::Zone::from_this_host().at(self.at);
        let note = format!(
            "the zones of the record of {at} count as served before this operation, as far as the server did not answer, or \
             an earlier attempt failed"
        );
        (!self.zones.is_empty()).then_some(note)
    }
}

/// After a successful operation: returns the warning that the zones before it, or those after it, are not known, or that zones
/// of the record are missing or older now. Saves the zones of now if `saves` is set, no zone is worse, and they are known.
pub(crate) async fn after_success(
    config: &Config,
    backend: &Backend,
    before: Source,
    verified: Option<&Verified>,
    removed: &[String],
    saves: bool,
) -> Option<String> {
    let record = verified.map(|verified| &*verified.zones);
    let targets = config.targets_of(backend);
    let now = Served::now(&targets, backend, &[], record);
    let Ok(now) = timeout(backend.timeout * QUESTIONS + LEEWAY, now).await else {
        return Some(UNKNOWN_NOW.to_owned());
    };
    // A server that did not list its zones before, and lists them now, may have lost some. No warning if the record is empty, since
    // it had none then; nor, without a record, of an operation that saves none for a server without zones: it probably never
    // had any, and the next such operation would warn again.
    let lists_only_now = now.source == Source::Server
        && match record {
            Some(zones) => !zones.is_empty(),
            None => saves || now.all().next().is_some(),
        };
    let unverified = match before {
        Source::Server | Source::Named => None,
        Source::Recorded => (now.source == Source::Recorded).then_some(UNKNOWN_NOW),
        Source::Silent => Some(UNKNOWN_BEFORE),
        Source::Unlisted => lists_only_now.then_some(UNKNOWN_BEFORE),
    };
    // The server may have lost them before: an operator may have removed them, or put them back, with other tools.
    let worse = verified.and_then(|verified| verified.worse(&now, removed));
    let is_known = match now.source {
        Source::Server | Source::Named => true,
        // An empty record would say that there are none.
        Source::Unlisted => now.all().next().is_some(),
        Source::Silent | Source::Recorded => false,
    };
    if saves && worse.is_none() && is_known {
        Verified::save(config, backend, SystemTime::now(), &now);
    }
    worse.or_else(|| unverified.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str, serial: u32) -> Zone {
        let server = "127.0.0.1:53".parse().unwrap();
        SavedZone(name.to_owned(), server, false, serial).into()
    }

    fn newest(
        source: Source,
        before: &[Zone],
        verified: Option<&[Zone]>,
    ) -> Option<Vec<(String, Option<u32>)>> {
        let at = SystemTime::UNIX_EPOCH;
        let verified = verified.map(|zones| Verified { at, zones: zones.to_vec() });
        let before = Served { listed: before.to_vec(), source, ..Served::default() };
        let (kept_at, served) = Verified::newest(verified.as_ref(), before)?;
        assert_eq!(kept_at == at, verified.is_some(), "the record keeps its time");
        Some(served.all().map(|zone| (zone.zone.clone(), zone.serial)).collect())
    }

    #[test]
    fn after_a_failed_reload_the_newest_known_version_of_each_zone_counts() {
        let (before, record) =
            ([zone("a.", 5), zone("b.", 9)], [zone("a.", 7), zone("b.", 8), zone("c.", 1)]);
        let all = [("a.", 7), ("b.", 9), ("c.", 1)].map(|(name, serial)| (name.to_owned(), Some(serial)));
        for source in [Source::Server, Source::Named, Source::Recorded, Source::Unlisted] {
            assert_eq!(newest(source, &before, Some(&record)).as_deref(), Some(&all[..]), "{source:?}");
        }
        let known = [("a.", 5), ("b.", 9)].map(|(name, serial)| (name.to_owned(), Some(serial)));
        assert_eq!(newest(Source::Server, &before, None).as_deref(), Some(&known[..]));
    }

    /// What is incomplete must not count as all that the server served.
    #[test]
    fn without_a_list_or_an_answer_there_is_nothing_to_keep() {
        let before = [zone("a.", 5)];
        assert_eq!(newest(Source::Unlisted, &before, None), None);
        assert_eq!(newest(Source::Silent, &[], None), None);
        assert_eq!(newest(Source::Silent, &[], Some(&before)), None);
    }
}
