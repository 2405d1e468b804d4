//! Hysteresis: how many results in a row it takes to change one's mind.
//!
//! ```text
//!              pass × rise                       pass × rise
//!   unknown ──────────────► up ◄──────────────────────────── rising
//!      │                    │ ▲                               │  ▲
//!      │ fail × fall   fail │ │ pass                     fail │  │ pass
//!      ▼                    ▼ │                               ▼  │
//!     down ◄───────────── falling                             down
//!           fail × fall
//! ```
//!
//! From `unknown` nothing is taken for granted: a pass starts rising and a failure starts falling anew, and a
//! server that keeps alternating is called down after `rise + fall` results without a verdict.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// How many results in a row change the verdict.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Thresholds {
    /// Passes in a row to go up.
    pub rise: NonZeroU32,
    /// Failures in a row to go down.
    pub fall: NonZeroU32,
}

/// Where a series of results has led.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// No result yet.
    Unknown,
    /// Passing, but not yet `rise` times in a row.
    Rising(u32),
    /// Up.
    Up,
    /// Failing, but not yet `fall` times in a row.
    Falling(u32),
    /// Down.
    Down,
}

impl State {
    /// The same word whatever the count.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Rising(_) => "rising",
            Self::Up => "up",
            Self::Falling(_) => "falling",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What one round of probing says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Result {
    /// It passed.
    Pass,
    /// It failed.
    Fail,
    /// It failed in a way that repetition cannot make any surer.
    FailForSure,
}

/// A counter of results in a row, and the verdict they have led to.
#[derive(Clone, Debug)]
pub struct Hysteresis {
    thresholds: Thresholds,
    state: State,
    /// Results seen before the first verdict; `None` once there was one.
    undecided: Option<u32>,
}

impl Hysteresis {
    /// Nothing known yet.
    #[must_use]
    pub const fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, state: State::Unknown, undecided: Some(0) }
    }

    /// Where the results so far have led.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether there has been a verdict since the start.
    #[must_use]
    pub const fn decided(&self) -> bool {
        self.undecided.is_none()
    }

    /// The standing verdict: down, as opposed to up or undecided. Falling is still up, rising still down.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        self.decided() && matches!(self.state, State::Down | State::Rising(_))
    }

    /// Takes one more result.
    pub fn take(&mut self, result: Result) {
        self.state = self.next(result);
        if let Some(seen) = &mut self.undecided {
            *seen += 1;
            let Thresholds { rise, fall } = self.thresholds;
            if *seen >= rise.saturating_add(fall.get()).get() {
                self.state = match self.state {
                    State::Up => State::Up,
                    _ => State::Down,
                };
            }
        }
        if matches!(self.state, State::Up | State::Down) {
            self.undecided = None;
        }
    }

    fn next(&self, result: Result) -> State {
        let Thresholds { rise, fall } = self.thresholds;
        let rising = |passes| {
            if passes >= rise.get() { State::Up } else { State::Rising(passes) }
        };
        let falling = |failures| {
            if failures >= fall.get() { State::Down } else { State::Falling(failures) }
        };
        match (self.state, result) {
            (_, Result::FailForSure) => State::Down,
            (State::Up, Result::Pass) => State::Up,
            (State::Falling(_), Result::Pass) if self.decided() => State::Up,
            (State::Rising(passes), Result::Pass) => rising(passes + 1),
            (State::Unknown | State::Down | State::Falling(_), Result::Pass) => rising(1),
            (State::Down, Result::Fail) => State::Down,
            (State::Rising(_), Result::Fail) if self.decided() => State::Down,
            (State::Falling(failures), Result::Fail) => falling(failures + 1),
            (State::Unknown | State::Up | State::Rising(_), Result::Fail) => falling(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(rise: u32, fall: u32, results: &str) -> Hysteresis {
        let thresholds =
            Thresholds { rise: NonZeroU32::new(rise).unwrap(), fall: NonZeroU32::new(fall).unwrap() };
        let mut hysteresis = Hysteresis::new(thresholds);
        for result in results.chars() {
            hysteresis.take(match result {
                '+' => Result::Pass,
                '-' => Result::Fail,
                _ => Result::FailForSure,
            });
        }
        hysteresis
    }

    #[test]
    fn goes_up_after_rise_passes_and_down_after_fall_failures() {
        assert_eq!(after(3, 2, "++").state(), State::Rising(2));
        assert_eq!(after(3, 2, "+++").state(), State::Up);
        assert_eq!(after(3, 2, "+++-").state(), State::Falling(1));
        assert_eq!(after(3, 2, "+++--").state(), State::Down);
    }

    #[test]
    fn a_pass_while_falling_returns_to_up_and_a_failure_while_rising_to_down() {
        assert_eq!(after(2, 3, "++--+").state(), State::Up);
        assert_eq!(after(3, 2, "--++-").state(), State::Down);
    }

    #[test]
    fn nothing_is_taken_for_granted_before_the_first_verdict() {
        assert_eq!(after(2, 3, "-+").state(), State::Rising(1));
        assert_eq!(after(2, 3, "+-").state(), State::Falling(1));
        assert!(!after(2, 3, "+-+-").decided());
    }

    #[test]
    fn endless_alternation_is_down() {
        assert_eq!(after(2, 3, "+-+-+").state(), State::Down);
    }

    #[test]
    fn a_definite_failure_needs_no_repetition() {
        assert_eq!(after(2, 3, "++!").state(), State::Down);
    }

    #[test]
    fn falling_still_counts_as_up_and_rising_still_as_down() {
        assert!(!after(2, 3, "++--").is_down());
        assert!(after(2, 3, "---+").is_down());
    }
}
