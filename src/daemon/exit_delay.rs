//! Delays the exit after a failure.
//!
//! ExaBGP stops restarting a helper that dies six times within 64 seconds, so a failed helper waits before it exits.
//! Meanwhile it reads what ExaBGP sends, and it exits at once if a signal arrives or ExaBGP exits. It works on any
//! thread, independent of the loop.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::output::copy_of;
use crate::sys::signals::STOPS;

/// Poll interval for signals, and for input that cannot be waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Whether the process should exit at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Creates a flag that [`STOPS`] set. These signals no longer end the process.
    ///
    /// # Errors
    /// Returns an error if a signal handler cannot be installed.
    pub(crate) fn from_signals() -> io::Result<Self> {
        let flag = Self::default();
        for signal in STOPS {
            signal_hook::flag::register(signal, Arc::clone(&flag.0))?;
        }
        Ok(flag)
    }

    /// Waits for `pause` or until the flag is set. Reads standard input meanwhile; its end sets the flag.
    pub(crate) fn delay_exit(&self, pause: Duration) {
        let until = Instant::now() + pause;
        if let Ok(stdin) = copy_of(io::stdin()) {
            let flag = self.clone();
            // If no thread can be started, input stays unread during the delay.
            let _ = thread::Builder::new().name("exit-delay".into()).spawn(move || flag.read_to_end(stdin));
        }
        while !self.0.load(Ordering::Relaxed) && Instant::now() < until {
            thread::sleep(POLL_INTERVAL.min(pause));
        }
    }

    fn read_to_end(&self, mut stdin: File) {
        let mut discarded = [0; 4096];
        loop {
            match stdin.read(&mut discarded) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(POLL_INTERVAL),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn reads_input_and_stops_at_its_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let flag = StopFlag::default();
        let reads = flag.clone();
        let reader = thread::spawn(move || reads.read_to_end(File::from(OwnedFd::from(reader))));
        // More than a pipe can hold.
        writer.write_all(&[b'x'; 200_000]).unwrap();
        assert!(!flag.0.load(Ordering::Relaxed));
        drop(writer);
        reader.join().unwrap();
        assert!(flag.0.load(Ordering::Relaxed));
        flag.delay_exit(Duration::from_secs(3600));
    }
}
