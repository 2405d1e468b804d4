//! The zones of the server: known before the operation, compared after it, saved for the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::baseline::Baseline;
use super::drained::COUNTER_INTERVAL;
use super::earlier::{EarlierDrains, since_first_attempt};
use super::expected::Expected;
use super::recovery::Recovery;
use super::snapshot::Snapshot;
use super::verified::{Verified, after_success};
use super::{Journal, Transaction};
use crate::backend::Trouble;
use crate::backend::answers::{Zone, identity};
use crate::backend::served::{self, Complaint, Served, Source, is_among, still_lost};
use crate::engine::drain::ZoneAt;
use crate::text::{counted, joined, ordered};

/// Maximum number of complaints about zones in a report.
const MOST_LOST: usize = 8;

impl Transaction<'_> {
    /// The present state.
    pub(super) async fn present_state(&self) -> Baseline {
        Baseline::new(self.config, self.backend, &self.removed, self.unattended).await
    }

    /// The state that the server has to reach again: that before the attempts which have left `earlier` drains, else the
    /// present one.
    pub(super) fn state_to_reach(
        &self,
        journal: &mut Journal<'_>,
        present: Baseline,
        snapshot: &Snapshot,
        earlier: Option<&EarlierDrains>,
    ) -> Baseline {
        let mut baseline = present;
        if let Some(age) = earlier.and_then(since_first_attempt) {
            match Expected::load(snapshot, age) {
                Some(expected) => expected.replace_in(&mut baseline, &self.removed),
                // What it was to reach is not saved here, such as after an attempt of `heal`, which another user runs. It may
                // have broken the server, so the present answers do not tell what that served before.
                None => baseline.zones.source = Source::Silent,
            }
            let is_known = !matches!(baseline.zones.source, Source::Unlisted | Source::Silent);
            if let Some(verified) = baseline.verified.as_ref().filter(|_| !is_known && !self.unattended) {
                baseline.zones.expect(verified.zones.clone(), &self.removed);
                baseline.zones.source = Source::Recorded;
            }
        }
        let is_record = baseline.zones.source == Source::Recorded;
        if let Some(note) = baseline.verified.as_ref().filter(|_| is_record).and_then(Verified::note) {
            journal.note(&note);
        }
        baseline
    }

    /// After a success: warns of what is not verified of the zones, and returns it. See [`after_success`] for what it saves.
    pub(super) async fn note_zones(&self, journal: &mut Journal<'_>, baseline: &Baseline) -> Option<String> {
        let (before, verified) = (baseline.zones.source, baseline.verified.as_ref());
        let Self { config, backend, removed, .. } = self;
        let unverified = after_success(config, backend, before, verified, removed, !self.unattended).await?;
        journal.note(&format!("WARNING: {unverified}"));
        Some(unverified)
    }

    pub(super) async fn wait_for_zones(
        &self,
        baseline: &Baseline,
        recovery: &Recovery,
        journal: &mut Journal<'_>,
    ) -> Result<String, Trouble> {
        let targets = self.config.targets_of(self.backend);
        let look = async || {
            let now = baseline.zones.again(&targets, self.backend.timeout).await;
            let worse = now.worse_than(&baseline.zones);
            let mut lost: Vec<_> =
                worse.iter().map(|(earlier, zone)| Complaint::worse(earlier, zone)).collect();
            let earlier = baseline.services.lost_zones();
            // A zone that was older before this operation already only warns (`Verified::worse`): a drain would repair nothing.
            let (before, timeout) = (BTreeMap::new(), self.backend.timeout);
            lost.extend(still_lost(&earlier, &before, &lost, &targets, timeout, &self.removed).await);
            match lost.len() {
                0 => Ok(self.changes(baseline, &now, &earlier).await),
                all => {
                    let more = all.saturating_sub(MOST_LOST);
                    let more = (more > 0).then(|| counted(more, "further complaint"));
                    let remedy = served::remedy(&lost);
                    let lost = lost.into_iter().map(|complaint| complaint.text);
                    Err(joined(lost.take(MOST_LOST).chain(more).chain(remedy), "; "))
                }
            }
        };
        let found = recovery.wait(journal, COUNTER_INTERVAL, look).await;
        // Without any answer the checks decide: they may ask from another address than the management address.
        if found.is_err() && baseline.zones.source == Source::Recorded {
            let now = baseline.zones.again(&targets, self.backend.timeout).await;
            if now.all().all(Zone::is_unanswered) {
                recovery.begin_anew();
                return Ok("none compared: the server does not answer the management address".to_owned());
            }
        }
        found.map_err(Trouble::new)
    }

    /// Reports facts about the server after the operation, which serves all zones that earlier ones have `lost` or left older.
    async fn changes(&self, baseline: &Baseline, zones: &Served, lost: &BTreeSet<ZoneAt>) -> String {
        let (version, identity) = tokio::join!(self.backend.version(), self.identity_after(baseline));
        let targets = self.config.targets_of(self.backend);
        let addresses: Vec<_> = targets.all().into_iter().map(|target| target.server).collect();
        let was_served = |name: &str| {
            baseline.zones.all().any(|zone| zone.is_served() && zone.zone.eq_ignore_ascii_case(name))
        };
        let is_regained = |(name, server): &&ZoneAt| {
            addresses.contains(server) && !is_among(&self.removed, name) && !was_served(name)
        };
        let regained: BTreeSet<_> = ordered(lost.iter().filter(is_regained).map(|(name, _)| name));
        let regained: Vec<_> = regained.into_iter().collect();
        let mut found = vec![compared(&baseline.zones, zones, &regained)];
        for (what, then, now) in
            [("version", &baseline.version, version.ok()), ("identity", &baseline.identity, identity)]
        {
            match (then, now) {
                (Some(then), Some(now)) if *then != now => found.push(format!("{what} {then}, now {now}")),
                (None, Some(now)) => found.push(format!("{what} {now}")),
                (Some(then), None) => found.push(format!("{what} {then}, now none")),
                _ => {}
            }
        }
        found.join("; ")
    }

    /// The identity that the server reports. If it reported one before, this asks again until one timeout has passed: the
    /// new configuration may hide it.
    async fn identity_after(&self, baseline: &Baseline) -> Option<String> {
        let targets = self.config.targets_of(self.backend);
        let began = Instant::now();
        loop {
            let now = identity(&targets, self.backend.timeout).await;
            let is_missed = now.is_none() && baseline.identity.is_some();
            if !is_missed || began.elapsed() >= self.backend.timeout {
                return now;
            }
            tokio::time::sleep(COUNTER_INTERVAL).await;
        }
    }
}

