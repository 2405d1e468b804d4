//! When a failed write is repeated, and what the log says of it.

use std::time::{Duration, Instant};

use crate::text::counted;
use crate::text::period::Shown;

/// Pause before a failed write is repeated: the first and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The writes that failed since the last one that succeeded.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Retry(Option<Trouble>);

/// Writes that failed, one after the other.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    since: Instant,
    attempts: usize,
    pause: Duration,
    again_at: Instant,
}

impl Retry {
    /// The time until the next attempt; `None` if the last one did not fail.
    pub(in crate::daemon) fn again_in(&self) -> Option<Duration> {
        self.0.map(|trouble| trouble.again_at.saturating_duration_since(Instant::now()))
    }

    /// Notes that a write failed. Returns whether it is the first one that did, which is to be logged.
    pub(in crate::daemon) fn failed(&mut self) -> bool {
        let now = Instant::now();
        let (since, attempts, pause) = self.0.map_or((now, 0, PAUSE), |before| {
            (before.since, before.attempts, (before.pause * 2).min(LONGEST_PAUSE))
        });
        self.0 = Some(Trouble { since, attempts: attempts + 1, pause, again_at: now + pause });
        attempts == 0
    }

    /// Notes that a write succeeded. Returns the attempts that failed before, for the log.
    pub(in crate::daemon) fn succeeded(&mut self) -> Option<String> {
        let Trouble { since, attempts, .. } = self.0.take()?;
        Some(format!("{} in {}", counted(attempts, "failed attempt"), Shown(since.elapsed())))
    }
}
