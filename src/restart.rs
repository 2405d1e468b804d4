//! The restart of a DNS server as a transaction: no query is lost, or nothing is touched, or it stays drained.
//!
//! ```text
//!  lock ─► configuration ─► drain ─► quiet ─► restart ─► process ─► listeners ─► zones ─► checks ─► done
//!    └──────────┴─────────────┴────────┘         └──────────┴───────────┴──────────┴────────┘
//!        fails: lifted, all is as before           fails: stays drained, which ends by itself;
//!                                                  with a rollback: once more with the configuration before
//! ```
//!
//! It is run by a command, not by the helper: that one only drains, checks, and lets return, as it is asked to. So
//! whatever becomes of the command, even SIGKILL, what is left is either the old state or a drain with a reason and an
//! end; a server that is dead stays withdrawn because of its checks.

use std::cell::OnceCell;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

use self::before::Before;
use self::command::Heed;
use self::patience::Patience;
use crate::backend::{Backend, Trouble};
use crate::config::Config;
use crate::control::client::Client;
use crate::program::Program;

mod before;
mod command;
mod drained;
mod helper;
mod lock;
mod patience;
mod server;
mod snapshot;

pub use self::drained::{Confirmed, quiet, wait_until_acknowledged, wait_until_announced};
pub use self::lock::Lock;
pub use self::snapshot::Kept;

/// What is done, in this order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// Nobody else restarts a server of this host meanwhile.
    Lock,
    /// The configuration on disk is in order.
    Configuration,
    /// The services are withdrawn, and ExaBGP has acknowledged it.
    Drain,
    /// Clients have followed.
    Quiet,
    /// The server is restarted, or whatever is to be done to it.
    Restart,
    /// Its process is there.
    Process,
    /// It listens wherever it did before.
    Listeners,
    /// It serves every zone that it did, and none is older.
    Zones,
    /// Every check has passed anew, and ExaBGP has acknowledged what follows from it.
    Checks,
    /// The configuration before is put back.
    Rollback,
}

impl Step {
    /// Whether a failure here leaves the server as it was.
    #[must_use]
    pub(crate) const fn is_harmless(self) -> bool {
        matches!(self, Self::Lock | Self::Configuration | Self::Drain | Self::Quiet)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Lock => "lock",
            Self::Configuration => "configuration",
            Self::Drain => "drain",
            Self::Quiet => "quiet",
            Self::Restart => "restart",
            Self::Process => "process",
            Self::Listeners => "listeners",
            Self::Zones => "zones",
            Self::Checks => "checks",
            Self::Rollback => "rollback",
        })
    }
}

/// A step that is over.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Done {
    /// Which.
    pub(crate) step: Step,
    /// How long it took.
    pub(crate) seconds: f64,
    /// What was found.
    pub(crate) found: String,
    /// Whether it went well.
    pub(crate) ok: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// Restarted, and back.
    Restarted,
    /// The server was not touched, and the drain is lifted.
    Untouched,
    /// The server was touched and did not come back well: the services stay drained until that expires.
    LeftDrained,
    /// The new configuration did not do; the one before is back, and so is the server.
    RolledBack,
}

/// What is to be done to the server while it is drained.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Deed {
    /// Restart it.
    Restart,
    /// Make it read its configuration again.
    Reload,
    /// Run a command of the operator's, for instance an upgrade. It comes to its end, unless a limit is given.
    Command(Program, Option<Duration>),
}

/// Who is told how it goes on.
pub(crate) trait Progress {
    /// A step begins.
    fn begins(&mut self, step: Step);
    /// A step is over.
    fn is_over(&mut self, done: &Done);
    /// What the operator has to know while a step is under way, in one line.
    fn notes(&mut self, text: &str);
}

/// A transaction about to be run.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    /// The configuration that helper and command share.
    pub(crate) config: &'a Config,
    /// What is restarted.
    pub(crate) backend: &'a Backend,
    /// The helper.
    pub(crate) helper: &'a Client,
    /// What is done.
    pub(crate) deed: Deed,
    /// Whether to put the configuration before back if it fails.
    pub(crate) rollback: bool,
    /// Zones that the server may serve no more afterwards.
    pub(crate) removed: Vec<String>,
    /// Why, for whoever looks at the status.
    pub(crate) reason: String,
}

/// How long a drain outlasts the longest that everything can take.
const MARGIN: Duration = Duration::from_secs(60);

