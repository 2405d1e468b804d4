//! The axis of time: its ticks, and which column of the picture shows which time.

use std::time::Duration;

use crate::engine::moment::Moment;

/// Ticks at most, without that at zero.
const MOST: u32 = 7;

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Distances of ticks from a minute on, in microseconds. Below, 1, 2 and 5 with zeros, and 15 and 30 seconds.
const LONG: [u64; 24] = [
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    5 * DAY,
    10 * DAY,
    20 * DAY,
    50 * DAY,
    100 * DAY,
    200 * DAY,
    500 * DAY,
    1000 * DAY,
    2000 * DAY,
];

/// The time from the begin to the end, over so many columns. Its labels count from the begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    begin: Moment,
    span: Duration,
    pub(super) columns: u32,
}

impl Axis {
    /// A picture of a moment shows a second.
    pub(super) fn new(begin: Moment, end: Moment, columns: u32) -> Self {
        let span = end.since(begin);
        Self { begin, span: if span.is_zero() { Duration::from_secs(1) } else { span }, columns }
    }

    /// The time at the left edge of a column.
    pub(super) fn time(&self, column: u32) -> Moment {
        let nanos = self.span.as_nanos() * u128::from(column) / u128::from(self.columns);
        self.begin + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The column that shows this time, at most the last.
    pub(super) fn column(&self, at: Moment) -> u32 {
        let column = at.since(self.begin).as_nanos() * u128::from(self.columns) / self.span.as_nanos();
        u32::try_from(column).unwrap_or(u32::MAX).min(self.columns - 1)
    }

    /// The columns of the ticks, and their labels.
    pub(super) fn ticks(&self) -> Vec<(u32, String)> {
        let step = self.step();
        let micros = u64::try_from(self.span.as_micros()).unwrap_or(u64::MAX).max(1);
        let times = (0..=micros / step).map(|number| number * step);
        let place = |time: u64| {
            let column = u128::from(time) * u128::from(self.columns) / u128::from(micros);
            (u32::try_from(column).unwrap_or(self.columns), label(time))
        };
        times.map(place).collect()
    }

    /// The distance of the ticks, in microseconds.
    fn step(&self) -> u64 {
        let micros = u64::try_from(self.span.as_micros()).unwrap_or(u64::MAX);
        let short = (0..8).flat_map(|zeros| [1, 2, 5].map(|digit| digit * 10_u64.pow(zeros)));
        let mut steps = short.filter(|step| *step <= 10 * SECOND).chain(LONG);
        steps.find(|step| micros / step <= u64::from(MOST)).unwrap_or(5000 * DAY)
    }
}

/// A time in at most two units: "0s", "250ms", "1.5s", "1m 30s", "2d 12h".
fn label(micros: u64) -> String {
    if micros == 0 {
        return "0s".to_owned();
    }
    for (unit, name) in [(SECOND, "s"), (1000, "ms"), (1, "us")] {
        if (unit..MINUTE).contains(&micros) {
            return format!(
                "{}{name}",
                Duration::from_micros(micros).div_duration_f64(Duration::from_micros(unit))
            );
        }
    }
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")];
    let mut rest = micros;
    let mut words = vec![];
    for (unit, name) in units {
        if rest >= unit {
            words.push(format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    words.truncate(2);
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_readable() {
        let labels = |micros: u64| {
            let axis = Axis::new(Moment::START, Moment::START + Duration::from_micros(micros), 600);
            axis.ticks().into_iter().map(|(_, label)| label).collect::<Vec<_>>()
        };
        assert_eq!(labels(90 * SECOND), ["0s", "15s", "30s", "45s", "1m", "1m 15s", "1m 30s"]);
        assert_eq!(labels(40 * MINUTE).last().map(String::as_str), Some("40m"));
        assert_eq!(labels(0), ["0s", "200ms", "400ms", "600ms", "800ms", "1s"]);
        for micros in (0..55).map(|power| 1_u64 << power).filter(|micros| *micros < 3653 * DAY) {
            let labels = labels(micros);
            assert!((2..=8).contains(&labels.len()), "{micros}: {labels:?}");
            assert!(labels.iter().all(|label| label.len() <= 8), "{labels:?}");
        }
    }

    #[test]
    fn every_time_has_a_column() {
        let axis = Axis::new(Moment::START, Moment::START + Duration::from_secs(100), 600);
        assert_eq!(
            (axis.column(Moment::START), axis.time(300)),
            (0, Moment::START + Duration::from_secs(50))
        );
        assert_eq!(axis.column(Moment::START + Duration::from_secs(1000)), 599);
    }
}
