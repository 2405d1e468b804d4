//! Standard output, which is ExaBGP's: whole lines, one write each, and never a wait.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;

use tokio::net::unix::pipe;
use tokio::sync::mpsc;

/// What became of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Written {
    /// The reader has it, or the pipe to it.
    Whole,
    /// The pipe is full; the line waits here.
    Waiting,
    /// Nobody will read it.
    Gone,
}

/// Where lines are said.
#[derive(Debug)]
pub(crate) struct Output {
    way: Way,
    /// Lines for which there was no room, oldest first.
    waiting: VecDeque<String>,
}

#[derive(Debug)]
enum Way {
    /// A pipe, which can be full. Written to directly, since tokio tries nothing before it has polled once; `room`
    /// tells when a full one takes more.
    Pipe { file: File, room: pipe::Sender },
    /// A file or a terminal.
    Plain(File),
    /// The other half of a program that stands for ExaBGP.
    Channel(mpsc::UnboundedSender<String>),
}

impl Output {
    /// Standard output, switched to non-blocking where it is a pipe.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn stdout() -> io::Result<Self> {
        let file = copy_of(io::stdout())?;
        if !is_pipe(&file) {
            return Ok(Self::over(Way::Plain(file)));
        }
        // Non-blocking from here on, by whichever copy of the descriptor.
        let room = pipe::Sender::from_file(copy_of(&file)?)?;
        Ok(Self::over(Way::Pipe { file, room }))
    }

    /// Lines that arrive at the other end of a channel.
    #[must_use]
    pub(crate) fn channel(lines: mpsc::UnboundedSender<String>) -> Self {
        Self::over(Way::Channel(lines))
    }

    const fn over(way: Way) -> Self {
        Self { way, waiting: VecDeque::new() }
    }

    /// Says a line, behind those that wait.
    pub(crate) fn say(&mut self, line: &str) -> Written {
        if let Way::Channel(lines) = &self.way {
            return lines.send(line.to_owned()).map_or(Written::Gone, |()| Written::Whole);
        }
        self.waiting.push_back(format!("{line}\n"));
        self.write_waiting()
    }

    /// Comes back when lines waited and have left, or can no longer. Waits for ever while none wait.
    pub(crate) async fn unblocked(&mut self) -> Written {
        loop {
            match &self.way {
                Way::Pipe { room, .. } if !self.waiting.is_empty() => {
                    if room.writable().await.is_err() {
                        return Written::Gone;
                    }
                }
                _ => std::future::pending().await,
            }
            match self.write_waiting() {
                Written::Waiting => self.forget_room(),
                written @ (Written::Whole | Written::Gone) => return written,
            }
        }
    }

    /// There was no room after all: the next [`pipe::Sender::writable`] must not say so again at once.
    fn forget_room(&self) {
        if let Way::Pipe { room, .. } = &self.way {
            let _ = room.try_io(|| io::Result::<()>::Err(ErrorKind::WouldBlock.into()));
        }
    }

    fn write_waiting(&mut self) -> Written {
        while let Some(line) = self.waiting.front() {
            let written = match &mut self.way {
                // Up to PIPE_BUF a pipe takes all or nothing.
                Way::Pipe { file, .. } => file.write(line.as_bytes()).map(drop),
                Way::Plain(file) => file.write_all(line.as_bytes()),
                Way::Channel(_) => Ok(()),
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
        Written::Whole
    }
}

/// Whether `file` is one end of a pipe, as between ExaBGP and its helpers.
pub(super) fn is_pipe(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// A copy of a descriptor, so that whoever holds it cannot close the original.
pub(super) fn copy_of(source: impl AsFd) -> io::Result<File> {
    source.as_fd().try_clone_to_owned().map(|fd: OwnedFd| File::from(fd))
}
