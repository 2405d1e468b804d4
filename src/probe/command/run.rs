//! One run of a shell command: a child in a process group of its own, which does not outlive its owner.
//!
//! A [`Run`] ends in one of four ways. It [exits](Run::exit), and what it left in the background is its own business;
//! it exits and [what it left is killed](Run::finish); it is [ended](Run::end), with all that descends from it; or it is
//! dropped, which is the same, at once and in place.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::io::Errno;
use rustix::process::{self, PidfdFlags, pidfd_open};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;

use super::orphans;
use super::sweep::Marks;

/// How long what was killed may take to be gone. It is only reached by what the kernel does not let die, or under
/// a load under which nothing else would run either.
const PATIENCE: Duration = Duration::from_millis(250);

/// As long, where a thread that has better things to do waits for it.
const HASTE: Duration = Duration::from_millis(50);

/// `sh -c`, with nothing to read.
pub(crate) fn shell(text: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(text).stdin(Stdio::null());
    command
}

/// How a command ended, as the end of a sentence.
pub(crate) fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("was killed by {signal}"),
            Err(_) => format!("was killed by signal {number}"),
        },
        (None, None) => status.to_string(),
    }
}

/// A command under way.
#[derive(Debug)]
pub(crate) struct Run {
    child: Child,
    /// Until the shell is reaped, or given up.
    marks: Option<Marks>,
}

impl Run {
    /// Starts the command.
    ///
    /// # Errors
    /// Those of fork and exec: no process or descriptor left, no shell.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        let variable = Marks::variable();
        command.env(variable.name, &variable.value);
        let (child, shell) = orphans::start(&mut command)?;
        // Our copies of what the child writes to are closed here, or its output would not end with it.
        drop(command);
        Ok(Self { child, marks: Some(Marks { shell, variable }) })
    }

    /// Sends TERM to the shell and its process group. Without effect once the shell is reaped.
    pub(crate) fn terminate(&self) {
        if let Some(marks) = &self.marks {
            // It fails only where all of them are gone.
            let _ = killpg(marks.shell, Signal::SIGTERM);
        }
    }

    /// Waits until the shell exits.
    ///
    /// # Errors
    /// None that is known of, while nobody else reaps our children.
    pub(crate) async fn exit(&mut self) -> io::Result<ExitStatus> {
        let exit = self.child.wait().await?;
        self.reaped();
        Ok(exit)
    }

    /// Waits until the shell exits, and does not reap it: what it has left can be found as long as its number is its own.
    ///
    /// # Errors
    /// When no descriptor is left, and those of [`Run::exit`].
    pub(crate) async fn is_over(&mut self) -> io::Result<()> {
        let shell = self.marks.as_ref().and_then(|marks| process::Pid::from_raw(marks.shell.as_raw()));
        match shell.map(|shell| pidfd_open(shell, PidfdFlags::empty())) {
            Some(Ok(pidfd)) => {
                // Like a pipe, it is readable from the end on; AsyncFd is not to be had in safe code.
                Receiver::from_owned_fd_unchecked(pidfd)?.readable().await
            }
            // A kernel before 5.3, or a filter on system calls: what it has left stays there.
            None | Some(Err(Errno::NOSYS | Errno::PERM)) => self.exit().await.map(drop),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// Kills what the shell has left, once it [is over](Run::is_over), and says how it ended and what did not die of it.
    ///
    /// # Errors
    /// Those of [`Run::exit`].
    pub(crate) async fn finish(self) -> io::Result<(ExitStatus, Left)> {
        let mut run = self;
        let mut left = Left::default();
        // Without its shell, what is left is a child of ours by now, or its own parent is: as a rule there is none.
        let adopted = orphans::adopted();
        if let Some(marks) = run.marks.clone()
            && adopted.as_ref().is_none_or(|adopted| !adopted.is_empty())
        {
            let sweep = move || {
                let is_left = adopted.is_none_or(|adopted| adopted.iter().any(|pid| marks.may_mark(*pid)));
                if is_left { marks.sweep(PATIENCE) } else { vec![] }
            };
            left = Left(spawn_blocking(sweep).await.unwrap_or_default());
        }
        Ok((run.exit().await?, left))
    }

    /// Kills it and all that descends from it, and says what did not die of it.
    pub(crate) async fn end(self) -> Left {
        let mut run = self;
        spawn_blocking(move || run.kill(PATIENCE)).await.unwrap_or_default()
    }

    fn kill(&mut self, patience: Duration) -> Left {
        let Some(marks) = &self.marks else { return Left::default() };
        let left = Left(marks.sweep(patience));
        // Dead by now, it is only reaped. Should it hang in the kernel, tokio reaps it when it dies.
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            self.reaped();
        }
        self.marks = None;
        left
    }

    fn reaped(&mut self) {
        if let Some(marks) = self.marks.take() {
            orphans::reaped(marks.shell);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.kill(HASTE);
    }
}

/// What did not die of being killed. Shown as the end of a sentence, empty if there is nothing to say.
#[derive(Debug, Default)]
pub(crate) struct Left(Vec<Pid>);

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else { return Ok(()) };
        write!(f, ", and still there when killed: process {first}")?;
        others.iter().try_for_each(|pid| write!(f, ", {pid}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_ends_a_sentence() {
        assert_eq!(Left::default().to_string(), "");
        let left = Left([17, 4].map(Pid::from_raw).to_vec());
        assert_eq!(left.to_string(), ", and still there when killed: process 17, 4");
    }
}
