//! Standard input, always drained: 64 KiB of answers that nobody reads stop every ExaBGP up to 5.0.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use super::output::{copy_of, is_pipe};

/// No event of ExaBGP is nearly as long; the rest of a longer line is dropped.
const LONGEST_LINE: usize = 64 * 1024;

/// What is read at once.
const PIECE: usize = 16 * 1024;

/// So many lines are handed out before everybody else has a turn: a flood of them must not delay a probe.
const AT_ONCE: usize = 64;

/// Not more often than this is a line that is too long complained about.
const COMPLAIN: Duration = Duration::from_secs(10);

/// Where lines are heard.
#[derive(Debug)]
pub(crate) struct Input {
    way: Way,
    lines: Lines,
    buffer: Box<[u8]>,
    /// Lines handed out since everybody had a turn.
    handed_out: usize,
}

#[derive(Debug)]
enum Way {
    /// A pipe.
    Pipe(pipe::Receiver),
    /// A thread that reads something else, piece by piece.
    Pieces(mpsc::Receiver<Vec<u8>>),
    /// The other half of a program that stands for ExaBGP.
    Channel(mpsc::UnboundedReceiver<String>),
    /// Nothing will ever be heard.
    Nothing,
}

impl Input {
    /// Standard input.
    ///
    /// # Errors
    /// When standard input is closed.
    pub(crate) fn stdin() -> io::Result<Self> {
        let file = copy_of(io::stdin())?;
        if is_pipe(&file) {
            return Ok(Self::over(Way::Pipe(pipe::Receiver::from_file(file)?)));
        }
        let (pieces, channel) = mpsc::channel(1);
        thread::Builder::new().name("input".into()).spawn(move || read_to_end(file, &pieces))?;
        Ok(Self::over(Way::Pieces(channel)))
    }

    /// Lines from the other end of a channel.
    #[must_use]
    pub(crate) fn channel(lines: mpsc::UnboundedReceiver<String>) -> Self {
        Self::over(Way::Channel(lines))
    }

    /// Silence, for a terminal.
    #[must_use]
    pub(crate) fn nothing() -> Self {
        Self::over(Way::Nothing)
    }

    fn over(way: Way) -> Self {
        Self { way, lines: Lines::default(), buffer: vec![0; PIECE].into(), handed_out: 0 }
    }

    /// The next line; `None` at the end. Can be dropped and called again without losing anything.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            if self.handed_out >= AT_ONCE {
                self.handed_out = 0;
                tokio::task::yield_now().await;
            }
            if let Some(line) = self.lines.next() {
                self.handed_out += 1;
                return Some(line);
            }
            let pipe = match &mut self.way {
                Way::Nothing => std::future::pending().await,
                Way::Channel(lines) => return lines.recv().await,
                Way::Pieces(pieces) => {
                    self.lines.add(&pieces.recv().await?);
                    self.handed_out = AT_ONCE;
                    continue;
                }
                Way::Pipe(pipe) => pipe,
            };
            pipe.readable().await.ok()?;
            match pipe.try_read(&mut self.buffer) {
                Ok(0) => return None,
                Ok(count) => {
                    self.lines.add(&self.buffer[..count]);
                    // A piece without a line break must not be followed by the next without a turn for others.
                    self.handed_out = AT_ONCE;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Reads what is no pipe, and so can neither be polled nor be trusted not to block. Never ahead by more than a piece.
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

/// Bytes in, lines out. What is not UTF-8 is shown as such.
#[derive(Debug, Default)]
struct Lines {
    whole: VecDeque<String>,
    begun: Vec<u8>,
    too_long: bool,
    complained: Option<Instant>,
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
                let lately = self.complained.is_some_and(|complained| complained.elapsed() < COMPLAIN);
                if std::mem::take(&mut self.too_long) && !lately {
                    self.complained = Some(Instant::now());
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

    #[test]
    fn what_is_no_pipe_is_read_to_its_end_whatever_is_in_it() {
        let path = std::env::temp_dir().join(format!("dnsherald-input-{}", std::process::id()));
        std::fs::write(&path, b"done\n\xff\nexabgp 5.0.15\n").unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (pieces, channel) = mpsc::channel(1);
        let reader = thread::spawn(move || read_to_end(file, &pieces));
        let mut input = Input::over(Way::Pieces(channel));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for expected in [Some("done"), Some("\u{fffd}"), Some("exabgp 5.0.15"), None] {
            assert_eq!(runtime.block_on(input.line()).as_deref(), expected);
        }
        reader.join().unwrap();
    }

    #[test]
    fn a_source_without_end_is_not_read_ahead() {
        let (pieces, mut channel) = mpsc::channel(1);
        let reader = thread::spawn(move || read_to_end(File::open("/dev/zero").unwrap(), &pieces));
        assert_eq!(channel.blocking_recv().unwrap().len(), PIECE);
        drop(channel);
        reader.join().unwrap();
    }

    #[test]
    fn others_have_their_turn_in_a_flood() {
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
        assert_eq!(heard, AT_ONCE + 1);
    }
}
