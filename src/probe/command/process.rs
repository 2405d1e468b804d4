//! Processes, as `/proc` shows them.

use std::fs;
use std::io::ErrorKind;

use nix::sys::prctl::get_child_subreaper;
use nix::unistd::{Pid, getpid};

/// A variable in the environment of a run and of all that it starts.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// The parent of the kernel's own threads, which have no environment at all.
const THREADS: Pid = Pid::from_raw(2);

/// A process, as `/proc/PID/stat` had it.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) parent: Pid,
    pub(super) group: Pid,
    /// When it began, in ticks since the system was started.
    pub(crate) began: u64,
    state: u8,
}

impl Process {
    /// The numbers of all that can be seen; the youngest are last, until the numbers begin anew.
    pub(crate) fn numbers() -> Vec<Pid> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| Some(Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))).collect()
    }

    /// The process of this number, unless it is gone.
    pub(crate) fn of(pid: Pid) -> Option<Self> {
        Self::read(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Our children, those that we have adopted among them. Nothing where we adopt none, or the kernel does not list
    /// them.
    pub(super) fn our_children() -> Option<Vec<Pid>> {
        if !get_child_subreaper().unwrap_or(false) {
            return None;
        }
        let mut children = vec![];
        for thread in fs::read_dir("/proc/self/task").ok()?.flatten() {
            match fs::read_to_string(thread.path().join("children")) {
                Ok(text) => {
                    let pids = text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
                    children.extend(pids.map(Pid::from_raw));
                }
                // A thread that has ended meanwhile has handed its children on to one that may have been read before.
                Err(_) => return None,
            }
        }
        Some(children)
    }

    /// Those that only wait for us to reap them.
    pub(super) fn our_dead() -> impl Iterator<Item = Pid> {
        let all = Self::numbers().into_iter().filter_map(Self::of);
        all.filter(|process| process.is_dead() && process.parent == getpid()).map(|process| process.pid)
    }

    /// The second field is a name in parentheses, and may itself contain spaces, parentheses, anything.
    fn read(pid: Pid, stat: &[u8]) -> Option<Self> {
        let name = stat.iter().rposition(|octet| *octet == b')')?;
        let mut fields = str::from_utf8(&stat[name + 1..]).ok()?.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let parent = Pid::from_raw(fields.next()?.parse().ok()?);
        let group = Pid::from_raw(fields.next()?.parse().ok()?);
        let began = fields.nth(16)?.parse().ok()?;
        Some(Self { pid, parent, group, began, state })
    }

    pub(crate) const fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }

    /// By a signal, or by a debugger.
    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    /// Whether it is in a system call that no signal ends.
    pub(super) const fn hangs(&self) -> bool {
        self.state == b'D'
    }

    /// Whether the variable is in the environment that it was given, as far as we may look. Nothing if that is not to
    /// be seen at the moment: in the middle of an exec, and at its end, a process has no environment.
    pub(super) fn bears(&self, variable: &Variable) -> Option<bool> {
        if self.parent == THREADS {
            return Some(false);
        }
        let environment = match fs::read(format!("/proc/{}/environ", self.pid)) {
            Ok(environment) if environment.is_empty() => return None,
            Ok(environment) => environment,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Some(false),
            Err(_) => return None,
        };
        let value = |entry: &[u8]| {
            let rest = entry.strip_prefix(variable.name.as_bytes())?;
            Some(rest.strip_prefix(b"=")? == variable.value.as_bytes())
        };
        Some(environment.split(|octet| *octet == 0).any(|entry| value(entry) == Some(true)))
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
        assert_eq!((numbers, process.began), ([17, 4, 5], 77123));
        assert!(process.is_stopped() && !process.is_dead() && !process.hangs());
        assert!(Process::read(Pid::from_raw(17), b"17 (a) T 4 5").is_none());
    }

    #[test]
    fn what_we_start_is_ours_younger_and_bears_its_environment() {
        assert!(Process::numbers().contains(&getpid()));
        let variable = Variable { name: "DNSHERALD_TEST", value: "a=b".to_owned() };
        let other = Variable { name: "DNSHERALD_TEST", value: "a".to_owned() };
        let mut cat = std::process::Command::new("cat");
        cat.env(variable.name, &variable.value).stdin(std::process::Stdio::piped());
        let mut child = cat.spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let process = Process::of(pid).unwrap();
        // Until it has become another program it bears nothing.
        while process.bears(&variable) != Some(true) {
            std::thread::yield_now();
        }
        assert_eq!(process.bears(&other), Some(false));
        child.wait().unwrap();
        assert!(process.parent == getpid() && process.began >= Process::of(getpid()).unwrap().began);
        assert!(Process::of(pid).is_none());
    }
}
