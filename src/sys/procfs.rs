//! Processes, as `/proc` shows them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use nix::sys::prctl::get_child_subreaper;
use nix::unistd::{Pid, getpid};

/// The parent of the kernel's own threads, which have no environment at all.
const KTHREADD: Pid = Pid::from_raw(2);

/// `/proc` counts 100 ticks a second on every architecture that a DNS server runs on, see proc(5) and time(7).
const TICKS: u64 = 100;

/// A process or thread, as its `stat` had it.
#[derive(Debug)]
pub(crate) struct ProcStat {
    pub(crate) pid: Pid,
    pub(crate) parent: Pid,
    pub(crate) group: Pid,
    /// Start time, in ticks since the boot.
    pub(crate) began: u64,
    /// CPU time, in ticks.
    ticks: u64,
    /// Where its environment begins and ends; both are 0 in an exec, and where this user may not know.
    environment: [u64; 2],
    state: u8,
}

/// The numbers of all processes that this user can see. The youngest are last, until the numbers wrap.
pub(crate) fn all_pids() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))).collect()
}

/// Whether a process is in our network namespace.
///
/// # Errors
/// The process is gone, or this user may not see that of a process of another user.
pub(crate) fn is_in_our_network(pid: Pid) -> io::Result<bool> {
    let namespace = |pid: Pid| fs::read_link(format!("/proc/{pid}/ns/net"));
    Ok(namespace(pid)? == namespace(getpid())?)
}

/// The command line of a process, as far as this user can see it; empty if it is gone.
pub(crate) fn command_line(pid: Pid) -> Vec<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.split(|octet| *octet == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    words.filter(|word| !word.is_empty()).collect()
}

/// Our children, adopted ones included. `None` if this process is no subreaper, or the kernel does not list them.
pub(crate) fn our_children() -> Option<Vec<Pid>> {
    if !get_child_subreaper().unwrap_or(false) {
        return None;
    }
    let mut children = vec![];
    for thread in fs::read_dir("/proc/self/task").ok()?.flatten() {
        // A thread that has ended meanwhile has handed its children on to one that may have been read before.
        let text = fs::read_to_string(thread.path().join("children")).ok()?;
        let pids = text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
        children.extend(pids.map(Pid::from_raw));
    }
    Some(children)
}

/// Our children that have exited and are not reaped.
pub(crate) fn our_zombies() -> impl Iterator<Item = Pid> {
    let all = all_pids().into_iter().filter_map(ProcStat::read);
    all.filter(|process| process.is_dead() && process.parent == getpid()).map(|process| process.pid)
}

impl ProcStat {
    /// The process of this number, unless it is gone.
    pub(crate) fn read(pid: Pid) -> Option<Self> {
        Self::in_directory(&Path::new("/proc").join(pid.to_string()))
    }

    /// The process or thread of this directory, unless it is gone.
    pub(crate) fn in_directory(directory: &Path) -> Option<Self> {
        Self::parse(&fs::read(directory.join("stat")).ok()?)
    }

    /// The second field is a name in parentheses, and may itself contain spaces, parentheses, anything.
    fn parse(stat: &[u8]) -> Option<Self> {
        let name = stat.iter().position(|octet| *octet == b' ')?;
        let name_end = stat.iter().rposition(|octet| *octet == b')')?;
        let pid = str::from_utf8(&stat[..name]).ok()?.parse().ok()?;
        let mut fields = str::from_utf8(&stat[name_end + 1..]).ok()?.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let mut number = |skipped| fields.nth(skipped)?.parse::<u64>().ok();
        let mut process = |skipped| Some(Pid::from_raw(number(skipped)?.try_into().ok()?));
        let (parent, group) = (process(0)?, process(0)?);
        // utime and stime, starttime, env_start and env_end.
        let ticks = number(8)?.saturating_add(number(0)?);
        let began = number(6)?;
        let environment = [number(27)?, number(0)?];
        Some(Self { pid: Pid::from_raw(pid), parent, group, began, ticks, environment, state })
    }

