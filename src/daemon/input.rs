//! Standard input, always drained: 64 KiB of answers that nobody reads stop every ExaBGP up to 5.0.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::thread;

use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use super::output::{copy_of, is_pipe};

/// No event of ExaBGP is nearly as long; the rest of a longer line is dropped.
const LONGEST_LINE: usize = 64 * 1024;

/// Where lines are heard.
#[derive(Debug)]
pub struct Input {
    way: Way,
    lines: Lines,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
enum Way {
    /// A pipe.
    Pipe(pipe::Receiver),
    /// A thread that reads something else, or the other half of a program that stands for ExaBGP.
    Channel(mpsc::UnboundedReceiver<String>),
    /// Nothing will ever be heard.
    Nothing,
}

impl Input {
    /// Standard input.
    ///
    /// # Errors
    /// When standard input is closed.
    pub fn stdin() -> io::Result<Self> {
        let file = copy_of(io::stdin())?;
        if is_pipe(&file) {
            return Ok(Self::over(Way::Pipe(pipe::Receiver::from_file(file)?)));
        }
        let (lines, channel) = mpsc::unbounded_channel();
        thread::Builder::new().name("input".into()).spawn(move || read_to_end(file, &lines))?;
        Ok(Self::channel(channel))
    }

    /// Lines from the other end of a channel.
    #[must_use]
    pub fn channel(lines: mpsc::UnboundedReceiver<String>) -> Self {
        Self::over(Way::Channel(lines))
    }

    /// Silence, for a terminal.
    #[must_use]
    pub fn nothing() -> Self {
        Self::over(Way::Nothing)
    }

    fn over(way: Way) -> Self {
        Self { way, lines: Lines::default(), buffer: vec![0; 16 * 1024].into() }
    }

    /// The next line; `None` at the end. Can be dropped and called again without losing anything.
    pub async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.lines.next() {
                return Some(line);
            }
            let pipe = match &mut self.way {
                Way::Nothing => std::future::pending().await,
                Way::Channel(lines) => return lines.recv().await,
                Way::Pipe(pipe) => pipe,
            };
            pipe.readable().await.ok()?;
            match pipe.try_read(&mut self.buffer) {
                Ok(0) => return None,
                Ok(count) => self.lines.add(&self.buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Reads what is no pipe, and so can neither be polled nor be trusted not to block.
fn read_to_end(file: File, lines: &mpsc::UnboundedSender<String>) {
    for line in BufReader::new(file).lines() {
        let Ok(line) = line else { return };
        if lines.send(line).is_err() {
            return;
        }
    }
}

/// Bytes in, lines out. What is not UTF-8 is shown as such.
#[derive(Debug, Default)]
struct Lines {
    whole: VecDeque<String>,
    begun: Vec<u8>,
    too_long: bool,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = LONGEST_LINE - self.begun.len();
            self.too_long |= text.len() > room;
            self.begun.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                let line = String::from_utf8_lossy(&self.begun).into_owned();
                self.whole.push_back(line);
                self.begun.clear();
                if std::mem::take(&mut self.too_long) {
                    log::warn!("exabgp said a line of more than {LONGEST_LINE} bytes: its end was dropped");
                }
            }
        }
    }

    fn next(&mut self) -> Option<String> {
        self.whole.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.add(chunk);
        }
        std::iter::from_fn(move || lines.next()).collect()
    }

    #[test]
    fn lines_are_put_together_from_any_pieces() {
        assert_eq!(lines(&[b"do", b"ne\nerr", b"or\n\ndo"]), ["done", "error", ""]);
    }

    #[test]
    fn a_line_without_end_takes_no_more_room_than_allowed() {
        let long = vec![b'x'; 3 * LONGEST_LINE];
        let heard = lines(&[&long, b"\ndone\n"]);
        assert_eq!(heard[0].len(), LONGEST_LINE);
        assert_eq!(heard[1], "done");
    }

    #[test]
    fn what_is_not_text_is_survived() {
        assert_eq!(lines(&[b"\xff\xfe\n"]), ["\u{fffd}\u{fffd}"]);
    }
}
