//! Requests to the helper: drain, undrain once the checks pass, status.

use std::time::Duration;

use super::baseline::Baseline;
use super::drained::{POLL_INTERVAL, wait_until_acknowledged};
use super::recovery::Recovery;
use super::{End, Journal, Operation, Outcome, Transaction};
use crate::backend::{Backend, Trouble};
use crate::config::Config;
use crate::control::Request;
use crate::control::client::Client;
use crate::engine::check::Severity;
use crate::engine::drain::{FailedRestart, Lasts, Lift, Order, RestartEnd};
use crate::engine::service::ServiceState;
use crate::status::{CheckStatus, Drain, Service};
use crate::text::period::{Period, Shown};
use crate::text::{foreign, joined, sentence};

/// Timeout for the report of a reload.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

impl Transaction<'_> {
    /// Drains every service of the server for this reason, and waits until ExaBGP has acknowledged it.
    pub(super) async fn drain(&self, reason: &str) -> Result<String, Trouble> {
        let names = self.names();
        for name in &names {
            self.ask(&self.drain_request(name.clone(), reason)).await?;
        }
        let withdrawn = wait_until_acknowledged(self.helper, &names).await?;
        Ok(format!("{} withdrawn, {withdrawn}", names.join(", ")))
    }

    /// The services of the server.
    pub(super) fn names(&self) -> Vec<String> {
        self.config.services_of(self.backend).map(|service| service.name.clone()).collect()
    }

    pub(super) fn drain_request(&self, service: String, reason: &str) -> Request {
        self.drain_lasting(Lasts::For(self.longest()), service, reason)
    }

    pub(super) fn drain_lasting(&self, lasts: Lasts, service: String, reason: &str) -> Request {
        let holder = self.backend.holder.clone();
        let order = Order { holder, reason: reason.to_owned().into(), lasts, uid: None };
        Request::Drain { service: Some(service), order }
    }

    pub(super) fn undrain_request(&self, service: String, once_healthy: bool) -> Request {
        let lift = Lift { holder: Some(self.backend.holder.clone()), once_healthy };
        Request::Undrain { service: Some(service), lift }
    }

    /// Leaves the drain of a failure, and has the helper log it.
    /// Services that have `returned` stay announced.
    pub(super) async fn stay_drained(&self, returned: &[String], why: &str) -> End {
        let mut drained = self.names();
        drained.retain(|name| !returned.contains(name));
        let is_renewed = self.renew_left_drain(&drained, why).await;
        self.report_failure(&drained, RestartEnd::LeftDrained, why).await;
        End { outcome: Outcome::LeftDrained, drained, drain_ends: (!is_renewed).then(|| self.longest()) }
    }

    /// Renews the drain of a failure, which also cancels a return that was requested: it lasts until an operator ends it.
    /// Unattended, it ends once the checks pass. Returns whether every request succeeded.
    async fn renew_left_drain(&self, names: &[String], why: &str) -> bool {
        let report = |trouble| log::error!("{trouble}");
        if self.unattended {
            let is_renewed = self.tell(names, |name| self.drain_request(name, why), report).await;
            let returns = self.tell(names, |name| self.undrain_request(name, true), report).await;
            is_renewed && returns
        } else {
            self.tell(names, |name| self.drain_lasting(Lasts::UntilLifted, name, why), report).await
        }
    }

    /// Has the helper log how the restart failed, for each of these services.
    pub(super) async fn report_failure(&self, names: &[String], end: RestartEnd, why: &str) {
        let failed = FailedRestart { holder: self.backend.holder.clone(), end, why: why.to_owned().into() };
        let request = |service| Request::RestartFailed { service, failed: failed.clone() };
        self.tell(names, request, |trouble| {
            log::warn!("the log of the helper does not show this failure: {trouble}");
        })
        .await;
    }

    /// Has the helper note that the restart is done, for each service of the server.
    pub(super) async fn report_success(&self) {
        let request = |service| Request::Restarted { service, what: self.what().into() };
        self.tell(&self.names(), request, |trouble| {
            log::warn!("the history of the helper does not tell of this restart: {trouble}");
        })
        .await;
    }

    /// Sends a request for each of these services, and continues after one that fails. Returns whether all succeeded.
    async fn tell(
        &self,
        names: &[String],
        request: impl Fn(String) -> Request,
        report: impl Fn(Trouble),
    ) -> bool {
        let mut have_all_succeeded = true;
        for name in names {
            if let Err(trouble) = self.ask(&request(name.clone())).await {
                have_all_succeeded = false;
                report(trouble);
            }
        }
        have_all_succeeded
    }

    pub(super) async fn ask(&self, request: &Request) -> Result<(), Trouble> {
        let answer = self.helper.ask_until_answered(request).await;
        answer.map(drop).map_err(|error| Trouble::new(error.to_string()))
    }

    /// Requests that the services return once every check has passed anew, and waits for it. If the helper is replaced
    /// meanwhile, the new one gets the request again. Tells the journal which services have returned.
    pub(super) async fn wait_for_checks(
        &self,
        baseline: &Baseline,
        recovery: &Recovery,
        journal: &mut Journal<'_>,
    ) -> Result<String, Trouble> {
        let (names, before) = (self.names(), baseline.services.as_slice());
        let holder = self.backend.holder.to_string();
        let failed_before = |service: &&Service| {
            service.checks.iter().any(|check| former_failure(before, service, check).is_some())
        };
        let is_held = |service: &Service| service.drains.iter().any(|drain| drain.holder == holder);
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
            let ours: Vec<_> =
                document.services.iter().filter(|service| names.contains(&service.name)).collect();
            // A drain of another holder stands in for no check: this one is asked for again, to end once they pass.
            let is_first = std::mem::take(&mut is_first_look);
            let lacks_drain = |service: &Service| {
                service.enabled
                    && service.is_drained()
                    && !is_held(service)
                    && (is_first || service.checks.iter().any(blocks))
            };
            for service in &ours {
                let name = || service.name.clone();
                if lacks_drain(service) {
                    self.ask(&self.drain_request(name(), &self.drain_reason())).await?;
                }
                if lacks_drain(service) || service.drains.iter().any(is_not_returning) {
                    self.ask(&self.undrain_request(name(), true)).await?;
                }
            }
            let is_waiting = |service: &&&Service| {
                is_held(service)
                    || lacks_drain(service)
                    || service.warm_up.is_some()
                    || is_kept_by_its_checks(service)
                    || (!service.settled() && document.exabgp.answers)
            };
            let waiting: Vec<&Service> = ours.iter().filter(is_waiting).copied().collect();
            if waiting.is_empty() {
                return Ok(ours.into_iter().map(returned).collect::<Vec<_>>().join("; "));
            }
            let returned_ones = ours.iter().filter(|service| !is_waiting(service));
            journal.returned = returned_ones.map(|service| service.name.clone()).collect();
            let why = || why_waiting(&waiting, document.exabgp.answers, before);
            let mut checks = waiting.iter().flat_map(|service| &service.checks);
            let limit = recovery.limit(checks.any(|check| check.unknown_for_seconds.is_some()));
            if recovery.elapsed() >= limit {
                journal.failed_before = fail_as_before(&waiting, before) && !ours.iter().all(failed_before);
                return Err(Trouble::new(format!("no recovery within {}: {}", Shown(limit), why())));
            }
            recovery.report(journal, why);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// Has the helper, if there is one, log how a reload without a drain has ended, and keep it in its history.
pub(crate) async fn report_reload(
    config: &Config,
    backend: &Backend,
    helper: &Client,
    failed: Option<String>,
) {
    if !helper.has_a_socket() {
        return;
    }
    let transaction = Transaction {
        config,
        backend,
        helper,
        operation: Operation::Reload,
        rollback: false,
        removed: vec![],
        reason: None,
        unattended: false,
    };
    let report = async {
        match failed {
            Some(why) => {
                let why = format!("{} {why}", transaction.what());
                transaction.report_failure(&transaction.names(), RestartEnd::ReloadFailed, &why).await;
            }
            None => transaction.report_success().await,
        }
    };
    if tokio::time::timeout(REPORT_TIMEOUT, report).await.is_err() {
        log::warn!("the helper did not log this reload within {}", Period(REPORT_TIMEOUT));
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

/// Whether a service is not to return because of this check: it fails, or has no verdict and counts.
fn blocks(check: &CheckStatus) -> bool {
    check
        .severity
        .map_or(check.unknown_for_seconds.is_none() && check.on_fail != Some(Severity::Observe), |severity| {
            severity == Severity::Down
        })
}

/// This check as it was `before`, if it took the service down.
fn former_failure<'a>(
    before: &'a [Service],
    service: &Service,
    check: &CheckStatus,
) -> Option<&'a CheckStatus> {
    let former = before.iter().find(|former| former.name == service.name)?;
    former.checks.iter().find(|one| one.name == check.name && one.severity == Some(Severity::Down))
}

/// Whether each of these services fails, and only in checks that failed `before` with the same cause.
fn fail_as_before(services: &[&Service], before: &[Service]) -> bool {
    let cause = |check: &CheckStatus| check.last.as_ref().and_then(|last| last.cause.clone());
    services.iter().all(|service| {
        let is_as_before = |check: &CheckStatus| {
            former_failure(before, service, check).is_some_and(|former| cause(former) == cause(check))
        };
        service.checks.iter().any(blocks)
            && service.checks.iter().all(|check| !blocks(check) || is_as_before(check))
    })
}

/// What these services wait for: the checks that are not up, and whether they failed `before`; then the prefixes that ExaBGP
/// has not acknowledged, if it `answers`; otherwise their state.
fn why_waiting(waiting: &[&Service], answers: bool, before: &[Service]) -> String {
    let failing = waiting.iter().flat_map(|service| {
        let checks = service.checks.iter().filter(|check| check.state != "up");
        checks.map(|check| found(service, check, former_failure(before, service, check).is_some()))
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
        _ => format!("{name} is {state} all the same: {reason}"),
    }
}

/// The last finding of a check.
fn found(service: &Service, check: &CheckStatus, failed_before: bool) -> String {
    let detail = check.last.as_ref().and_then(|last| last.detail.as_deref());
    format!(
        "check {} of {} is {}{}: {}",
        foreign(&check.name),
        foreign(&service.name),
        foreign(&check.state),
        if failed_before { ", and failed before the restart, too" } else { "" },
        detail.map_or_else(|| "not yet probed".to_owned(), foreign)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(state: &str, prefixes: &str, checks: &str) -> Service {
        let json = format!(
            "{{\"name\": \"a\", \"state\": \"{state}\", \"for-seconds\": 1.0, \"reason\": \"why\", \"prefixes\": [{prefixes}], \
             \"checks\": [{checks}], \"dampening\": {{\"penalty\": 0, \"suppressed\": false, \"reuse-in-seconds\": null}}, \
             \"disabled\": false, \"drains\": []}}"
        );
        serde_json::from_str(&json).unwrap()
    }

    fn check(state: &str, severity: &str) -> String {
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
        assert_eq!(why_waiting(&[&announced], true, &[]), both);
        assert_eq!(why_waiting(&[&announced], false, &[]), "a is up: why");
        let failing = service("drained", "", &check("down", "\"down\""));
        assert_eq!(why_waiting(&[&failing], true, &[]), "check c of a is down: not yet probed");
    }

    #[test]
    fn a_failure_is_as_before_with_the_same_cause() {
        let of_cause = |state, severity, cause| {
            let last = format!("{{\"ago-seconds\": 1.0, \"passed\": false, \"cause\": \"{cause}\"}}");
            service(
                "drained",
                "",
                &check(state, severity).replace("\"last\": null", &format!("\"last\": {last}")),
            )
        };
        let before = [of_cause("down", "\"down\"", "timeout")];
        let as_before = |service: &Service| fail_as_before(&[service], &before);
        assert!(as_before(&before[0]));
        assert!(!as_before(&of_cause("down", "\"down\"", "refused")));
        assert!(!as_before(&service("up", "", "")), "it waits for ExaBGP");
        assert!(!fail_as_before(&[&before[0]], &[of_cause("down", "\"degraded\"", "timeout")]));
        let why = why_waiting(&[&before[0]], true, &before);
        assert_eq!(why, "check c of a is down, and failed before the restart, too: not yet probed");
    }

    #[test]
    fn a_check_that_counts_blocks_the_return_until_it_has_a_verdict() {
        let of = |severity, more: &str| {
            let text = check("rising", severity).replace("\"last\": null", &format!("\"last\": null{more}"));
            blocks(&serde_json::from_str(&text).unwrap())
        };
        assert!(of("null", "") && of("\"down\"", "") && of("null", ", \"on-fail\": \"degraded\""));
        assert!(!of("\"degraded\"", "") && !of("null", ", \"on-fail\": \"observe\""));
        assert!(!of("null", ", \"unknown-for-seconds\": 3.0"));
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
