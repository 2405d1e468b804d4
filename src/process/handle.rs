//! A process that is held on to: by its pidfd, which never means another one, whatever becomes of its number.

use std::fmt;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime};

use nix::unistd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::cgroup::Membership;
use crate::probe::command::process::Process;
use crate::sys::clock::since_boot;
use crate::text::foreign;

/// `/proc` counts a hundred ticks a second on every architecture that a DNS server runs on, see proc(5) and time(7).
const TICKS: u64 = 100;

/// A process, and what was seen of it while it lived.
#[derive(Debug)]
pub(crate) struct ProcessHandle {
    pidfd: OwnedFd,
    pid: i32,
    name: String,
    membership: Membership,
    age: Duration,
}

impl ProcessHandle {
    /// Takes hold of the process of this number.
    ///
    /// # Errors
    /// The end of a sentence that begins with "process PID", with the name where it is known.
    pub(crate) fn open(pid: i32) -> Result<Self, String> {
        let number = Some(pid)
            .filter(|pid| *pid > 0)
            .and_then(Pid::from_raw)
            .ok_or_else(|| ", which is no number of a process".to_owned())?;
        let pidfd = pidfd_open(number, PidfdFlags::empty()).map_err(|error| refused(error).to_owned())?;
        let process = Process::of(unistd::Pid::from_raw(pid));
        let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        let membership = Membership::of(pid);
        // Alive after having been looked at: so it was this process which was looked at, and not the next of its number.
        if has_ended(pidfd.as_fd()) {
            return Err(", which has ended".to_owned());
        }
        let Some(process) = process else {
            return Err(", of which /proc shows nothing (mounted with hidepid?)".to_owned());
        };
        Ok(Self {
            pidfd,
            pid,
            name: foreign(String::from_utf8_lossy(&name).trim_end()),
            membership,
            age: since_boot().saturating_sub(Duration::from_millis(process.began * (1000 / TICKS))),
        })
    }

    /// Its number.
    #[must_use]
    pub(crate) const fn pid(&self) -> i32 {
        self.pid
    }

    /// Its name, as far as the kernel keeps it, fit to be printed; empty where that could not be seen.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it stands among the cgroups.
    #[must_use]
    pub(crate) const fn membership(&self) -> &Membership {
        &self.membership
    }

    /// How old it was when it was taken, to a hundredth of a second.
    #[must_use]
    pub(crate) const fn age(&self) -> Duration {
        self.age
    }

    /// Whether it was there already at that time, give or take what clocks are set by.
    #[must_use]
    pub(crate) fn was_there_at(&self, time: SystemTime) -> bool {
        const LEEWAY: Duration = Duration::from_secs(2);
        let passed = SystemTime::now().duration_since(time).unwrap_or_default();
        self.age + LEEWAY >= passed
    }

    /// Whether it has ended. Then also if nobody has reaped it yet.
    #[must_use]
    pub(crate) fn has_ended(&self) -> bool {
        has_ended(self.pidfd.as_fd())
    }

    /// Whether it is stopped, by a signal or a debugger: it is there, and answers nothing.
    #[must_use]
    pub(crate) fn is_stopped(&self) -> bool {
        Process::of(unistd::Pid::from_raw(self.pid)).is_some_and(|process| process.is_stopped())
    }
}

impl AsFd for ProcessHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// "process 4711 (unbound)".
impl fmt::Display for ProcessHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, " ({})", self.name) }
    }
}

/// A pidfd is readable from the moment on at which the last thread of its process is gone.
fn has_ended(pidfd: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::new(&pidfd, PollFlags::IN)];
    poll(&mut asked, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

fn refused(error: Errno) -> &'static str {
    match error {
        Errno::SRCH => ", which is gone",
        // The former up to Linux 6.x, the latter since.
        Errno::INVAL | Errno::NOENT => ", which is a thread and no process",
        Errno::NOSYS => ", which this kernel gives nobody hold of (pidfd_open came with Linux 5.3)",
        Errno::PERM => ", which nobody here may take hold of (a filter on system calls without pidfd_open?)",
        Errno::MFILE | Errno::NFILE => ", for which there is no file descriptor left",
        _ => ", which cannot be taken hold of",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sleeper::Sleeper;
    use super::*;

    #[test]
    fn its_end_is_seen_before_anybody_reaps_it() {
        let mut child = Sleeper::start();
        let held = ProcessHandle::open(child.pid()).unwrap();
        assert!(!held.has_ended() && held.age() < Duration::from_secs(600), "{held:?}");
        child.kill();
        while !held.has_ended() {
            std::thread::yield_now();
        }
        assert_eq!(ProcessHandle::open(child.pid()).unwrap_err(), ", which has ended");
        child.reap();
        assert!(held.has_ended());
    }

    #[test]
    fn what_is_no_process_is_not_taken() {
        for (pid, why) in [(0, "no number"), (-1, "no number"), (i32::MAX, "gone")] {
            let refusal = ProcessHandle::open(pid).unwrap_err();
            assert!(refusal.contains(why), "{pid}: {refusal}");
        }
        let thread = std::thread::spawn(|| ProcessHandle::open(unistd::gettid().as_raw())).join().unwrap();
        assert!(thread.unwrap_err().contains("thread"));
    }

    #[test]
    fn a_process_was_there_from_its_beginning_on() {
        let child = Sleeper::start();
        let held = ProcessHandle::open(child.pid()).unwrap();
        let now = SystemTime::now();
        assert!(held.was_there_at(now) && held.was_there_at(now + Duration::from_secs(60)));
        assert!(!held.was_there_at(now - Duration::from_secs(86_400)));
    }

    #[test]
    fn a_stopped_process_has_not_ended() {
        let child = Sleeper::start();
        let held = ProcessHandle::open(child.pid()).unwrap();
        let signal = |signal| nix::sys::signal::kill(unistd::Pid::from_raw(held.pid()), signal).unwrap();
        signal(nix::sys::signal::Signal::SIGSTOP);
        while !held.is_stopped() {
            std::thread::yield_now();
        }
        assert!(!held.has_ended());
    }
}
