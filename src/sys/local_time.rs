//! Local time, in the time zone of `TZ`, else of `/etc/localtime`.
//!
//! The standard library knows UTC only. [`tzif`] reads the files of the time zone database (RFC 9636), [`rule`] the
//! POSIX strings in `TZ` and at the end of these files. If a zone cannot be read, UTC is used.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::rule::Rule;
use self::tzif::History;

mod rule;
mod tzif;

/// Where names of zones are looked up.
const DATABASE: &str = "/usr/share/zoneinfo";

/// The zone of the host.
const LOCAL: &str = "/etc/localtime";

/// Maximum size of a file of the database; usual ones have a few kilobytes.
const LONGEST: u64 = 1 << 20;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The offset of local time from UTC, and its abbreviation.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Offset {
    seconds: i64,
    name: String,
}

impl Offset {
    fn utc() -> Self {
        Self { seconds: 0, name: "UTC".to_owned() }
    }
}

impl fmt::Display for Offset {
    /// "UTC+01:00".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.seconds < 0 { '-' } else { '+' };
        write!(f, "UTC{sign}{:02}:{:02}", self.seconds.abs() / HOUR, self.seconds.abs() % HOUR / MINUTE)
    }
}

/// A time zone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Zone {
    /// The changes that a file lists; empty for a zone that is only a rule.
    history: History,
    /// The rule after the last change; `None` is UTC.
    rule: Option<Rule>,
}

/// A point in time in a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Local {
    /// Days since 1970-01-01.
    day: i64,
    /// Seconds of that day.
    second: i64,
    offset: Offset,
}

impl Zone {
    /// The zone in which the user of this process reads times.
    #[must_use]
    pub(crate) fn of_this_host() -> Self {
        let zone = match std::env::var_os("TZ") {
            Some(name) => Self::named(&name),
            None => Self::from_file(Path::new(LOCAL)),
        };
        zone.unwrap_or_default()
    }

    /// The zone that a value of `TZ` names: a file, with or without a leading colon, or a rule; empty for UTC.
    fn named(name: &OsStr) -> Option<Self> {
        let bytes = name.as_bytes();
        let path = OsStr::from_bytes(bytes.strip_prefix(b":").unwrap_or(bytes));
        if path.is_empty() {
            return Some(Self::default());
        }
        let in_database: PathBuf = Path::new(DATABASE).join(path);
        Self::from_file(&in_database).or_else(|| Self::ruled(name.to_str()?))
    }

    /// A zone that is one rule, such as `CET-1CEST,M3.5.0,M10.5.0/3`.
    pub(crate) fn ruled(text: &str) -> Option<Self> {
        Some(Self { history: History::default(), rule: Some(Rule::parse(text)?) })
    }

    fn from_file(path: &Path) -> Option<Self> {
        let mut bytes = vec![];
        let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|found| found.is_file()))?;
        file.take(LONGEST).read_to_end(&mut bytes).ok()?;
        let (history, rule) = tzif::parse(&bytes)?;
        Some(Self { history, rule: rule.and_then(Rule::parse) })
    }

    /// The local time of this zone at `time`.
    #[must_use]
    pub(crate) fn at(&self, time: SystemTime) -> Local {
        let unix = unix_seconds(time);
        let listed = self.history.at(unix, self.rule.is_some());
        let ruled = || self.rule.as_ref().map(|rule| rule.at(unix));
        let offset = listed.or_else(ruled).unwrap_or_else(Offset::utc);
        let local = unix.saturating_add(offset.seconds);
        Local { day: local.div_euclid(DAY), second: local.rem_euclid(DAY), offset }
    }

    /// When the clocks of this zone show what clocks in UTC show at `shown`. Of an hour that occurs twice it is one of
    /// both.
    #[must_use]
    pub(crate) fn when_shown(&self, shown: SystemTime) -> SystemTime {
        let estimate = shifted(shown, -self.at(shown).offset.seconds);
        shifted(shown, -self.at(estimate).offset.seconds)
    }
}

/// `time` after so many seconds, which may be negative; `time` itself if the result cannot be represented.
fn shifted(time: SystemTime, seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let shifted = if seconds < 0 { time.checked_sub(distance) } else { time.checked_add(distance) };
    shifted.unwrap_or(time)
}

