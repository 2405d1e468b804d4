//! The server's process, as anybody may see it in `/proc`.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::unistd::{SysconfVar, sysconf};
use serde::Serialize;

use super::Trouble;

/// A process that is there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The beginning of its name.
    pub name: String,
    /// Stopped by a signal or a debugger: it answers nothing.
    pub is_stopped: bool,
    /// When it was started.
    #[serde(skip)]
    pub since: SystemTime,
}

impl Process {
    /// The process of this number, unless it is gone or dead.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let kernel = fs::read_to_string("/proc/stat").ok()?;
        let booted = kernel.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        let ticks =
            sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u64::try_from(ticks).ok())?;
        Self::parse(pid, &stat, booted, ticks)
    }

    /// `stat` is the content of `/proc/PID/stat`, `booted` the start of the system in seconds since 1970, `ticks` how
    /// many of its units of time make a second.
    fn parse(pid: u32, stat: &str, booted: u64, ticks: u64) -> Option<Self> {
        // The name is in parentheses and may contain any character.
        let (before, after) = stat.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let fields: Vec<_> = after.split_ascii_whitespace().collect();
        let state = fields.first()?;
        let started: u64 = fields.get(19)?.parse().ok()?;
        if ["Z", "X"].contains(state) {
            return None;
        }
        Some(Self {
            pid,
            name: name.to_owned(),
            is_stopped: ["T", "t"].contains(state),
            since: UNIX_EPOCH
                + Duration::from_secs(booted)
                + Duration::from_secs(started) / u32::try_from(ticks).ok()?,
        })
    }
}

/// The process that a pid file names; none if that one is gone. Its name has to begin with `name`.
///
/// # Errors
/// When the file is missing, is not readable, contains no number, or names another process.
pub fn of_pid_file(path: &Path, name: &str) -> Result<Option<Process>, Trouble> {
    let shown = path.display();
    let text =
        fs::read_to_string(path).map_err(|error| Trouble::new(format!("pid file {shown}: {error}")))?;
    let pid = text.trim().parse().map_err(|_| {
        let found = text.trim().chars().take(20).collect::<String>();
        Trouble::new(format!("pid file {shown}: found `{}`, expected a number", found.escape_debug()))
    })?;
    match Process::of(pid) {
        Some(process) if !process.name.starts_with(name) => {
            let found = process.name.escape_debug();
            Err(Trouble::new(format!(
                "pid file {shown}: names process {pid}, which is `{found}`, expected `{name}`; the file is stale"
            )))
        }
        process => Ok(process),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "17 (a) b (c) T 1 17 17 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 1500 9 9 9";
        let process = Process::parse(17, stat, 1000, 100).unwrap();
        assert_eq!((process.name.as_str(), process.is_stopped), ("a) b (c", true));
        assert_eq!(process.since, UNIX_EPOCH + Duration::from_secs(1015));
        assert_eq!(Process::parse(17, &stat.replace(") T", ") Z"), 1000, 100), None);
        assert_eq!(Process::parse(17, "17 (a) S 1", 1000, 100), None);
        assert_eq!(Process::of(std::process::id()).unwrap().pid, std::process::id());
    }

    #[test]
    fn a_pid_file_is_stale_empty_or_nonsense() {
        let file = std::env::temp_dir().join(format!("dnsherald-pid-file-{}", std::process::id()));
        let read = |text: &str| {
            fs::write(&file, text).unwrap();
            of_pid_file(&file, "")
        };
        assert_eq!(read(&format!("{}\n", std::process::id())).unwrap().unwrap().pid, std::process::id());
        let other = of_pid_file(&file, "named").unwrap_err();
        assert!(other.why.ends_with("expected `named`; the file is stale"), "{other}");
        assert_eq!(read("4194305\n").unwrap(), None);
        assert!(read("").unwrap_err().why.ends_with("found ``, expected a number"));
        assert!(read("\u{1b}x\n").unwrap_err().why.contains(r"found `\u{1b}x`"));
        fs::remove_file(&file).unwrap();
        assert!(of_pid_file(&file, "").unwrap_err().why.contains("No such file"));
    }
}
