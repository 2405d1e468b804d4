//! Events of the last ten minutes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::moment::Moment;
use crate::text::counted;
use crate::text::period::Period;

/// The time for which an event counts.
pub(crate) const WINDOW: Duration = Duration::from_secs(10 * 60);

/// "3 falls within 10m".
pub(crate) fn counted_in_window(number: u32, thing: &str) -> String {
    format!("{} within {}", counted(number as usize, thing), Period(WINDOW))
}

/// The moments of the events within [`WINDOW`].
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Recent {
    /// When each event stops counting, the oldest first.
    forgotten_at: Vec<Moment>,
}

impl Recent {
    /// No event.
    pub(crate) const fn new() -> Self {
        Self { forgotten_at: vec![] }
    }

    /// Events of an earlier helper, which saved their ages `ago`.
    pub(crate) fn restored(now: Moment, ages: &[Duration], ago: Duration) -> Self {
        let left = ages.iter().filter_map(|age| WINDOW.checked_sub(age.saturating_add(ago)));
        let mut forgotten_at: Vec<_> = left.map(|left| now + left).collect();
        forgotten_at.retain(|at| *at > now);
        forgotten_at.sort_unstable();
        Self { forgotten_at }
    }

    /// Adds an event at `now`, and drops those older than [`WINDOW`].
    pub(crate) fn add(&mut self, now: Moment) {
        self.forgotten_at.retain(|at| *at > now);
        self.forgotten_at.push(now + WINDOW);
    }

    /// The age of each event in the window, the oldest first.
    pub(crate) fn ages(&self, now: Moment) -> impl Iterator<Item = Duration> {
        let counts = self.forgotten_at.iter().filter(move |at| **at > now);
        counts.map(move |at| WINDOW.saturating_sub(at.since(now)))
    }

    /// The number of events in the window.
    pub(crate) fn count(&self, now: Moment) -> u32 {
        u32::try_from(self.ages(now).count()).unwrap_or(u32::MAX)
    }
}
