//! The rule of a time zone as POSIX writes it in `TZ`: `CET-1CEST,M3.5.0,M10.5.0/3`.

use super::{DAY, HOUR, MINUTE, Offset, first_day_of, is_leap};

/// Standard time, and perhaps daylight saving time for a part of each year.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Rule {
    standard: Offset,
    saving: Option<Saving>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Saving {
    offset: Offset,
    begins: Change,
    ends: Change,
}

/// A change of each year: a day, and the seconds from its midnight by the clocks before the change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Change {
    day: Day,
    second: i64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Day {
    /// `M3.5.0`: the month, which of its weeks (5 is the last), the day of the week from Sunday.
    OfWeek { month: i64, week: i64, weekday: i64 },
    /// `J60`: from 1, without the leap day.
    SkippingLeap(i64),
    /// `60`: from 0.
    OfYear(i64),
}

impl Rule {
    /// Parses a rule; `None` if the text is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (name, rest) = name(text)?;
        let (west, rest) = time(rest)?;
        let standard = Offset { seconds: -west, name };
        if rest.is_empty() {
            return Some(Self { standard, saving: None });
        }
        let (name, rest) = self::name(rest)?;
        let (west, rest) = if rest.starts_with(',') { (west - HOUR, rest) } else { time(rest)? };
        let (begins, rest) = Change::parse(rest.strip_prefix(',')?)?;
        let (ends, rest) = Change::parse(rest.strip_prefix(',')?)?;
        let saving = Saving { offset: Offset { seconds: -west, name }, begins, ends };
        rest.is_empty().then_some(Self { standard, saving: Some(saving) })
    }

    /// The offset in force at this time, in seconds since 1970.
    pub(super) fn at(&self, unix: i64) -> Offset {
        let Some(saving) = &self.saving else { return self.standard.clone() };
        let year = super::civil(unix.saturating_add(self.standard.seconds).div_euclid(DAY)).0;
        let begins = saving.begins.in_year(year) - self.standard.seconds;
        let ends = saving.ends.in_year(year) - saving.offset.seconds;
        // In the southern hemisphere it spans the end of the year.
        let saves =
            if begins <= ends { (begins..ends).contains(&unix) } else { !(ends..begins).contains(&unix) };
        if saves { saving.offset.clone() } else { self.standard.clone() }
    }
}

impl Change {
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (day, rest) = Day::parse(text)?;
        match rest.strip_prefix('/') {
            Some(rest) => time(rest).map(|(second, rest)| (Self { day, second }, rest)),
            None => Some((Self { day, second: 2 * HOUR }, rest)),
        }
    }

    /// Seconds from 1970, by the clocks before the change.
    fn in_year(self, year: i64) -> i64 {
        self.day.in_year(year) * DAY + self.second
    }
}

impl Day {
    fn parse(text: &str) -> Option<(Self, &str)> {
        if let Some(rest) = text.strip_prefix('M') {
            let (month, rest) = number(rest)?;
            let (week, rest) = number(rest.strip_prefix('.')?)?;
            let (weekday, rest) = number(rest.strip_prefix('.')?)?;
            let is_one = (1..=12).contains(&month) && (1..=5).contains(&week) && (0..=6).contains(&weekday);
            return is_one.then_some((Self::OfWeek { month, week, weekday }, rest));
        }
        if let Some(rest) = text.strip_prefix('J') {
            let (day, rest) = number(rest)?;
            return (1..=365).contains(&day).then_some((Self::SkippingLeap(day), rest));
        }
        let (day, rest) = number(text)?;
        (0..=365).contains(&day).then_some((Self::OfYear(day), rest))
    }

    /// The day counted from 1970-01-01.
    fn in_year(self, year: i64) -> i64 {
        let first = first_day_of(year);
        match self {
            Self::OfYear(day) => first + day,
            Self::SkippingLeap(day) => first + day - 1 + i64::from(is_leap(year) && day >= 60),
            Self::OfWeek { month, week, weekday } => {
                let lengths =
                    [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
                let months = (1..).zip(lengths);
                let begin =
                    first + months.clone().filter(|(nth, _)| *nth < month).map(|(_, days)| days).sum::<i64>();
                let length: i64 = months.filter(|(nth, _)| *nth == month).map(|(_, days)| days).sum();
                // 1970-01-01 was a Thursday.
                let first_such = begin + (weekday - (begin + 4)).rem_euclid(7);
                let nth = first_such + 7 * (week - 1);
                if nth < begin + length { nth } else { nth - 7 }
            }
        }
    }
}

/// At least three letters, or `<` and `>` around letters, digits and signs.
fn name(text: &str) -> Option<(String, &str)> {
    let (name, rest) = match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?,
        None => text.split_at(text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len())),
    };
    let is_one = name.len() >= 3 && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-'));
    is_one.then(|| (name.to_owned(), rest))
}

/// `[+-]hh[:mm[:ss]]` in seconds.
fn time(text: &str) -> Option<(i64, &str)> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, mut rest) = number(rest)?;
    let mut seconds = hours * HOUR;
    for unit in [MINUTE, 1] {
        let Some(more) = rest.strip_prefix(':') else { break };
        let (count, after) = number(more)?;
        seconds += count * unit;
        rest = after;
    }
    Some((sign * seconds, rest))
}

/// Up to three digits.
fn number(text: &str) -> Option<(i64, &str)> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    (digits.len() <= 3).then(|| digits.parse().ok()).flatten().map(|number| (number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The offset in hours and the name at this time.
    fn at(rule: &str, unix: i64) -> (i64, String) {
        let offset = Rule::parse(rule).unwrap().at(unix);
        (offset.seconds / HOUR, offset.name)
    }

    #[test]
    fn summer_begins_and_ends_to_the_second() {
        // 2026-03-29 01:00 and 2026-10-25 01:00 UTC.
        let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
        for (unix, hours) in [(1_774_745_999, 1), (1_774_746_000, 2), (1_792_889_999, 2), (1_792_890_000, 1)]
        {
            assert_eq!(at(berlin, unix).0, hours, "{unix}");
        }
    }

    #[test]
    fn in_the_south_summer_lasts_over_the_turn_of_the_year() {
        // 2026-01-01, 2026-07-01, 2026-12-31.
        let sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
        for (unix, expected) in [(1_767_225_600, 11), (1_782_864_000, 10), (1_798_675_200, 11)] {
            assert_eq!(at(sydney, unix).0, expected, "{unix}");
        }
    }

    #[test]
    fn rules_of_all_forms_are_read() {
        assert_eq!(at("UTC0", 0), (0, "UTC".into()));
        assert_eq!(at("EST5", 0), (-5, "EST".into()));
        assert_eq!(at("<+0330>-3:30", 0), (3, "+0330".into()));
        assert_eq!(at("ABC-1DEF-3,J60/0,J300/0", first_day_of(2024) * DAY + 61 * DAY), (3, "DEF".into()));
        assert_eq!(at("ABC0DEF,59/0,300/0", first_day_of(2024) * DAY + 59 * DAY), (1, "DEF".into()));
        for wrong in [
            "",
            "C1",
            "CET",
            "CET-1CEST",
            "CET-1CEST,M3.5",
            "CET-1CEST,M13.1.0,M10.5.0",
            "CET-1 ",
            "CET-9999",
        ] {
            assert_eq!(Rule::parse(wrong), None, "{wrong}");
        }
    }
}
