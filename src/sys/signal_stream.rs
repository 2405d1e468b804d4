//! Waits for signals on the tokio runtime.

use std::io;
use std::os::unix::net;

use signal_hook::low_level::pipe;
use tokio::net::UnixStream;

/// Receives signals through a pipe that the signal handler writes to.
#[derive(Debug)]
pub(crate) struct SignalStream(UnixStream);

impl SignalStream {
    /// Catches these signals. Their default action no longer happens.
    ///
    /// # Errors
    /// Returns an error if the system has no descriptor left.
    pub(crate) fn catch(signals: &[i32]) -> io::Result<Self> {
        let (reader, writer) = net::UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        for signal in signals {
            pipe::register(*signal, writer.try_clone()?)?;
        }
        UnixStream::from_std(reader).map(Self)
    }

    /// Waits until a signal arrives. Several that have arrived may count as one.
    pub(crate) async fn received(&mut self) {
        loop {
            if self.0.readable().await.is_err() {
                std::future::pending::<()>().await;
            }
            if self.0.try_read(&mut [0; 64]).is_ok() {
                return;
            }
        }
    }
}