    /// When it began, by the clock of [`since_boot`](super::clock::since_boot), rounded down.
    pub(crate) const fn began_after_boot(&self) -> Duration {
        Duration::from_millis(self.began.saturating_mul(1000 / TICKS))
    }

    /// Its CPU time, to the nanosecond from `schedstat` of its `directory`, to 10 ms where the kernel keeps none.
    pub(crate) fn cpu_time(&self, directory: &Path) -> Duration {
        let schedule = fs::read_to_string(directory.join("schedstat")).unwrap_or_default();
        let exact = schedule.split_ascii_whitespace().next().and_then(|nanos| nanos.parse().ok());
        let coarse = || Duration::from_millis(self.ticks.saturating_mul(1000 / TICKS));
        exact.filter(|nanos| *nanos > 0).map_or_else(coarse, Duration::from_nanos)
    }

    /// Whether it has exited.
    pub(crate) const fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    /// Whether it runs or waits for a CPU.
    pub(crate) const fn is_runnable(&self) -> bool {
        self.state == b'R'
    }

    /// Whether a signal or a debugger has stopped it.
    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    /// Whether it is in a system call that no signal ends.
    pub(crate) const fn is_uninterruptible(&self) -> bool {
        self.state == b'D'
    }

    /// Whether it was started with `name=value` in its environment. `Some(false)` if this user may not read that;
    /// `None` if that cannot be known at the moment: during an exec, and at its end.
    pub(crate) fn has_variable(&self, name: &str, value: &str) -> Option<bool> {
        if self.parent == KTHREADD {
            return Some(false);
        }
        let environment = match fs::read(format!("/proc/{}/environ", self.pid)) {
            Ok(environment) if environment.is_empty() => {
                // An exec is over if it has placed the environment, which may be empty.
                let [start, end] = Self::read(self.pid)?.environment;
                return (start == end && end != 0).then_some(false);
            }
            Ok(environment) => environment,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Some(false),
            Err(_) => return None,
        };
        let is_it = |entry: &[u8]| {
            let rest = entry.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
            rest == Some(value.as_bytes())
        };
        Some(environment.split(|octet| *octet == 0).any(is_it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = b"17 (a) Z 1 (\xff)) T 4 5 6 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 77123 9 9 9 \
            1 1 1 0 0 0 0 4096 1260 0 0 0 17 0 0 0 0 0 0 2 3 4 5 6 70 71 0\n";
        let process = ProcStat::parse(stat).unwrap();
        let numbers = [process.pid, process.parent, process.group].map(Pid::as_raw);
        assert_eq!((numbers, process.began), ([17, 4, 5], 77123));
        assert_eq!((process.ticks, process.environment), (11, [70, 71]));
        assert!(process.is_stopped() && !process.is_dead() && !process.is_uninterruptible());
        assert!(ProcStat::parse(b"17 (a) T 4 5").is_none());
    }

    #[test]
    fn a_child_is_younger_than_us_and_has_the_environment_that_we_gave_it() {
        assert!(all_pids().contains(&getpid()));
        let name = "DNSHERALD_TEST";
        let mut cat = std::process::Command::new("cat");
        cat.env(name, "a=b").stdin(std::process::Stdio::piped());
        let mut child = cat.spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let process = ProcStat::read(pid).unwrap();
        // Until the exec is done it has no environment.
        while process.has_variable(name, "a=b") != Some(true) {
            std::thread::yield_now();
        }
        assert_eq!(process.has_variable(name, "a"), Some(false));
        child.wait().unwrap();
        assert!(process.parent == getpid() && process.began >= ProcStat::read(getpid()).unwrap().began);
        assert!(ProcStat::read(pid).is_none());
    }

    #[test]
    fn an_empty_environment_differs_from_one_that_is_not_there_yet() {
        let mut child = std::process::Command::new("sleep").arg("1000").env_clear().spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        while fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() != "sleep\n" {
            std::thread::yield_now();
        }
        let process = ProcStat::read(pid).unwrap();
        let began = std::time::Instant::now();
        // The name changes in the exec, before the environment is there.
        while process.has_variable("PATH", "") != Some(false) {
            assert!(began.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(process.has_variable("PATH", ""), None);
    }
}
