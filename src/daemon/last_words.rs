//! The dead-man: if the loop no longer turns, somebody else withdraws.
//!
//! A helper that hangs or panics while its prefixes are announced would leave them so for ever, for ExaBGP has no
//! lease on what a helper said. So the withdraws are always at hand, ready to be written by whoever survives: the
//! panic hook, or a thread that watches the loop. Then the process waits before it ends, since ExaBGP gives up on a
//! helper that dies six times within 64 seconds.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::linger::Told;
use super::output::copy_of;
use crate::handoff::lock;
use crate::logging::{aside, counted};

/// The loop turns once a second; this long without a turn means that it hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// From the last words to the end of the process.
pub const PAUSE_BEFORE_EXIT: Duration = Duration::from_secs(15);

/// How long a full pipe is given to take the last words.
const PATIENCE: Duration = Duration::from_secs(1);

/// The withdraws for the case that nobody else can say them.
#[derive(Debug)]
pub(crate) struct LastWords {
    output: File,
    turns: AtomicU64,
    lines: Mutex<String>,
}

impl LastWords {
    /// Last words on standard output.
    ///
    /// # Errors
    /// When standard output is closed.
    pub(crate) fn on_stdout() -> io::Result<Arc<Self>> {
        copy_of(io::stdout()).map(Self::on)
    }

    /// Last words on any file.
    #[must_use]
    pub(crate) fn on(output: File) -> Arc<Self> {
        Arc::new(Self { output, turns: AtomicU64::new(0), lines: Mutex::new(String::new()) })
    }

