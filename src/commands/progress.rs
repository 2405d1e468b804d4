//! A line of progress, while a command waits for servers.

use std::io::{IsTerminal, Write, stderr};
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, interval_at};

/// The time without output after which the line is shown.
const AFTER: Duration = Duration::from_secs(1);

/// The interval at which it is written again.
const EVERY: Duration = Duration::from_millis(200);

/// Waits for the work. If standard error is a terminal, it shows the line there until the work is done.
pub(super) async fn shown_while<T>(work: impl Future<Output = T>, line: impl Fn() -> String) -> T {
    if !stderr().is_terminal() {
        return work.await;
    }
    let mut work = pin!(work);
    let mut ticks = interval_at(Instant::now() + AFTER, EVERY);
    loop {
        tokio::select! {
            done = &mut work => {
                let _ = write!(stderr(), "\r\x1b[K");
                return done;
            }
            _ = ticks.tick() => {
                let _ = write!(stderr(), "\r{}", line());
            }
        }
    }
}
