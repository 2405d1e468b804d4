//! The work of the processes of a server: their CPU time, and whether they are stopped.
//!
//! `/proc` shows it to every user unless it is mounted with `hidepid`. A server may consist of several processes, so
//! that the children of the main process count as well.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::engine::listener::Work;
use crate::sys::procfs::ProcStat;

/// Maximum number of threads of all processes. The work of a larger server is unknown.
const MAX_THREADS: usize = 512;

/// The work of this process and its descendants; `None` if it is unknown.
pub(crate) fn of_process(pid: i32) -> Option<Work> {
    let mut work = Work { used: Duration::ZERO, runnable: false, stopped: true };
    let (mut processes, mut threads) = (vec![pid], 0);
    let mut next = 0;
    while let Some(process) = processes.get(next).copied() {
        next += 1;
        let tasks = match fs::read_dir(format!("/proc/{process}/task")) {
            Ok(tasks) => tasks,
            // A child has ended meanwhile.
            Err(_) if process != pid => continue,
            Err(_) => return None,
        };
        for task in tasks.flatten() {
            threads += 1;
            if threads > MAX_THREADS {
                return None;
            }
            // A thread that has ended meanwhile does nothing.
            let Some(thread) = ProcStat::in_directory(&task.path()) else { continue };
            work.used = work.used.saturating_add(thread.cpu_time(&task.path()));
            work.runnable |= thread.is_runnable();
            work.stopped &= thread.is_stopped() || thread.is_uninterruptible();
            processes.extend(children(&task.path())?);
        }
    }
    (threads > 0).then_some(work)
}

/// The children that this thread has started; `None` if the kernel does not list them.
fn children(task: &Path) -> Option<Vec<i32>> {
    match fs::read_to_string(task.join("children")) {
        Ok(text) => Some(text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()),
        // The thread has ended meanwhile.
        Err(_) if ProcStat::in_directory(task).is_none() => Some(vec![]),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;
    use crate::test_support::SleepProcess;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn wait_until(condition: impl Fn() -> bool) {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < DEADLINE);
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_stopped_process_differs_from_a_sleeping_one() {
        let child = SleepProcess::start();
        wait_until(|| of_process(child.pid()).is_some_and(|work| !work.stopped && !work.runnable));
        kill(Pid::from_raw(child.pid()), Signal::SIGSTOP).unwrap();
        wait_until(|| of_process(child.pid()).is_some_and(|work| work.stopped && !work.runnable));
    }

    #[test]
    fn the_work_of_threads_and_children_counts() {
        let us = i32::try_from(std::process::id()).unwrap();
        let before = of_process(us).unwrap().used;
        let mut child =
            std::process::Command::new("sh").args(["-c", "while :; do :; done & wait"]).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        wait_until(|| {
            of_process(us).is_some_and(|work| work.runnable && work.used > before + Duration::from_millis(30))
        });
        // The shell waits, its child works.
        wait_until(|| of_process(pid).is_some_and(|work| work.used > Duration::from_millis(30)));
        for process in children(Path::new(&format!("/proc/{pid}/task/{pid}"))).unwrap() {
            kill(Pid::from_raw(process), Signal::SIGKILL).unwrap();
        }
        child.wait().unwrap();
        wait_until(|| of_process(pid).is_none());
    }
}
