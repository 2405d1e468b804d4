//! Hysteresis: the number of equal results in a row that changes a verdict.
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
//! Before the first verdict (`unknown` above) a pass after failures starts a new row, and so does a failure after passes. A
//! server that keeps alternating gets the verdict `down` at a failure, once there were `rise + fall` results without a verdict
//! and `fall` failures among them.
//!
//! In `exabgp healthcheck` new rows start after the first verdict, too: a pass while falling starts rising, and a failure
//! while rising starts falling. That is [`RelapsePolicy::StartsAnew`]; the verdict stands until another is reached, and
//! alternating results give none.
//!
//! A [window] may stand beside the rows: too many failures among the last rounds bring down, too. Then it takes a row of
//! passes and a full window with at most half as many failures to go up.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use self::window::Window;
use crate::outcome::Lost;

pub(crate) use self::window::WindowRule;

mod window;

/// The numbers of results in a row that change the verdict.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Thresholds {
    /// Passes in a row to go up.
    pub(crate) rise: NonZeroU32,
    /// Failures in a row to go down.
    pub(crate) fall: NonZeroU32,
    /// The effect of a result that interrupts such a row.
    pub(crate) relapse: RelapsePolicy,
    /// How many failures among the last rounds change it, too.
    pub(crate) window: Option<WindowRule>,
}

impl Thresholds {
    /// The same with half as many failures in the window.
    pub(crate) fn halved(self) -> Self {
        Self { window: self.window.map(WindowRule::halved), ..self }
    }
}

/// The effect of a pass while falling, or of a failure while rising, once there is a verdict.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RelapsePolicy {
    /// The check returns to its verdict.
    #[default]
    Returns,
    /// A row in the other direction begins, as in `exabgp healthcheck`.
    StartsAnew,
}

/// The state after a series of results.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CheckState {
    /// No result yet.
    Unknown,
    /// Passing, but not yet `rise` times in a row, or kept down by the window.
    Rising(u32),
    /// Up.
    Up,
    /// Failing, but not yet `fall` times in a row.
    Falling(u32),
    /// Down.
    Down,
}

impl CheckState {
    /// The name of the state, without the count.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Rising(_) => "rising",
            Self::Up => "up",
            Self::Falling(_) => "falling",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for CheckState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The result of one round.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Observed {
    /// It passed.
    Pass,
    /// It failed.
    Fail,
    /// It failed for sure: no repetition is needed.
    FailForSure,
}

/// The verdict of a series of results.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Verdict {
    /// It is up.
    Up,
    /// It is down.
    Down,
}

/// A counter of results in a row, with the verdict.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Hysteresis {
    thresholds: Thresholds,
    state: CheckState,
    verdict: Option<Verdict>,
    /// Results seen before the first verdict.
    undecided: u32,
    /// Failures among them.
    failed: u32,
    /// The last result brought the verdict `down` because results alternated, so no row was long enough.
    alternated: bool,
    window: Option<Window>,
    /// The window has brought it down.
    is_lossy: bool,
}

