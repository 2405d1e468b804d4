//! Local time, in the time zone of `TZ`, else of `/etc/localtime`.
//!
//! The standard library knows UTC only. If a zone cannot be read, UTC is used.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tz::{DateTime, LocalTimeType, TimeZone, TimeZoneSettings};

/// Where names of zones are looked up, and how their files are read.
const DATABASE: TimeZoneSettings<'static> = TimeZoneSettings::new(&["/usr/share/zoneinfo"], read);

/// Maximum size of a file of the database; usual ones have a few kilobytes.
const LONGEST: u64 = 1 << 20;

/// Stands for a time whose year is beyond the range of a `DateTime`.
const EPOCH: DateTime = match DateTime::from_timespec_and_local(0, 0, LocalTimeType::utc()) {
    Ok(epoch) => epoch,
    Err(_) => panic!("1970 is in range"),
};

const HOUR: i32 = 3600;
const MINUTE: i32 = 60;

/// A time zone.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::utc())
    }
}

/// A point in time in a zone.
#[derive(Clone, Debug)]
pub(crate) struct Local(DateTime);

/// "2026-11-26 22:04:31".
impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.date(), self.time())
    }
}

impl Zone {
    /// The zone in which the user of this process reads times.
    pub(crate) fn from_this_host() -> Self {
        let zone = match std::env::var_os("TZ") {
            Some(name) => name.to_str().and_then(Self::named),
            None => DATABASE.parse_local().ok().map(Self),
        };
        zone.unwrap_or_default()
    }

    /// The zone that a value of `TZ` names: a file, with or without a leading colon, or a rule such as
    /// `CET-1CEST,M3.5.0,M10.5.0/3`; empty for UTC.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "" | ":" => Some(Self::default()),
            name => DATABASE.parse_posix_tz(name).ok().map(Self),
        }
    }

    /// The local time of this zone at `time`; in UTC if the zone does not say.
    pub(crate) fn at(&self, time: SystemTime) -> Local {
        let unix = unix_seconds(time);
        let in_zone = |zone: &TimeZone| {
            DateTime::from_timespec(unix, 0, zone.as_ref()).or_else(|error| {
                let zone = zone.as_ref();
                // A file without a rule says nothing of the time after its last change: nothing changes then.
                let last =
                    zone.transitions().last().filter(|last| last.unix_leap_time() <= unix).ok_or(error)?;
                DateTime::from_timespec_and_local(
                    unix,
                    0,
                    zone.local_time_types()[last.local_time_type_index()],
                )
            })
        };
        let utc = || in_zone(&TimeZone::utc()).unwrap_or(EPOCH);
        Local(in_zone(&self.0).unwrap_or_else(|_| utc()))
    }

    /// When the clocks of this zone show what clocks in UTC show at `shown`. Of an hour that occurs twice it is one of
    /// both.
    pub(crate) fn when_shown(&self, shown: SystemTime) -> SystemTime {
        let estimate = shifted(shown, -self.at(shown).offset());
        shifted(shown, -self.at(estimate).offset())
    }
}

impl Local {
    /// Seconds east of UTC.
    fn offset(&self) -> i32 {
        self.0.local_time_type().ut_offset()
    }

    /// "UTC+01:00".
    fn offset_from_utc(&self) -> String {
        let (sign, seconds) = (if self.offset() < 0 { '-' } else { '+' }, self.offset().abs());
        format!("UTC{sign}{:02}:{:02}", seconds / HOUR, seconds % HOUR / MINUTE)
    }

    /// "22:04:31".
    pub(crate) fn time(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.0.hour(), self.0.minute(), self.0.second())
    }

    /// "2026-11-26".
    pub(crate) fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.month_day())
    }

    /// The zone in one word: "UTC", "CET"; of a zone without letters "UTC+05:30".
    pub(crate) fn zone_word(&self) -> String {
        match self.0.local_time_type().time_zone_designation() {
            "" => "UTC".to_owned(),
            name if name.chars().all(|character| character.is_ascii_alphabetic()) => name.to_owned(),
            _ => self.offset_from_utc(),
        }
    }

    /// "UTC", "CET (UTC+01:00)".
    pub(crate) fn zone(&self) -> String {
        match self.0.local_time_type().time_zone_designation() {
            "" | "UTC" if self.offset() == 0 => "UTC".to_owned(),
            name => format!("{name} ({})", self.offset_from_utc()),
        }
    }

    /// Whether both are on the same day.
    pub(crate) fn is_on_day_of(&self, other: &Self) -> bool {
        (self.0.year(), self.0.year_day()) == (other.0.year(), other.0.year_day())
    }
}

