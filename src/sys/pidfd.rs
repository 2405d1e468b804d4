//! Processes by their pidfd, which stays valid even if another process gets the same number (Linux 5.3).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{self, PidfdFlags, pidfd_open, pidfd_send_signal};
use tokio::net::unix::pipe::Receiver;

/// A descriptor of a process.
#[derive(Debug)]
pub(crate) struct Pidfd(OwnedFd);

impl Pidfd {
    /// Opens the process of this number.
    ///
    /// # Errors
    /// `SRCH` if there is none, `INVAL` or, of newer kernels, `NOENT` if it is a thread, `NOSYS` on Linux before 5.3,
    /// `PERM` under a filter on system calls, `MFILE` and `NFILE` if no descriptor is left.
    pub(crate) fn open(pid: i32) -> Result<Self, Errno> {
        let pid = Some(pid).filter(|pid| *pid > 0).and_then(process::Pid::from_raw).ok_or(Errno::SRCH)?;
        pidfd_open(pid, PidfdFlags::empty()).map(Self)
    }

    /// Whether the last thread of the process has exited, reaped or not.
    pub(crate) fn has_exited(&self) -> bool {
        has_exited(self.0.as_fd())
    }

    /// Sends a signal to this very process.
    ///
    /// # Errors
    /// `SRCH` if it has exited and was reaped, `PERM` if it runs with another user's rights.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Errno> {
        let signal = process::Signal::from_named_raw(signal as i32).ok_or(Errno::INVAL)?;
        pidfd_send_signal(&self.0, signal)
    }

    /// Registers the process with the tokio runtime, which has to have I/O enabled. Takes one descriptor more.
    ///
    /// # Errors
    /// If no descriptor is left.
    pub(crate) fn watch(&self) -> io::Result<ExitWatcher> {
        Self(self.0.try_clone()?).into_watcher()
    }

    /// Registers it without another descriptor.
    ///
    /// # Errors
    /// If the kernel refuses to poll it.
    pub(crate) fn into_watcher(self) -> io::Result<ExitWatcher> {
        // A pidfd becomes readable as a pipe does. Each constructor of `AsyncFd` is deprecated or unsafe; this one is neither.
        Receiver::from_owned_fd_unchecked(self.0).map(ExitWatcher)
    }
}

/// Waits on the tokio runtime until a process exits.
#[derive(Debug)]
pub(crate) struct ExitWatcher(Receiver);

impl ExitWatcher {
    /// Returns as soon as the process has exited, at once if it already has.
    ///
    /// # Errors
    /// If the runtime shuts down.
    pub(crate) async fn exited(&self) -> io::Result<()> {
        loop {
            self.0.readable().await?;
            if has_exited(self.0.as_fd()) {
                return Ok(());
            }
            // Readiness is a hint. Clear it, and wait for the next one.
            let _ = self.0.try_io(|| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        }
    }
}

/// A pidfd is readable from the moment on at which the last thread of its process has exited.
fn has_exited(pidfd: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(&pidfd, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::test_support::SleepProcess;

    const LIMIT: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn an_exit_is_seen_by_every_watcher_also_afterwards() {
        let mut sleepers = [SleepProcess::start(), SleepProcess::start()];
        let pidfds = sleepers.each_ref().map(|sleeper| Pidfd::open(sleeper.pid()).unwrap());
        let watchers = pidfds.each_ref().map(|pidfd| pidfd.watch().unwrap());
        sleepers[1].kill();
        timeout(LIMIT, watchers[1].exited()).await.unwrap().unwrap();
        assert!(pidfds[1].has_exited() && !pidfds[0].has_exited(), "the other one lives");
        assert!(timeout(Duration::ZERO, watchers[0].exited()).await.is_err());
        sleepers[1].reap();
        timeout(LIMIT, watchers[1].exited()).await.unwrap().unwrap();
        timeout(LIMIT, pidfds[1].watch().unwrap().exited()).await.unwrap().unwrap();
        let pidfd = &pidfds[0];
        let other = pidfd.watch().unwrap();
        pidfd.signal(Signal::SIGKILL).unwrap();
        let (first, second) =
            timeout(LIMIT, async { tokio::join!(watchers[0].exited(), other.exited()) }).await.unwrap();
        assert!(first.is_ok() && second.is_ok());
        sleepers[0].reap();
        assert_eq!(pidfd.signal(Signal::SIGKILL), Err(Errno::SRCH));
    }

    #[test]
    fn no_process_has_these_numbers() {
        for pid in [0, -1, i32::MAX] {
            assert_eq!(Pidfd::open(pid).unwrap_err(), Errno::SRCH, "{pid}");
        }
    }
}
