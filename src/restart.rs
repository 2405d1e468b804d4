//! The restart of a DNS server as a transaction: it loses no query, or touches nothing, or leaves the server drained.
//!
//! ```text
//!  lock ─► configuration ─► drain ─► quiet ─► state ─► restart ─► process ─► listeners ─► zones ─► checks ─► done
//!    └──────────┴─────────────┴────────┴─────────┘         └──────────┴───────────┴──────────┴────────┘
//!      fails: the drain ends, as before                      fails: stays drained, until an operator ends that;
//!                                                            with a rollback: again with the configuration before;
//!                                                            a service whose checks pass has returned in the step "checks"
//! ```
//!
//! A command runs it, not the helper: the helper only drains, checks, and announces again, as requested. Whatever
//! happens to the command, it leaves either the old state or a drain with a reason. After SIGKILL that drain has an end,
//! since the server may be well; a dead server stays withdrawn because of its checks. After a failure it has none: the
//! checks need not see what the verification has seen, such as a zone that is lost. If no operator is there
//! ([`Transaction::unattended`]) it ends once the checks pass, so that a fault of all PoPs does not keep all of them
//! withdrawn.

use std::cell::OnceCell;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

use self::baseline::Baseline;
use self::command::InterruptGuard;
use self::drained::ensure_drained;
use self::earlier::{EarlierDrains, reasons};
use self::expected::Expected;
use self::progress::Journal;
pub(crate) use self::progress::{Done, Progress, Step};
use self::recovery::Recovery;
use crate::backend::sharing::{several_servers, shared};
use crate::backend::systemd::RESTART_LIMIT;
use crate::backend::{Backend, Trouble};
use crate::config::Config;
use crate::control::client::Client;
use crate::engine::drain::RestartEnd;
use crate::program::Program;
use crate::text::period::Period;

mod baseline;
mod checks;
mod command;
mod drained;
mod earlier;
mod expected;
mod former;
mod helper;
mod lock;
mod progress;
mod recovery;
mod rollback;
mod snapshot;
mod verified;
mod verify;
mod zones;

pub(crate) use self::baseline::listeners_of;
pub(crate) use self::drained::{
    AnnouncedBy, Confirmed, wait_until_acknowledged, wait_until_announced, wait_until_quiet,
};
use self::former::FormerServices;
pub(crate) use self::helper::{ReloadFailure, report_reload};
pub(crate) use self::lock::Lock;
use self::snapshot::Snapshot;
pub(crate) use self::verified::{Verified, after_success};

/// How the transaction ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// The restart, reload or command is done, and the services have returned.
    Restarted,
    /// The server was not touched, and the drain has ended.
    Untouched,
    /// The server was touched and did not recover: its services stay drained, those whose checks pass excepted if only checks
    /// failed.
    LeftDrained,
    /// The server did not recover with the new configuration, but did with the previous one.
    RolledBack,
}

/// The end of the transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    /// The services that stay drained.
    pub(crate) drained: Vec<String>,
    /// The drain of a failure ends by itself within this time, since the helper could not be told that it has no end.
    pub(crate) drain_ends: Option<Duration>,
}

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, drained: vec![], drain_ends: None }
    }
}

/// The operation on the server while it is drained.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    Restart,
    /// Make it read its configuration again.
    Reload,
    /// Run a command of the operator, for instance an upgrade; with a time limit, if one is given.
    Command(Program, Option<Duration>),
}

impl Operation {
    /// What it does, before the name of the backend.
    pub(crate) const fn verb(&self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Command(..) => "work on",
        }
    }
}

/// A transaction about to be run.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    /// The configuration of helper and command.
    pub(crate) config: &'a Config,
    pub(crate) backend: &'a Backend,
    pub(crate) helper: &'a Client,
    /// The operation on the server.
    pub(crate) operation: Operation,
    /// Whether to restore the previous configuration if it fails.
    pub(crate) rollback: bool,
    /// Zones that the server need not serve afterwards.
    pub(crate) removed: Vec<String>,
    /// The reason of the drain, if the operator gives one.
    pub(crate) reason: Option<String>,
    /// Whether no operator reads its result (`--unattended`), as in the command that the helper starts to heal the server.
    pub(crate) unattended: bool,
}

