//! The outcomes of a check, counted in slices of time. The number of slices is bounded: where there are too many, each
//! becomes twice as long.

use std::time::Duration;

use crate::engine::moment::Moment;
use crate::outcome::Outcome;

/// Slices that are kept.
const MOST: usize = 4096;

/// The length of a slice at first.
const SHORTEST: Duration = Duration::from_millis(1);

/// The outcomes of one check.
#[derive(Clone, Debug)]
pub(crate) struct Outcomes {
    slice: Duration,
    /// The number of the slice, and its outcomes, in order of time.
    counted: Vec<(u64, Count)>,
}

/// Outcomes by kind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) unknown: u64,
}

impl Count {
    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.unknown += other.unknown;
    }
}

impl Default for Outcomes {
    fn default() -> Self {
        Self { slice: SHORTEST, counted: vec![] }
    }
}

impl Outcomes {
    /// Counts an outcome. Outcomes come in order of time.
    pub(crate) fn note(&mut self, at: Moment, outcome: &Outcome) {
        let one = match outcome {
            Outcome::Pass { .. } => Count { passed: 1, ..Count::default() },
            Outcome::Fail(_) => Count { failed: 1, ..Count::default() },
            Outcome::Unknown(_) => Count { unknown: 1, ..Count::default() },
        };
        let number = self.number(at);
        push(&mut self.counted, number, one);
        if self.counted.len() > MOST {
            self.slice *= 2;
            let before = std::mem::take(&mut self.counted);
            for (number, count) in before {
                push(&mut self.counted, number / 2, count);
            }
        }
    }

    fn number(&self, at: Moment) -> u64 {
        u64::try_from(at.since_start().as_micros() / self.slice.as_micros()).unwrap_or(u64::MAX)
    }

    /// Each slice with an outcome: its beginning and the outcomes.
    pub(crate) fn slices(&self) -> impl Iterator<Item = (Moment, Count)> {
        let micros = u64::try_from(self.slice.as_micros()).unwrap_or(u64::MAX);
        let begin = move |number: u64| Moment::START + Duration::from_micros(number.saturating_mul(micros));
        self.counted.iter().map(move |(number, count)| (begin(*number), *count))
    }

    /// All outcomes.
    pub(crate) fn total(&self) -> Count {
        let mut total = Count::default();
        for (_, count) in &self.counted {
            total.add(*count);
        }
        total
    }
}

fn push(counted: &mut Vec<(u64, Count)>, number: u64, count: Count) {
    match counted.last_mut() {
        Some((last, sum)) if *last == number => sum.add(count),
        _ => counted.push((number, count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn millions_of_outcomes_take_a_bounded_number_of_slices() {
        let mut outcomes = Outcomes::default();
        for second in 0..1_000_000 {
            outcomes.note(Moment::START + Duration::from_secs(second), &Outcome::pass(Duration::ZERO));
        }
        assert!(outcomes.counted.len() <= MOST, "{}", outcomes.counted.len());
        assert_eq!(outcomes.total().passed, 1_000_000);
        assert!(outcomes.slices().map(|(at, _)| at).is_sorted());
    }
}