    /// The loop has turned.
    pub(crate) fn beat(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// What to say if nothing else is ever said.
    pub(crate) fn set(&self, lines: &[String]) {
        let mut text = lock(&self.lines);
        text.clear();
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
    }

    /// Says it, each line in one write. Returns how many lines were taken.
    pub(crate) fn say(&self) -> usize {
        // Whoever holds the lock may be what hangs.
        let Ok(text) = self.lines.try_lock() else { return 0 };
        let deadline = Instant::now() + PATIENCE;
        let taken = |line: &&str| loop {
            match (&self.output).write(line.as_bytes()) {
                Ok(_) => return true,
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        };
        text.split_inclusive('\n').filter(taken).count()
    }

    /// Starts the thread that watches the loop. When it has not turned for `limit`, the last words are said, and
    /// after `pause`, or when told to end, the process ends, whatever the loop and the log do.
    ///
    /// # Errors
    /// When no thread can be started, or the system does not tell of signals.
    pub(crate) fn watch(self: &Arc<Self>, limit: Duration, pause: Duration) -> io::Result<()> {
        let words = Arc::clone(self);
        let told = Told::by_signals()?;
        let watch = move || {
            let said = words.say_at_standstill(limit);
            log::error!(
                "the loop has not turned for {limit:?}: withdrew {}, exiting in {pause:?}",
                counted(said, "prefix")
            );
            let seen = words.turns.load(Ordering::Relaxed);
            told.linger(pause);
            // The loop may have come back meanwhile, and announced again.
            if words.turns.load(Ordering::Relaxed) != seen {
                words.say();
            }
            end();
        };
        thread::Builder::new().name("dead-man".into()).stack_size(128 * 1024).spawn(watch).map(drop)
    }

    /// Waits until the loop has not turned for `limit`, and speaks in its place. Returns how many lines were taken.
    fn say_at_standstill(&self, limit: Duration) -> usize {
        self.wait_for_standstill(limit);
        self.say()
    }

    /// Returns when the loop has not turned for `limit`. Looks in steps of its own instead of trusting the clock, so
    /// that a machine that was paused as a whole is not taken for a loop that hangs.
    fn wait_for_standstill(&self, limit: Duration) {
        const LOOKS: u32 = 10;
        let mut seen = self.turns.load(Ordering::Relaxed);
        let mut looks = 0;
        while looks < LOOKS {
            thread::sleep(limit / LOOKS);
            let turns = self.turns.load(Ordering::Relaxed);
            looks = if turns == seen { looks + 1 } else { 0 };
            seen = turns;
        }
    }

    /// Makes a panic, of whatever thread, say the last words, and wait, before the process ends.
    ///
    /// # Errors
    /// When the system does not tell of signals.
    pub(crate) fn say_on_panic(self: &Arc<Self>, pause: Duration) -> io::Result<()> {
        let words = Arc::clone(self);
        let told = Told::by_signals()?;
        // The hook that was there would write to standard error itself, and could wait there for ever.
        std::panic::set_hook(Box::new(move |panic| {
            let said = words.say();
            let backtrace = Backtrace::capture();
            match backtrace.status() {
                BacktraceStatus::Captured => log::error!("{panic}\n{backtrace}"),
                _ => log::error!("{panic}"),
            }
            log::error!("withdrew {}, exiting in {pause:?}", counted(said, "prefix"));
            if !pause.is_zero() {
                told.linger(pause);
            }
            end();
        }));
        Ok(())
    }
}

/// The end after a failure: not by way of the loop, and without a core dump.
fn end() -> ! {
    aside::flush();
    std::process::exit(1)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::Command;

    use super::*;

    fn pipe() -> (File, File) {
        let (reader, writer) = io::pipe().unwrap();
        (File::from(std::os::fd::OwnedFd::from(reader)), File::from(std::os::fd::OwnedFd::from(writer)))
    }

    #[test]
    fn the_newest_words_are_said_line_by_line() {
        let (mut reader, writer) = pipe();
        let words = LastWords::on(writer);
        words.set(&["withdraw route 192.0.2.1/32".into()]);
        words.set(&["withdraw route 192.0.2.2/32".into(), "withdraw route 192.0.2.3/32".into()]);
        assert_eq!(words.say(), 2);
        drop(words);
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "withdraw route 192.0.2.2/32\nwithdraw route 192.0.2.3/32\n");
    }

    #[test]
    fn a_standstill_is_noticed() {
        let (_reader, writer) = pipe();
        let words = LastWords::on(writer);
        words.beat();
        words.wait_for_standstill(Duration::from_millis(20));
        assert_eq!(words.turns.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_loop_that_turns_is_left_alone_and_one_that_hangs_is_spoken_for() {
        let (mut reader, writer) = pipe();
        let words = LastWords::on(writer);
        words.set(&["withdraw route 192.0.2.1/32".into()]);
        let watching = Arc::clone(&words);
        let watch = thread::spawn(move || watching.say_at_standstill(Duration::from_secs(1)));
        for _ in 0..200 {
            words.beat();
            thread::sleep(Duration::from_millis(10));
        }
        assert!(!watch.is_finished(), "it turned for two seconds");
        assert_eq!(watch.join().unwrap(), 1);
        drop(words);
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "withdraw route 192.0.2.1/32\n");
    }

    /// Set where this test is the process that panics.
    const PANICS: &str = "DNSHERALD_TEST_PANICS";

    #[test]
    fn a_panic_of_any_thread_says_the_last_words_and_ends_the_process() {
        if std::env::var_os(PANICS).is_some() {
            // The test runner may have begun a line.
            io::stdout().write_all(b"\n").unwrap();
            let words = LastWords::on_stdout().unwrap();
            words.set(&["withdraw route 192.0.2.1/32".into(), "withdraw route 192.0.2.2/32".into()]);
            words.say_on_panic(Duration::ZERO).unwrap();
            let _ = thread::spawn(|| panic!("on purpose")).join();
            unreachable!("it outlived the panic");
        }
        let name =
            concat!(module_path!(), "::a_panic_of_any_thread_says_the_last_words_and_ends_the_process");
        let (_, name) = name.split_once("::").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.args([name, "--exact", "--nocapture"]).env(PANICS, "").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let withdraws: Vec<_> = said.lines().filter(|line| line.contains("withdraw ")).collect();
        assert_eq!(withdraws, ["withdraw route 192.0.2.1/32", "withdraw route 192.0.2.2/32"], "{output:?}");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }

    #[test]
    fn words_that_nobody_takes_are_given_up() {
        let (_reader, mut writer) = pipe();
        // Non-blocking, as standard output is, and full.
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let copy = writer.try_clone().unwrap();
            tokio::net::unix::pipe::Sender::from_file(copy).unwrap();
        });
        while writer.write(&[b'x'; 4096]).is_ok() {}
        let words = LastWords::on(writer);
        words.set(&["withdraw route 192.0.2.1/32".into()]);
        assert_eq!(words.say(), 0);
    }
}
