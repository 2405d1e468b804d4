//! Checks by a shell command, as `exabgp healthcheck --command` has them: exit status 0 passes.
//!
//! The verdict falls when the shell exits, not when its output ends: a process in the background may keep the pipe
//! open. That process is then killed, whether the command passes, fails or times out ([`crate::program`]). Only the end
//! of the output is kept. The rest is read and dropped, so that a command never blocks in a write, and slowly enough
//! that an endless output costs little.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::outcome::{Cause, Outcome};
use crate::probe::deadline::Deadline;
use crate::program::child::{ChildGroup, describe_exit, shell};
use crate::program::output::{Keep, Output};
use crate::text::excerpt::{beginning, last_lines};
use crate::text::period::{Period, Shown};

#[cfg(test)]
mod tests;

/// The part of the output that is kept, in octets.
const KEPT: Keep = Keep::End(4096);

/// A check by a shell command. Shown as its text in backquotes, on one line, shortened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CommandProbe {
    /// The command for `sh -c`.
    pub(crate) text: String,
    /// Killed after this time. `None` for no limit.
    pub(crate) timeout: Option<Duration>,
}

impl CommandProbe {
    /// Runs the command once. After a timeout it returns a few milliseconds later, once all processes of the command are
    /// dead.
    ///
    /// Await it on a tokio runtime with I/O and time enabled. Dropping it kills the command, and blocks until that is
    /// done.
    pub(crate) async fn ask(&self) -> Outcome {
        let began = Instant::now();
        let deadline = Deadline::after(self.timeout.unwrap_or(Duration::MAX));
        let (mut group, mut output) = match self.start() {
            Ok(started) => started,
            Err(error) => return self.fail(Cause::Local, &format!("cannot start a shell: {error}"), ""),
        };
        // Wait for the shell, and read its output.
        let exit = async {
            tokio::select! {
                biased;
                exit = group.exited() => exit,
                never = output.drain() => match never {},
            }
        };
        let waited = timeout(self.timeout.unwrap_or(Duration::MAX), exit).await;
        let took = began.elapsed();
        // Kill what is left.
        let ended = match waited {
            Ok(Ok(())) => Ok(group.finish().await),
            Ok(Err(error)) => Ok(Err(error)),
            Err(_) => Err(group.kill().await),
        };
        match ended {
            Ok(Ok((status, survivors))) => {
                if status.success() {
                    return Outcome::pass(took);
                }
                let how = format!("{}{survivors}", describe_exit(status));
                self.fail(Cause::Command, &how, &last_lines(&output.kept()))
            }
            Ok(Err(error)) => self.fail(Cause::Local, &format!("cannot wait for it: {error}"), ""),
            Err(survivors) => {
                let limit = Period(self.timeout.unwrap_or_default());
                // If this process did not run, it does not know how long the command did.
                let (cause, slept) = match deadline.slept(began + took) {
                    Some(late) => {
                        (Cause::Local, format!(", but this process did not run for {}", Shown(late)))
                    }
                    None => (Cause::Timeout, String::new()),
                };
                self.fail(
                    cause,
                    &format!("not done within {limit}{slept}{survivors}"),
                    &last_lines(&output.kept()),
                )
            }
        }
    }

    fn start(&self) -> io::Result<(ChildGroup, Output)> {
        let (output, writer) = Output::pipe(KEPT)?;
        let mut command = shell(&self.text);
        command.stdout(writer.try_clone()?).stderr(writer);
        Ok((ChildGroup::spawn(command)?, output))
    }

    /// An outcome with the last lines of the output.
    fn fail(&self, cause: Cause, why: &str, said: &str) -> Outcome {
        let colon = if said.is_empty() { "" } else { ": " };
        Outcome::fail(cause, format!("{self}: {why}{colon}{said}"))
    }
}

impl fmt::Display for CommandProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", beginning(&self.text))
    }
}
