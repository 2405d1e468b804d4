//! Checks by a command: a line for the shell, as `exabgp healthcheck --command` has them, or a program with its
//! arguments. Exit status 0 passes.
//!
//! A monitoring plugin says more (Monitoring Plugins Development Guidelines, "Plugin Return Codes"): 0 passes, 1 is a
//! warning, 2 is critical, 3 is unknown. The text of its first line is shown, without the performance data behind `|`.
//!
//! The command's exit decides, not when its output ends: a process in the background may keep the pipe
//! open. Of a check of `run` that process is then killed, whether the command passes, fails or times out; a check of
//! `healthcheck` may leave it, unless it times out ([`Leftovers`]). Of the output a part is kept: of a plugin the beginning,
//! else the end. The rest is read and dropped, since a command must never block in a write. It is read slowly:
//! an endless output costs little.

use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::slice;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::outcome::{Cause, Outcome};
use crate::probe::deadline::Deadline;
use crate::program::child::{ChildGroup, Survivors, describe_exit, shell};
use crate::program::output::{Keep, Output};
use crate::program::{Program, command};
use crate::text::excerpt::{beginning, last_lines, status_line};
use crate::text::period::{Period, Shown};
use crate::text::{toml_string, toml_strings};

#[cfg(test)]
mod tests;

/// The part of the output that is kept, in octets.
const KEPT: usize = 4096;

/// The command of a check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum CommandLine {
    /// A text for `sh -c`.
    Shell(String),
    /// A program and its arguments, without a shell.
    Program(Program),
}

impl CommandLine {
    /// As the configuration writes it.
    pub(crate) fn in_toml(&self) -> String {
        match self {
            Self::Shell(text) => toml_string(text),
            Self::Program(program) => {
                toml_strings(&[slice::from_ref(&program.name), &program.arguments].concat())
            }
        }
    }
}

/// The meaning of the exit statuses of a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Statuses {
    /// 0 passes, any other fails.
    ZeroPasses,
    /// Those of a monitoring plugin.
    Plugin,
}

/// What happens to processes that a command has left behind when it exits in time. After a timeout they are always killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Leftovers {
    /// They are killed, so that they do not pile up round after round.
    Killed,
    /// They stay, as with `exabgp healthcheck`: the command may have started its server.
    Stay,
}

/// A check by a command. Shown as its text in backquotes, on one line, shortened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CommandProbe {
    pub(crate) line: CommandLine,
    /// The meaning of its exit statuses.
    pub(crate) statuses: Statuses,
    /// Killed after this time. `None` for no limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) leftovers: Leftovers,
}

impl CommandProbe {
    /// A shell command that passes with exit status 0 and may leave processes behind.
    pub(crate) const fn shell(text: String, timeout: Option<Duration>) -> Self {
        Self {
            line: CommandLine::Shell(text),
            statuses: Statuses::ZeroPasses,
            timeout,
            leftovers: Leftovers::Stay,
        }
    }

    /// Runs the command once. After a timeout it returns a few milliseconds later, once all processes of the command are
    /// dead.
    ///
    /// Await it on a tokio runtime with I/O and time enabled. Dropping it kills the command, and blocks until that is
    /// done.
    pub(crate) async fn ask(&self) -> Outcome {
        let (began, limit) = (Instant::now(), self.timeout.unwrap_or(Duration::MAX));
        let deadline = Deadline::after(limit);
        let (mut group, mut output) = match self.start() {
            Ok(started) => started,
            Err(error) => return self.fail(Cause::Local, &format!("cannot start {error}"), ""),
        };
        // Wait for the command, and read its output.
        let exit = async {
            tokio::select! {
                biased;
                exit = group.exited() => exit,
                never = output.drain() => match never {},
            }
        };
        let waited = timeout(limit, exit).await;
        let took = began.elapsed();
        // Kill remaining processes, unless they may stay.
        let ended = match waited {
            Ok(Ok(())) if self.leftovers == Leftovers::Stay => {
                group.wait().await.map(|status| (status, Survivors::default()))
            }
            Ok(Ok(())) => group.finish().await,
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let survivors = group.kill().await;
                // If this process did not run, it does not know how long the command did.
                let (cause, slept) = match deadline.slept(began + took) {
                    Some(late) => {
                        (Cause::Local, format!(", but this process did not run for {}", Shown(late)))
                    }
                    None => (Cause::Timeout, String::new()),
                };
                let why = format!("not done within {}{slept}{survivors}", Period(limit));
                return self.fail(cause, &why, &last_lines(&output.kept()));
            }
        };
        match ended {
            Ok((status, _)) if status.success() => Outcome::pass(took),
            Ok((status, survivors)) => self.judge(status, &survivors, &output.kept()),
            Err(error) => self.fail(Cause::Local, &format!("cannot wait for it: {error}"), ""),
        }
    }

    /// The outcome of an exit status other than 0.
    fn judge(&self, status: ExitStatus, survivors: &Survivors, output: &[u8]) -> Outcome {
        let how = describe_exit(status);
        if self.statuses == Statuses::ZeroPasses {
            return self.fail(Cause::Command, &format!("{how}{survivors}"), &last_lines(output));
        }
        let (cause, meaning) = match status.code() {
            Some(1) => (Cause::CommandWarning, " (warning)"),
            Some(2) => (Cause::Command, " (critical)"),
            Some(3) => (Cause::CommandUnknown, " (unknown)"),
            Some(_) => (Cause::CommandUnknown, ", expected 0 to 3 from a monitoring plugin"),
            None => (Cause::CommandUnknown, ""),
        };
        self.fail(cause, &format!("{how}{meaning}{survivors}"), &status_line(output))
    }

    /// Starts the command. The error is the end of a sentence.
    fn start(&self) -> Result<(ChildGroup, Output), String> {
        let keep = match self.statuses {
            Statuses::ZeroPasses => Keep::End(KEPT),
            Statuses::Plugin => Keep::Beginning(KEPT),
        };
        let (mut command, what) = match &self.line {
            CommandLine::Shell(text) => (shell(text), "a shell"),
            CommandLine::Program(program) => (command(program).map_err(|end| format!("it: {end}"))?, "it"),
        };
        let spawned = || -> io::Result<_> {
            let (output, writer) = Output::pipe(keep)?;
            command.stdout(writer.try_clone()?).stderr(writer);
            Ok((ChildGroup::spawn(command)?, output))
        };
        spawned().map_err(|error| format!("{what}: {error}"))
    }

    /// An outcome with what the command said.
    fn fail(&self, cause: Cause, why: &str, said: &str) -> Outcome {
        let colon = if said.is_empty() { "" } else { ": " };
        Outcome::from_cause(cause, format!("{self}: {why}{colon}{said}"))
    }
}

impl fmt::Display for CommandProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.line {
            CommandLine::Shell(text) => beginning(text),
            CommandLine::Program(program) => beginning(&program.to_string()),
        };
        // A shell substitutes between backquotes, of which the beginning may have one alone.
        if text.contains('`') { write!(f, "``{text}``") } else { write!(f, "`{text}`") }
    }
}
