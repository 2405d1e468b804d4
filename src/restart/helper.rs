//! Requests to the helper: drain, undrain once the checks pass, status.

use std::time::Duration;

use super::drained::wait_until_acknowledged;
use super::{End, Operation, Outcome, Transaction};
use crate::backend::{Backend, Trouble};
use crate::config::Config;
use crate::control::Request;
use crate::control::client::Client;
use crate::engine::drain::{FailedRestart, Lasts, Lift, Order, Reason, RestartEnd, ZoneAt};
use crate::text::foreign_within;
use crate::text::period::Period;

/// Timeout for the report of a reload.
const REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Characters of a sentence about restored files in a reason.
const RESTORED: usize = 240;

impl Transaction<'_> {
    /// Drains every service of the server for this reason, and waits until ExaBGP has acknowledged it. Unattended, a drain
    /// that waits for an operator stays as it is.
    pub(super) async fn drain(&self, reason: &str) -> Result<String, Trouble> {
        for name in self.names_to_drain().await? {
            self.ask(&self.drain_request(name, reason)).await?;
        }
        let names = self.names();
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
        let lift = Lift { holder: Some(self.backend.holder.clone()), once_healthy, checks: vec![] };
        Request::Undrain { service: Some(service), lift }
    }

    /// Ends the drain once the checks pass, these among them although they only degrade the service.
    pub(super) fn return_request(&self, service: String, checks: Vec<String>) -> Request {
        let lift = Lift { holder: Some(self.backend.holder.clone()), once_healthy: true, checks };
        Request::Undrain { service: Some(service), lift }
    }

    /// Leaves the drain of a failure, and has the helper log it.
    /// Services that have `returned` stay announced.
    pub(super) async fn stay_drained(&self, returned: &[String], why: &str) -> End {
        let names = self.names_to_drain().await.inspect_err(|trouble| log::error!("{trouble}"));
        let is_known = names.is_ok();
        let mut drained = names.unwrap_or_default();
        drained.retain(|name| !returned.contains(name));
        let is_renewed = is_known && self.renew_left_drain(&drained, why).await;
        self.report_failure(&drained, RestartEnd::LeftDrained, why).await;
        End { outcome: Outcome::LeftDrained, drained, drain_ends: (!is_renewed).then(|| self.longest()) }
    }

    /// Renews the drain of a failure, which also cancels a return that was requested: it lasts until an operator ends it.
    /// Unattended, it ends once the checks pass, at the latest after [`Self::longest`]. Returns whether every request
    /// succeeded.
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
        // After a return every zone was compared, and none is lost. For a drain that stays, the engine does not use the list.
        self.report(names, end, why, Some(vec![])).await;
    }

    pub(super) async fn report(
        &self,
        names: &[String],
        end: RestartEnd,
        why: &str,
        lost: Option<Vec<ZoneAt>>,
    ) {
        let (holder, why, unattended) = (self.backend.holder.clone(), why.to_owned().into(), self.unattended);
        let failed = FailedRestart { holder, end, why, lost, unattended };
        let request = |service| Request::RestartFailed { service, failed: failed.clone() };
        self.tell(names, request, |trouble| {
            log::warn!("the log of the helper does not show this failure: {trouble}");
        })
        .await;
    }

    /// Has the helper note that the restart is done, for each service of the server, and what could not be verified.
    pub(super) async fn report_success(&self, unverified: Option<String>) {
        let (unattended, unverified) = (self.unattended, unverified.map(Reason::from));
        let request = |service| Request::Restarted {
            service,
            what: self.what().into(),
            unattended,
            unverified: unverified.clone(),
        };
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
}

/// A failed reload without a drain.
#[derive(Debug)]
pub(crate) struct ReloadFailure {
    /// Why, after the name of the operation.
    pub(crate) why: String,
    /// As in [`FailedRestart`].
    pub(crate) lost: Option<Vec<ZoneAt>>,
}

/// Has the helper, if there is one, log how a reload without a drain has ended, and keep it in its history. A success names
/// what is not verified.
pub(crate) async fn report_reload(
    config: &Config,
    backend: &Backend,
    helper: &Client,
    ended: Result<Option<String>, ReloadFailure>,
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
        match ended {
            Err(ReloadFailure { why, lost }) => {
                let why = format!("{} {why}", transaction.what());
                transaction.report(&transaction.names(), RestartEnd::ReloadFailed, &why, lost).await;
            }
            Ok(unverified) => transaction.report_success(unverified).await,
        }
    };
    if tokio::time::timeout(REPORT_TIMEOUT, report).await.is_err() {
        log::warn!("the helper did not log this reload within {}", Period(REPORT_TIMEOUT));
    }
}

/// The reason of a failure, followed by the files that a rollback has restored. If both are too long for a reason of a drain,
/// the first part is cut.
pub(super) fn with_files(why: &str, restored: Option<&str>) -> String {
    let Some(restored) = restored.map(|restored| foreign_within(restored, RESTORED)) else {
        return why.to_owned();
    };
    let room = Reason::LONGEST.saturating_sub(restored.chars().count() + 3);
    format!("{}; {restored}", foreign_within(why, room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_leaves_room_for_the_restored_files() {
        assert_eq!(with_files("why", None), "why");
        let restored = "the rollback restored these paths: /etc/unbound/unbound.conf";
        assert_eq!(with_files("why", Some(restored)), format!("why; {restored}"));
        let long = with_files(&"x".repeat(1000), Some(restored));
        assert_eq!(long.chars().count(), Reason::LONGEST);
        assert!(long.ends_with(&format!("…; {restored}")), "{long}");
    }
}
