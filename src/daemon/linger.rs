//! The pause before an end that was not asked for.
//!
//! ExaBGP gives up on a helper that dies six times within 64 seconds, so one that fails waits before it ends. Meanwhile
//! it does what a helper owes ExaBGP all the same: what is said to it is read, and it ends at once when it is told to,
//! or when ExaBGP is gone. Works on any thread, whatever has become of the loop.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::output::copy_of;
use crate::sys::signals::STOPS;

/// How often one looks whether to end, and for input where it cannot be waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Whether there is a reason to end at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<AtomicBool>);

impl Told {
    /// From now on [`STOPS`] are remembered, and do not end the process by themselves.
    ///
    /// # Errors
    /// When the system refuses to tell.
    pub(crate) fn by_signals() -> io::Result<Self> {
        let told = Self::default();
        for signal in STOPS {
            signal_hook::flag::register(signal, Arc::clone(&told.0))?;
        }
        Ok(told)
    }

    /// Waits for `pause`, or until told to end. Standard input is read meanwhile; its end counts as being told.
    pub(crate) fn linger(&self, pause: Duration) {
        let until = Instant::now() + pause;
        if let Ok(stdin) = copy_of(io::stdin()) {
            let told = self.clone();
            // Without a thread for it, what is said stays unread for so long.
            let _ = thread::Builder::new().name("linger".into()).spawn(move || told.read_to_end(stdin));
        }
        while !self.0.load(Ordering::Relaxed) && Instant::now() < until {
            thread::sleep(LOOK.min(pause));
        }
    }

    fn read_to_end(&self, mut stdin: File) {
        let mut unheard = [0; 4096];
        loop {
            match stdin.read(&mut unheard) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(LOOK),
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
    fn input_is_read_and_its_end_is_a_reason_to_end() {
        let (reader, mut writer) = io::pipe().unwrap();
        let told = Told::default();
        let reads = told.clone();
        let reader = thread::spawn(move || reads.read_to_end(File::from(OwnedFd::from(reader))));
        // More than a pipe holds.
        writer.write_all(&[b'x'; 200_000]).unwrap();
        assert!(!told.0.load(Ordering::Relaxed));
        drop(writer);
        reader.join().unwrap();
        assert!(told.0.load(Ordering::Relaxed));
        told.linger(Duration::from_secs(3600));
    }
}
