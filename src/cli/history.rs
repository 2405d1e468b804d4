//! Options of `history`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use clap::Args;

use super::Helper;
use crate::sys::local_time::Zone;
use crate::text::period::Period;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Options of `history`.
#[derive(Args, Debug)]
pub(crate) struct HistoryOptions {
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// Only this service, and what concerns all
    pub(crate) service: Option<String>,
    /// Only from this time on: a period before now such as 2h, or a time as `history` prints it, such as 02:10 or
    /// 2026-11-26 22:04:31; with T and Z it is UTC
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Point>,
    /// Only until this time, as for --since; the minute or second that it names is included
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Point>,
    /// Print one line of JSON for each entry
    #[arg(long)]
    pub(crate) json: bool,
    /// Write what the flight recorder of the running helper holds to a new file, as a trace for `simulate`
    ///
    /// It holds the last events since the start or the last reload: more than an hour of a service with six checks at
    /// defaults, more or less with `control.recorder`. Unless that is 0, the minute before a service went down is also kept
    /// in a file, which `history` names.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["service", "since", "until", "json"])]
    pub(crate) dump: Option<PathBuf>,
}

/// A point in time: a period ago, or a time of day, of today or yesterday unless it has a date.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Point {
    /// Where it begins.
    pub(crate) time: SystemTime,
    /// The unit of its last figure: a minute, a second, or nothing.
    unit: Duration,
}

impl Point {
    /// Where it ends.
    pub(crate) fn end(self) -> SystemTime {
        self.time.checked_add(self.unit).unwrap_or(self.time)
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        point(text, SystemTime::now(), &Zone::from_this_host()).ok_or_else(|| {
            format!(
                "`{text}` is no time, expected a period such as 2h, a local time such as 02:10 or 2026-11-26 22:04:31, \
                 or 2026-11-26T22:04:31Z"
            )
        })
    }
}

/// The point in time that this text names in a zone.
fn point(text: &str, now: SystemTime, zone: &Zone) -> Option<Point> {
    if let Ok(Period(ago)) = text.parse() {
        return Some(Point { time: now.checked_sub(ago)?, unit: Duration::ZERO });
    }
    let (seconds, unit) = match text.matches(':').count() {
        1 => (":00", Duration::from_secs(60)),
        _ if text.contains('.') => ("", Duration::ZERO),
        _ => ("", Duration::from_secs(1)),
    };
    if let Ok(time) = humantime::parse_rfc3339(text) {
        return Some(Point { time, unit });
    }
    let on = |day: SystemTime| {
        let date = if text.contains('-') { String::new() } else { format!("{} ", zone.at(day).date()) };
        let shown = humantime::parse_rfc3339_weak(&format!("{date}{text}{seconds}")).ok()?;
        Some(zone.when_shown(shown))
    };
    // A time of day that has not begun yet is one of yesterday.
    let time = match on(now)? {
        future if future > now && !text.contains('-') => on(now.checked_sub(DAY)?)?,
        time => time,
    };
    Some(Point { time, unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_period_or_local_or_in_utc() {
        let now = humantime::parse_rfc3339("2026-11-27T03:00:00Z").unwrap();
        let berlin = Zone::named("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let utc = |text: &str| {
            point(text, now, &berlin).map(|point| humantime::format_rfc3339_seconds(point.time).to_string())
        };
        for (text, expected) in [
            ("2h", "2026-11-27T01:00:00Z"),
            ("02:10", "2026-11-27T01:10:00Z"),
            ("02:10:30", "2026-11-27T01:10:30Z"),
            ("22:04", "2026-11-26T21:04:00Z"),
            ("2026-11-26 22:04:31", "2026-11-26T21:04:31Z"),
            ("2026-11-26 22:04", "2026-11-26T21:04:00Z"),
            ("2026-07-01 12:00", "2026-07-01T10:00:00Z"),
            ("2026-11-26T22:04:31Z", "2026-11-26T22:04:31Z"),
        ] {
            assert_eq!(utc(text).as_deref(), Some(expected), "{text}");
        }
        for (text, seconds) in [
            ("2h", 0),
            ("02:10", 60),
            ("02:10:30", 1),
            ("02:10:30.5", 0),
            ("2026-11-26 22:04", 60),
            ("2026-11-26T22:04:31Z", 1),
        ] {
            let Point { time, unit } = point(text, now, &berlin).unwrap();
            assert_eq!((unit.as_secs(), time + unit), (seconds, Point { time, unit }.end()), "{text}");
        }
        for text in ["2h ago", "yesterday", "25:00", "2026-11-26", ""] {
            assert_eq!(utc(text), None, "{text}");
        }
    }
}
