//! The engine's moments on the wall clock.
//!
//! The engine counts from its start and knows no time of day. Every document is written at a moment of the engine and
//! at a time of day; its other times are a period before or after that. If the clock is set, the times of the next
//! document change, but no period does.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::engine::moment::Moment;

/// A time of day and its date, in JSON after RFC 3339 in UTC with milliseconds: "2026-11-26T22:04:31.250Z".
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(into = "String", try_from = "String")]
pub struct Time(SystemTime);

impl Time {
    /// The last time that can be written, in seconds since 1970: the end of the year 9999.
    const LAST: Duration = Duration::from_secs(253_402_300_799);

    /// `None` for a time before 1970 or after 9999, which cannot be written.
    pub(crate) fn new(time: SystemTime) -> Option<Self> {
        let since_1970 = time.duration_since(UNIX_EPOCH).ok()?;
        (since_1970 <= Self::LAST).then_some(Self(time))
    }

    /// As the system counts it.
    #[must_use]
    pub const fn system(self) -> SystemTime {
        self.0
    }

    /// Seconds since 1970, as metrics count; `None` for an earlier time.
    pub(crate) fn since_1970(self) -> Option<Duration> {
        self.0.duration_since(UNIX_EPOCH).ok()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis(self.0).fmt(f)
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let time = humantime::parse_rfc3339(&text).ok().and_then(Self::new);
        time.ok_or_else(|| format!("`{text}` is no time, expected one such as 2026-11-26T22:04:31.250Z"))
    }
}

/// A moment of the engine and the time of day at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    now: Moment,
    wall: SystemTime,
}

impl Clock {
    /// At the moment `now` the wall clock shows `wall`.
    pub(crate) const fn new(now: Moment, wall: SystemTime) -> Self {
        Self { now, wall }
    }

    /// The moment of the engine.
    pub(crate) const fn now(&self) -> Moment {
        self.now
    }

    /// The time of day at `moment`; `None` if it cannot be written.
    pub(crate) fn at(&self, moment: Moment) -> Option<Time> {
        if moment > self.now {
            self.time_after(moment.since(self.now))
        } else {
            self.time_before(self.now.since(moment))
        }
    }

    /// The time of day a period before; `None` if it cannot be written.
    pub(crate) fn time_before(&self, period: Duration) -> Option<Time> {
        self.wall.checked_sub(period).and_then(Time::new)
    }

    /// The time of day after a period; `None` if it cannot be written.
    pub(crate) fn time_after(&self, period: Duration) -> Option<Time> {
        self.wall.checked_add(period).and_then(Time::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-27 02:04:31 UTC.
    const WALL: Duration = Duration::from_millis(1_795_745_071_250);

    #[test]
    fn moments_are_periods_from_the_wall_clock() {
        let now = Moment::after_start(Duration::from_secs(100));
        let clock = Clock::new(now, UNIX_EPOCH + WALL);
        let shown =
            |seconds| clock.at(Moment::after_start(Duration::from_secs(seconds))).unwrap().to_string();
        assert_eq!(shown(100), "2026-11-27T02:04:31.250Z");
        assert_eq!(shown(0), "2026-11-27T02:02:51.250Z");
        assert_eq!(shown(160), "2026-11-27T02:05:31.250Z");
    }

    #[test]
    fn a_time_that_cannot_be_written_is_left_out() {
        let clock = Clock::new(Moment::START, UNIX_EPOCH + Duration::from_secs(10));
        assert_eq!(
            clock.time_before(Duration::from_secs(11)),
            None,
            "a host whose clock has not been set yet"
        );
        assert_eq!(clock.time_after(Duration::from_secs(253_402_300_800)), None);
        assert_eq!(clock.time_after(Duration::MAX), None);
        assert_eq!(clock.time_before(Duration::MAX), None);
    }

    #[test]
    fn json_is_read_back() {
        let time = Time::new(UNIX_EPOCH + WALL).unwrap();
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(json, "\"2026-11-27T02:04:31.250Z\"");
        assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), time);
        assert!(
            serde_json::from_str::<Time>("\"yesterday\"")
                .unwrap_err()
                .to_string()
                .contains("expected one such as")
        );
    }
}
