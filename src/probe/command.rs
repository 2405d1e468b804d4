//! Checks by a shell command, as `exabgp healthcheck --command` has them: exit status 0 passes.
//!
//! ```text
//! text ── run: `sh -c` in a group of its own ──► exit status, or the timeout
//!              │ pipe                                │           │
//!              ▼                                     ▼           ▼
//!         output: its end is kept ── text ──► the sentence   sweep: kill what descends from it
//!                                                                │ dead
//!                                                                ▼
//!                                                  orphans: reap what is not ours by birth
//! ```
//!
//! The verdict falls when the shell exits, not when its output ends: what a command leaves in the background may keep
//! the pipe until it is killed. Only the end of the output is kept; the rest is read and forgotten, so that a command
//! is never stuck in a write, and slowly enough that an endless one costs little. Nothing here waits for a command
//! except as a future; and other processes are looked for in `/proc` only after a timeout, or where the shell has left
//! a child to us, on another thread, unless a future is dropped.
//!
//! # What a command leaves behind
//!
//! Nothing, whether it passes, fails or times out, as far as that can be had without privileges. What belongs to a run is known by any of three marks: its
//! process group, its descent from the shell (parents, in `/proc`), and a variable in its environment,
//! `DNSHERALD_RUN`, of a value that no other run has. A process that leaves the group or the session keeps the
//! variable; one that clears its environment keeps its parents. All that bear a mark are stopped first, until a look
//! at `/proc` finds every one of them stopped, for what is stopped cannot fork away. Then all are killed, and looked
//! for until none is found. The shell is reaped after that, so that neither its number nor that of its group can have
//! passed to a stranger. It ends there:
//!
//! * Who left the group, *and* cleared, overwrote or hid its environment (by not being dumpable), *and* had lost a
//!   parent on the way to the shell when the timeout came, or the shell itself by its exit, bears no mark. Nor is it guessed at: it might be a daemon
//!   that a hook has just started.
//! * A process with another user's rights (`sudo`) is found by descent, but cannot be signalled; one that hangs in the
//!   kernel does not die of it. Both are named in the sentence of the failure.
//! * Who starts a successor and is gone in less time than `/proc` can be read may escape. The youngest are looked at
//!   first, and looks are repeated while any was gone before its turn, but not for ever: a quarter of a second, or
//!   twenty looks, if those take longer.
//! * What others start on behalf of the command, systemd, cron, a container engine, is theirs.
//! * If this process is itself killed by SIGKILL, or aborts, the command goes on. When a future is dropped, cancelled
//!   or with the runtime, its command is swept as after a timeout.
//!
//! A cgroup of its own would hold all of these but the last two; but that takes a cgroup delegated to us, and ExaBGP's
//! is not.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use self::output::{Keep, Output};
use self::run::{Run, how, shell};
use crate::outcome::{Cause, Outcome};
use crate::period::{Period, Shown};
use crate::probe::deadline::Deadline;

mod orphans;
pub(crate) mod output;
pub(crate) mod process;
pub(crate) mod run;
mod sweep;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod text;

pub(crate) use self::orphans::adopt_orphans;

/// How much of an output is kept, in octets.
const KEPT: Keep = Keep::End(4096);

/// A check by a shell command. Shown as its text in backquotes, on one line and not too long.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CommandProbe {
    /// What `sh -c` is given.
    pub(crate) text: String,
    /// How long it may take; without, for ever.
    pub(crate) timeout: Option<Duration>,
}

impl CommandProbe {
    /// Runs it once. After a timeout it is back a few milliseconds later, when what belongs to the command is dead.
    ///
    /// To be awaited on a tokio runtime with I/O and time enabled; dropped earlier, it kills the command, and blocks
    /// for as long as that takes.
    pub(crate) async fn ask(&self) -> Outcome {
        let began = Instant::now();
        let deadline = Deadline::after(self.timeout.unwrap_or(Duration::MAX));
        let (mut run, mut output) = match self.start() {
            Ok(started) => started,
            Err(error) => return self.fail(Cause::Local, &format!("cannot start a shell: {error}"), ""),
        };
        let exit = async {
            tokio::select! {
                biased;
                exit = run.is_over() => exit,
                never = output.drain() => match never {},
            }
        };
        let over = timeout(self.timeout.unwrap_or(Duration::MAX), exit).await;
        let took = began.elapsed();
        let ended = match over {
            Ok(Ok(())) => Ok(run.finish().await),
            Ok(Err(error)) => Ok(Err(error)),
            Err(_) => Err(run.end().await),
        };
        match ended {
            Ok(Ok((status, left))) => {
                if status.success() {
                    return Outcome::pass(took);
                }
                let how = format!("{}{left}", how(status));
                self.fail(Cause::Command, &how, &text::last_lines(&output.kept()))
            }
            Ok(Err(error)) => self.fail(Cause::Local, &format!("cannot wait for it: {error}"), ""),
            Err(left) => {
                let limit = Period(self.timeout.unwrap_or_default());
                // A process that did not run knows nothing of the time that the command had.
                let (cause, slept) = match deadline.slept(began + took) {
                    Some(late) => {
                        (Cause::Local, format!(", but this process did not run for {}", Shown(late)))
                    }
                    None => (Cause::Timeout, String::new()),
                };
                self.fail(
                    cause,
                    &format!("not done within {limit}{slept}{left}"),
                    &text::last_lines(&output.kept()),
                )
            }
        }
    }

    fn start(&self) -> io::Result<(Run, Output)> {
        let (output, writer) = Output::pipe(KEPT)?;
        let mut command = shell(&self.text);
        command.stdout(writer.try_clone()?).stderr(writer);
        Ok((Run::start(command)?, output))
    }

    /// A failure, with what the command said last.
    fn fail(&self, cause: Cause, why: &str, said: &str) -> Outcome {
        let colon = if said.is_empty() { "" } else { ": " };
        Outcome::fail(cause, format!("{self}: {why}{colon}{said}"))
    }
}

impl fmt::Display for CommandProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", text::beginning(&self.text))
    }
}
