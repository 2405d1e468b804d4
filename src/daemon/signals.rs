//! The signals that mean "stop", as something to wait for.

use std::io;
use std::os::unix::net;

use signal_hook::low_level::pipe;
use tokio::net::UnixStream;

use crate::sys::signals::STOPS;

/// [`STOPS`], through a pipe that the handler writes to.
#[derive(Debug)]
pub(crate) struct Signals(UnixStream);

impl Signals {
    /// From now on these signals no longer end the process by themselves.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub(crate) fn catch() -> io::Result<Self> {
        let (reader, writer) = net::UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        for signal in STOPS {
            pipe::register(signal, writer.try_clone()?)?;
        }
        UnixStream::from_std(reader).map(Self)
    }

    /// Comes back when one of them has arrived.
    pub(crate) async fn terminate(&mut self) {
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
