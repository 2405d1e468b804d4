//! Which signals end a long-lived command, and which it only reports.
//!
//! ```text
//! SIGTERM, SIGINT, SIGHUP, SIGQUIT ──► end the command: `run` and `healthcheck` withdraw first, `backend restart` ends its
//!                                      transaction
//! SIGSEGV, SIGBUS, SIGABRT, …      ──► default action: a crash
//! SIGPIPE                          ──► ignored by the standard library
//! other signals that end a process ──► logged, ignored
//! ```
//!
//! The default action of SIGUSR1 ends the process at once and leaves its prefixes announced. `systemctl kill -s USR1
//! exabgp`, which is meant for ExaBGP, sends it to the whole cgroup. A handler catches such signals: exec resets a
//! handler, while every child would inherit an ignored signal.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::{SIGRTMAX, SIGRTMIN};
use nix::sys::signal::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// The signals that ask a command to end.
pub(crate) const STOPS: [i32; 4] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT];

/// The same signal is logged once in this time.
const QUIET: Duration = Duration::from_secs(60);

/// Ignores signals that mean neither a stop nor a crash. A thread logs their names; if it cannot start, they are
/// ignored all the same. If the system has no descriptor left, logs that they still end the process.
pub fn ignore_strays() {
    if let Err(error) = catch_strays() {
        log::warn!(
            "cannot catch signals: {error}; a stray signal ends this process; a helper then leaves its prefixes announced"
        );
    }
}

fn catch_strays() -> io::Result<()> {
    let mut signals = Signals::new(strays())?;
    let report = move || {
        let mut reports = Reports::default();
        for signal in signals.forever() {
            if let Some(line) = reports.on_signal(signal, Instant::now()) {
                log::warn!("{line}");
            }
        }
    };
    // The handlers stay even without the thread; nothing removes them.
    let started = thread::Builder::new().name("signals".into()).stack_size(128 * 1024).spawn(report);
    if let Err(error) = started {
        log::warn!("cannot start a thread to report signals: {error}; they are ignored without a word");
    }
    Ok(())
}

/// Every signal whose default action ends the process, except stops, crashes, SIGKILL and SIGPIPE.
fn strays() -> Vec<i32> {
    let named = Signal::iterator().filter(|signal| is_stray(*signal)).map(|signal| signal as i32);
    named.chain(SIGRTMIN()..=SIGRTMAX()).collect()
}

fn is_stray(signal: Signal) -> bool {
    use Signal::*;
    match signal {
        SIGTERM | SIGINT | SIGHUP | SIGQUIT => false,
        SIGSEGV | SIGBUS | SIGFPE | SIGILL | SIGABRT | SIGSYS | SIGTRAP => false,
        SIGKILL | SIGSTOP | SIGPIPE => false,
        // These do not end a process.
        SIGCHLD | SIGCONT | SIGTSTP | SIGTTIN | SIGTTOU | SIGURG | SIGWINCH => false,
        _ => true,
    }
}

/// When each signal was logged last, and how often it was received since.
#[derive(Debug, Default)]
struct Reports(Vec<(i32, Instant, u32)>);

impl Reports {
    /// The line for a signal received at `now`; `None` if the same one was logged within [`QUIET`].
    fn on_signal(&mut self, signal: i32, now: Instant) -> Option<String> {
        let known = self.0.iter_mut().find(|(known, ..)| *known == signal);
        let unsaid = match known {
            Some((_, at, unsaid)) if now.duration_since(*at) < QUIET => {
                *unsaid += 1;
                return None;
            }
            Some((_, at, unsaid)) => {
                *at = now;
                std::mem::take(unsaid)
            }
            None => {
                self.0.push((signal, now, 0));
                0
            }
        };
        let before =
            if unsaid == 0 { String::new() } else { format!(", {unsaid} more since the last report") };
        Some(format!(
            "ignored signal {}{before}: SIGTERM, SIGINT, SIGHUP or SIGQUIT stop this process",
            name(signal)
        ))
    }
}

fn name(signal: i32) -> String {
    match Signal::try_from(signal) {
        Ok(signal) => signal.to_string(),
        Err(_) => format!("SIGRTMIN+{}", signal - SIGRTMIN()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_signals_crashes_and_ignored_signals_are_no_strays() {
        let strays = strays();
        for signal in [
            Signal::SIGUSR1,
            Signal::SIGUSR2,
            Signal::SIGALRM,
            Signal::SIGVTALRM,
            Signal::SIGPROF,
            Signal::SIGIO,
            Signal::SIGXCPU,
            Signal::SIGXFSZ,
            Signal::SIGPWR,
            Signal::SIGSTKFLT,
        ] {
            assert!(strays.contains(&(signal as i32)), "{signal}");
        }
        for signal in [Signal::SIGSEGV, Signal::SIGABRT, Signal::SIGTRAP, Signal::SIGPIPE, Signal::SIGCHLD] {
            assert!(!strays.contains(&(signal as i32)), "{signal}");
        }
        assert!(STOPS.iter().all(|signal| !strays.contains(signal)));
        assert!((SIGRTMIN()..=SIGRTMAX()).all(|signal| strays.contains(&signal)));
    }

    #[test]
    fn a_signal_is_reported_once_a_minute_with_the_number_of_the_others() {
        let mut reports = Reports::default();
        let start = Instant::now();
        let line = reports.on_signal(Signal::SIGUSR1 as i32, start).unwrap();
        assert!(line.starts_with("ignored signal SIGUSR1: SIGTERM, SIGINT"), "{line}");
        assert_eq!(reports.on_signal(Signal::SIGUSR1 as i32, start + QUIET / 2), None);
        assert!(reports.on_signal(SIGRTMIN() + 3, start).is_some_and(|line| line.contains(" SIGRTMIN+3:")));
        let line = reports.on_signal(Signal::SIGUSR1 as i32, start + QUIET).unwrap();
        assert!(line.starts_with("ignored signal SIGUSR1, 1 more since the last report:"), "{line}");
    }
}