impl Transaction<'_> {
    /// How long the drain lasts if nobody lifts it, in whole seconds.
    #[must_use]
    pub(crate) fn longest(&self) -> Duration {
        let quiet = &self.backend.quiet;
        let once = quiet.longest()
            + crate::backend::systemd::RESTART_LIMIT
            + patience::return_limit(self.config, self.backend)
            + MARGIN;
        let longest = if self.rollback { once * 2 } else { once };
        Duration::from_secs(longest.as_secs() + 1)
    }

    /// Runs it to its end, or until `interrupted` comes back. That is heeded at every moment, but for one: a command of
    /// the operator's comes to its end first, since an upgrade that is broken off leaves half of a server.
    pub(crate) async fn run(
        &self,
        progress: &mut dyn Progress,
        interrupted: impl Future<Output = ()>,
    ) -> Outcome {
        let mut journal = Journal { progress, step: Step::Lock, began: Instant::now() };
        journal.begin(Step::Lock);
        // Until all is over, the way back included.
        let _lock = match Lock::take(&self.config.control, &self.backend.name) {
            Ok(lock) => lock,
            Err(trouble) => {
                journal.fails(&trouble);
                return Outcome::Untouched;
            }
        };
        tokio::pin!(interrupted);
        let was_held = tokio::select! {
            was_held = self.is_held() => was_held,
            () = &mut interrupted => {
                journal.fails(&Trouble::new("interrupted"));
                return Outcome::Untouched;
            }
        };
        journal.ends("nobody else is at it");
        let heed = Heed::default();
        let before = OnceCell::new();
        let attempt = {
            let attempt = self.attempt(&mut journal, &heed, &before);
            tokio::pin!(attempt);
            loop {
                tokio::select! {
                    attempt = &mut attempt => break Some(attempt),
                    () = &mut interrupted, if !heed.told.get() => {
                        heed.told.set(true);
                        if !heed.later.get() {
                            break None;
                        }
                    }
                }
            }
        };
        let failed_at = match attempt {
            Some(Ok(())) => return Outcome::Restarted,
            Some(Err(trouble)) if heed.told.get() => {
                let step = journal.fails(&trouble);
                return self.leave(step, was_held).await;
            }
            Some(Err(trouble)) => {
                let step = journal.fails(&trouble);
                // A restart that was not permitted is as harmless as none.
                if trouble.untouched { Step::Quiet } else { step }
            }
            None => {
                let step = journal.fails(&Trouble::new("interrupted"));
                return self.leave(step, was_held).await;
            }
        };
        if failed_at.is_harmless() || !self.rollback {
            return self.leave(failed_at, was_held).await;
        }
        let again = tokio::select! {
            again = self.roll_back(&mut journal, before.into_inner()) => again,
            () = &mut interrupted => Err(Trouble::new("interrupted")),
        };
        match again {
            Ok(()) => Outcome::RolledBack,
            Err(trouble) => {
                journal.fails(&trouble);
                self.leave(Step::Rollback, was_held).await
            }
        }
    }

    /// How all was before anything was touched is kept in `first`: a way back is measured against it, too.
    async fn attempt(
        &self,
        journal: &mut Journal<'_>,
        heed: &Heed,
        first: &OnceCell<Before>,
    ) -> Result<(), Trouble> {
        journal.begin(Step::Configuration);
        let found = self.check().await?;
        journal.ends(found);
        journal.begin(Step::Drain);
        let found = self.drain().await?;
        journal.ends(found);
        journal.begin(Step::Quiet);
        let found = quiet(self.config, self.backend).await;
        journal.ends(found);
        let before = Before::of(self.config, self.backend, &self.removed).await;
        let before = first.get_or_init(|| before);
        journal.begin(Step::Restart);
        heed.later.set(matches!(self.deed, Deed::Command(..)));
        let found = self.act(journal, heed).await;
        heed.later.set(false);
        let found = found?;
        if heed.told.get() {
            return Err(Trouble::new(format!("{found}; interrupted meanwhile")));
        }
        journal.ends(found);
        self.verify(journal, before).await?;
        let kept = Kept::of(self.config, self.backend);
        if let Err(error) = kept.keep() {
            log::warn!("cannot keep the configuration for a rollback in {}: {error}", kept.place().display());
        }
        Ok(())
    }

    async fn verify(&self, journal: &mut Journal<'_>, before: &Before) -> Result<(), Trouble> {
        let patience = Patience::until_well(self.config, self.backend);
        journal.begin(Step::Process);
        let found = self.process_is_there(before, patience).await?;
        journal.ends(found);
        journal.begin(Step::Listeners);
        let found = self.listens(before, patience).await?;
        journal.ends(found);
        journal.begin(Step::Zones);
        let found = self.zones_are_served(before, patience).await?;
        journal.ends(found);
        journal.begin(Step::Checks);
        let found = self.returns(patience).await?;
        journal.ends(found);
        Ok(())
    }

    /// The configuration before, once more: drained already, and nobody can say what the server does at present. It is
    /// measured against how all was before the attempt; the process of the attempt must be gone as well.
    async fn roll_back(&self, journal: &mut Journal<'_>, first: Option<Before>) -> Result<(), Trouble> {
        journal.begin(Step::Rollback);
        self.drain().await?;
        let before = match first {
            Some(first) => first.with_process_of(self.backend).await,
            None => Before::of(self.config, self.backend, &self.removed).await,
        };
        let found = Kept::of(self.config, self.backend).put_back()?;
        journal.ends(found);
        journal.begin(Step::Restart);
        self.backend.restart().await?;
        journal.ends("restarted with the configuration before");
        self.verify(journal, &before).await
    }

    /// What is left when it fails at `step`. A drain that was there before, since an earlier one has failed, stays.
    async fn leave(&self, step: Step, was_held: bool) -> Outcome {
        if step.is_harmless() {
            if step > Step::Configuration && !was_held {
                self.lift().await;
            }
            return Outcome::Untouched;
        }
        self.stay_drained().await;
        Outcome::LeftDrained
    }
}

/// What has been done so far.
struct Journal<'a> {
    progress: &'a mut dyn Progress,
    step: Step,
    began: Instant,
}

impl Journal<'_> {
    fn begin(&mut self, step: Step) {
        self.step = step;
        self.began = Instant::now();
        self.progress.begins(step);
    }

    fn ends(&mut self, found: impl Into<String>) {
        self.over(found.into(), true);
    }

    /// Says at which step it was.
    fn fails(&mut self, trouble: &Trouble) -> Step {
        self.over(trouble.to_string(), false);
        self.step
    }

    fn notes(&mut self, text: &str) {
        self.progress.notes(text);
    }

    fn over(&mut self, found: String, ok: bool) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.progress.is_over(&Done { step: self.step, seconds, found, ok });
    }
}
