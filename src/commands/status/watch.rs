//! `status --watch`: shows the status repeatedly.
//!
//! On a terminal the status is drawn on the alternate screen until `q` or a signal: it leaves nothing in the
//! scrollback, and restores the terminal. Otherwise, and as JSON, each document follows the previous one.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::SIGWINCH;
use signal_hook::flag;
use signal_hook::low_level::{emulate_default_handler, pipe};

use super::{look, painted, show};
use crate::cli::Status;
use crate::commands::complain;
use crate::exit::Exit;
use crate::status::Document;
use crate::sys::signals::STOPS;
use crate::sys::terminal::{Screen, Size, can_be_drawn_on};
use crate::text;
use crate::text::counted;
use crate::text::paint::Paint;

/// The interval of requests.
const PAUSE: Duration = Duration::from_secs(1);

/// Keys that end it: `q`, and the end of input.
const ENDS: [u8; 3] = [b'q', b'Q', 4];

/// Shows the status until the user ends it.
///
/// # Errors
/// If the terminal cannot be used. If no helper answers, the screen shows why, and the command asks again.
pub(super) fn run(options: &Status) -> anyhow::Result<Exit> {
    if options.json || !can_be_drawn_on() {
        return print(options);
    }
    Screen::await_foreground().context("cannot draw on this terminal")?;
    let mut watch = Watch::start(options)?;
    let end = {
        let screen = Screen::enter().context("cannot draw on this terminal")?;
        watch.until_end(screen.has_keys())?
    };
    // The terminal is restored: the signal now has its default effect.
    if let End::Signal(signal) = end {
        emulate_default_handler(signal).context("cannot end by the signal")?;
    }
    Ok(Exit::Success)
}

/// Prints one document after the other.
fn print(options: &Status) -> anyhow::Result<Exit> {
    loop {
        match look(options) {
            Ok(document) => show(&document, options.json)?,
            Err(error) => complain(&error),
        }
        thread::sleep(PAUSE);
    }
}

/// Why the loop ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Key,
    Signal(i32),
}

/// The events that wake the loop, and the document that it shows.
struct Watch<'a> {
    options: &'a Status,
    /// A byte for each signal and each document.
    woken: UnixStream,
    waker: UnixStream,
    /// The signal that ends the loop, 0 for none.
    signal: Arc<AtomicUsize>,
    found: Receiver<anyhow::Result<Document>>,
    finder: Sender<anyhow::Result<Document>>,
    shown: Option<anyhow::Result<Document>>,
}

impl<'a> Watch<'a> {
    fn start(options: &'a Status) -> anyhow::Result<Self> {
        let (woken, waker) = UnixStream::pair().context("cannot wait for signals")?;
        woken.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        let signal = Arc::new(AtomicUsize::new(0));
        // Store the number first, so that the loop finds it when it wakes.
        for stop in STOPS {
            let number = usize::try_from(stop).unwrap_or_default();
            flag::register_usize(stop, Arc::clone(&signal), number).context("cannot catch signals")?;
        }
        for wakes in STOPS.into_iter().chain([SIGWINCH]) {
            pipe::register(wakes, waker.try_clone()?).context("cannot catch signals")?;
        }
        let (finder, found) = channel();
        Ok(Self { options, woken, waker, signal, found, finder, shown: None })
    }

    fn until_end(&mut self, mut has_keys: bool) -> anyhow::Result<End> {
        let mut look_at = Some(Instant::now());
        loop {
            if look_at.is_some_and(|at| at <= Instant::now()) {
                look_at = None;
                self.ask_on_thread()?;
            }
            let (is_woken, has_key) = self.wait(look_at, has_keys)?;
            if is_woken {
                // One byte wakes the loop as well as several.
                let _count = self.woken.read(&mut [0; 64]).or_else(nothing_to_read)?;
            }
            if let number @ 1.. = self.signal.load(Ordering::SeqCst) {
                return Ok(End::Signal(i32::try_from(number)?));
            }
            if has_key {
                let mut keys = [0; 64];
                let count = io::stdin().read(&mut keys).or_else(nothing_to_read)?;
                // A closed terminal would be readable for ever.
                has_keys = count > 0;
                if count == 0 || keys[..count].iter().any(|key| ENDS.contains(key)) {
                    return Ok(End::Key);
                }
            }
            if let Ok(found) = self.found.try_recv() {
                self.shown = Some(found);
                look_at = Some(Instant::now() + PAUSE);
            }
            if is_woken {
                self.draw()?;
            }
        }
    }

