//! Runs a control program: no shell, nothing to read, a deadline, and an output of bounded length.
//!
//! Control programs hang for a minute or for ever when their server does, so that each has a deadline; what is late is
//! killed with all that it started, as [`crate::probe::command`] does it. `LC_ALL=C` keeps their messages in English,
//! since some states are known by words only. Their folders are often missing from the search path of a user who is
//! not root, so that `/usr/sbin` and its like are searched behind it.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::Command;
use tokio::time::timeout;

use super::Program;
use crate::period::Period;
use crate::probe::command::output::{Keep, Output};
use crate::probe::command::run::{Run, how};
use crate::probe::command::text;
use crate::text::foreign_within;

/// How much of each output is kept, in octets: statistics and lists of errors fit.
pub const KEPT: usize = 64 * 1024;

/// Searched behind `PATH`.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// What became of a control program.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How it ended, if it began at all.
    pub end: End,
    /// The beginning of its standard output.
    pub out: String,
    /// The beginning of its standard error.
    pub err: String,
    /// How long it took.
    pub took: Duration,
}

/// How a program ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// With a status of its own, or by a signal of others.
    Exited(ExitStatus),
    /// Killed, for it was not done within this time. What did not die of it is named.
    TimedOut(Duration, String),
    /// There is no such program.
    Missing,
    /// There is one, but this user must not run it.
    NotPermitted,
    /// It could not be started for another reason.
    NotStarted(String),
}

impl Ended {
    /// Its exit status, if it had one.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match &self.end {
            End::Exited(status) => status.code(),
            _ => None,
        }
    }

    /// Whether it exited with status 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.code() == Some(0)
    }

    /// Whether it was killed for being late.
    #[must_use]
    pub const fn is_late(&self) -> bool {
        matches!(self.end, End::TimedOut(..))
    }

    /// Whether any of its outputs has these words, of whatever case.
    #[must_use]
    pub fn says(&self, words: &str) -> bool {
        let words = words.to_ascii_lowercase();
        [&self.err, &self.out].into_iter().any(|text| text.to_ascii_lowercase().contains(&words))
    }

    /// What it said last, its errors if there are any, on one line.
    #[must_use]
    pub fn said(&self) -> String {
        let errors = text::last_lines(self.err.as_bytes());
        if errors.is_empty() { text::last_lines(self.out.as_bytes()) } else { errors }
    }

    /// The lines of both outputs, errors first, fit to be printed.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let lines = self.err.lines().chain(self.out.lines()).map(str::trim_end);
        lines.filter(|line| !line.is_empty()).map(|line| foreign_within(line, KEPT)).collect()
    }

    fn unstarted(end: End) -> Self {
        Self { end, out: String::new(), err: String::new(), took: Duration::ZERO }
    }
}

impl fmt::Display for Ended {
    /// The end of a sentence: `exited with status 1: no such zone`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.said();
        let colon = if said.is_empty() { "" } else { ": " };
        match &self.end {
            End::Exited(status) => write!(f, "{}{colon}{said}", how(*status)),
            End::TimedOut(limit, left) => write!(f, "not done within {}{left}{colon}{said}", Period(*limit)),
            End::Missing => f.write_str("not found"),
            End::NotPermitted => f.write_str("not executable by this user"),
            End::NotStarted(why) => write!(f, "cannot be started: {why}"),
        }
    }
}

/// Runs a program to its end, or to the end of its time.
///
/// To be awaited on a tokio runtime with I/O and time enabled; dropped earlier, it kills the program.
pub async fn run(program: &Program, limit: Duration) -> Ended {
    let path = search_path();
    let found = match find(program.name(), &path) {
        Ok(found) => found,
        Err(end) => return Ended::unstarted(end),
    };
    let began = Instant::now();
    let (mut run, mut out, mut err) = match start(program, &found, &path) {
        Ok(started) => started,
        Err(error) => {
            return Ended::unstarted(match error.kind() {
                io::ErrorKind::NotFound => End::Missing,
                io::ErrorKind::PermissionDenied => End::NotPermitted,
                _ => End::NotStarted(error.to_string()),
            });
        }
    };
    let exit = async {
        tokio::select! {
            biased;
            exit = run.exit() => exit,
            never = out.drain() => match never {},
            never = err.drain() => match never {},
        }
    };
    let end = match timeout(limit, exit).await {
        Ok(Ok(status)) => End::Exited(status),
        Ok(Err(error)) => End::NotStarted(format!("cannot wait for it: {error}")),
        Err(_) => End::TimedOut(limit, run.end().await.to_string()),
    };
    let text = |output: Output| String::from_utf8_lossy(&output.kept()).into_owned();
    Ended { end, out: text(out), err: text(err), took: began.elapsed() }
}

fn start(program: &Program, found: &Path, path: &[PathBuf]) -> io::Result<(Run, Output, Output)> {
    let (out, out_writer) = Output::pipe(Keep::Beginning(KEPT))?;
    let (err, err_writer) = Output::pipe(Keep::Beginning(KEPT))?;
    let mut command = Command::new(found);
    command.args(program.arguments()).stdin(Stdio::null()).stdout(out_writer).stderr(err_writer);
    command.env("LC_ALL", "C").env("PATH", std::env::join_paths(path).unwrap_or_else(|_| OsString::new()));
    Ok((Run::start(command)?, out, err))
}

fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut folders: Vec<_> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    for folder in SYSTEM.map(PathBuf::from) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// The file of a program: itself if it has a `/`, else the first that may be executed of those in the search path.
fn find(name: &str, path: &[PathBuf]) -> Result<PathBuf, End> {
    if name.contains('/') {
        return Ok(name.into());
    }
    let is_program = |file: &PathBuf| {
        fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    path.iter().map(|folder| folder.join(name)).find(is_program).ok_or(End::Missing)
}

#[cfg(test)]
mod tests;