impl Hysteresis {
    /// No result yet.
    pub(crate) fn new(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            window: thresholds.window.map(Window::new),
            is_lossy: false,
            state: CheckState::Unknown,
            verdict: None,
            undecided: 0,
            failed: 0,
            alternated: false,
        }
    }

    /// The state after the results so far.
    pub(crate) const fn state(&self) -> CheckState {
        self.state
    }

    /// The verdict, which lasts while falling and rising. `None` before the first.
    pub(crate) const fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }

    /// Whether the last result took it down because results alternated for too long, so neither row was ever complete.
    pub(crate) const fn alternated(&self) -> bool {
        self.alternated
    }

    /// Why it is down, if the window has brought it down.
    pub(crate) fn loss(&self) -> Option<String> {
        self.window.as_ref().filter(|_| self.is_lossy).map(Window::phrase)
    }

    /// How many passes it takes to go up, at least those of a row.
    pub(crate) fn passes_to_rise(&self) -> u32 {
        let have = if let CheckState::Rising(count) = self.state { count } else { 0 };
        let row = self.thresholds.rise.get().saturating_sub(have);
        let clears = self.window.as_ref().filter(|_| self.is_lossy).map_or(0, Window::clears_in);
        row.max(clears)
    }

    /// How many failures in a row take it down, by the row or by the window.
    pub(crate) fn failures_to_fall(&self) -> u32 {
        let mut next = self.clone();
        let falls = |_: &u32| {
            next.on_result(Observed::Fail, Lost::NONE);
            next.verdict == Some(Verdict::Down)
        };
        (1..=self.thresholds.fall.get()).find(falls).unwrap_or(self.thresholds.fall.get())
    }

    /// Forgets the rounds in the window. The verdict stands.
    pub(crate) fn clear_window(&mut self) {
        if let Some(window) = &mut self.window {
            window.clear();
        }
    }

    /// Counts one more result. Of a round that passed, `lost` of its probes had to ask again.
    pub(crate) fn on_result(&mut self, result: Observed, lost: Lost) {
        let before = self.verdict;
        self.follow_rows(result);
        self.follow_window(before, result, lost);
    }

    /// Counts the round in the window while the server is up by its rows, or the window keeps it down.
    fn follow_window(&mut self, before: Option<Verdict>, result: Observed, lost: Lost) {
        let Some(window) = &mut self.window else { return };
        let was_lossy = self.is_lossy && result != Observed::FailForSure;
        let is_up_by_rows = self.verdict == Some(Verdict::Up);
        // Before the first verdict, and while a row of failures keeps it down, the rows alone decide.
        if before.is_none() || !(is_up_by_rows || was_lossy) {
            self.is_lossy = false;
            return window.clear();
        }
        window.count(result != Observed::Pass, lost);
        self.is_lossy =
            if was_lossy { !is_up_by_rows || window.clears_in() > 0 } else { window.is_failing() };
        if self.is_lossy && is_up_by_rows {
            // Passes in a row do not bring the check up while the window keeps it down.
            self.state =
                if was_lossy { CheckState::Rising(self.thresholds.rise.get()) } else { CheckState::Down };
            self.verdict = Some(Verdict::Down);
        }
    }

    /// Counts the round in the rows.
    fn follow_rows(&mut self, result: Observed) {
        self.state = self.next(result);
        self.alternated = false;
        if self.verdict.is_none() {
            self.undecided = self.undecided.saturating_add(1);
            self.failed = self.failed.saturating_add((result == Observed::Fail).into());
            if result != Observed::Pass && self.has_alternated_too_long() {
                self.alternated = self.state != CheckState::Down;
                self.state = CheckState::Down;
            }
        }
        match self.state {
            CheckState::Up => self.verdict = Some(Verdict::Up),
            CheckState::Down => self.verdict = Some(Verdict::Down),
            CheckState::Unknown | CheckState::Rising(_) | CheckState::Falling(_) => {}
        }
    }

    /// Neither row is complete, though there were results enough for both. `fall` failures are needed all the same: one
    /// lost packet after a start is no reason to withdraw.
    fn has_alternated_too_long(&self) -> bool {
        let Thresholds { rise, fall, relapse, .. } = self.thresholds;
        let enough = rise.saturating_add(fall.get()).get();
        relapse == RelapsePolicy::Returns && self.undecided >= enough && self.failed >= fall.get()
    }

    fn next(&self, result: Observed) -> CheckState {
        let Thresholds { rise, fall, relapse, .. } = self.thresholds;
        let rising = |passes| if passes >= rise.get() { CheckState::Up } else { CheckState::Rising(passes) };
        let falling =
            |failures| if failures >= fall.get() { CheckState::Down } else { CheckState::Falling(failures) };
        let returns = self.verdict.is_some() && relapse == RelapsePolicy::Returns;
        match (self.state, result) {
            (_, Observed::FailForSure) => CheckState::Down,
            (CheckState::Up, Observed::Pass) => CheckState::Up,
            (CheckState::Falling(_), Observed::Pass) if returns => CheckState::Up,
            (CheckState::Rising(passes), Observed::Pass) => rising(passes + 1),
            (CheckState::Unknown | CheckState::Down | CheckState::Falling(_), Observed::Pass) => rising(1),
            (CheckState::Down, Observed::Fail) => CheckState::Down,
            (CheckState::Rising(_), Observed::Fail) if returns => CheckState::Down,
            (CheckState::Falling(failures), Observed::Fail) => falling(failures + 1),
            (CheckState::Unknown | CheckState::Up | CheckState::Rising(_), Observed::Fail) => falling(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(rise: u32, fall: u32, results: &str) -> Hysteresis {
        with(RelapsePolicy::Returns, rise, fall, results)
    }

    fn with(relapse: RelapsePolicy, rise: u32, fall: u32, results: &str) -> Hysteresis {
        let count = |number| NonZeroU32::new(number).unwrap();
        let thresholds = Thresholds { rise: count(rise), fall: count(fall), relapse, window: None };
        let mut hysteresis = Hysteresis::new(thresholds);
        for result in results.chars() {
            let result = match result {
                '+' => Observed::Pass,
                '-' => Observed::Fail,
                _ => Observed::FailForSure,
            };
            hysteresis.on_result(result, Lost::NONE);
        }
        hysteresis
    }

    #[test]
    fn goes_up_after_rise_passes_and_down_after_fall_failures() {
        assert_eq!(after(3, 2, "++").state(), CheckState::Rising(2));
        assert_eq!(after(3, 2, "+++").state(), CheckState::Up);
        assert_eq!(after(3, 2, "+++-").state(), CheckState::Falling(1));
        assert_eq!(after(3, 2, "+++--").state(), CheckState::Down);
    }

    #[test]
    fn the_window_may_take_it_down_before_the_row() {
        let window = WindowRule { failures: 4.try_into().unwrap(), of: 10.try_into().unwrap() };
        let [rise, fall] = [2, 3].map(|count| NonZeroU32::new(count).unwrap());
        let thresholds = Thresholds { rise, fall, relapse: RelapsePolicy::Returns, window: Some(window) };
        let mut hysteresis = Hysteresis::new(thresholds);
        for failed in [false, false, true, false, true, false, true] {
            let result = if failed { Observed::Fail } else { Observed::Pass };
            hysteresis.on_result(result, Lost::NONE);
        }
        assert_eq!((hysteresis.state(), hysteresis.failures_to_fall()), (CheckState::Falling(1), 1));
    }

    #[test]
    fn a_pass_while_falling_returns_to_up_and_a_failure_while_rising_to_down() {
        assert_eq!(after(2, 3, "++--+").state(), CheckState::Up);
        assert_eq!(after(3, 2, "--++-").state(), CheckState::Down);
    }

    #[test]
    fn a_relapse_starts_anew_before_the_first_verdict() {
        assert_eq!(after(2, 3, "-+").state(), CheckState::Rising(1));
        assert_eq!(after(2, 3, "+-").state(), CheckState::Falling(1));
        assert_eq!(after(2, 3, "+-+-").verdict(), None);
    }

    #[test]
    fn endless_alternation_is_down() {
        assert_eq!(after(2, 3, "+-+-+").verdict(), None);
        assert_eq!(after(2, 3, "+-+-+-").state(), CheckState::Down);
        assert_eq!(after(5, 3, "++++-++++-++++-").state(), CheckState::Down);
    }

    #[test]
    fn one_failure_after_the_start_only_begins_the_row_of_passes_anew() {
        assert_eq!(after(5, 3, "++++-+++").verdict(), None);
        assert_eq!(after(5, 3, "++++-+++++").state(), CheckState::Up);
        assert_eq!(after(5, 3, "++-++-+++++").state(), CheckState::Up);
        // A pass does not bring down a server that has recovered.
        assert_eq!(after(5, 3, "--+-++++").verdict(), None);
        assert_eq!(after(5, 3, "--+-+++++").state(), CheckState::Up);
    }

    #[test]
    fn a_definite_failure_needs_no_repetition() {
        assert_eq!(after(2, 3, "++!").state(), CheckState::Down);
    }

    #[test]
    fn falling_still_counts_as_up_and_rising_still_as_down() {
        assert_eq!(after(2, 3, "++--").verdict(), Some(Verdict::Up));
        assert_eq!(after(2, 3, "---+").verdict(), Some(Verdict::Down));
    }

    /// The transitions of `exabgp healthcheck`, which meanwhile leaves the route unchanged.
    #[test]
    fn exabgp_healthcheck_starts_anew_at_every_relapse() {
        let original = |results| with(RelapsePolicy::StartsAnew, 2, 3, results);
        assert_eq!(original("++-+").state(), CheckState::Rising(1));
        assert_eq!(original("++-+").verdict(), Some(Verdict::Up));
        assert_eq!(original("---+-").state(), CheckState::Falling(1));
        assert_eq!(original("---+-").verdict(), Some(Verdict::Down));
        assert_eq!(original("+-+-+-+-").verdict(), None);
    }
}
