//! A process by its pidfd, with its name, its age, and the cgroups that it had when it was opened.

use std::fmt;
use std::fs;
use std::io;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use nix::unistd::Pid;
use rustix::io::Errno;

use super::cgroup::Membership;
use crate::sys::clock::since_boot;
use crate::sys::lock;
use crate::sys::pidfd::{ExitWatcher, Pidfd};
use crate::sys::procfs::ProcStat;
use crate::text::foreign;

/// A process that cannot be confused with a later one of its number. Shown as `process 4711 (unbound)`.
#[derive(Debug)]
pub(crate) struct ProcessHandle {
    pidfd: Pidfd,
    pub(crate) pid: i32,
    name: Mutex<String>,
    /// Its cgroups when it was opened.
    pub(crate) membership: Membership,
    /// When it began, after boot, to 10 ms.
    began: Duration,
}

impl ProcessHandle {
    /// Opens the process of this number.
    ///
    /// # Errors
    /// The end of a sentence that starts with "process PID", with its name if known.
    pub(crate) fn open(pid: i32) -> Result<Self, String> {
        if pid <= 0 {
            return Err(", which is no number of a process".to_owned());
        }
        let pidfd = Pidfd::open(pid).map_err(|error| describe(error).to_owned())?;
        let process = ProcStat::read(Pid::from_raw(pid));
        let name = Mutex::new(name_of(pid));
        let membership = Membership::from_pid(pid);
        // Still alive: so `/proc` has shown this process, and not the next one of its number.
        if pidfd.has_exited() {
            return Err(", which has ended".to_owned());
        }
        let Some(process) = process else {
            return Err(", of which /proc shows nothing (mounted with hidepid?)".to_owned());
        };
        Ok(Self { pidfd, pid, name, membership, began: process.began_after_boot() })
    }

    /// Its name: as far as the kernel keeps it, fit to be printed; empty if it cannot be seen.
    pub(crate) fn name(&self) -> String {
        lock(&self.name).clone()
    }

    /// Reads its name again. A process has the name of its parent until it executes its program.
    pub(crate) fn update_name(&self) {
        let name = name_of(self.pid);
        if !self.has_exited() {
            *lock(&self.name) = name;
        }
    }

    /// The time since it began, to 10 ms.
    pub(crate) fn age(&self) -> Duration {
        since_boot().saturating_sub(self.began)
    }

    /// Whether it ran already at that time, with 2 s of leeway for clocks that are set.
    pub(crate) fn was_there_at(&self, time: SystemTime) -> bool {
        const LEEWAY: Duration = Duration::from_secs(2);
        let passed = SystemTime::now().duration_since(time).unwrap_or_default();
        self.age() + LEEWAY >= passed
    }

    /// Whether it has exited, reaped or not.
    pub(crate) fn has_exited(&self) -> bool {
        self.pidfd.has_exited()
    }

    /// Whether a signal or a debugger has stopped it: it is there, and answers nothing.
    pub(crate) fn is_stopped(&self) -> bool {
        ProcStat::read(Pid::from_raw(self.pid)).is_some_and(|process| process.is_stopped())
    }

    /// Registers it with the tokio runtime, which has to have I/O enabled.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub(crate) fn watch(&self) -> io::Result<ExitWatcher> {
        self.pidfd.watch()
    }
}

impl fmt::Display for ProcessHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        let name = self.name();
        if name.is_empty() { Ok(()) } else { write!(f, " ({name})") }
    }
}

fn name_of(pid: i32) -> String {
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    foreign(String::from_utf8_lossy(&name).trim_end())
}

/// Why a process cannot be opened, as the end of a sentence that starts with "process PID".
fn describe(error: Errno) -> &'static str {
    match error {
        Errno::SRCH => ", which is gone",
        Errno::INVAL | Errno::NOENT => ", which is a thread and no process",
        Errno::NOSYS => ", which this kernel cannot open (pidfd_open needs Linux 5.3)",
        Errno::PERM => ", which this process may not open (a filter on system calls without pidfd_open?)",
        Errno::MFILE | Errno::NFILE => ", for which there is no file descriptor left",
        _ => ", which cannot be opened",
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd;

    use super::*;
    use crate::test_support::SleepProcess;

    #[test]
    fn an_exit_is_seen_before_the_process_is_reaped() {
        let mut child = SleepProcess::start();
        let process = ProcessHandle::open(child.pid()).unwrap();
        assert!(!process.has_exited() && process.age() < Duration::from_secs(600), "{process:?}");
        let age = process.age();
        while process.age() <= age {
            std::hint::spin_loop();
        }
        child.kill();
        while !process.has_exited() {
            std::thread::yield_now();
        }
        assert_eq!(ProcessHandle::open(child.pid()).unwrap_err(), ", which has ended");
        child.reap();
        assert!(process.has_exited());
    }

    #[test]
    fn the_name_follows_that_of_the_program() {
        let mut child = SleepProcess::start();
        let process = ProcessHandle::open(child.pid()).unwrap();
        "systemd".clone_into(&mut lock(&process.name));
        process.update_name();
        let named = format!("process {} (sleep)", child.pid());
        assert_eq!(process.to_string(), named);
        child.kill();
        child.reap();
        process.update_name();
        assert_eq!(process.to_string(), named, "its last name stays");
    }

    #[test]
    fn only_a_process_can_be_opened() {
        for (pid, why) in [(0, "no number"), (-1, "no number"), (i32::MAX, "gone")] {
            let error = ProcessHandle::open(pid).unwrap_err();
            assert!(error.contains(why), "{pid}: {error}");
        }
        let thread = std::thread::spawn(|| ProcessHandle::open(unistd::gettid().as_raw())).join().unwrap();
        assert!(thread.unwrap_err().contains("thread"));
    }

    #[test]
    fn a_process_was_there_from_its_start_on() {
        let child = SleepProcess::start();
        let process = ProcessHandle::open(child.pid()).unwrap();
        let now = SystemTime::now();
        assert!(process.was_there_at(now) && process.was_there_at(now + Duration::from_secs(60)));
        assert!(!process.was_there_at(now - Duration::from_secs(86_400)));
    }

    #[test]
    fn a_stopped_process_has_not_exited() {
        let child = SleepProcess::start();
        let process = ProcessHandle::open(child.pid()).unwrap();
        kill(Pid::from_raw(process.pid), Signal::SIGSTOP).unwrap();
        while !process.is_stopped() {
            std::thread::yield_now();
        }
        assert!(!process.has_exited());
    }
}
