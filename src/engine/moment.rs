//! The engine's time: microseconds since it began, with no clock behind them.
//!
//! The daemon maps its monotonic clock onto moments; a trace records them; `simulate` generates them.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in the engine's time, in whole microseconds so that a recording replays exactly.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Moment(u64);

impl Moment {
    /// The start of the engine.
    pub const START: Self = Self(0);

    /// The moment `since_start` after the beginning, rounded down to the microsecond.
    pub(crate) fn after_start(since_start: Duration) -> Self {
        Self(u64::try_from(since_start.as_micros()).unwrap_or(u64::MAX))
    }

    /// The time since `earlier`; zero if `earlier` is later.
    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The time since the start of the engine.
    pub(crate) const fn since_start(self) -> Duration {
        Duration::from_micros(self.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Rounds up, so a deadline is never early.
    fn add(self, period: Duration) -> Self {
        let micros = period.as_nanos().div_ceil(1_000);
        Self(self.0.saturating_add(u64::try_from(micros).unwrap_or(u64::MAX)))
    }
}

/// Seconds with at least three decimals: "12.300", "0.000125".
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let text = if micros % 1_000 == 0 {
            format!("{seconds}.{:03}", micros / 1_000)
        } else {
            format!("{seconds}.{micros:06}")
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_never_early() {
        let soon = Moment::START + Duration::from_nanos(1);
        assert_eq!(soon.since_start(), Duration::from_micros(1));
    }

    #[test]
    fn shows_milliseconds_and_more_only_where_needed() {
        let shown = |micros| Moment::after_start(Duration::from_micros(micros)).to_string();
        assert_eq!(shown(12_300_000), "12.300");
        assert_eq!(shown(125), "0.000125");
    }
}
