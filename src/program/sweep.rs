//! Finds and kills the processes of a run.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rustix::io::Errno as OpenError;

use super::marks::Marks;
use crate::sys::pidfd::Pidfd;
use crate::sys::procfs::{ProcStat, all_pids};

/// The pause between two scans of `/proc`: a signal needs a moment to act.
const PAUSE: Duration = Duration::from_millis(1);

/// The minimum number of scans, regardless of their duration.
const LOOKS: u32 = 20;

/// The limit is so many times as long while a process is in an exec.
const EXEC_MULTIPLE: u32 = 20;

/// Stops all processes of the run, then kills them, then waits for their end, but not much longer than `limit`, or
/// [`EXEC_MULTIPLE`] times as long while a process is in an exec. Returns those that the signal does not kill.
pub(super) fn sweep(marks: &Marks, limit: Duration) -> Vec<Pid> {
    // Atomic, and without `/proc`.
    let _ = killpg(marks.leader, Signal::SIGSTOP);
    let mut search = Search { marks, older: HashSet::new() };
    // A process that waits for a stopped child (vfork) does not stop; the limit ends that wait.
    let stopped = search.signal_until(Signaled::all_stopped, Signal::SIGSTOP, limit / 2);
    // Kill all of them before anything else: the first death hides who descends from it.
    for process in &stopped.reached {
        let _ = send(process, Signal::SIGKILL);
    }
    let _ = killpg(marks.leader, Signal::SIGKILL);
    search.signal_until(Signaled::none_left, Signal::SIGKILL, limit / 2).unkillable()
}

/// One look at `/proc` after another.
struct Search<'a> {
    marks: &'a Marks,
    /// Processes older than the leader, which cannot descend from it. They are not looked at again, so that all looks
    /// but the first are fast.
    older: HashSet<Pid>,
}

impl Search<'_> {
    /// Signals again and again, until `is_done` after a look, or the limit.
    fn signal_until(&mut self, is_done: fn(&Signaled) -> bool, signal: Signal, limit: Duration) -> Signaled {
        let began = Instant::now();
        let mut signaled = self.signal_all(signal);
        let mut looks = 1;
        while !is_done(&signaled) && signaled.deserves_another_look(looks, began.elapsed(), limit) {
            thread::sleep(PAUSE);
            signaled = self.signal_all(signal);
            looks += 1;
        }
        signaled
    }

    /// Signals every living process of the run, each as soon as it is seen.
    fn signal_all(&mut self, signal: Signal) -> Signaled {
        let leader = self.marks.leader;
        let since = ProcStat::read(leader).map_or(u64::MAX, |leader| leader.began);
        let mut signaled = Signaled::default();
        let mut others = Vec::new();
        let (mut older, mut unseen) = (Vec::new(), HashSet::new());
        // By group and environment. The youngest first: it may be about to start a successor and exit.
        for pid in all_pids().into_iter().rev().filter(|pid| !self.older.contains(pid)) {
            match ProcStat::read(pid) {
                None => signaled.missed = true,
                Some(process) if process.began < since => older.push(pid),
                Some(process) if process.is_dead() => {}
                Some(process) if process.group == leader => signaled.signal(process, signal),
                Some(process) => match self.marks.is_in_environment_of(&process) {
                    Some(true) => signaled.signal(process, signal),
                    Some(false) => others.push(process),
                    None => {
                        unseen.insert(pid);
                        others.push(process);
                    }
                },
            }
        }
        self.older.extend(older);
        // By descent, one generation after the other.
        loop {
            let is_child = |process: &mut ProcStat| signaled.all().any(|parent| parent.pid == process.parent);
            let children: Vec<_> = others.extract_if(.., is_child).collect();
            if children.is_empty() {
                break;
            }
            children.into_iter().for_each(|process| signaled.signal(process, signal));
        }
        signaled.unseen = others.iter().any(|process| unseen.contains(&process.pid));
        signaled
    }
}

