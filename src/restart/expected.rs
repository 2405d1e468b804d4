//! The listeners and zones that the server must have again, kept on disk while failed attempts follow each other.
//!
//! ```text
//!  first attempt ─► present state ─► saved ─► failure: its drain stays
//!  next attempt, while that drain stays: the saved state replaces the present one ─► success or rollback: removed
//! ```
//!
//! Without it the second attempt would take the state of a server that the first one has broken for the state before.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::snapshot::Snapshot;
use super::verified::SavedZone;
use crate::backend::answers::Zone;
use crate::backend::listeners::Listener;
use crate::backend::served::Source;
use crate::netlink::sockets::Protocol;
use crate::text::parse_json;

/// The name of the document.
const NAME: &str = "before.json";

/// The tolerance between the age of a drain and the clock of the document.
const LEEWAY: Duration = Duration::from_secs(5);

/// The state of the server before the first attempt.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Expected {
    /// When it was saved.
    at: SystemTime,
    /// Each with the number of its sockets.
    listeners: Vec<(SocketAddr, Protocol, usize)>,
    zones: Vec<SavedZone>,
    /// How they are known.
    #[serde(default)]
    source: Source,
}

impl Expected {
    fn new(baseline: &Baseline) -> Self {
        // Those of a server that was down belong to others.
        let listeners = baseline.listeners.iter().filter(|_| !baseline.is_down);
        Self {
            at: SystemTime::now(),
            listeners: listeners.map(|one| (one.address, one.transport, one.sockets)).collect(),
            zones: baseline.zones.all().filter_map(SavedZone::from_served).collect(),
            source: baseline.zones.source,
        }
    }

    /// Saves the state before this attempt, for the next attempt. If it cannot be saved, this is only logged. An earlier
    /// document then stays; without one the next attempt compares with its own listeners and with the zones of the record
    /// ([`Verified`](super::verified::Verified)), if there is one.
    pub(super) fn save(snapshot: &Snapshot, baseline: &Baseline) {
        let saved = serde_json::to_vec(&Self::new(baseline))
            .map_err(Into::into)
            .and_then(|document| snapshot.write(NAME, &document));
        if let Err(error) = saved {
            let place = snapshot.directory.display();
            log::warn!(
                "cannot save the present state of the server in {place}, so a second attempt would not be compared with \
                 it: {error}"
            );
        }
    }

    /// The saved state, if it is no older than the drain that failed attempts have left, which has lasted for `drained_for`. An
    /// older one is of earlier attempts, whose drain has ended.
    pub(super) fn load(snapshot: &Snapshot, drained_for: Duration) -> Option<Self> {
        match snapshot.read_document(NAME) {
            Ok(document) => parse_json(&document).ok().filter(|saved: &Self| saved.is_within(drained_for)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                log::warn!("cannot read the state of the server before the failed attempt: {error}");
                None
            }
        }
    }

    fn is_within(&self, time: Duration) -> bool {
        self.at.elapsed().is_ok_and(|age| age <= time.saturating_add(LEEWAY))
    }

    /// Forgets it: the server serves as before.
    pub(super) fn remove(snapshot: &Snapshot) {
        // One that stays is older than the drain of a later attempt, and therefore not read.
        let _ = std::fs::remove_file(snapshot.directory.join(NAME));
    }

