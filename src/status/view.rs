//! The display of a document: its width, and its time zone.

use std::time::{Duration, SystemTime};

use super::{Document, Next};
use crate::sys::local_time::{Local, Zone};
use crate::text::period::Shown;

/// The minimum width.
const NARROWEST: usize = 40;

/// From this width on, names and values have their usual columns.
const USUAL: usize = 80;

/// The width and the time zone of a display.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Characters of a line.
    pub(super) width: usize,
    /// Whether lines have colors.
    pub(super) is_colored: bool,
    zone: Zone,
    /// When the document was written.
    at: SystemTime,
}

impl View {
    /// For this document, in lines of `width` characters. A document without its time counts as written now.
    pub(crate) fn new(document: &Document, width: usize, zone: Zone) -> Self {
        let at = document.at.map_or_else(SystemTime::now, super::time::Time::system);
        Self { width: width.max(NARROWEST), is_colored: false, zone, at }
    }

    /// With colors, or without.
    #[must_use]
    pub(crate) fn colored(self, is_colored: bool) -> Self {
        Self { is_colored, ..self }
    }

    /// The column of the text about a name.
    pub(super) const fn value_column(&self) -> usize {
        if self.width >= USUAL { 26 } else { 18 }
    }

    /// When the document was written: "2026-11-27 04:05:12 CET (UTC+01:00)".
    pub(super) fn written(&self) -> String {
        let local = self.zone.at(self.at);
        format!("{local} {}", local.zone())
    }

    /// A time: "22:04:31", with the date where it is not of the day on which the document was written.
    pub(super) fn time(&self, time: SystemTime) -> String {
        let (local, today): (Local, Local) = (self.zone.at(time), self.zone.at(self.at));
        if local.is_on_day_of(&today) { local.time() } else { local.to_string() }
    }

    /// The time so many seconds before the document was written.
    pub(super) fn time_before(&self, seconds: f64) -> String {
        self.time(self.at.checked_sub(period(seconds)).unwrap_or(SystemTime::UNIX_EPOCH))
    }

    /// Since when a state has lasted for so many seconds, and for how long: "since 22:04:31 (2h 3m)".
    pub(super) fn since_phrase(&self, seconds: f64) -> String {
        format!("since {} ({})", self.time_before(seconds), rough(seconds))
    }

    /// The next change, with its time in the format of all others.
    pub(super) fn next(&self, next: &Next) -> String {
        match next.at {
            Some(at) => next.text.replace(&at.to_string(), &self.time(at.system())),
            None => next.text.clone(),
        }
    }

    /// The time so many seconds after the document was written.
    pub(super) fn time_after(&self, seconds: f64) -> String {
        match self.at.checked_add(period(seconds)) {
            Some(time) => self.time(time),
            None => "a time beyond every calendar".to_owned(),
        }
    }
}

/// A number of seconds that a helper has given.
pub(super) fn period(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

/// A number of seconds, as a period for people.
pub(super) fn shown(seconds: f64) -> Shown {
    Shown(period(seconds))
}

/// A period for a quick look: whole minutes from an hour on, whole hours from a day on.
fn rough(seconds: f64) -> String {
    let seconds = period(seconds).as_secs();
    let unit = match seconds {
        ..3600 => 1,
        3600..86_400 => 60,
        _ => 3600,
    };
    humantime::format_duration(Duration::from_secs(seconds - seconds % unit)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_at_a_glance_has_two_units() {
        assert_eq!(rough(0.4), "0s");
        assert_eq!(rough(59.9), "59s");
        assert_eq!(rough(754.0), "12m 34s");
        assert_eq!(rough(7384.0), "2h 3m");
        assert_eq!(rough(187_384.0), "2days 4h");
        assert_eq!(rough(-1.0), "0s");
    }
}
