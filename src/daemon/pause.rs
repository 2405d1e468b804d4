//! Times in which this process did not run: it was stopped, or the machine paused or slept.

use std::time::{Duration, SystemTime};

use super::Daemon;
use crate::history::{Entry, Kind};
use crate::sys::clock::since_boot;
use crate::text::period::Shown;

/// A shorter time is not reported: a busy machine delays a turn of the loop, too.
const LEAST: Duration = Duration::from_secs(2);

/// One wait of the loop, by the clock that also counts while the machine sleeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    began: Duration,
    limit: Duration,
}

impl Wait {
    /// A wait that begins now, and ends after `limit` at the latest.
    pub(super) fn begin(limit: Duration) -> Self {
        Self { began: since_boot(), limit }
    }

    /// How long this process did not run, if the wait ended only at `now`.
    fn overrun(self, now: Duration) -> Option<Duration> {
        let late = now.saturating_sub(self.began).saturating_sub(self.limit);
        (late >= LEAST).then_some(late)
    }
}

impl Daemon<'_> {
    /// Reports, after a wait of the loop, that this process did not run meanwhile.
    pub(super) fn report_pause(&self, wait: Wait) {
        let Some(late) = wait.overrun(since_boot()) else { return };
        let text = format!(
            "this process did not run for {} (stopped, or the machine paused): the outcomes of that time are discarded",
            Shown(Duration::from_secs(late.as_secs()))
        );
        log::warn!("{text}");
        if let Some(history) = &self.history {
            history.note(Entry::new(SystemTime::now(), Kind::Pause, None, &text).as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wait_that_ends_seconds_late_is_a_pause() {
        let millis = Duration::from_millis;
        let wait = Wait { began: millis(5_000), limit: millis(1_000) };
        assert_eq!(wait.overrun(millis(5_100)), None, "an event ended it");
        assert_eq!(wait.overrun(millis(7_900)), None, "the machine is busy");
        assert_eq!(wait.overrun(millis(34_000)), Some(millis(28_000)));
        assert_eq!(wait.overrun(millis(0)), None);
    }
}
