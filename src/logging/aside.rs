//! Logging without waiting: a thread writes queued lines to standard error.
//!
//! Standard error is a pipe that its reader may have stopped reading. Lines beyond the queue are lost; their number is
//! logged as soon as the reader continues.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::entry::Urgency;
use super::fields::Fields;
use super::form::Form;
use crate::sys::handoff::{EXIT_WAIT, Handoff, Offered};

/// Size of the queue, in bytes.
const ROOM: usize = 256 * 1024;

/// Pause before another attempt on a standard error that another process has set to non-blocking.
const AGAIN: Duration = Duration::from_millis(10);

static LOG: Log = Log { lines: Handoff::new(ROOM), lost: AtomicU64::new(0) };

/// The queue of lines.
#[derive(Debug)]
struct Log {
    lines: Handoff<Vec<u8>>,
    lost: AtomicU64,
}

/// Starts the thread, and returns a writer that never waits.
pub(super) fn start(form: Form) -> io::Result<impl Write + Send + 'static> {
    thread::Builder::new()
        .name("log".into())
        .stack_size(128 * 1024)
        .spawn(move || LOG.write_to(io::stderr(), form))?;
    Ok(&LOG)
}

/// Waits a moment for queued lines, at the end of the process.
pub(crate) fn flush() {
    LOG.lines.wait_idle(EXIT_WAIT);
}

impl Log {
    fn write_to(&self, mut stderr: impl Write, form: Form) {
        while let Some(line) = self.lines.take() {
            write_patiently(&mut stderr, &line);
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let lines =
                    if lost == 1 { "1 line of log was" } else { &format!("{lost} lines of log were") };
                let why = format!("{lines} lost, since standard error was not read");
                write_patiently(
                    &mut stderr,
                    form.entry(Urgency::Warning, &why, &Fields::default()).as_bytes(),
                );
            }
        }
    }
}

impl Write for &Log {
    /// Queues a whole line, or drops it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.offer(line.to_vec(), line.len()) != Offered::Taken {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the whole text; stops at an error, since there is no place to report it.
fn write_patiently(mut to: impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(0) => return,
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(AGAIN),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes little at a time, and now and then nothing.
    struct SlowWriter(Vec<u8>, usize);

    impl Write for SlowWriter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(2) {
                return Err(ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(7);
            self.0.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lost_lines_are_counted() {
        let log = Log { lines: Handoff::new(12), lost: AtomicU64::new(0) };
        for line in ["first\n", "second line\n", "third\n", "fourth\n"] {
            assert_eq!((&log).write(line.as_bytes()).unwrap(), line.len());
        }
        log.lines.close();
        let mut written = SlowWriter(vec![], 0);
        log.write_to(&mut written, Form::Journal);
        let text = String::from_utf8(written.0).unwrap();
        let lost = "<4>dnsherald: 2 lines of log were lost, since standard error was not read\n";
        assert_eq!(text, format!("first\n{lost}third\n"));
    }
}