    /// Asks the helper on a thread, so that a helper that hangs does not keep the command from ending.
    fn ask_on_thread(&self) -> io::Result<()> {
        let (options, finder) = (self.options.clone(), self.finder.clone());
        let mut waker = self.waker.try_clone()?;
        let ask = move || {
            // The loop may have ended meanwhile. A full pipe wakes it without another byte.
            let _ = finder.send(look(&options));
            let _ = waker.write(&[0]);
        };
        thread::Builder::new().name("status".to_owned()).spawn(ask).map(drop)
    }

    /// Waits for a signal, a document, a key or this time. Returns whether the pipe woke it, and whether there is a
    /// key.
    fn wait(&self, until: Option<Instant>, has_keys: bool) -> io::Result<(bool, bool)> {
        let stdin = io::stdin();
        let mut fds = vec![PollFd::new(&self.woken, PollFlags::IN)];
        if has_keys {
            fds.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN));
        }
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |nth: usize| fds.get(nth).is_some_and(|fd| !fd.revents().is_empty());
        Ok((is_ready(0), is_ready(1)))
    }

    /// Draws the lines that fit the terminal, and in the last one how to quit.
    fn draw(&self) -> io::Result<()> {
        let size = Size::from_stdout();
        let text = match &self.shown {
            None => return Ok(()),
            Some(Ok(document)) => painted(document, size.columns).to_string(),
            Some(Err(error)) => format!("no status: {error:#}; trying again each second"),
        };
        text::redraw(frame(&text, size).iter().map(|(paint, line)| (*paint, line.as_str())))
    }
}

fn nothing_to_read(error: io::Error) -> io::Result<usize> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
        _ => Err(error),
    }
}

/// The lines that fit a screen, each with its color; the last says how to end.
fn frame(text: &str, size: Size) -> Vec<(Paint, String)> {
    let cut = |line: &str| {
        let (paint, line) = Paint::from_line(line);
        (paint, line.chars().take(size.columns).collect::<String>())
    };
    let lines: Vec<_> = text.lines().collect();
    let room = size.rows.saturating_sub(1);
    let mut frame: Vec<_> = lines.iter().take(room).map(|line| cut(line)).collect();
    let hidden = lines.len().saturating_sub(room);
    frame.push(cut(&match hidden {
        0 => "q: quit".to_owned(),
        _ => format!("q: quit; not shown: {}", counted(hidden, "line")),
    }));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_fits_its_screen() {
        let text = "one\ntwo, a long line\nthree\n";
        let frame = |columns, rows| {
            let lines = frame(text, Size { columns, rows });
            lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>()
        };
        assert_eq!(frame(80, 24), ["one", "two, a long line", "three", "q: quit"]);
        assert_eq!(frame(80, 3), ["one", "two, a long line", "q: quit; not shown: 1 line"]);
        assert_eq!(frame(5, 4), ["one", "two, ", "three", "q: qu"]);
        assert_eq!(frame(80, 0), ["q: quit; not shown: 3 lines"]);
    }

    #[test]
    fn a_frame_keeps_the_color_of_a_line_that_it_cuts() {
        let text = Paint::Bad.on("resolver: down") + "\nplain";
        let frame = frame(&text, Size { columns: 8, rows: 3 });
        assert_eq!(frame[0], (Paint::Bad, "resolver".to_owned()));
        assert_eq!(frame[1], (Paint::Plain, "plain".to_owned()));
    }
}
