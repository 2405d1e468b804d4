//! The second attempt of a restart, with the configuration before.

use std::cell::OnceCell;

use super::baseline::Baseline;
use super::drained::wait_until_quiet;
use super::helper::with_files;
use super::progress::{Journal, Step};
use super::recovery::Recovery;
use super::snapshot::Snapshot;
use super::{End, Outcome, Transaction};
use crate::backend::Trouble;
use crate::engine::drain::RestartEnd;

impl Transaction<'_> {
    /// Restores the previous configuration and restarts. A service that has returned in the step "checks" is drained again
    /// first; the others are drained already. The state of the server is unknown: it is compared with the one before the
    /// attempt, and the process of the attempt must have exited as well.
    pub(super) async fn roll_back(
        &self,
        journal: &mut Journal<'_>,
        first: Option<Baseline>,
        restored: &OnceCell<String>,
        why: &str,
    ) -> Result<Baseline, Trouble> {
        journal.start(Step::Rollback);
        self.drain(&format!("rolling back: {why}")).await?;
        if journal.any_returned {
            let quiet = wait_until_quiet(self.config, self.backend, self.helper).await;
            journal.note(&format!("drained again, and quiet: {quiet}"));
        }
        let baseline = match first {
            Some(first) => first.with_process_of(self.backend).await,
            None => self.present_state().await,
        };
        let found = Snapshot::new(&self.config.state, self.backend).check()?.undo()?;
        journal.finish(restored.get_or_init(|| found));
        journal.start(Step::Restart);
        self.backend.restart().await?;
        journal.finish("restarted with the configuration before");
        self.verify(journal, &baseline, &Recovery::start(self.config, self.backend, true)).await?;
        Ok(baseline)
    }

    /// The result of a rollback after an attempt that failed for `why`. The reason names the restored files.
    pub(super) async fn after_rollback(
        &self,
        rollback: Result<Baseline, Trouble>,
        journal: &mut Journal<'_>,
        why: &str,
        restored: Option<String>,
    ) -> End {
        match rollback {
            Ok(baseline) => {
                // The next reload or restart must not take a service that is worse for one that failed before.
                let (end, why) = match journal.worse.join("; ") {
                    worse if worse.is_empty() => {
                        self.note_zones(journal, &baseline).await;
                        (RestartEnd::RolledBack, why.to_owned())
                    }
                    worse => (RestartEnd::ReloadFailed, format!("rolled back, but {worse}; {why}")),
                };
                self.report_failure(&self.names(), end, &with_files(&why, restored.as_deref())).await;
                Outcome::RolledBack.into()
            }
            Err(trouble) => {
                let step = journal.fail(&trouble);
                // The end of a long reason is cut, so the failure of the server that runs now stands first.
                let why = match step {
                    Step::Rollback => format!("{why}; no rollback: {trouble}"),
                    _ => format!("{} failed, rollback too: {step}: {trouble}", self.what()),
                };
                self.stay_drained(&journal.returned, &with_files(&why, restored.as_deref())).await
            }
        }
    }
}
