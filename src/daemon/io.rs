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
use crate::engine::api_session::neighbors::Neighbors;
use crate::sys::signal_stream::SignalStream;
use crate::sys::signals::STOPS;
use crate::text::counted;

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
    /// The BGP sessions that the loop before this one in the same process knew.
    pub(crate) sessions: Neighbors,
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
            sessions: Neighbors::default(),
        })
    }

    /// Reads no replies from now on: standard input is not a pipe from ExaBGP, so its end says nothing about ExaBGP.
    pub(crate) fn ignore_input(&mut self) {
        self.input = Input::nothing();
    }

    /// Waits at most `limit` until the commands that did not fit into the pipe are written. Reads what ExaBGP sends meanwhile:
    /// it might wait to write its answers before it reads on.
    pub(crate) async fn write_last_commands(&mut self, limit: Duration) {
        let Self { output, input, .. } = self;
        if output.queued() == 0 {
            return;
        }
        let until_exabgp_exits = async { while input.line().await.is_some() {} };
        let written_or_gone = async {
            tokio::select! {
                _ = output.unblocked() => {}
                () = until_exabgp_exits => {}
            }
        };
        if tokio::time::timeout(limit, written_or_gone).await.is_err() {
            log::warn!(
                "{} did not reach ExaBGP, which has not read them within {limit:?}: unless ExaBGP stops, the routes that they \
                 withdraw stay announced until the next helper has verdicts",
                counted(output.queued(), "last command")
            );
        }
    }
}
