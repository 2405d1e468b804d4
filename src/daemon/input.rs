//! Reads standard input continuously: ExaBGP up to 5.0 stops if 64 KiB of its answers stay unread.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use super::output::{copy_of, is_pipe};

/// Longest line; longer lines are cut. Events of ExaBGP are much shorter.
const LONGEST_LINE: usize = 64 * 1024;

/// Maximum size of a read.
const PIECE: usize = 16 * 1024;

/// After this number of lines other tasks run, so that a flood of lines does not delay probes.
const LINES_PER_TURN: usize = 64;

/// Minimum interval between warnings about long lines.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// The source of lines.
#[derive(Debug)]
pub(crate) struct Input {
    source: Source,
    lines: Lines,
    buffer: Box<[u8]>,
    /// Lines returned since other tasks ran.
    returned: usize,
}

#[derive(Debug)]
enum Source {
    Pipe(pipe::Receiver),
    /// A thread that reads anything except a pipe.
    Pieces(mpsc::Receiver<Vec<u8>>),
    /// A channel from a simulated ExaBGP.
    Channel(mpsc::UnboundedReceiver<String>),
    Nothing,
}

impl Input {
    /// Standard input.
    ///
    /// # Errors
    /// Returns an error if standard input is closed.
    pub(crate) fn stdin() -> io::Result<Self> {
        let file = copy_of(io::stdin())?;
        if is_pipe(&file) {
            return Ok(Self::from_source(Source::Pipe(pipe::Receiver::from_file(file)?)));
        }
        let (pieces, channel) = mpsc::channel(1);
        thread::Builder::new().name("input".into()).spawn(move || read_to_end(file, &pieces))?;
        Ok(Self::from_source(Source::Pieces(channel)))
    }

    /// Reads lines from a channel.
    pub(crate) fn channel(lines: mpsc::UnboundedReceiver<String>) -> Self {
        Self::from_source(Source::Channel(lines))
    }

    /// Never returns a line; for a terminal.
    pub(crate) fn nothing() -> Self {
        Self::from_source(Source::Nothing)
    }

    fn from_source(source: Source) -> Self {
        Self { source, lines: Lines::default(), buffer: vec![0; PIECE].into(), returned: 0 }
    }

    /// Returns the next line, or `None` at the end. Dropping the future loses nothing.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            if self.returned >= LINES_PER_TURN {
                self.returned = 0;
                tokio::task::yield_now().await;
            }
            if let Some(line) = self.lines.next() {
                self.returned += 1;
                return Some(line);
            }
            let pipe = match &mut self.source {
                Source::Nothing => std::future::pending().await,
                Source::Channel(lines) => return lines.recv().await,
                Source::Pieces(pieces) => {
                    self.lines.add(&pieces.recv().await?);
                    self.returned = LINES_PER_TURN;
                    continue;
                }
                Source::Pipe(pipe) => pipe,
            };
            pipe.readable().await.ok()?;
            match pipe.try_read(&mut self.buffer) {
                Ok(0) => return None,
                Ok(count) => {
                    self.lines.add(&self.buffer[..count]);
                    // Let other tasks run after each read, even if it contained no complete line.
                    self.returned = LINES_PER_TURN;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Reads a file that cannot be polled and may block. Reads at most one piece ahead.
fn read_to_end(mut file: File, pieces: &mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; PIECE];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                if pieces.blocking_send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Splits bytes into lines. Invalid UTF-8 is replaced.
#[derive(Debug, Default)]
struct Lines {
    complete: VecDeque<String>,
    partial: Vec<u8>,
    too_long: bool,
    warned: Option<Instant>,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = LONGEST_LINE - self.partial.len();
            self.too_long |= text.len() > room;
            self.partial.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                let line = String::from_utf8_lossy(&self.partial).into_owned();
                self.complete.push_back(line);
                self.partial.clear();
                let lately = self.warned.is_some_and(|warned| warned.elapsed() < WARNING_INTERVAL);
                if std::mem::take(&mut self.too_long) && !lately {
                    self.warned = Some(Instant::now());
                    log::warn!("ExaBGP sent a line of more than {LONGEST_LINE} bytes: the rest was dropped");
                }
            }
        }
    }

    fn next(&mut self) -> Option<String> {
        self.complete.pop_front()
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
    fn joins_pieces_to_lines() {
        assert_eq!(lines(&[b"do", b"ne\nerr", b"or\n\ndo"]), ["done", "error", ""]);
    }

    #[test]
    fn limits_the_length_of_a_line() {
        let long = vec![b'x'; 3 * LONGEST_LINE];
        let heard = lines(&[&long, b"\ndone\n"]);
        assert_eq!(heard[0].len(), LONGEST_LINE);
        assert_eq!(heard[1], "done");
    }

    #[test]
    fn replaces_invalid_utf8() {
        assert_eq!(lines(&[b"\xff\xfe\n"]), ["\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn reads_a_file_to_its_end() {
        let path = std::env::temp_dir().join(format!("dnsherald-input-{}", std::process::id()));
        std::fs::write(&path, b"done\n\xff\nexabgp 5.0.15\n").unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (pieces, channel) = mpsc::channel(1);
        let reader = thread::spawn(move || read_to_end(file, &pieces));
        let mut input = Input::from_source(Source::Pieces(channel));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for expected in [Some("done"), Some("\u{fffd}"), Some("exabgp 5.0.15"), None] {
            assert_eq!(runtime.block_on(input.line()).as_deref(), expected);
        }
        reader.join().unwrap();
    }

    #[test]
    fn does_not_read_ahead() {
        let (pieces, mut channel) = mpsc::channel(1);
        let reader = thread::spawn(move || read_to_end(File::open("/dev/zero").unwrap(), &pieces));
        assert_eq!(channel.blocking_recv().unwrap().len(), PIECE);
        drop(channel);
        reader.join().unwrap();
    }

    #[test]
    fn other_tasks_run_during_a_flood() {
        let mut input = Input::nothing();
        input.lines.add(&b"done\n".repeat(1000));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let heard = runtime.block_on(async {
            let other = tokio::spawn(async {});
            let mut heard = 0;
            while !other.is_finished() {
                input.line().await.unwrap();
                heard += 1;
            }
            heard
        });
        assert_eq!(heard, LINES_PER_TURN + 1);
    }
}