/// Reads a file of the database.
fn read(path: &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(format!("{path} is no file").into());
    }
    let mut bytes = vec![];
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `time` after so many seconds, which may be negative; `time` itself if the result cannot be represented.
fn shifted(time: SystemTime, seconds: i32) -> SystemTime {
    let distance = Duration::from_secs(u64::from(seconds.unsigned_abs()));
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

#[cfg(test)]
mod tests {
    use tz::timezone::Transition;

    use super::*;

    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn shown(zone: &Zone, unix: u64) -> String {
        let local = zone.at(UNIX_EPOCH + Duration::from_secs(unix));
        format!("{} {} {}", local.date(), local.time(), local.zone())
    }

    #[test]
    fn a_local_time_is_found_again() {
        let berlin = Zone::named(BERLIN).unwrap();
        let at = |unix: u64| UNIX_EPOCH + Duration::from_secs(unix);
        // Around both changes of 2026, and in between.
        for unix in [1_774_742_400, 1_774_746_000, 1_774_749_600, 1_780_000_000, 1_792_882_800, 1_792_890_000]
        {
            let offset = i64::from(berlin.at(at(unix)).offset());
            assert_eq!(berlin.when_shown(at(unix.saturating_add_signed(offset))), at(unix), "{unix}");
        }
        assert_eq!(Zone::default().when_shown(at(1_780_000_000)), at(1_780_000_000));
    }

    #[test]
    fn a_zone_is_a_rule_or_nothing() {
        let berlin = Zone::named(BERLIN).unwrap();
        assert_eq!(shown(&berlin, 1_795_745_071), "2026-11-27 03:04:31 CET (UTC+01:00)");
        assert_eq!(shown(&berlin, 1_783_000_000), "2026-07-02 15:46:40 CEST (UTC+02:00)");
        for utc in ["", ":", "UTC0"] {
            assert_eq!(shown(&Zone::named(utc).unwrap(), 1_795_745_071), "2026-11-27 02:04:31 UTC");
        }
        let kolkata = Zone::named("<+0530>-5:30").unwrap();
        assert_eq!(shown(&kolkata, 1_795_745_071), "2026-11-27 07:34:31 +0530 (UTC+05:30)");
        assert_eq!(kolkata.at(UNIX_EPOCH).zone_word(), "UTC+05:30");
        assert!(Zone::named("/nonexistent").is_none());
        assert!(Zone::named("/").is_none(), "a directory is no zone");
    }

    #[test]
    fn a_file_without_a_rule_keeps_its_last_offset() {
        let types = vec![LocalTimeType::utc(), LocalTimeType::new(19_800, false, Some(b"IST")).unwrap()];
        let zone = TimeZone::new(vec![Transition::new(1_000_000_000, 1)], types, vec![], None).unwrap();
        let before = "2001-09-09 01:46:39 UTC";
        assert_eq!(shown(&Zone(zone.clone()), 999_999_999), before);
        assert_eq!(shown(&Zone(zone), 1_795_745_071), "2026-11-27 07:34:31 IST (UTC+05:30)");
    }

    #[test]
    fn a_time_before_1970_and_one_beyond_all_years_are_shown_too() {
        let local = Zone::default().at(UNIX_EPOCH - Duration::from_millis(500));
        assert_eq!((local.date(), local.time()), ("1969-12-31".into(), "23:59:59".into()));
        let distant = UNIX_EPOCH + Duration::from_secs(1 << 62);
        assert_eq!(Zone::default().at(distant).date(), "1970-01-01");
    }
}
