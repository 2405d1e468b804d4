//! Writes commands to ExaBGP on standard output: complete lines, one write each. A pipe does not block; a file or a terminal
//! may.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;

use tokio::net::unix::pipe;
use tokio::sync::mpsc;

/// The result of writing a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Written {
    Complete,
    /// The pipe is full; the line is queued.
    Waiting,
    /// The reader has closed the pipe.
    Gone,
}

/// The destination of lines.
#[derive(Debug)]
pub(crate) struct Output {
    sink: Sink,
    /// Queued lines, oldest first.
    waiting: VecDeque<String>,
    /// A line had to wait, and [`Self::unblocked`] has not returned since.
    is_blocked: bool,
}

#[derive(Debug)]
enum Sink {
    /// A pipe. Lines are written directly, because tokio does not try before it has polled once; `room` reports when a
    /// full pipe accepts more.
    Pipe { file: File, room: pipe::Sender },
    /// A file or a terminal.
    Plain(File),
    /// A channel to a simulated ExaBGP.
    Channel(mpsc::UnboundedSender<String>),
}

impl Output {
    /// Uses standard output, in non-blocking mode if it is a pipe.
    ///
    /// # Errors
    /// Returns an error if standard output is closed.
    pub(crate) fn stdout() -> io::Result<Self> {
        Self::from_file(copy_of(io::stdout())?)
    }

    fn from_file(file: File) -> io::Result<Self> {
        if !is_pipe(&file) {
            return Ok(Self::from_sink(Sink::Plain(file)));
        }
        // This sets all copies of the descriptor to non-blocking mode.
        let room = pipe::Sender::from_file(copy_of(&file)?)?;
        Ok(Self::from_sink(Sink::Pipe { file, room }))
    }

    /// Sends lines to a channel.
    pub(crate) fn channel(lines: mpsc::UnboundedSender<String>) -> Self {
        Self::from_sink(Sink::Channel(lines))
    }

    const fn from_sink(sink: Sink) -> Self {
        Self { sink, waiting: VecDeque::new(), is_blocked: false }
    }

    /// Writes a line after all queued ones.
    pub(crate) fn write_line(&mut self, line: &str) -> Written {
        if let Sink::Channel(lines) = &self.sink {
            return lines.send(line.to_owned()).map_or(Written::Gone, |()| Written::Complete);
        }
        self.waiting.push_back(format!("{line}\n"));
        let written = self.write_queued();
        self.is_blocked |= written == Written::Waiting;
        written
    }

    /// Waits until queued lines are written or can no longer be. A later line may have been written with them: then it returns
    /// at once. Waits for ever if no line had to wait since it returned.
    pub(crate) async fn unblocked(&mut self) -> Written {
        if !self.is_blocked {
            return std::future::pending().await;
        }
        loop {
            match self.write_queued() {
                Written::Waiting => self.clear_readiness(),
                Written::Complete => {
                    self.is_blocked = false;
                    return Written::Complete;
                }
                Written::Gone => return Written::Gone,
            }
            if let Sink::Pipe { room, .. } = &self.sink
                && room.writable().await.is_err()
            {
                return Written::Gone;
            }
        }
    }

    /// The number of queued lines.
    pub(crate) fn queued(&self) -> usize {
        self.waiting.len()
    }

    /// Clears the readiness of the pipe, so that the next [`pipe::Sender::writable`] waits.
    fn clear_readiness(&self) {
        if let Sink::Pipe { room, .. } = &self.sink {
            let _ = room.try_io(|| io::Result::<()>::Err(ErrorKind::WouldBlock.into()));
        }
    }

    fn write_queued(&mut self) -> Written {
        while let Some(line) = self.waiting.front() {
            let written = match &mut self.sink {
                // Up to PIPE_BUF, a write to a pipe is all or nothing.
                Sink::Pipe { file, .. } => file.write(line.as_bytes()).map(drop),
                Sink::Plain(file) => file.write_all(line.as_bytes()),
                Sink::Channel(_) => Ok(()),
            };
            match written {
                Ok(()) => {
                    self.waiting.pop_front();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Written::Waiting,
                Err(_) => return Written::Gone,
            }
        }
        Written::Complete
    }
}

/// Whether `file` is a pipe, as between ExaBGP and its helpers.
pub(super) fn is_pipe(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// Duplicates a descriptor, so that closing the copy leaves the original open.
pub(super) fn copy_of(source: impl AsFd) -> io::Result<File> {
    source.as_fd().try_clone_to_owned().map(|fd: OwnedFd| File::from(fd))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    /// An output whose pipe is full, and the reader of the pipe.
    fn full() -> (Output, io::PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        let mut output = Output::from_file(OwnedFd::from(writer).into()).unwrap();
        let line = "x".repeat(4000);
        while output.write_line(&line) == Written::Complete {}
        (output, reader)
    }

    fn is_blocked(output: &mut Output) -> bool {
        output.unblocked().now_or_never().is_none()
    }

    async fn becomes_unblocked(output: &mut Output) {
        let written = tokio::time::timeout(Duration::from_secs(10), output.unblocked()).await;
        assert_eq!(written, Ok(Written::Complete));
    }

    #[tokio::test]
    async fn a_blocked_output_waits_for_its_reader() {
        let (mut output, mut reader) = full();
        assert!(is_blocked(&mut output));
        assert_eq!(output.write_line("later"), Written::Waiting);
        reader.read_exact(&mut [0; 32768]).unwrap();
        becomes_unblocked(&mut output).await;
        assert!(is_blocked(&mut output), "no line had to wait since");
    }

    /// The engine, which has learned that the output is blocked, must learn of its end, or it sends nothing for ever.
    #[tokio::test]
    async fn an_output_that_a_later_line_has_unblocked_says_so() {
        let (mut output, mut reader) = full();
        reader.read_exact(&mut [0; 32768]).unwrap();
        assert_eq!(output.write_line("later"), Written::Complete);
        becomes_unblocked(&mut output).await;
    }
}
