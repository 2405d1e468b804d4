//! Requests to the helper: drain, undrain once the checks pass, status.

use std::time::Duration;

use super::drained::{POLL_INTERVAL, wait_until_acknowledged};
use super::recovery::Recovery;
use super::{Journal, Transaction};
use crate::backend::Trouble;
use crate::control::Request;
use crate::engine::drain::{FailedRestart, Lasts, Lift, Order, RestartEnd};
use crate::engine::service::ServiceState;
use crate::status::{CheckStatus, Document, Drain, Service};
use crate::text::period::{Period, Shown};
use crate::text::{foreign, joined};

/// Timeout for ending all drains of a transaction that was given up.
const UNDRAIN_TIMEOUT: Duration = Duration::from_secs(5);

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
    fn names(&self) -> Vec<String> {
        self.config.services_of(self.backend).map(|service| service.name.clone()).collect()
    }

    pub(super) fn drain_request(&self, service: String, reason: &str) -> Request {
        let (holder, lasts) = (self.backend.holder.clone(), Lasts::For(self.longest()));
        let order = Order { holder, reason: reason.to_owned().into(), lasts, uid: None };
        Request::Drain { service: Some(service), order }
    }

    fn undrain_request(&self, service: String, once_healthy: bool) -> Request {
        let lift = Lift { holder: Some(self.backend.holder.clone()), once_healthy };
        Request::Undrain { service: Some(service), lift }
    }

    /// The services that are drained in the name of this backend.
    pub(super) fn drained_services(&self, document: Document) -> Vec<String> {
        let holder = self.backend.holder.to_string();
        let is_held = |service: &Service| service.drains.iter().any(|drain| drain.holder == holder);
        document.services.into_iter().filter(is_held).map(|service| service.name).collect()
    }

    pub(super) async fn undrain(&self) {
        let undrained =
            self.tell(|name| self.undrain_request(name, false), |trouble| log::error!("{trouble}"));
        if tokio::time::timeout(UNDRAIN_TIMEOUT, undrained).await.is_err() {
            log::error!(
                "the helper did not end every drain within {}; when it responds: dnsherald undrain --as {}",
                Period(UNDRAIN_TIMEOUT),
                self.backend.holder
            );
        }
    }

    /// Renews the drain, which also cancels a return that was requested.
    pub(super) async fn stay_drained(&self, why: &str) {
        self.tell(|name| self.drain_request(name, why), |trouble| log::error!("{trouble}")).await;
        self.report_failure(RestartEnd::LeftDrained, why).await;
    }

    /// Has the helper log how the restart failed, for each service of the server.
    pub(super) async fn report_failure(&self, end: RestartEnd, why: &str) {
        let failed = FailedRestart { holder: self.backend.holder.clone(), end, why: why.to_owned().into() };
        let request = |service| Request::RestartFailed { service, failed: failed.clone() };
        self.tell(request, |trouble| {
            log::warn!("the log of the helper does not tell of this failure: {trouble}");
        })
        .await;
    }

    /// Has the helper note that the restart is done, for each service of the server.
    pub(super) async fn report_success(&self) {
        let request = |service| Request::Restarted { service, what: self.what().into() };
        self.tell(request, |trouble| {
            log::warn!("the history of the helper does not tell of this restart: {trouble}");
        })
        .await;
    }

    /// Sends a request for each service of the server, and continues after one that fails.
    async fn tell(&self, request: impl Fn(String) -> Request, report: impl Fn(Trouble)) {
        for name in self.names() {
            if let Err(trouble) = self.ask(&request(name)).await {
                report(trouble);
            }
        }
    }

    pub(super) async fn ask(&self, request: &Request) -> Result<(), Trouble> {
        let answer = self.helper.ask_until_answered(request).await;
        answer.map(drop).map_err(|error| Trouble::new(error.to_string()))
    }

    /// Requests that the services return once every check has passed anew, and waits for it. If the helper is replaced
    /// meanwhile, the new one gets the request again.
    pub(super) async fn wait_for_checks(
        &self,
        recovery: &Recovery,
        journal: &mut Journal<'_>,
    ) -> Result<String, Trouble> {
        let names = self.names();
        let holder = self.backend.holder.to_string();
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
            let is_not_returning = |drain: &Drain| drain.holder == holder && !drain.returning;
            if ours.iter().flat_map(|service| &service.drains).any(is_not_returning) {
                for name in &names {
                    self.ask(&self.undrain_request(name.clone(), true)).await?;
                }
            }
            let is_waiting = |service: &&&Service| {
                let is_held = service.drains.iter().any(|drain| drain.holder == holder);
                is_held || service.warm_up.is_some() || (!service.settled() && document.exabgp.answers)
            };
            let waiting: Vec<_> = ours.iter().filter(is_waiting).collect();
            if waiting.is_empty() {
                return Ok(ours.into_iter().map(returned).collect::<Vec<_>>().join("; "));
            }
            let failing = || {
                let checks = waiting.iter().flat_map(|service| &service.checks);
                joined(checks.filter(|check| check.state != "up").map(found), "; ")
            };
            if recovery.has_timed_out() {
                let (limit, failing) = (Shown(recovery.timeout), failing());
                return Err(Trouble::new(format!("no recovery within {limit}: {failing}")));
            }
            recovery.report(journal, failing);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// The state in which a service returned. With `recovery` it is degraded first.
fn returned(service: &Service) -> String {
    let (name, state, reason) = (foreign(&service.name), service.state, foreign(&service.reason));
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
fn found(check: &CheckStatus) -> String {
    let detail = check.last.as_ref().and_then(|last| last.detail.as_deref());
    format!(
        "check {} is {}: {}",
        foreign(&check.name),
        foreign(&check.state),
        detail.map_or_else(|| "not yet probed".to_owned(), foreign)
    )
}
