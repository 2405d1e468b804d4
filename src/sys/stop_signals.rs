//! Waits for signals that ask the process to stop.

use std::io;
use std::os::unix::net;

use signal_hook::low_level::pipe;
use tokio::net::UnixStream;

use super::signals::STOPS;

/// Receives [`STOPS`] through a pipe that the signal handler writes to.
#[derive(Debug)]
pub(crate) struct StopSignals(UnixStream);

impl StopSignals {
    /// Catches these signals. They no longer end the process.
    ///
    /// # Errors
    /// Returns an error if the system has no descriptor left.
    pub(crate) fn catch() -> io::Result<Self> {
        let (reader, writer) = net::UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        for signal in STOPS {
            pipe::register(signal, writer.try_clone()?)?;
        }
        UnixStream::from_std(reader).map(Self)
    }

    /// Waits until a signal arrives.
    pub(crate) async fn received(&mut self) {
        loop {
            if self.0.readable().await.is_err() {
                std::future::pending::<()>().await;
            }
            if self.0.try_read(&mut [0; 16]).is_ok() {
                return;
            }
        }
    }
}
