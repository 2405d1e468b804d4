//! The operation on the server, and the waits for its recovery.

use std::cell::OnceCell;
use std::io;
use std::time::Duration;

use super::baseline::{Baseline, ListenerChanges, listeners_of};
use super::command::InterruptGuard;
use super::drained::POLL_INTERVAL;
use super::earlier::EarlierDrains;
use super::recovery::Recovery;
use super::snapshot::Present;
use super::{Journal, Operation, Snapshot, Transaction};
use crate::backend::sharing::{Shared, several_servers, shared};
use crate::backend::{Checked, Trouble};
use crate::control::client::NotRunning;
use crate::engine::drain::{RestartEnd, UNTOUCHED};
use crate::process::Missing;
use crate::process::handle::ProcessHandle;
use crate::status::{Document, Service};
use crate::text::period::Shown;
use crate::text::{foreign, joined};

/// How long a restart waits for the pid file, at most half of its timeout.
const PID_FILE_WAIT: Duration = Duration::from_secs(5);

impl Transaction<'_> {
    /// Checks all that can be checked before the drain, and stores the drains that earlier transactions have left.
    pub(super) async fn check(&self, earlier: &OnceCell<EarlierDrains>) -> Result<String, Trouble> {
        if self.config.services_of(self.backend).next().is_none() {
            return Err(Trouble::with(
                format!("no service has the backend {}: nothing would be drained", self.backend.name),
                format!("write `backend = \"{}\"` into its [[service]]", self.backend.name),
            ));
        }
        let document = self.helper.look().await.map_err(|error| {
            let why = format!("{error:#}");
            // A helper that only does not answer may announce.
            match error.is::<NotRunning>() {
                true => Trouble::with(why, "while ExaBGP is stopped it announces nothing: use systemctl"),
                false => Trouble::new(why),
            }
        })?;
        earlier.get_or_init(|| self.drains_in(&document));
        self.refuse_unlisted_services(&document)?;
        if self.operation == Operation::Restart || self.rollback {
            self.backend.can_restart()?;
        }
        if self.rollback {
            Snapshot::new(&self.config.state, self.backend).check()?;
        }
        match self.backend.check().await {
            Ok(Checked::Valid) => Ok("valid".to_owned()),
            Ok(Checked::Unchecked) => Ok("nothing can check it".to_owned()),
            Err(trouble) => {
                // The next start of the server would fail, so the operators of this host are warned. `heal` logs it itself.
                if !self.unattended {
                    let why = format!("{} {UNTOUCHED}{trouble}", self.what());
                    self.report(&self.names(), RestartEnd::ReloadFailed, &why, None).await;
                }
                Err(trouble)
            }
        }
    }

    /// Fails if the helper has services of the server that the file no longer names: they would not be drained.
    fn refuse_unlisted_services(&self, document: &Document) -> Result<(), Trouble> {
        let names = self.names();
        let is_ours = |service: &&Service| service.backend.as_ref() == Some(&self.backend.name);
        let mut ours = document.services.iter().filter(is_ours).filter(|service| service.enabled);
        match ours.find(|service| !names.contains(&service.name)) {
            None => Ok(()),
            Some(service) => Err(Trouble::with(
                format!(
                    "the helper also announces {} for {}, and the file does not: it would not be drained",
                    foreign(&service.name),
                    self.backend.name
                ),
                "run `dnsherald reload` first",
            )),
        }
    }

    pub(super) async fn operate(
        &self,
        journal: &mut Journal<'_>,
        guard: &InterruptGuard,
    ) -> Result<String, Trouble> {
        match &self.operation {
            Operation::Restart => self.backend.restart().await.map(|()| "restarted".to_owned()),
            Operation::Reload => self.backend.reload().await.map(|done| done.join("; ")),
            Operation::Command(program, limit) => self.run_command(program, *limit, journal, guard).await,
        }
    }

    /// Whether the server has certainly started with the present configuration. A reload may leave parts of it unused, such
    /// as an address, and a command may leave the server alone.
    pub(super) fn has_replaced(&self, baseline: &Baseline) -> bool {
        match self.operation {
            Operation::Restart => true,
            Operation::Reload => false,
            Operation::Command(..) => {
                !baseline.processes.is_empty() && baseline.processes.iter().all(ProcessHandle::has_exited)
            }
        }
    }

    /// Saves the configuration that was `read`, for a rollback, if the server has started with it and is no worse for it.
    pub(super) fn save_for_rollback(
        &self,
        journal: &mut Journal<'_>,
        baseline: &Baseline,
        snapshot: &Snapshot,
        read: io::Result<Option<Present>>,
    ) {
        if !journal.worse.is_empty() {
            let worse = journal.worse.join("; ");
            journal.note(&format!("the copy for a rollback stays as it was: {worse}"));
        } else if self.has_replaced(baseline)
            && let Err(error) = read.and_then(|read| read.map_or(Ok(()), |present| snapshot.save(&present)))
        {
            let place = snapshot.directory.display();
            log::warn!("cannot save the configuration for a rollback in {place}: {error}");
        }
    }

    /// The note that a command has left the former process in place.
    fn not_replaced(&self, baseline: &Baseline, process: &ProcessHandle) -> &'static str {
        let is_former = baseline.processes.iter().any(|former| former.pid == process.pid);
        match self.operation {
            Operation::Command(..) if is_former => ", the same as before",
            _ => "",
        }
    }

    pub(super) async fn wait_for_process(
        &self,
        baseline: &Baseline,
        recovery: &Recovery,
        journal: &mut Journal<'_>,
    ) -> Result<String, Trouble> {
        let look = async || match self.backend.found_by(recovery.finder.as_ref()).await {
            Some(Ok(process)) => match baseline.not_replaced_by(&process, recovery.is_restart) {
                None => Ok(format!("{process}{}", self.not_replaced(baseline, &process))),
                Some(why) => Err(why),
            },
            Some(Err(Missing::Surely(why))) => Err(why),
            // If the new process cannot be known, the checks decide, unless a handle shows that the earlier one still runs.
            // The pid file may be written a moment after the restart has returned.
            found @ (Some(Err(Missing::Perhaps(_))) | None) => {
                let is_left = |earlier: &&ProcessHandle| recovery.is_restart && !earlier.has_exited();
                let is_expected = recovery.is_restart || !baseline.processes.is_empty();
                let is_due = is_expected && recovery.elapsed() < PID_FILE_WAIT.min(recovery.timeout / 2);
                match (baseline.processes.iter().find(is_left), found) {
                    (Some(earlier), _) => Err(format!("{earlier}, from before the restart, has not exited")),
                    (None, Some(Err(missing))) if is_due => Err(missing.why().to_owned()),
                    (None, Some(Err(missing))) => Ok(format!("not known: {}", missing.why())),
                    (None, _) => Ok("not known: the backend has neither `unit` nor `pid-file`".to_owned()),
                }
            }
        };
        recovery.wait(journal, POLL_INTERVAL, look).await.map_err(|why| {
            let limit = Shown(recovery.timeout);
            Trouble::new(format!("no process has replaced the earlier one within {limit}: {why}"))
        })
    }

    pub(super) async fn wait_for_listeners(
        &self,
        baseline: &Baseline,
        recovery: &Recovery,
        journal: &mut Journal<'_>,
    ) -> Result<String, Trouble> {
        let look = async || self.compare_listeners(baseline, recovery).await;
        let found = recovery.wait(journal, POLL_INTERVAL, look).await;
        found.map_err(|why| Trouble::new(format!("not as before within {}: {why}", Shown(recovery.timeout))))
    }

    /// Compares the listeners with those before, and looks who shares an address.
    pub(super) async fn compare_listeners(
        &self,
        baseline: &Baseline,
        recovery: &Recovery,
    ) -> Result<String, String> {
        let now = listeners_of(self.config, self.backend);
        let changes = ListenerChanges::new(&baseline.listeners, &now);
        let process = match changes.more.is_empty() {
            true => None,
            false => self.backend.found_by(recovery.finder.as_ref()).await.and_then(Result::ok),
        };
        let mut found = changes.judge(process.as_ref())?;
        // Two servers need two sockets. Those of before may have been of one server or of several.
        let may_be_from_before = |shared: &Shared| {
            let mut before = baseline.listeners.iter();
            before.any(|one| (one.address, one.transport) == (shared.at, shared.protocol) && one.sockets > 1)
        };
        let (earlier, new): (Vec<_>, Vec<_>) = shared(now).into_iter().partition(may_be_from_before);
        let new = several_servers(&new);
        if !new.is_empty() {
            return Err(format!("{}; end the wrong one", joined(new, "; ")));
        }
        for warning in several_servers(&earlier) {
            found.push_str("; WARNING: ");
            found.push_str(&warning);
        }
        Ok(found)
    }
}