/// The number of zones compared, each asked at several addresses, and the zones that are served again. A zone that was not
/// served before cannot be worse.
fn compared(before: &Served, now: &Served, regained: &[&String]) -> String {
    let more = regained.len().saturating_sub(MOST_LOST);
    let more = (more > 0).then(|| counted(more, "further zone"));
    let names = regained.iter().take(MOST_LOST).map(ToString::to_string).chain(more);
    let again = || format!("served again, after an earlier operation had lost it: {}", joined(names, ", "));
    match before.all().chain(now.all()).next() {
        None if !regained.is_empty() => again(),
        _ if regained.is_empty() => numbers(before, now),
        _ => format!("{}; {}", numbers(before, now), again()),
    }
}

/// The numbers of zones and answers that were compared.
fn numbers(before: &Served, now: &Served) -> String {
    let compared: Vec<_> = before.all().filter(|zone| zone.serial.is_some()).collect();
    let names: BTreeSet<_> = ordered(compared.iter().map(|zone| &zone.zone));
    let (names, answers) = (names.len(), compared.len());
    let served = format!("{} served in {}, none older", counted(names, "zone"), counted(answers, "answer"));
    match (answers, now.all().count().saturating_sub(answers)) {
        (0, 0) if matches!(before.source, Source::Unlisted | Source::Silent) => {
            "none compared: which it served before is not known".to_owned()
        }
        (0, 0) => "none to compare".to_owned(),
        (0, rest) => format!("{} not compared: none was served before", counted(rest, "answer")),
        (_, 0) => served,
        (_, rest) => format!("{served}; {} not compared: not served before", counted(rest, "answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::answers::Zone;

    #[test]
    fn only_zones_that_were_served_count_as_compared() {
        let zone = |serial| Zone {
            zone: "example.org.".to_owned(),
            server: "127.0.0.1:53".parse().unwrap(),
            is_service: false,
            serial,
            trouble: None,
            cause: None,
        };
        let (there, missing) = (zone(Some(1)), zone(None));
        let served = |zones: &[Zone]| Served {
            configured: zones.to_vec(),
            source: Source::Server,
            ..Served::default()
        };
        let found = |before: &[Zone], now: &[Zone]| compared(&served(before), &served(now), &[]);
        assert_eq!(found(&[], &[]), "none to compare");
        let unknown = compared(&Served::default(), &Served::default(), &[]);
        assert_eq!(unknown, "none compared: which it served before is not known");
        let two = [there.clone(), there.clone()];
        assert_eq!(found(&[], &two), "2 answers not compared: none was served before");
        assert_eq!(
            found(&[missing.clone(), missing.clone()], &two),
            "2 answers not compared: none was served before"
        );
        assert_eq!(found(&two, &two), "1 zone served in 2 answers, none older");
        let again = ["a.example.".to_owned(), "b.example.".to_owned()];
        let again: Vec<_> = again.iter().collect();
        let words = "served again, after an earlier operation had lost it: a.example., b.example.";
        assert_eq!(compared(&served(&[]), &served(&[]), &again), words);
        let both = format!("1 zone served in 2 answers, none older; {words}");
        assert_eq!(compared(&served(&two), &served(&two), &again), both);
        assert_eq!(
            found(&[there, missing], &two),
            "1 zone served in 1 answer, none older; 1 answer not compared: not served before"
        );
    }
}
