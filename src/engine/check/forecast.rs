//! When a check can reach its next verdict at the earliest, if every round from now on has the same result.

use super::{Check, Severity};
use crate::engine::hysteresis::{CheckState, Hysteresis, Verdict};
use crate::engine::moment::Moment;

/// A verdict that a row of results leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Forecast {
    /// Results in a row so far.
    pub(crate) have: u32,
    /// Results in a row that it takes.
    pub(crate) need: u32,
    /// When the last of them can come at the earliest; a round takes no time here.
    pub(crate) at: Moment,
}

impl Check {
    /// When it no longer brings down or degrades, as `severity` says; `None` if it does not do so now, or it waits for
    /// nothing.
    #[must_use]
    pub(crate) fn rises(&self, now: Moment, severity: Severity) -> Option<Forecast> {
        let counter = self.counter(severity);
        if counter.verdict() == Some(Verdict::Up) {
            return None;
        }
        let have = if let CheckState::Rising(count) = counter.state() { count } else { 0 };
        Some(self.forecast(now, have, self.timing.thresholds.rise.get()))
    }

    /// When it brings down or degrades, as `severity` says, if it goes on failing; `None` if its last result does not
    /// lead there.
    #[must_use]
    pub(crate) fn falls(&self, now: Moment, severity: Severity) -> Option<Forecast> {
        let counter = self.counter(severity);
        let CheckState::Falling(have) = counter.state() else { return None };
        Some(self.forecast(now, have, self.timing.thresholds.fall.get()))
    }

    const fn counter(&self, severity: Severity) -> &Hysteresis {
        match severity {
            Severity::Observe => &self.shown,
            Severity::Degraded => &self.degrading,
            Severity::Down => &self.downing,
        }
    }

    fn forecast(&self, now: Moment, have: u32, need: u32) -> Forecast {
        // A round that is out may be over at once.
        let next = self.due.map_or(now, |due| due.max(now));
        let further = need.saturating_sub(have).saturating_sub(1);
        Forecast { have, need, at: next + self.interval().saturating_mul(further) }
    }
}
