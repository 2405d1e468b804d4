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
        let file = copy_of(io::stdout())?;
        if !is_pipe(&file) {
            return Ok(Self::from_sink(Sink::Plain(file)));
        }
        // This sets all copies of the descriptor to non-blocking mode.
        let room = pipe::Sender::from_file(copy_of(&file)?)?;
        Ok(Self::from_sink(Sink::Pipe { file, room }))
    }

    /// Sends lines to a channel.
    #[must_use]
    pub(crate) fn channel(lines: mpsc::UnboundedSender<String>) -> Self {
        Self::from_sink(Sink::Channel(lines))
    }

    const fn from_sink(sink: Sink) -> Self {
        Self { sink, waiting: VecDeque::new() }
    }

    /// Writes a line after all queued ones.
    pub(crate) fn write_line(&mut self, line: &str) -> Written {
        if let Sink::Channel(lines) = &self.sink {
            return lines.send(line.to_owned()).map_or(Written::Gone, |()| Written::Complete);
        }
        self.waiting.push_back(format!("{line}\n"));
        self.write_queued()
    }

    /// Waits until queued lines are written or can no longer be. Waits for ever if no line is queued.
    pub(crate) async fn unblocked(&mut self) -> Written {
        loop {
            match &self.sink {
                Sink::Pipe { room, .. } if !self.waiting.is_empty() => {
                    if room.writable().await.is_err() {
                        return Written::Gone;
                    }
                }
                _ => std::future::pending().await,
            }
            match self.write_queued() {
                Written::Waiting => self.clear_readiness(),
                written @ (Written::Complete | Written::Gone) => return written,
            }
        }
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
