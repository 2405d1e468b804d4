//! The last step of a verification: each service returns once its checks pass.

use super::baseline::Baseline;
use super::drained::POLL_INTERVAL;
use super::former::FormerServices;
use super::recovery::Recovery;
use super::{Journal, Transaction};
use crate::backend::Trouble;
use crate::engine::check::Severity;
use crate::engine::service::ServiceState;
use crate::status::{CheckStatus, Document, Drain, Service};
use crate::text::period::Shown;
use crate::text::{foreign, joined, sentence};

impl Transaction<'_> {
    /// Requests that the services return once their checks have passed anew, also those that passed before and whose failure
    /// only degrades, and waits for it. If the helper is replaced meanwhile, the new one gets the request again. Tells the
    /// journal which services have returned, and why that is no clean success ([`Journal::worse`]).
    pub(super) async fn wait_for_checks(
        &self,
        baseline: &Baseline,
        recovery: &Recovery,
        journal: &mut Journal<'_>,
    ) -> Result<String, Trouble> {
        let (names, before) = (self.names(), &baseline.services);
        let holder = self.backend.holder.to_string();
        let blocks = |service: &Service| service.checks.iter().any(|check| before.blocks(service, check));
        let is_drained_by_us = |service: &Service| service.drains.iter().any(|drain| drain.holder == holder);
        let is_not_returning = |drain: &Drain| drain.holder == holder && !drain.returning;
        let mut is_first_look = true;
        loop {
            let document = match self.helper.look().await {
                Ok(document) => document,
                Err(error) if recovery.has_timed_out() => return Err(Trouble::new(format!("{error:#}"))),
                Err(_) => {
                    tokio::time::sleep(POLL_INTERVAL).await;
                    continue;
                }
            };
            self.refuse_replaced_services(&names, &document)?;
            let kept_names = self.kept_by_operator(&document);
            let of_server = document.services.iter().filter(|service| names.contains(&service.name));
            let (kept, ours): (Vec<_>, Vec<_>) =
                of_server.partition(|service| kept_names.contains(&service.name));
            // Without the drain of this restart, another drain, or a disable-file, may end before the checks pass.
            // Therefore this restart drains the service again until they do.
            let is_first = std::mem::take(&mut is_first_look);
            let lacks_drain = |service: &Service| {
                service.enabled
                    && service.is_drained()
                    && !is_drained_by_us(service)
                    && (is_first || blocks(service))
            };
            for service in &ours {
                let name = || service.name.clone();
                if lacks_drain(service) {
                    self.ask(&self.drain_request(name(), &self.drain_reason())).await?;
                }
                if lacks_drain(service) || service.drains.iter().any(is_not_returning) {
                    self.ask(&self.return_request(name(), before.needed(&service.name))).await?;
                }
            }
            let is_waiting = |service: &&&Service| {
                is_drained_by_us(service)
                    || lacks_drain(service)
                    || service.warm_up.is_some()
                    || (blocks(service) && service.state == ServiceState::Degraded)
                    || is_kept_by_its_checks(service)
                    || (!service.settled() && document.exabgp.answers)
            };
            let waiting: Vec<&Service> = ours.iter().filter(is_waiting).copied().collect();
            if waiting.is_empty() {
                // What fails from here on is no failure of the checks.
                journal.returned.clear();
                journal.any_returned = true;
                // Its checks prove nothing: the server may still lack what the operator is to repair.
                let waits = |name: &String| format!("the drain of {} waits for an operator", foreign(name));
                let worse = ours.iter().flat_map(|service| before.worse(service));
                journal.worse = worse.chain(kept_names.iter().map(waits)).collect();
                return Ok(joined(ours.into_iter().chain(kept).map(returned), "; "));
            }
            let returned_ones = ours.iter().filter(|service| !is_waiting(service));
            journal.returned = returned_ones.map(|service| service.name.clone()).collect();
            journal.any_returned |= !journal.returned.is_empty();
            let why = || why_waiting(&waiting, document.exabgp.answers, before);
            let mut checks = waiting.iter().flat_map(|service| &service.checks);
            let limit = recovery.limit(checks.any(|check| check.unknown_for_seconds.is_some()));
            if recovery.elapsed() >= limit {
                journal.failed_before =
                    before.fail_as_before(&waiting) && !ours.iter().all(|service| before.was_down(service));
                return Err(Trouble::new(format!("no recovery within {}: {}", Shown(limit), why())));
            }
            recovery.report(journal, why);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

impl Transaction<'_> {
    /// Fails if a reload of the helper has replaced one of these services meanwhile: its drain may have moved to another.
    fn refuse_replaced_services(&self, names: &[String], document: &Document) -> Result<(), Trouble> {
        let is_there = |name: &&String| document.services.iter().any(|service| service.name == **name);
        let gone: Vec<_> = names.iter().filter(|name| !is_there(name)).map(|name| foreign(name)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let others = document.services.iter().filter(|service| !names.contains(&service.name));
        let holder = self.backend.holder.as_str();
        let drains = others.flat_map(|service| service.drains.iter().map(move |drain| (service, drain)));
        let ours = drains.filter(|(_, drain)| drain.holder == holder);
        let moved: Vec<_> = ours
            .map(|(service, drain)| format!("`{} --once-healthy`", drain.undrain(&service.name)))
            .collect();
        let gone = gone.join(", ");
        let why = format!("the helper no longer has {gone}: its configuration was reloaded meanwhile");
        Err(match moved.is_empty() {
            true => Trouble::new(why),
            false => Trouble::with(why, format!("the drain has moved; to end it: {}", moved.join(", "))),
        })
    }
}

/// Whether only its checks keep a service withdrawn: an operator may have ended the drain of the restart, and they fail or
/// probe anew. Dampening is not counted, since it lasts as long as it did without a restart.
fn is_kept_by_its_checks(service: &Service) -> bool {
    let fails = |check: &CheckStatus| check.severity == Some(Severity::Down);
    let kept = match service.state {
        ServiceState::Drained => true,
        ServiceState::Down => service.checks.iter().any(fails),
        ServiceState::Starting | ServiceState::Up | ServiceState::Degraded => false,
    };
    kept && !service.is_drained()
}

/// What these services wait for: the checks that are not up, if they count, and whether they failed before; then the prefixes
/// that ExaBGP has not acknowledged, if it `answers`; otherwise their state.
fn why_waiting(waiting: &[&Service], answers: bool, before: &FormerServices) -> String {
    let failing = waiting.iter().flat_map(|service| {
        let is_unknown = |check: &CheckStatus| {
            check.unknown_for_seconds.is_some() && check.on_fail != Some(Severity::Observe)
        };
        // Those of a service that a hold announces keep it from nothing.
        let waits_for_checks = service.state != ServiceState::Up;
        let counts = move |check: &&CheckStatus| {
            waits_for_checks && (before.blocks(service, check) || is_unknown(check))
        };
        let checks = service.checks.iter().filter(counts).filter(|check| check.state != "up");
        checks.map(|check| found(service, check, before.former_failure(service, check).is_some()))
    });
    let prefixes = waiting.iter().flat_map(|service| &service.prefixes);
    let unsettled = prefixes.filter(|prefix| answers && !prefix.is_settled()).map(|prefix| {
        let has = if prefix.refused { "refused" } else { "not acknowledged" };
        format!("ExaBGP has {has} {}", foreign(&prefix.prefix))
    });
    let why: Vec<_> = failing.chain(unsettled).collect();
    if why.is_empty() {
        let state = |service: &&Service| {
            format!("{} is {}: {}", foreign(&service.name), service.state, sentence(&service.reason))
        };
        return joined(waiting.iter().map(state), "; ");
    }
    joined(why, "; ")
}

/// The state in which a service returned. With `recovery` it is degraded first.
fn returned(service: &Service) -> String {
    let (name, state, reason) = (foreign(&service.name), service.state, sentence(&service.reason));
    let confirmed = if service.settled() { "acknowledged" } else { "sent, not acknowledged" };
    match state {
        ServiceState::Up => format!("{name} is {state}, {confirmed}"),
        ServiceState::Degraded if service.is_announced() => {
            format!("{name} is announced as {state}, {confirmed}: {reason}")
        }
        ServiceState::Degraded => format!("{name} is {state} and withdrawn, {confirmed}: {reason}"),
        ServiceState::Down if let Some(why) = service.dampening.why_withdrawn() => {
            format!("{name} stays withdrawn, {why}; {}", service.dampening.remedy(&name))
        }
        _ => match service.why_not_announced() {
            Some(why) => format!("{name} {why}"),
            None => format!("{name} is {state}: {reason}"),
        },
    }
}

/// The last finding of a check.
fn found(service: &Service, check: &CheckStatus, failed_before: bool) -> String {
    let detail = match &check.last {
        None => "not yet probed".to_owned(),
        Some(last) => match &last.detail {
            Some(detail) => foreign(detail),
            None => format!("passed ({} of {})", check.streak, check.rise),
        },
    };
    format!(
        "check {} of {} is {}{}: {}",
        foreign(&check.name),
        foreign(&service.name),
        foreign(&check.state),
        if failed_before { ", and failed before the restart, too" } else { "" },
        detail
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn service(state: &str, prefixes: &str, checks: &str) -> Service {
        let json = format!(
            "{{\"name\": \"a\", \"state\": \"{state}\", \"for-seconds\": 1.0, \"reason\": \"why\", \"prefixes\": [{prefixes}], \
             \"checks\": [{checks}], \"dampening\": {{\"penalty\": 0, \"suppressed\": false, \"reuse-in-seconds\": null}}, \
             \"disabled\": false, \"drains\": []}}"
        );
        serde_json::from_str(&json).unwrap()
    }

    pub(crate) fn check(state: &str, severity: &str) -> String {
        format!(
            "{{\"name\": \"c\", \"state\": \"{state}\", \"streak\": 1, \"rise\": 1, \"fall\": 1, \
             \"severity\": {severity}, \"last\": null}}"
        )
    }

    #[test]
    fn a_wait_for_exabgp_names_the_prefixes() {
        let prefix = |prefix: &str, refused: bool| {
            format!(
                "{{\"prefix\": \"{prefix}\", \"desired\": \"announce\", \"acknowledged\": \"withdraw\", \
                 \"refused\": {refused}}}"
            )
        };
        let two = format!("{},{}", prefix("192.0.2.1/32", false), prefix("192.0.2.2/32", true));
        let announced = service("up", &two, &check("up", "null"));
        let both = "ExaBGP has not acknowledged 192.0.2.1/32; ExaBGP has refused 192.0.2.2/32";
        assert_eq!(why_waiting(&[&announced], true, &FormerServices::default()), both);
        assert_eq!(why_waiting(&[&announced], false, &FormerServices::default()), "a is up: why");
        let failing = service("drained", "", &check("down", "\"down\""));
        assert_eq!(
            why_waiting(&[&failing], true, &FormerServices::default()),
            "check c of a is down: not yet probed"
        );
    }

    #[test]
    fn a_wait_for_checks_names_those_that_count() {
        let checks =
            [("down", "\"down\""), ("down", "\"observe\""), ("down", "\"degraded\""), ("rising", "null")];
        let checks = checks.map(|(state, severity)| check(state, severity));
        let waiting = service("drained", "", &checks.join(","));
        assert_eq!(
            why_waiting(&[&waiting], true, &FormerServices::default()),
            "check c of a is down: not yet probed; check c of a is rising: not yet probed"
        );
        let passed = "\"last\": {\"ago-seconds\": 0.1, \"passed\": true, \"latency-seconds\": 0.001}";
        let passed = check("rising", "\"down\"").replace("\"last\": null", passed);
        let waiting = service("down", "", &passed);
        assert_eq!(
            why_waiting(&[&waiting], true, &FormerServices::default()),
            "check c of a is rising: passed (1 of 1)"
        );
    }

    #[test]
    fn only_checks_keep_a_service_that_nothing_drains() {
        let kept = |state, severity| is_kept_by_its_checks(&service(state, "", &check("down", severity)));
        assert!(kept("drained", "null"), "it probes anew");
        assert!(kept("down", "\"down\""));
        assert!(!kept("down", "null"), "dampening does");
        assert!(!kept("degraded", "\"degraded\""));
        let disabled = Service { disabled: true, ..service("drained", "", "") };
        assert!(!is_kept_by_its_checks(&disabled));
    }
}
