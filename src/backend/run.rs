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
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::Program;
use crate::period::Period;
use crate::probe::command::output::{Keep, Output};
use crate::probe::command::run::{Run, how};
use crate::probe::command::text;
use crate::text::foreign_within;

/// How much of each output is kept, in octets: statistics and lists of errors fit.
pub(crate) const KEPT: usize = 64 * 1024;

/// How long a program that was told to end by TERM has until it is killed.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Searched behind `PATH`.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// How long a program may run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    /// Until it ends by itself.
    Endless,
    /// So long, then it is killed.
    Kill(Duration),
    /// So long, then it is told to end by TERM, and killed [`GRACE`] later.
    Terminate(Duration),
}

impl Limit {
    const fn time(self) -> Option<Duration> {
        match self {
            Self::Endless => None,
            Self::Kill(time) | Self::Terminate(time) => Some(time),
        }
    }
}

/// What became of a control program.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// How it ended, if it began at all.
    pub(crate) end: End,
    /// The beginning of its standard output.
    pub(crate) out: String,
    /// The beginning of its standard error.
    pub(crate) err: String,
}

/// How a program ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
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
    pub(crate) fn code(&self) -> Option<i32> {
        match &self.end {
            End::Exited(status) => status.code(),
            _ => None,
        }
    }

    /// Whether it exited with status 0.
    #[must_use]
    pub(crate) fn succeeded(&self) -> bool {
        self.code() == Some(0)
    }

    /// Whether it was killed for being late.
    #[must_use]
    pub(crate) const fn is_late(&self) -> bool {
        matches!(self.end, End::TimedOut(..))
    }

    /// Whether any of its outputs has these words, of whatever case.
    #[must_use]
    pub(crate) fn says(&self, words: &str) -> bool {
        let words = words.to_ascii_lowercase();
        [&self.err, &self.out].into_iter().any(|text| text.to_ascii_lowercase().contains(&words))
    }

    /// What it said last, its errors if there are any, on one line.
    #[must_use]
    pub(crate) fn said(&self) -> String {
        let errors = text::last_lines(self.err.as_bytes());
        if errors.is_empty() { text::last_lines(self.out.as_bytes()) } else { errors }
    }

    /// The lines of both outputs, errors first, fit to be printed.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.err.lines().chain(self.out.lines()).map(str::trim_end);
        lines.filter(|line| !line.is_empty()).map(|line| foreign_within(line, KEPT)).collect()
    }

    fn unstarted(end: End) -> Self {
        Self { end, out: String::new(), err: String::new() }
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
pub(crate) async fn run(program: &Program, limit: Duration) -> Ended {
    run_within(program, Limit::Kill(limit)).await
}

/// [`run`], with a limit of another kind.
pub(crate) async fn run_within(program: &Program, limit: Limit) -> Ended {
    let path = search_path();
    let found = match find(program.name(), &path) {
        Ok(found) => found,
        Err(end) => return Ended::unstarted(end),
    };
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
    let end = match (exit_within(&mut run, &mut out, &mut err, limit.time()).await, limit) {
        (Some(Ok(status)), _) => End::Exited(status),
        (Some(Err(error)), _) => End::NotStarted(format!("cannot wait for it: {error}")),
        (None, Limit::Terminate(time)) => End::TimedOut(time, terminated(run, &mut out, &mut err).await),
        (None, Limit::Kill(_) | Limit::Endless) => {
            End::TimedOut(limit.time().unwrap_or_default(), run.end().await.to_string())
        }
    };
    let text = |output: Output| String::from_utf8_lossy(&output.kept()).into_owned();
    Ended { end, out: text(out), err: text(err) }
}

/// Waits until it exits, and reads its outputs meanwhile; none if it has not exited in time.
async fn exit_within(
    run: &mut Run,
    out: &mut Output,
    err: &mut Output,
    time: Option<Duration>,
) -> Option<io::Result<ExitStatus>> {
    let exit = async {
        tokio::select! {
            biased;
            exit = run.exit() => exit,
            never = out.drain() => match never {},
            never = err.drain() => match never {},
        }
    };
    match time {
        Some(time) => timeout(time, exit).await.ok(),
        None => Some(exit.await),
    }
}

/// Ends a program by TERM, then by KILL, and says which of them it took.
async fn terminated(mut run: Run, out: &mut Output, err: &mut Output) -> String {
    run.terminate();
    match exit_within(&mut run, out, err, Some(GRACE)).await {
        Some(Ok(status)) => format!(", told to end by TERM, {}", how(status)),
        Some(Err(error)) => format!(", told to end by TERM, not waited for: {error}"),
        None => format!(", told to end by TERM, killed {} later{}", Period(GRACE), run.end().await),
    }
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
