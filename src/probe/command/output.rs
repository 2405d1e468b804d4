//! What a command writes: one pipe for standard output and standard error, of which the end is kept.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, PipeWriter, Read};
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::text;

/// How much is kept, in octets.
const KEPT: usize = 4096;

/// What is read at once, in octets.
const CHUNK: usize = 16 * 1024;

/// What is read before a pause: what a pipe holds.
const CHUNKS: usize = 4;

/// A command that writes without end would otherwise keep a core busy, and us another. So it may write some
/// 16 MB a second, more than an honest check needs.
const PAUSE: Duration = Duration::from_millis(4);

/// The reading end, and what is kept of what came.
#[derive(Debug)]
pub(super) struct Output {
    pipe: Receiver,
    end: Vec<u8>,
}

impl Output {
    /// The reading end, and the end for the command.
    pub(super) fn pipe() -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let pipe = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok((Self { pipe, end: Vec::new() }, writer))
    }

    /// Reads for as long as it is polled. That nothing more comes is no news: the command's exit is.
    pub(super) async fn drain(&mut self) -> Infallible {
        let mut chunk = vec![0; CHUNK];
        loop {
            for _ in 0..CHUNKS {
                match self.pipe.read(&mut chunk).await {
                    Ok(0) | Err(_) => std::future::pending().await,
                    Ok(length) => keep(&mut self.end, &chunk[..length]),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The last lines of what is in the pipe by now, on one line, fit to be printed.
    pub(super) fn last_lines(self) -> String {
        let Self { pipe, mut end } = self;
        // Past tokio, which would look only if it had been told that there is something.
        if let Ok(pipe) = pipe.into_nonblocking_fd() {
            let mut pipe = File::from(pipe);
            let mut chunk = vec![0; CHUNK];
            for _ in 0..CHUNKS {
                match pipe.read(&mut chunk) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => keep(&mut end, &chunk[..length]),
                }
            }
        }
        text::last_lines(&end)
    }
}

fn keep(end: &mut Vec<u8>, chunk: &[u8]) {
    end.extend_from_slice(&chunk[chunk.len().saturating_sub(KEPT)..]);
    end.drain(..end.len().saturating_sub(KEPT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        let mut end = Vec::new();
        keep(&mut end, b"first");
        keep(&mut end, &[b'x'; KEPT - 4]);
        assert_eq!((end.len(), &end[..5]), (KEPT, &b"irstx"[..]));
        keep(&mut end, &[b'y'; 2 * KEPT]);
        assert_eq!(end, [b'y'; KEPT]);
    }
}