/// Whole seconds since 1970, rounded down.
fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX) - 1,
    }
}

impl Local {
    /// "22:04:31".
    #[must_use]
    pub(crate) fn time(&self) -> String {
        let Self { second, .. } = self;
        format!("{:02}:{:02}:{:02}", second / HOUR, second % HOUR / MINUTE, second % MINUTE)
    }

    /// "2026-11-26".
    #[must_use]
    pub(crate) fn date(&self) -> String {
        let (year, month, day) = civil(self.day);
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// The zone in one word: "UTC", "CET"; of a zone without letters "UTC+05:30".
    #[must_use]
    pub(crate) fn zone_word(&self) -> String {
        let Offset { name, .. } = &self.offset;
        if name.chars().all(|character| character.is_ascii_alphabetic()) {
            name.clone()
        } else {
            self.offset.to_string()
        }
    }

    /// "UTC", "CET (UTC+01:00)".
    #[must_use]
    pub(crate) fn zone(&self) -> String {
        match self.offset.name.as_str() {
            "UTC" if self.offset.seconds == 0 => "UTC".to_owned(),
            name => format!("{name} ({})", self.offset),
        }
    }

    /// Whether both are on the same day.
    #[must_use]
    pub(crate) const fn is_on_day_of(&self, other: &Self) -> bool {
        self.day == other.day
    }
}

/// Year, month and day of the Gregorian calendar, of a day counted from 1970-01-01.
///
/// The year is counted from March here, so the leap day is its last: 400 such years have 146097 days.
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (400 * era + year_of_era + i64::from(month <= 2), month, day_of_month)
}

/// The day, counted from 1970-01-01, on which a year begins.
const fn first_day_of(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 477
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_time_is_found_again() {
        let berlin = Zone::ruled("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let at = |unix: u64| UNIX_EPOCH + Duration::from_secs(unix);
        // Around both changes of 2026, and in between.
        for unix in [1_774_742_400, 1_774_746_000, 1_774_749_600, 1_780_000_000, 1_792_882_800, 1_792_890_000]
        {
            let offset = berlin.at(at(unix)).offset.seconds;
            assert_eq!(berlin.when_shown(at(unix.saturating_add_signed(offset))), at(unix), "{unix}");
        }
        assert_eq!(Zone::default().when_shown(at(1_780_000_000)), at(1_780_000_000));
    }

    fn shown(zone: &Zone, unix: u64) -> String {
        let local = zone.at(UNIX_EPOCH + Duration::from_secs(unix));
        format!("{} {} {}", local.date(), local.time(), local.zone())
    }

    #[test]
    fn a_zone_is_a_rule_or_nothing() {
        let berlin = Zone::named(OsStr::new("CET-1CEST,M3.5.0,M10.5.0/3")).unwrap();
        assert_eq!(shown(&berlin, 1_795_745_071), "2026-11-27 03:04:31 CET (UTC+01:00)");
        assert_eq!(shown(&berlin, 1_783_000_000), "2026-07-02 15:46:40 CEST (UTC+02:00)");
        for utc in ["", ":"] {
            let zone = Zone::named(OsStr::new(utc)).unwrap();
            assert_eq!(shown(&zone, 1_795_745_071), "2026-11-27 02:04:31 UTC");
        }
        assert!(Zone::named(OsStr::new("/nonexistent")).is_none());
        assert!(Zone::named(OsStr::new("/")).is_none(), "a directory is no zone");
    }

    #[test]
    fn days_have_dates() {
        for (day, date) in [
            (-1, (1969, 12, 31)),
            (0, (1970, 1, 1)),
            (11_016, (2000, 2, 29)),
            (19_782, (2024, 2, 29)),
            (19_783, (2024, 3, 1)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(day), date, "{day}");
        }
        for year in 1600..2500 {
            assert_eq!(civil(first_day_of(year)), (year, 1, 1));
            assert_eq!(first_day_of(year + 1) - first_day_of(year), if is_leap(year) { 366 } else { 365 });
        }
    }

    #[test]
    fn a_time_before_1970_is_shown_too() {
        let local = Zone::default().at(UNIX_EPOCH - Duration::from_millis(500));
        assert_eq!((local.date(), local.time()), ("1969-12-31".into(), "23:59:59".into()));
    }
}
