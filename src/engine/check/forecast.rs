//! The earliest next verdict of a check if every further round has the same result.

use std::time::Duration;

use super::{Check, Severity};
use crate::engine::hysteresis::{CheckState, Hysteresis, Verdict};
use crate::engine::moment::Moment;

/// The verdict at the end of a row of results.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Forecast {
    /// Results in a row so far.
    pub(crate) have: u32,
    /// Results in a row that are needed.
    pub(crate) need: u32,
    /// The earliest time of the last one; a round is assumed to take no time.
    pub(crate) at: Moment,
}

impl Check {
    /// The earliest time at which it no longer brings the service down or degrades it, as `severity` says; `None` if
    /// its counter is up. A check without a verdict has a forecast, too. `shortest` is the shortest interval of the service,
    /// at which the check may be asked once its fault seems to be over ([`Check::hasten`]).
    pub(crate) fn rises(&self, now: Moment, severity: Severity, shortest: Duration) -> Option<Forecast> {
        let counter = self.counter(severity);
        if counter.verdict() == Some(Verdict::Up) {
            return None;
        }
        let have = if let CheckState::Rising(count) = counter.state() { count } else { 0 };
        let need = have + counter.passes_to_rise();
        let mut forecast = self.forecast(now, have, need);
        if self.timing.interval > shortest
            && let Some((next, interval)) = self.if_hastened(now, shortest)
        {
            forecast.at = forecast.at.min(next + interval.saturating_mul(need.saturating_sub(have + 1)));
        }
        Some(forecast)
    }

    /// The earliest time at which it brings the service down or degrades it, as `severity` says, if it keeps failing;
    /// `None` if its last result does not lead there.
    pub(crate) fn falls(&self, now: Moment, severity: Severity) -> Option<Forecast> {
        let counter = self.counter(severity);
        let CheckState::Falling(have) = counter.state() else { return None };
        Some(self.forecast(now, have, have + counter.failures_to_fall()))
    }

    /// The end of the wait for the last pass, after which the check has no effect on the service: `now` plus its timeout.
    /// `None` unless it has passes and lacks exactly one. A round under way does not matter, so that an unknown outcome
    /// does not end the wait.
    pub(crate) fn last_pass_by(&self, now: Moment) -> Option<Moment> {
        let Forecast { have, need, .. } = self.rises(now, Severity::Degraded, self.timing.interval)?;
        (have > 0 && have + 1 == need).then(|| now + self.timing.timeout)
    }

    pub(super) const fn counter(&self, severity: Severity) -> &Hysteresis {
        match severity {
            Severity::Observe => &self.shown,
            Severity::Degraded => &self.degrading,
            Severity::Down => &self.downing,
        }
    }

    fn forecast(&self, now: Moment, have: u32, need: u32) -> Forecast {
        // A round under way may end at once.
        let next = self.due.map_or(now, |due| due.max(now));
        let further = need.saturating_sub(have).saturating_sub(1);
        Forecast { have, need, at: next + self.interval().saturating_mul(further) }
    }
}
