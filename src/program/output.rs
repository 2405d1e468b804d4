//! The output of a program, read from a pipe. Its beginning or its end is kept.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, PipeWriter, Read};
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// Octets read at once.
const CHUNK: usize = 16 * 1024;

/// Chunks read before a pause; together they are what a pipe holds.
const CHUNKS: usize = 4;

/// Pause after [`CHUNKS`]. It limits a program that writes without end to some 16 MB a second, so that it keeps neither
/// its core nor ours busy.
const PAUSE: Duration = Duration::from_millis(4);

/// Which part of an output is kept, and how many octets of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keep {
    /// The first octets.
    Beginning(usize),
    /// The last octets.
    End(usize),
}

/// The reading end of the pipe, and the part of the output that is kept.
#[derive(Debug)]
pub(crate) struct Output {
    pipe: Receiver,
    keep: Keep,
    kept: Vec<u8>,
}

impl Output {
    /// A pipe, and its writing end for the program.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub(crate) fn pipe(keep: Keep) -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let pipe = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok((Self { pipe, keep, kept: Vec::new() }, writer))
    }

    /// Reads as long as it is polled. It does not return at the end of the output: the program's exit counts.
    pub(crate) async fn drain(&mut self) -> Infallible {
        let mut chunk = vec![0; CHUNK];
        loop {
            for _ in 0..CHUNKS {
                match self.pipe.read(&mut chunk).await {
                    Ok(0) | Err(_) => std::future::pending().await,
                    Ok(length) => self.keep.add(&mut self.kept, &chunk[..length]),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The kept part, with what is in the pipe by now.
    pub(crate) fn kept(self) -> Vec<u8> {
        let Self { pipe, keep, mut kept } = self;
        // Reads directly: tokio reads only after the kernel has reported data.
        if let Ok(pipe) = pipe.into_nonblocking_fd() {
            let mut pipe = File::from(pipe);
            let mut chunk = vec![0; CHUNK];
            for _ in 0..CHUNKS {
                match pipe.read(&mut chunk) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => keep.add(&mut kept, &chunk[..length]),
                }
            }
        }
        kept
    }
}

impl Keep {
    fn add(self, kept: &mut Vec<u8>, chunk: &[u8]) {
        match self {
            Self::Beginning(most) => {
                let room = most.saturating_sub(kept.len());
                kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Self::End(most) => {
                kept.extend_from_slice(&chunk[chunk.len().saturating_sub(most)..]);
                kept.drain(..kept.len().saturating_sub(most));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 4096;

    #[test]
    fn the_end_is_kept() {
        let mut end = Vec::new();
        let keep = Keep::End(MOST);
        keep.add(&mut end, b"first");
        keep.add(&mut end, &[b'x'; MOST - 4]);
        assert_eq!((end.len(), &end[..5]), (MOST, &b"irstx"[..]));
        keep.add(&mut end, &[b'y'; 2 * MOST]);
        assert_eq!(end, [b'y'; MOST]);
    }

    #[test]
    fn the_beginning_is_kept() {
        let mut beginning = Vec::new();
        let keep = Keep::Beginning(MOST);
        keep.add(&mut beginning, b"first");
        keep.add(&mut beginning, &[b'x'; 2 * MOST]);
        keep.add(&mut beginning, b"last");
        assert_eq!((beginning.len(), &beginning[..7]), (MOST, &b"firstxx"[..]));
    }
}