/// The state before the attempt, as far as it is known.
#[derive(Debug, Default)]
struct Before {
    /// The drains that earlier transactions have left.
    drains: OnceCell<EarlierDrains>,
    baseline: OnceCell<Baseline>,
    /// What a rollback has restored.
    restored: OnceCell<String>,
}

/// The margin between the longest duration of all steps and the end of the drain.
const DRAIN_MARGIN: Duration = Duration::from_secs(60);

impl Transaction<'_> {
    /// The operation, and the reason if one is given: "restart unbound (new version)".
    fn what(&self) -> String {
        let reason = self.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        format!("{} {}{reason}", self.operation.verb(), self.backend.name)
    }

    /// The reason of the drain, for the status.
    fn drain_reason(&self) -> String {
        self.reason.clone().unwrap_or_else(|| self.what())
    }

    /// When the drain expires if the command is killed; whole seconds.
    pub(crate) fn longest(&self) -> Duration {
        let once = self.backend.quiet.longest()
            + RESTART_LIMIT
            + recovery::longest(self.config, self.backend)
            + DRAIN_MARGIN;
        let longest = if self.rollback { once * 2 } else { once };
        Duration::from_secs(longest.as_secs() + 1)
    }

    /// Runs all steps, or those until `interrupted` resolves. An interruption takes effect at once, except that a
    /// command of the operator comes to its end first: an upgrade that is broken off leaves half of a server.
    pub(crate) async fn run(
        &self,
        progress: &mut dyn Progress,
        interrupted: impl Future<Output = ()>,
    ) -> End {
        let mut journal = Journal::new(progress);
        // The lock is held to the end, the rollback included.
        journal.start(Step::Lock);
        let _lock = match Lock::acquire(&self.config.control, &self.backend.name) {
            Ok(lock) => lock,
            Err(trouble) => {
                journal.fail(&trouble);
                return Outcome::Untouched.into();
            }
        };
        let failed = |step: Step, trouble: &Trouble| format!("{} failed: {step}: {trouble}", self.what());
        tokio::pin!(interrupted);
        journal.finish("no other restart is under way");
        let guard = InterruptGuard::default();
        let before = Before::default();
        let attempt = self.attempt_unless(interrupted.as_mut(), &mut journal, &guard, &before).await;
        let (failed_at, why) = match attempt {
            Ok(()) if journal.worse.is_empty() => {
                let unverified = match before.baseline.get() {
                    Some(baseline) => self.note_zones(&mut journal, baseline).await,
                    None => None,
                };
                self.report_success(unverified).await;
                return Outcome::Restarted.into();
            }
            // The next reload or restart must not take this for a failure from before.
            Ok(()) => {
                let why = format!("{} done, but {}", self.what(), journal.worse.join("; "));
                self.report_failure(&self.names(), RestartEnd::ReloadFailed, &why).await;
                return Outcome::Restarted.into();
            }
            Err(trouble) => {
                let step = journal.fail(&trouble);
                let why = failed(step, &trouble);
                // A restart that was not permitted is as harmless as none.
                (if trouble.untouched { Step::State } else { step }, why)
            }
        };
        if self.rollback && journal.failed_before {
            journal.note("no rollback: what fails failed before the restart, too");
        }
        let is_rolled_back = self.rollback && !journal.failed_before && !guard.interrupted.get();
        if failed_at.is_harmless() || !is_rolled_back {
            return self.leave(failed_at, &before, &journal.returned, &why).await;
        }
        // The second attempt, with the previous configuration.
        let Before { baseline, restored, .. } = before;
        let rollback = tokio::select! {
            rollback = self.roll_back(&mut journal, baseline.into_inner(), &restored, &why) => rollback,
            () = &mut interrupted => Err(Trouble::new("interrupted")),
        };
        self.after_rollback(rollback, &mut journal, &why, restored.into_inner()).await
    }

    /// The attempt, until it ends or an interruption takes effect.
    async fn attempt_unless(
        &self,
        mut interrupted: Pin<&mut impl Future<Output = ()>>,
        journal: &mut Journal<'_>,
        guard: &InterruptGuard,
        before: &Before,
    ) -> Result<(), Trouble> {
        let attempt = self.attempt(journal, guard, before);
        tokio::pin!(attempt);
        loop {
            tokio::select! {
                attempt = &mut attempt => return attempt,
                () = &mut interrupted, if !guard.interrupted.get() => {
                    guard.interrupted.set(true);
                    if !guard.deferred.get() {
                        return Err(Trouble::new("interrupted"));
                    }
                }
            }
        }
    }

    /// Runs every step once. Stores the earlier state in `before`; a rollback is compared with it, too.
    async fn attempt(
        &self,
        journal: &mut Journal<'_>,
        guard: &InterruptGuard,
        before: &Before,
    ) -> Result<(), Trouble> {
        journal.run(Step::Configuration, self.check(&before.drains)).await?;
        journal.run(Step::Drain, self.drain(&self.drain_reason())).await?;
        journal
            .run(Step::Quiet, async { Ok(wait_until_quiet(self.config, self.backend, self.helper).await) })
            .await?;
        journal.start(Step::State);
        let present = self.present_state().await;
        for warning in several_servers(&shared(present.listeners.clone())) {
            journal.note(&format!("WARNING: {warning}"));
        }
        let services = ensure_drained(self.helper, &self.names()).await?;
        let left: Vec<_> = before.drains.get().map(reasons).unwrap_or_default();
        let snapshot = Snapshot::new(&self.config.state, self.backend);
        // No operator would end the drain of a service that has become worse.
        let present = Baseline { services: FormerServices::new(services, left, self.unattended), ..present };
        let to_reach = self.state_to_reach(journal, present, &snapshot, before.drains.get());
        let baseline = before.baseline.get_or_init(|| to_reach);
        Expected::save(&snapshot, baseline);
        journal.finish(baseline.summary(&self.removed));
        journal.start(Step::Restart);
        let is_restart = self.operation == Operation::Restart;
        let read_before = is_restart.then(|| snapshot.read_present());
        guard.deferred.set(matches!(self.operation, Operation::Command(..)));
        let found = self.operate(journal, guard).await;
        guard.deferred.set(false);
        let found = found?;
        if guard.interrupted.get() {
            return Err(Trouble::new(format!("{found}; interrupted meanwhile")));
        }
        journal.finish(found);
        // A command may have changed the configuration before it has replaced the server.
        let read = read_before.unwrap_or_else(|| snapshot.read_present());
        self.verify(journal, baseline, &Recovery::start(self.config, self.backend, is_restart)).await?;
        self.save_for_rollback(journal, baseline, &snapshot, read);
        Ok(())
    }

    /// Waits until the server serves as before.
    async fn verify(
        &self,
        journal: &mut Journal<'_>,
        baseline: &Baseline,
        recovery: &Recovery,
    ) -> Result<(), Trouble> {
        journal.start(Step::Process);
        journal
            .note(&format!("waiting up to {} for the server to serve as before", Period(recovery.timeout)));
        let found = self.wait_for_process(baseline, recovery, journal).await?;
        journal.finish(found);
        journal.start(Step::Listeners);
        let found = self.wait_for_listeners(baseline, recovery, journal).await?;
        journal.finish(found);
        journal.start(Step::Zones);
        let found = self.wait_for_zones(baseline, recovery, journal).await?;
        journal.finish(found);
        journal.start(Step::Checks);
        let found = self.wait_for_checks(baseline, recovery, journal).await?;
        // A second server may have started meanwhile, and the checks may have met the right one.
        self.compare_listeners(baseline, recovery).await.map_err(Trouble::new)?;
        journal.finish(found);
        Expected::remove(&Snapshot::new(&self.config.state, self.backend));
        Ok(())
    }

    /// The result of a failure at `step`. A harmless one restores the drains of earlier transactions.
    async fn leave(&self, step: Step, before: &Before, returned: &[String], why: &str) -> End {
        if step.is_harmless() {
            if let Some(earlier) = before.drains.get().filter(|_| step > Step::Configuration) {
                self.restore_drains(earlier).await;
            }
            return Outcome::Untouched.into();
        }
        // An operator may have ended the drain meanwhile: that which stays now is newer than the document.
        if let Some(baseline) = before.baseline.get() {
            Expected::save(&Snapshot::new(&self.config.state, self.backend), baseline);
        }
        self.stay_drained(returned, why).await
    }
}
