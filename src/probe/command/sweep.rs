//! Finding and killing all that belongs to a run, through `/proc`.

use std::fs;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpid};

/// Between two looks at `/proc`: what was signalled needs a moment.
const PAUSE: Duration = Duration::from_millis(1);

/// How often in a row nothing must be found: in the middle of an exec a process has no environment to be seen.
const QUIET: u32 = 3;

/// A variable in the environment of a run and of all that it starts.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// By what those that belong to a run are known.
#[derive(Debug)]
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

    /// Stops all, then kills all, then waits for their death. Returns what is there after `patience`, or cannot be
    /// signalled.
    pub(super) fn sweep(&self, patience: Duration) -> Vec<Pid> {
        let began = Instant::now();
        // Atomic, and not in need of `/proc`.
        let _ = killpg(self.shell, Signal::SIGSTOP);
        // What waits for a stopped child of its own (vfork) does not stop. It is not waited for longer than this.
        while self.strike(Signal::SIGSTOP).any_moves() && began.elapsed() < patience / 5 {
            thread::sleep(PAUSE);
        }
        let _ = killpg(self.shell, Signal::SIGKILL);
        let mut quiet = 0;
        loop {
            let struck = self.strike(Signal::SIGKILL);
            quiet = if struck.reached.is_empty() { quiet + 1 } else { 0 };
            if quiet == QUIET || began.elapsed() > patience {
                return struck.all().map(|process| process.pid).collect();
            }
            thread::sleep(PAUSE);
        }
    }

    /// Signals every living process that belongs to the run, each as soon as it is seen: it may be about to leave
    /// a successor and be gone.
    fn strike(&self, signal: Signal) -> Struck {
        let mut struck = Struck::default();
        let Some(shell) = Process::of(self.shell) else { return struck };
        let mut others = Vec::new();
        // What is older than the shell does not descend from it, and its environment need not be read.
        for process in Process::all().filter(|process| process.began >= shell.began) {
            if process.group == self.shell || process.bears(&self.variable) {
                struck.strike(process, signal);
            } else {
                others.push(process);
            }
        }
        loop {
            let (children, rest): (Vec<_>, _) = others
                .into_iter()
                .partition(|process| struck.all().any(|parent| parent.pid == process.parent));
            if children.is_empty() {
                return struck;
            }
            children.into_iter().for_each(|process| struck.strike(process, signal));
            others = rest;
        }
    }
}

/// What was signalled, as it was found before.
#[derive(Debug, Default)]
struct Struck {
    reached: Vec<Process>,
    /// Somebody else's.
    refused: Vec<Process>,
}

impl Struck {
    fn strike(&mut self, process: Process, signal: Signal) {
        if process.is_dead() || process.pid == getpid() {
            return;
        }
        match kill(process.pid, signal) {
            Ok(()) => self.reached.push(process),
            Err(Errno::EPERM) => self.refused.push(process),
            Err(_) => {}
        }
    }

    fn all(&self) -> impl Iterator<Item = &Process> {
        self.reached.iter().chain(&self.refused)
    }

    fn any_moves(&self) -> bool {
        self.reached.iter().any(|process| !matches!(process.state, b'T' | b't'))
    }
}

/// A process, as `/proc/PID/stat` has it.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    /// One letter: `T` and `t` are stopped, `Z` and `X` are dead.
    state: u8,
    parent: Pid,
    group: Pid,
    /// When it began, in ticks since the system was started.
    began: u64,
}

impl Process {
    /// All that can be seen.
    fn all() -> impl Iterator<Item = Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| Self::of(Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)))
    }

    /// Those that only wait for us to reap them.
    pub(super) fn our_dead() -> impl Iterator<Item = Pid> {
        Self::all()
            .filter(|process| process.is_dead() && process.parent == getpid())
            .map(|process| process.pid)
    }

    fn of(pid: Pid) -> Option<Self> {
        Self::read(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is a name in parentheses, and may itself contain spaces, parentheses, anything.
    fn read(pid: Pid, stat: &[u8]) -> Option<Self> {
        let name = stat.iter().rposition(|octet| *octet == b')')?;
        let mut fields = str::from_utf8(&stat[name + 1..]).ok()?.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let [parent, group] = [fields.next()?.parse().ok()?, fields.next()?.parse().ok()?].map(Pid::from_raw);
        let began = fields.nth(16)?.parse().ok()?;
        Some(Self { pid, state, parent, group, began })
    }

    const fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    fn bears(&self, variable: &Variable) -> bool {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        environment.split(|octet| *octet == 0).any(|entry| {
            entry.strip_prefix(variable.name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
                == Some(variable.value.as_bytes())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = b"17 (a) Z 1 (\xff)) T 4 5 6 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 77123 9 9 9\n";
        let process = Process::read(Pid::from_raw(17), stat).unwrap();
        let numbers = [process.pid, process.parent, process.group].map(Pid::as_raw);
        assert_eq!((process.state, numbers, process.began), (b'T', [17, 4, 5], 77123));
        assert!(Process::read(Pid::from_raw(17), b"17 (a) T 4 5").is_none());
    }

    #[test]
    fn we_are_among_all_and_older_than_what_we_start() {
        let ourselves = Process::all().find(|process| process.pid == getpid()).unwrap();
        assert!(!ourselves.is_dead() && ourselves.parent.as_raw() > 0);
        let mut child = process::Command::new("true").spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let began = Process::of(pid).unwrap().began;
        child.wait().unwrap();
        assert!(began >= ourselves.began);
        assert!(Process::of(pid).is_none());
    }
}
