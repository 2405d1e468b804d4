//! Requests to the helper: drain, undrain once the checks pass, status.

use std::time::Duration;

use super::Transaction;
use super::drained::{POLL_INTERVAL, wait_until_acknowledged};
use super::recovery::Recovery;
use crate::backend::Trouble;
use crate::control::Request;
use crate::engine::drain::{FailedRestart, Lasts, Lift, Order, RestartEnd};
use crate::engine::service::ServiceState;
use crate::status::{CheckStatus, Drain, Service};
use crate::text::foreign;
use crate::text::period::{Period, Shown};

/// Timeout for ending all drains of a transaction that was given up.
const UNDRAIN_TIMEOUT: Duration = Duration::from_secs(5);

impl Transaction<'_> {
    /// Drains every service of the server for this reason, and waits until ExaBGP has acknowledged it.
    pub(super) async fn drain(&self, reason: &str) -> Result<String, Trouble> {
        let names: Vec<_> =
            self.config.services_of(self.backend).map(|service| service.name.clone()).collect();
        for name in &names {
            let order = self.drain_order(reason.to_owned());
            self.ask(&Request::Drain { service: Some(name.clone()), order }).await?;
        }
        let withdrawn = wait_until_acknowledged(self.helper, &names).await?;
        Ok(format!("{} withdrawn, {withdrawn}", names.join(", ")))
    }

    pub(super) fn drain_order(&self, reason: String) -> Order {
        let lasts = Lasts::For(self.longest());
        Order { holder: self.backend.holder.clone(), reason: reason.into(), lasts, uid: None }
    }

    /// Whether an earlier transaction has left a drain.
    pub(super) async fn is_drained(&self) -> bool {
        !self.drained_services().await.is_empty()
    }

    /// The services that are drained in the name of this backend.
    pub(super) async fn drained_services(&self) -> Vec<String> {
        let holder = self.backend.holder.to_string();
        let services = self.helper.look().await.map(|document| document.services).unwrap_or_default();
        let is_held = |service: &Service| service.drains.iter().any(|drain| drain.holder == holder);
        services.into_iter().filter(is_held).map(|service| service.name).collect()
    }

    pub(super) async fn undrain(&self) {
        let undrained = tokio::time::timeout(UNDRAIN_TIMEOUT, async {
            for request in self.undrain_requests(false) {
                if let Err(trouble) = self.ask(&request).await {
                    log::error!("{trouble}");
                }
            }
        });
        if undrained.await.is_err() {
            log::error!(
                "the helper did not end every drain within {}; when it responds: dnsherald undrain --as {}",
                Period(UNDRAIN_TIMEOUT),
                self.backend.holder
            );
        }
    }

    /// Renews the drain, which also cancels a return that was requested.
    pub(super) async fn stay_drained(&self, why: &str) {
        for service in self.config.services_of(self.backend) {
            let order = self.drain_order(why.to_owned());
            if let Err(trouble) =
                self.ask(&Request::Drain { service: Some(service.name.clone()), order }).await
            {
                log::error!("{trouble}");
            }
        }
        self.report_failure(RestartEnd::LeftDrained, why).await;
    }

    /// Has the helper log how the restart failed, for each service of the server.
    pub(super) async fn report_failure(&self, end: RestartEnd, why: &str) {
        for service in self.config.services_of(self.backend) {
            let failed =
                FailedRestart { holder: self.backend.holder.clone(), end, why: why.to_owned().into() };
            let request = Request::RestartFailed { service: service.name.clone(), failed };
            if let Err(trouble) = self.ask(&request).await {
                log::warn!("the log of the helper does not tell of this failure: {trouble}");
            }
        }
    }

    /// Has the helper note that the restart is done, for each service of the server.
    pub(super) async fn report_success(&self) {
        for service in self.config.services_of(self.backend) {
            let what = self.reason.clone().into();
            if let Err(trouble) = self.ask(&Request::Restarted { service: service.name.clone(), what }).await
            {
                log::warn!("the history of the helper does not tell of this restart: {trouble}");
            }
        }
    }

    fn undrain_requests(&self, once_healthy: bool) -> impl Iterator<Item = Request> {
        let lift = Lift { holder: Some(self.backend.holder.clone()), once_healthy };
        self.config
            .services_of(self.backend)
            .map(move |service| Request::Undrain { service: Some(service.name.clone()), lift: lift.clone() })
    }

    async fn ask(&self, request: &Request) -> Result<(), Trouble> {
        self.helper
            .ask_until_answered(request)
            .await
            .map(drop)
            .map_err(|error| Trouble::new(error.to_string()))
    }

    /// Requests that the services return once every check has passed anew, and waits for it. If the helper is replaced
    /// meanwhile, the new one gets the request again.
    pub(super) async fn wait_for_checks(&self, recovery: Recovery) -> Result<String, Trouble> {
        let names: Vec<_> =
            self.config.services_of(self.backend).map(|service| service.name.clone()).collect();
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
            let is_held = |service: &&&Service| service.drains.iter().any(|drain| drain.holder == holder);
            let is_not_returning = |drain: &Drain| drain.holder == holder && !drain.returning;
            if ours.iter().flat_map(|service| &service.drains).any(is_not_returning) {
                for request in self.undrain_requests(true) {
                    self.ask(&request).await?;
                }
            }
            let waiting: Vec<_> = ours
                .iter()
                .filter(|service| {
                    let is_on_its_way = is_held(service) || service.warm_up.is_some();
                    is_on_its_way || (!service.settled() && document.exabgp.answers)
                })
                .collect();
            if waiting.is_empty() {
                return Ok(ours.into_iter().map(returned).collect::<Vec<_>>().join("; "));
            }
            if recovery.has_timed_out() {
                let failing =
                    waiting.iter().flat_map(|service| &service.checks).filter(|check| check.state != "up");
                return Err(Trouble::new(format!(
                    "no recovery within {}: {}",
                    Shown(recovery.timeout),
                    failing.map(found).collect::<Vec<_>>().join("; ")
                )));
            }
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