    /// Replaces the present listeners of the baseline by the saved ones, and adds the saved zones. If no listener was saved, the
    /// server was down before the first attempt, or nothing listened, and the present listeners stay.
    pub(super) fn replace_in(self, baseline: &mut Baseline, removed: &[String]) {
        if !self.listeners.is_empty() {
            let listener = |(address, transport, sockets)| Listener {
                address,
                transport,
                sockets,
                waiting: 0,
                drops: 0,
                inodes: vec![],
            };
            baseline.listeners = self.listeners.into_iter().map(listener).collect();
            // These are its own, also if it is down now.
            baseline.is_down = false;
        }
        baseline.zones.source = self.source;
        baseline.zones.expect(self.zones.into_iter().map(Zone::from), removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::served::Served;
    use crate::restart::former::FormerServices;

    fn baseline(listeners: &[&str], zones: &[(&str, Option<u32>)]) -> Baseline {
        let listener = |address: &&str| Listener {
            address: address.parse().unwrap(),
            transport: Protocol::Udp,
            sockets: 1,
            waiting: 0,
            drops: 0,
            inodes: vec![7],
        };
        let zone = |&(zone, serial): &(&str, Option<u32>)| Zone {
            zone: zone.to_owned(),
            server: "10.1.0.2:53".parse().unwrap(),
            is_service: false,
            serial,
            trouble: None,
            cause: None,
        };
        Baseline {
            processes: vec![],
            is_down: false,
            listeners: listeners.iter().map(listener).collect(),
            zones: Served { listed: zones.iter().map(zone).collect(), ..Served::default() },
            verified: None,
            version: None,
            identity: None,
            services: FormerServices::default(),
        }
    }

    /// The listeners and zones of the second baseline after the first one has replaced its state.
    fn replaced(
        first: &Baseline,
        mut second: Baseline,
        removed: &[&str],
    ) -> (Vec<String>, Vec<(String, u32)>) {
        let removed: Vec<_> = removed.iter().map(|&zone| zone.to_owned()).collect();
        Expected::new(first).replace_in(&mut second, &removed);
        let listeners = second.listeners.iter().map(ToString::to_string).collect();
        let served = second.zones.all().filter_map(|zone| Some((zone.zone.clone(), zone.serial?)));
        (listeners, served.collect())
    }

    #[test]
    fn the_state_before_the_first_attempt_replaces_that_of_the_broken_server() {
        let first = baseline(&["192.0.2.53:53"], &[("a.", Some(1)), ("b.", Some(2))]);
        let broken = || baseline(&["192.0.2.35:53"], &[("a.", None)]);
        let both = vec![("a.".to_owned(), 1), ("b.".to_owned(), 2)];
        assert_eq!(replaced(&first, broken(), &[]), (vec!["192.0.2.53:53 udp".to_owned()], both));
        let (_, zones) = replaced(&first, broken(), &["B"]);
        assert_eq!(zones, [("a.".to_owned(), 1)], "removed on purpose");
        let (_, zones) = replaced(&first, baseline(&[], &[("a.", Some(5)), ("b.", Some(1))]), &[]);
        assert_eq!(zones, [("a.".to_owned(), 5), ("b.".to_owned(), 2)], "the newer version of each");
    }

    /// Another process may listen at the port.
    #[test]
    fn a_server_that_was_down_before_the_first_attempt_has_no_listeners_to_expect() {
        let down = Baseline { is_down: true, ..baseline(&["127.0.0.53:53"], &[]) };
        let partly_up = baseline(&["192.0.2.53:53"], &[]);
        assert_eq!(replaced(&down, partly_up, &[]), (vec!["192.0.2.53:53 udp".to_owned()], vec![]));
    }

    /// Each attempt saves again what it expects.
    #[test]
    fn a_server_that_is_down_at_the_second_attempt_must_listen_again_after_the_third() {
        let first = Expected::new(&baseline(&["192.0.2.53:53"], &[]));
        let mut second = Baseline { is_down: true, ..baseline(&[], &[]) };
        first.replace_in(&mut second, &[]);
        let third = baseline(&["192.0.2.35:53"], &[]);
        assert_eq!(replaced(&second, third, &[]).0, ["192.0.2.53:53 udp"]);
    }

    #[test]
    fn a_document_from_before_the_drain_is_of_other_attempts() {
        let saved = |ago| Expected {
            at: SystemTime::now() - Duration::from_secs(ago),
            ..Expected::new(&baseline(&[], &[]))
        };
        let hour = Duration::from_secs(3600);
        assert!(saved(0).is_within(Duration::ZERO) && saved(3600).is_within(hour));
        assert!(!saved(3700).is_within(hour));
    }
}
