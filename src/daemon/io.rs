//! The input and output of the loop: standard streams, signals, the dead-man, systemd.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::deadman::{Deadman, LIMIT};
use super::input::Input;
use super::output::Output;
use super::watchdog::Watchdog;
use crate::engine::api_session::Parent;
use crate::sys::signal_stream::SignalStream;
use crate::sys::signals::STOPS;

/// The streams and handlers of the loop.
#[derive(Debug)]
pub(crate) struct LoopIo {
    /// The parent process that reads the commands.
    pub(crate) parent: Parent,
    /// Commands to ExaBGP.
    pub(crate) output: Output,
    /// Lines from ExaBGP.
    pub(crate) input: Input,
    /// Signals that ask the helper to stop.
    pub(crate) signals: SignalStream,
    /// Withdraws if the loop stalls.
    pub(crate) deadman: Arc<Deadman>,
    /// Reports to systemd that the loop runs.
    pub(crate) watchdog: Watchdog,
}

impl LoopIo {
    /// Opens the streams of this process, catches signals and starts the dead-man, which waits `pause` before it ends
    /// the process. Call once, on the runtime of the loop.
    ///
    /// # Errors
    /// Returns an error if standard input or output is closed, or no descriptor or thread is left.
    pub(crate) fn from_process(pause: Duration) -> anyhow::Result<Self> {
        let terminal = io::stdout().is_terminal();
        let deadman = Deadman::on_stdout().context("cannot use standard output")?;
        deadman.withdraw_on_panic(pause).context("cannot catch signals")?;
        deadman.watch(LIMIT, pause).context("cannot start the dead-man thread")?;
        Ok(Self {
            parent: if terminal { Parent::Terminal } else { Parent::ExaBgp },
            output: Output::stdout().context("cannot use standard output")?,
            input: if terminal {
                Input::nothing()
            } else {
                Input::stdin().context("cannot use standard input")?
            },
            signals: SignalStream::catch(&STOPS).context("cannot catch signals")?,
            deadman,
            watchdog: if terminal { Watchdog::default() } else { Watchdog::from_environment() },
        })
    }
}
