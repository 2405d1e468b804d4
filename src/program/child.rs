//! A child in a process group of its own, which does not outlive its owner.
//!
//! It ends in one of four ways. It [exits](ChildGroup::wait), and what it left in the background lives on; it
//! [exits](ChildGroup::exited) and what it left is [killed](ChildGroup::finish); it is [killed](ChildGroup::kill) with
//! all that descends from it; or it is dropped, which also kills it. The drop of a child that is not reaped blocks until
//! its processes have ended, or the [limit](BLOCKING_SWEEP_LIMIT) has passed, and does not report those that did not end.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::io::Errno;
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;

use super::marks::{Marks, VARIABLE};
use super::orphans;
use super::sweep::sweep;
use crate::sys::pidfd::Pidfd;

/// Time to stop and kill the processes of a child. Only a process that hangs in the kernel, or a load under which nothing
/// else would run either, takes longer. While any process of the host is in an exec, so that nothing tells whether it is one of
/// them, the [sweep] takes up to 20 times as long.
const SWEEP_LIMIT: Duration = Duration::from_millis(250);

/// The same if the sweep blocks the thread of the caller.
const BLOCKING_SWEEP_LIMIT: Duration = Duration::from_millis(50);

/// How many times our orphans are listed in search of two equal lists. If no two are equal, because other programs leave
/// orphans at the same time, the run counts as one that has left a process.
const MAX_LISTS: usize = 20;

/// `sh -c TEXT`, with nothing to read.
pub(crate) fn shell(text: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(text).stdin(Stdio::null());
    command
}

/// How a program ended, as the end of a sentence: `exited with status 1`, `was killed by SIGKILL`.
pub(crate) fn describe_exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("was killed by {signal}"),
            Err(_) => format!("was killed by signal {number}"),
        },
        (None, None) => status.to_string(),
    }
}

/// A running child and its process group.
#[derive(Debug)]
pub(crate) struct ChildGroup {
    child: Child,
    /// Until the child is reaped, or given up.
    marks: Option<Marks>,
}

impl ChildGroup {
    /// Starts the command.
    ///
    /// # Errors
    /// Those of fork and exec: no process or descriptor left, no such program.
    pub(crate) fn spawn(mut command: Command) -> io::Result<Self> {
        let value = Marks::unique_value();
        command.env(VARIABLE, &value);
        let (child, leader) = orphans::spawn(&mut command)?;
        // Closes our copies of the pipes that the child writes to: otherwise its output would not end with it.
        drop(command);
        Ok(Self { child, marks: Some(Marks { leader, value }) })
    }

    /// Sends TERM to the child and its process group. Without effect once the child is reaped.
    pub(crate) fn terminate(&self) {
        if let Some(marks) = &self.marks {
            // It fails if all of them are gone, or run with another user's rights. KILL then reports the latter.
            let _ = killpg(marks.leader, Signal::SIGTERM);
        }
    }

    /// Waits until the child exits, and reaps it.
    ///
    /// # Errors
    /// None known, unless other code reaps our children.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.no_longer_ours();
        Ok(status)
    }

    /// Waits until the child exits, and does not reap it: its number stays its own, so that [`finish`](Self::finish) can
    /// find what it left.
    ///
    /// # Errors
    /// When no descriptor is left, and those of [`wait`](Self::wait).
    pub(crate) async fn exited(&mut self) -> io::Result<()> {
        let Some(marks) = &self.marks else { return Ok(()) };
        match Pidfd::open(marks.leader.as_raw()) {
            Ok(pidfd) => pidfd.into_watcher()?.exited().await,
            // A kernel before 5.3, or a filter on system calls: what the child left stays.
            Err(Errno::NOSYS | Errno::PERM) => self.wait().await.map(drop),
            Err(error) => Err(error.into()),
        }
    }

    /// Kills what the child left, once it has [exited](Self::exited), and reaps it. Returns how it ended, and what did
    /// not die.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait).
    pub(crate) async fn finish(self) -> io::Result<(ExitStatus, Survivors)> {
        let mut group = self;
        let mut survivors = Survivors::default();
        // If this process adopts orphans, what is left is our child by now, or a parent of it is; as a rule there is none.
        // If it does not, as in `check`, always look.
        if let Some(marks) = group.marks.clone()
            && orphans::adopted().is_none_or(|adopted| !adopted.is_empty())
        {
            let sweep_what_is_left =
                move || if may_be_left(&marks) { sweep(&marks, SWEEP_LIMIT) } else { vec![] };
            survivors = Survivors(spawn_blocking(sweep_what_is_left).await.unwrap_or_default());
        }
        Ok((group.wait().await?, survivors))
    }

    /// Kills the child and all that descends from it. Returns what did not die.
    pub(crate) async fn kill(self) -> Survivors {
        let mut group = self;
        spawn_blocking(move || group.sweep(SWEEP_LIMIT)).await.unwrap_or_default()
    }

    fn sweep(&mut self, limit: Duration) -> Survivors {
        let Some(marks) = &self.marks else { return Survivors::default() };
        let survivors = Survivors(sweep(marks, limit));
        // Dead by now, the child is only reaped. If it hangs in the kernel, it is reaped as an orphan when it dies.
        let _ = self.child.try_wait();
        self.no_longer_ours();
        survivors
    }

    fn no_longer_ours(&mut self) {
        if let Some(marks) = self.marks.take() {
            orphans::forget(marks.leader);
        }
    }
}

/// Whether a run whose child has exited may have left a process. A process of the run may exit between the list and the
/// look at it, and leave another one: only two equal lists are certain.
fn may_be_left(marks: &Marks) -> bool {
    let mut before = None;
    for _ in 0..MAX_LISTS {
        let Some(adopted) = orphans::adopted() else { return true };
        if before.as_ref() == Some(&adopted) {
            return false;
        }
        if adopted.iter().any(|pid| marks.may_mark(*pid)) {
            return true;
        }
        before = Some(adopted);
    }
    true
}

impl Drop for ChildGroup {
    fn drop(&mut self) {
        self.sweep(BLOCKING_SWEEP_LIMIT);
    }
}

/// The processes that did not die when killed. Shown as the end of a sentence, empty if there is none.
#[derive(Debug, Default)]
pub(crate) struct Survivors(Vec<Pid>);

impl fmt::Display for Survivors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else { return Ok(()) };
        write!(f, ", and could not be killed: process {first}")?;
        others.iter().try_for_each(|pid| write!(f, ", {pid}"))
    }
}

#[cfg(test)]
mod tests;
