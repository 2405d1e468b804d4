//! The zones of the server: known before the operation, compared after it, saved for the next one.

use std::collections::BTreeSet;
use std::time::Instant;

use super::baseline::Baseline;
use super::drained::COUNTER_INTERVAL;
use super::recovery::Recovery;
use super::verified::Verified;
use super::{Journal, Transaction};
use crate::backend::Trouble;
use crate::backend::answers::identity;
use crate::backend::served::{self, Complaint, Served, Source, still_lost};
use crate::text::{counted, joined, ordered};

/// Maximum number of complaints about zones in a report.
const MOST_LOST: usize = 8;

impl Transaction<'_> {
    /// The state of the server now. Notes if zones of the last verified operation count as those of now.
    pub(super) async fn present_state(&self, journal: &mut Journal<'_>) -> Baseline {
        let Self { config, backend, removed, unattended, .. } = self;
        let verified = Verified::load(config, backend);
        let baseline = Baseline::new(config, backend, removed, verified.as_ref(), *unattended).await;
        if let Some(verified) = verified.filter(|_| baseline.zones.source == Source::Record) {
            journal.note(&verified.note());
        }
        baseline
    }

    /// Saves the zones that the server serves, and says so if some may be lost that it served before. An operation without an
    /// operator does not replace what an operator's has verified.
    pub(super) async fn save_zones(&self, journal: &mut Journal<'_>, baseline: &Baseline) {
        let served = Served::now(&self.config.targets_of(self.backend), self.backend, &[], None).await;
        if baseline.may_lack_zones && served.source == Source::Server {
            let why = "the server did not say before which zones it serves, so a lost one is not noticed: make sure that it \
                       serves all of them";
            journal.note(&format!("WARNING: {why}"));
            journal.unverified = Some(why.to_owned());
        }
        if !self.unattended || Verified::load(self.config, self.backend).is_none() {
            Verified::save(self.config, self.backend, &served);
        }
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
            lost.extend(still_lost(&earlier, &lost, &targets, self.backend.timeout, &self.removed).await);
            match lost.len() {
                0 => Ok(self.changes(baseline, &now).await),
                all => {
                    let more = all.saturating_sub(MOST_LOST);
                    let more = (more > 0).then(|| counted(more, "further complaint"));
                    let remedy = served::remedy(&lost).map(str::to_owned);
                    let lost = lost.into_iter().map(|complaint| complaint.text);
                    Err(joined(lost.take(MOST_LOST).chain(more).chain(remedy), "; "))
                }
            }
        };
        recovery.wait(journal, COUNTER_INTERVAL, look).await.map_err(Trouble::new)
    }

    /// Reports facts about the server after the operation.
    async fn changes(&self, baseline: &Baseline, zones: &Served) -> String {
        let (version, identity) = tokio::join!(self.backend.version(), self.identity_after(baseline));
        let mut found = vec![compared(&baseline.zones, zones)];
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

/// The number of zones compared, each asked at several addresses. A zone that was not served before cannot be worse.
fn compared(before: &Served, now: &Served) -> String {
    let compared: Vec<_> = before.all().filter(|zone| zone.serial.is_some()).collect();
    let names: BTreeSet<_> = ordered(compared.iter().map(|zone| &zone.zone));
    let (names, answers) = (names.len(), compared.len());
    let served = format!("{} served in {}, none older", counted(names, "zone"), counted(answers, "answer"));
    match (answers, now.all().count().saturating_sub(answers)) {
        (0, 0) if before.source == Source::Incomplete => {
            "none compared: the server did not list them before".to_owned()
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
        let found = |before: &[Zone], now: &[Zone]| compared(&served(before), &served(now));
        assert_eq!(found(&[], &[]), "none to compare");
        let unknown = compared(&Served::default(), &Served::default());
        assert_eq!(unknown, "none compared: the server did not list them before");
        let two = [there.clone(), there.clone()];
        assert_eq!(found(&[], &two), "2 answers not compared: none was served before");
        assert_eq!(
            found(&[missing.clone(), missing.clone()], &two),
            "2 answers not compared: none was served before"
        );
        assert_eq!(found(&two, &two), "1 zone served in 2 answers, none older");
        assert_eq!(
            found(&[there, missing], &two),
            "1 zone served in 1 answer, none older; 1 answer not compared: not served before"
        );
    }
}
