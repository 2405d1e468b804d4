//! The marks by which the processes of one run are known.

use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::Pid;

use crate::sys::procfs::ProcStat;

/// The variable in the environment of a run and of all that it starts.
pub(super) const VARIABLE: &str = "DNSHERALD_RUN";

/// What the processes of one run have in common, besides their descent.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    /// The child that we started, and the group that it leads. Not reaped, so that its number is still its own.
    pub(super) leader: Pid,
    /// The value of [`VARIABLE`].
    pub(super) value: String,
}

impl Marks {
    /// A value that no other run has, neither of this process nor of another one.
    pub(super) fn unique_value() -> String {
        static RUNS: AtomicU64 = AtomicU64::new(1);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{}.{run}.{}", process::id(), since.as_nanos())
    }

    /// Whether the process has the variable of this run; `None` if that cannot be seen at the moment.
    pub(super) fn is_in_environment_of(&self, process: &ProcStat) -> Option<bool> {
        process.has_variable(VARIABLE, &self.value)
    }

    /// Whether this process lives and belongs to the run, or may.
    pub(super) fn may_mark(&self, pid: Pid) -> bool {
        let process = ProcStat::read(pid).filter(|process| !process.is_dead());
        process.is_some_and(|process| {
            process.group == self.leader || self.is_in_environment_of(&process) != Some(false)
        })
    }
}
