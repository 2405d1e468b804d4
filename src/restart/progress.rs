//! The steps of a transaction, and their reports.

use std::time::Instant;

use serde::Serialize;

use crate::backend::Trouble;
use crate::text::words::words;

words! {
    /// The steps, in their order.
    #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
    pub(crate) enum Step {
        /// Makes sure that no other restart is under way on this host.
        Lock = "lock",
        /// Checks the configuration on disk.
        Configuration = "configuration",
        /// Withdraws the services, and waits until ExaBGP has acknowledged it.
        Drain = "drain",
        /// Waits until clients have followed.
        Quiet = "quiet",
        /// Reads the listeners and zones to compare with, and makes sure that the services are still drained.
        State = "state",
        /// Restarts the server, or performs another operation.
        Restart = "restart",
        /// Waits for its process.
        Process = "process",
        /// Waits until it has the same listeners as before.
        Listeners = "listeners",
        /// Waits until it serves every zone that it served before, none with an older serial.
        Zones = "zones",
        /// Waits until no check keeps a service from returning, and, if ExaBGP answers, until it has acknowledged the resulting
        /// announcements.
        Checks = "checks",
        /// Restores the previous configuration.
        Rollback = "rollback",
    }
}

impl Step {
    /// Whether a failure here leaves the server as it was.
    pub(crate) const fn is_harmless(self) -> bool {
        matches!(self, Self::Lock | Self::Configuration | Self::Drain | Self::Quiet | Self::State)
    }
}

/// A step that has finished.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Done {
    pub(crate) step: Step,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    pub(crate) found: String,
    pub(crate) ok: bool,
}

/// Receives the progress of a transaction.
pub(crate) trait Progress {
    fn step_started(&mut self, step: Step);
    fn step_finished(&mut self, done: &Done);
    /// A message for the operator while a step runs; one line.
    fn note(&mut self, text: &str);
}

/// The step that runs, and the receiver of the report.
pub(super) struct Journal<'a> {
    progress: &'a mut dyn Progress,
    step: Step,
    began: Instant,
    /// The services that have returned in this step while the step waits for others. They stay announced if the checks of the
    /// others fail. Empty once every service has returned: a later failure drains all of them.
    pub(super) returned: Vec<String>,
    /// Whether a service has returned in any step, so that clients may ask the server.
    pub(super) any_returned: bool,
    /// Whether the waiting services fail only in checks that failed before with the same cause, not because of an earlier
    /// restart or reload, and a service of the server was not down before. Then there is no rollback.
    pub(super) failed_before: bool,
    /// Why the end is no clean success: the checks that degrade a returned service by the fault of the operation, and the
    /// services whose drain waits for an operator.
    pub(super) worse: Vec<String>,
}

impl<'a> Journal<'a> {
    /// A transaction that starts.
    pub(super) fn new(progress: &'a mut dyn Progress) -> Self {
        let (step, began) = (Step::Lock, Instant::now());
        Self {
            progress,
            step,
            began,
            returned: vec![],
            any_returned: false,
            failed_before: false,
            worse: vec![],
        }
    }

    /// Runs a step and reports what it found. The caller reports a failure with [`Journal::fail`].
    pub(super) async fn run(
        &mut self,
        step: Step,
        work: impl Future<Output = Result<String, Trouble>>,
    ) -> Result<(), Trouble> {
        self.start(step);
        let found = work.await?;
        self.finish(found);
        Ok(())
    }

    pub(super) fn start(&mut self, step: Step) {
        self.step = step;
        self.began = Instant::now();
        self.returned.clear();
        self.progress.step_started(step);
    }

    pub(super) fn finish(&mut self, found: impl Into<String>) {
        self.report(found.into(), true);
    }

    /// Returns the step that failed.
    pub(super) fn fail(&mut self, trouble: &Trouble) -> Step {
        self.report(trouble.to_string(), false);
        self.step
    }

    pub(super) fn note(&mut self, text: &str) {
        self.progress.note(text);
    }

    fn report(&mut self, found: String, ok: bool) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.progress.step_finished(&Done { step: self.step, seconds, found, ok });
    }
}
