//! Runs a program to its end: no shell, nothing to read, a limit of time, and an output of bounded length.
//!
//! Control programs of DNS servers hang for a minute or for ever if their server does: after its deadline a program is killed
//! with all that it started ([`Limit::Kill`]). Only the command of a restart may have no limit, and is asked to end first
//! ([`Limit::Terminate`]): what it leaves then lives on. `LC_ALL=C` keeps messages in English, since some states are
//! known by their words only.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::child::{ChildGroup, describe_exit};
use super::output::{Keep, Output};
use super::search_path::{find, search_path};
use super::{End, Ended, Program};
use crate::text::period::Period;

/// Octets of each output that are kept: statistics and lists of errors fit.
pub(crate) const KEPT_OUTPUT: usize = 64 * 1024;

/// Time between TERM and KILL for [`Limit::Terminate`].
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// How long a program may run; [`Duration::MAX`] for no limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limit {
    /// Killed after this time.
    Kill(Duration),
    /// Ended by TERM after this time, and killed [`GRACE`] later.
    Terminate(Duration),
}

/// Runs a program until it exits, or until `limit`, then kills it with all that it started.
///
/// Await it on a tokio runtime with I/O and time enabled. Dropping it kills the program.
pub(crate) async fn run(program: &Program, limit: Duration) -> Ended {
    run_within(program, Limit::Kill(limit), KEPT_OUTPUT).await
}

/// The same with a kind of limit, keeping so many octets of its standard output.
pub(crate) async fn run_within(program: &Program, limit: Limit, kept: usize) -> Ended {
    // Find it.
    let path = search_path();
    let found = match find(&program.name, &path) {
        Ok(found) => found,
        Err(end) => return Ended::unstarted(end),
    };
    // Start it.
    let (mut group, mut out, mut err) = match start(program, &found, &path, kept) {
        Ok(started) => started,
        Err(error) => {
            return Ended::unstarted(match error.kind() {
                io::ErrorKind::NotFound => End::Missing,
                io::ErrorKind::PermissionDenied => End::NotPermitted,
                _ => End::NotStarted(error.to_string()),
            });
        }
    };
    // Wait for it, and read its outputs.
    let (Limit::Kill(time) | Limit::Terminate(time)) = limit;
    let end = match (exit_within(&mut group, &mut out, &mut err, time).await, limit) {
        (Some(Ok(status)), _) => End::Exited(status),
        (Some(Err(error)), _) => End::NotStarted(format!("cannot wait for it: {error}")),
        (None, Limit::Terminate(_)) => End::TimedOut(time, terminate(group, &mut out, &mut err).await),
        (None, Limit::Kill(_)) => End::TimedOut(time, group.kill().await.to_string()),
    };
    let text = |output: Output| String::from_utf8_lossy(&output.kept()).into_owned();
    Ended { end, out: text(out), err: text(err) }
}

/// Waits until the program exits, and reads its outputs meanwhile. `None` if it does not exit in time.
async fn exit_within(
    group: &mut ChildGroup,
    out: &mut Output,
    err: &mut Output,
    time: Duration,
) -> Option<io::Result<ExitStatus>> {
    let exit = async {
        tokio::select! {
            biased;
            status = group.wait() => status,
            never = out.drain() => match never {},
            never = err.drain() => match never {},
        }
    };
    timeout(time, exit).await.ok()
}

/// Ends a program by TERM, after [`GRACE`] by KILL. Returns the end of a sentence that says which.
async fn terminate(mut group: ChildGroup, out: &mut Output, err: &mut Output) -> String {
    group.terminate();
    match exit_within(&mut group, out, err, GRACE).await {
        Some(Ok(status)) => format!(", told to end by TERM, {}", describe_exit(status)),
        Some(Err(error)) => format!(", told to end by TERM, not waited for: {error}"),
        None => format!(", told to end by TERM, killed {} later{}", Period(GRACE), group.kill().await),
    }
}

/// A program with its arguments, ready to be started, in the C locale and with nothing to read.
///
/// # Errors
/// Without such a program in the search path.
pub(crate) fn command(program: &Program) -> Result<Command, String> {
    let path = search_path();
    let found = find(&program.name, &path).map_err(|_| format!("`{}` is not found", program.name))?;
    Ok(prepare(program, &found, &path))
}

fn prepare(program: &Program, found: &Path, path: &[PathBuf]) -> Command {
    let mut command = Command::new(found);
    command.args(&program.arguments).stdin(Stdio::null());
    command.env("LC_ALL", "C").env("PATH", std::env::join_paths(path).unwrap_or_else(|_| OsString::new()));
    command
}

fn start(
    program: &Program,
    found: &Path,
    path: &[PathBuf],
    kept: usize,
) -> io::Result<(ChildGroup, Output, Output)> {
    let (out, out_writer) = Output::pipe(Keep::Beginning(kept))?;
    let (err, err_writer) = Output::pipe(Keep::Beginning(KEPT_OUTPUT))?;
    let mut command = prepare(program, found, path);
    command.stdout(out_writer).stderr(err_writer);
    Ok((ChildGroup::spawn(command)?, out, err))
}

#[cfg(test)]
mod tests;
