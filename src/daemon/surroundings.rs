//! What surrounds the loop: standard input and output, signals, the dead-man, systemd.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::input::Input;
use super::last_words::{LIMIT, LastWords};
use super::output::Output;
use super::signals::Signals;
use super::watchdog::Watchdog;
use crate::engine::api_session::Parent;

/// Where lines go and come from, and who is there.
#[derive(Debug)]
pub(crate) struct Surroundings {
    /// Who reads what is said.
    pub(crate) parent: Parent,
    /// What is said.
    pub(crate) output: Output,
    /// What is heard.
    pub(crate) input: Input,
    /// SIGTERM and its like.
    pub(crate) signals: Signals,
    /// Speaks when the loop no longer does.
    pub(crate) last_words: Arc<LastWords>,
    /// Tells systemd that the loop turns.
    pub(crate) watchdog: Watchdog,
}

impl Surroundings {
    /// Those of this process: standard input and output, signals, and the dead-man, which lets `pause` pass before it
    /// ends the process. To be called once, on the runtime that will run the loop.
    ///
    /// # Errors
    /// When standard input or output is closed, or the system has no descriptor or thread left.
    pub(crate) fn of_this_process(pause: Duration) -> anyhow::Result<Self> {
        let terminal = io::stdout().is_terminal();
        let last_words = LastWords::on_stdout().context("cannot use standard output")?;
        last_words.say_on_panic(pause).context("cannot catch signals")?;
        last_words.watch(LIMIT, pause).context("cannot start the dead-man thread")?;
        Ok(Self {
            parent: if terminal { Parent::Terminal } else { Parent::ExaBgp },
            output: Output::stdout().context("cannot use standard output")?,
            input: if terminal {
                Input::nothing()
            } else {
                Input::stdin().context("cannot use standard input")?
            },
            signals: Signals::catch().context("cannot catch signals")?,
            last_words,
            watchdog: if terminal { Watchdog::default() } else { Watchdog::of_environment() },
        })
    }
}
