//! Finding and killing all that belongs to a run.

use std::collections::HashSet;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rustix::io::Errno as Refusal;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use super::process::{Process, Variable};

/// Between two looks: what was signalled needs a moment.
const PAUSE: Duration = Duration::from_millis(1);

/// How many looks are taken at least before one gives up, however long they take.
const LOOKS: u32 = 20;

/// By what those that belong to a run are known.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    /// The shell, and the group that it leads. Not reaped, so that its number is still its own.
    pub(super) shell: Pid,
    pub(super) variable: Variable,
}

impl Marks {
    /// A variable that no other run has, neither of this process nor of another.
    pub(super) fn variable() -> Variable {
        static RUNS: AtomicU64 = AtomicU64::new(1);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Variable { name: "DNSHERALD_RUN", value: format!("{}.{run}.{}", process::id(), since.as_nanos()) }
    }

    /// Whether this living process belongs to the run, or may.
    pub(super) fn may_mark(&self, pid: Pid) -> bool {
        let process = Process::of(pid).filter(|process| !process.is_dead());
        process.is_some_and(|process| {
            process.group == self.shell || process.bears(&self.variable) != Some(false)
        })
    }

    /// Stops all, then kills all, then waits for their death, but not much longer than `patience`. Returns those that
    /// will not die of it.
    pub(super) fn sweep(&self, patience: Duration) -> Vec<Pid> {
        // Atomic, and not in need of `/proc`.
        let _ = killpg(self.shell, Signal::SIGSTOP);
        let mut search = Search { marks: self, elders: HashSet::new() };
        // What waits for a stopped child of its own (vfork) does not stop, and is not waited for.
        let stopped = search.strike_until(Struck::is_still, Signal::SIGSTOP, patience / 2);
        // All of them before anything else: with the first death, descent from it is no longer to be seen.
        for process in &stopped.reached {
            let _ = send(process, Signal::SIGKILL);
        }
        let _ = killpg(self.shell, Signal::SIGKILL);
        search.strike_until(Struck::is_nothing, Signal::SIGKILL, patience / 2).immortal()
    }
}

/// One look at `/proc` after another.
struct Search<'a> {
    marks: &'a Marks,
    /// Those that began before the shell, and so do not descend from it. They are not looked at again, which makes all
    /// but the first look fast.
    elders: HashSet<Pid>,
}

impl Search<'_> {
    /// Signals again and again, until the last look is as it should be or patience is at its end.
    fn strike_until(&mut self, is_done: fn(&Struck) -> bool, signal: Signal, patience: Duration) -> Struck {
        let began = Instant::now();
        let mut struck = self.strike(signal);
        let mut looks = 1;
        while !is_done(&struck) && (looks < LOOKS || began.elapsed() < patience) {
            thread::sleep(PAUSE);
            struck = self.strike(signal);
            looks += 1;
        }
        struck
    }

    /// Signals every living process that belongs to the run, each as soon as it is seen.
    fn strike(&mut self, signal: Signal) -> Struck {
        let Marks { shell, variable } = self.marks;
        let since = Process::of(*shell).map_or(u64::MAX, |shell| shell.began);
        let mut struck = Struck::default();
        let mut others = Vec::new();
        let (mut elders, mut unseen) = (Vec::new(), HashSet::new());
        // The youngest first: it may be about to leave a successor and be gone.
        for pid in Process::numbers().into_iter().rev().filter(|pid| !self.elders.contains(pid)) {
            match Process::of(pid) {
                None => struck.missed = true,
                Some(process) if process.began < since => elders.push(pid),
                Some(process) if process.is_dead() => {}
                Some(process) if process.group == *shell => struck.strike(process, signal),
                Some(process) => match process.bears(variable) {
                    Some(true) => struck.strike(process, signal),
                    Some(false) => others.push(process),
                    None => {
                        unseen.insert(pid);
                        others.push(process);
                    }
                },
            }
        }
        self.elders.extend(elders);
        loop {
            let is_child = |process: &mut Process| struck.all().any(|parent| parent.pid == process.parent);
            let children: Vec<_> = others.extract_if(.., is_child).collect();
            if children.is_empty() {
                break;
            }
            children.into_iter().for_each(|process| struck.strike(process, signal));
        }
        struck.missed |= others.iter().any(|process| unseen.contains(&process.pid));
        struck
    }
}

/// Signals the very process that was seen, and never the next of its number.
fn send(process: &Process, signal: Signal) -> Result<(), Errno> {
    let is_same = || Process::of(process.pid).is_some_and(|now| now.began == process.began);
    let number = rustix::process::Pid::from_raw(process.pid.as_raw()).ok_or(Errno::ESRCH)?;
    let named = rustix::process::Signal::from_named_raw(signal as i32).ok_or(Errno::EINVAL)?;
    match pidfd_open(number, PidfdFlags::empty()) {
        // The number still means the process that was seen, and so the descriptor does.
        Ok(held) if is_same() => {
            pidfd_send_signal(held, named).map_err(|error| Errno::from_raw(error.raw_os_error()))
        }
        // A kernel before 5.3, or a filter on system calls.
        Err(Refusal::NOSYS | Refusal::PERM) if is_same() => kill(process.pid, signal),
        Ok(_) | Err(Refusal::NOSYS | Refusal::PERM) => Err(Errno::ESRCH),
        Err(error) => Err(Errno::from_raw(error.raw_os_error())),
    }
}

/// What was signalled, as it was seen before.
#[derive(Debug, Default)]
struct Struck {
    reached: Vec<Process>,
    /// With another user's rights.
    refused: Vec<Process>,
    /// Whether any was gone, or not to be seen, when it was looked at.
    missed: bool,
}

impl Struck {
    fn strike(&mut self, process: Process, signal: Signal) {
        match send(&process, signal) {
            Ok(()) => self.reached.push(process),
            Err(Errno::EPERM) => self.refused.push(process),
            Err(_) => self.missed = true,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Process> {
        self.reached.iter().chain(&self.refused)
    }

    /// Whether none can fork any more.
    fn is_still(&self) -> bool {
        !self.missed && self.reached.iter().all(Process::is_stopped)
    }

    /// Whether there is certainly none. Who was missed would have been seen, or have left a younger one to be missed.
    fn is_nothing(&self) -> bool {
        !self.missed && self.reached.is_empty()
    }

    /// Those that a signal does not kill.
    fn immortal(&self) -> Vec<Pid> {
        let hanging = self.reached.iter().filter(|process| process.hangs());
        hanging.chain(&self.refused).map(|process| process.pid).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_the_number_of_another_is_not_signalled() {
        let mut child = process::Command::new("sleep").arg("1000").spawn().unwrap();
        let mut seen = Process::of(Pid::from_raw(i32::try_from(child.id()).unwrap())).unwrap();
        seen.began -= 1;
        assert_eq!(send(&seen, Signal::SIGKILL), Err(Errno::ESRCH));
        assert!(child.try_wait().unwrap().is_none());
        seen.began += 1;
        assert_eq!(send(&seen, Signal::SIGKILL), Ok(()));
        assert!(!child.wait().unwrap().success());
    }
}