/// Signals the very process that was seen, and never another one of its number.
fn send(process: &ProcStat, signal: Signal) -> Result<(), Errno> {
    let is_same = || ProcStat::read(process.pid).is_some_and(|now| now.began == process.began);
    match Pidfd::open(process.pid.as_raw()) {
        // The number still means the process that was seen, and so does the descriptor.
        Ok(pidfd) if is_same() => pidfd.signal(signal).map_err(|error| Errno::from_raw(error.raw_os_error())),
        // A kernel before 5.3, or a filter on system calls.
        Err(OpenError::NOSYS | OpenError::PERM) if is_same() => kill(process.pid, signal),
        Ok(_) | Err(OpenError::NOSYS | OpenError::PERM) => Err(Errno::ESRCH),
        Err(error) => Err(Errno::from_raw(error.raw_os_error())),
    }
}

/// The processes that one look signaled, as they were before.
#[derive(Debug, Default)]
struct Signaled {
    reached: Vec<ProcStat>,
    /// With another user's rights.
    refused: Vec<ProcStat>,
    /// Whether any process vanished when it was looked at, or could not be signaled, such as without a free descriptor.
    missed: bool,
    /// Whether any process without another mark had no environment yet: it was in an exec.
    unseen: bool,
}

impl Signaled {
    fn signal(&mut self, process: ProcStat, signal: Signal) {
        match send(&process, signal) {
            Ok(()) => self.reached.push(process),
            Err(Errno::EPERM) => self.refused.push(process),
            Err(_) => self.missed = true,
        }
    }

    /// Whether to look again after so many `looks`. On a busy host an exec can take longer than `limit`, and its process
    /// is known only after it.
    fn deserves_another_look(&self, looks: u32, elapsed: Duration, limit: Duration) -> bool {
        looks < LOOKS || elapsed < limit || (self.unseen && elapsed < limit * EXEC_MULTIPLE)
    }

    fn all(&self) -> impl Iterator<Item = &ProcStat> {
        self.reached.iter().chain(&self.refused)
    }

    /// Whether none that may be signaled can fork any more.
    fn all_stopped(&self) -> bool {
        !self.missed && !self.unseen && self.reached.iter().all(ProcStat::is_stopped)
    }

    /// Whether there is certainly none that may be signaled: a process that was missed would have been seen, or its successor missed.
    fn none_left(&self) -> bool {
        !self.missed && !self.unseen && self.reached.is_empty()
    }

    /// Those that a signal does not kill.
    fn unkillable(&self) -> Vec<Pid> {
        let hanging = self.reached.iter().filter(|process| process.is_uninterruptible());
        hanging.chain(&self.refused).map(|process| process.pid).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::SleepProcess;

    #[test]
    fn a_process_in_an_exec_is_waited_for_longer_than_others() {
        let limit = Duration::from_millis(100);
        for (unseen, looks, elapsed, expected) in [
            (false, LOOKS - 1, 10 * limit, true),
            (false, LOOKS, limit / 2, true),
            (false, LOOKS, limit, false),
            (true, LOOKS, 10 * limit, true),
            (true, LOOKS, EXEC_MULTIPLE * limit, false),
        ] {
            let signaled = Signaled { unseen, ..Signaled::default() };
            assert_eq!(signaled.deserves_another_look(looks, elapsed, limit), expected, "{unseen} {looks}");
            assert_eq!(signaled.none_left(), !unseen);
        }
    }

    #[test]
    fn a_process_that_has_the_number_of_another_is_not_signaled() {
        let sleeper = SleepProcess::start();
        let pidfd = Pidfd::open(sleeper.pid()).unwrap();
        let mut seen = ProcStat::read(Pid::from_raw(sleeper.pid())).unwrap();
        seen.began -= 1;
        assert_eq!(send(&seen, Signal::SIGKILL), Err(Errno::ESRCH));
        assert!(!pidfd.has_exited());
        seen.began += 1;
        assert_eq!(send(&seen, Signal::SIGKILL), Ok(()));
        while !pidfd.has_exited() {
            thread::yield_now();
        }
    }
}
