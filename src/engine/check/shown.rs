//! The state that a check shows, and what it needs to rise: from its three counters.

use std::time::Duration;

use super::{Check, Severity};
use crate::engine::hysteresis::{CheckState, Hysteresis, Verdict};
use crate::text::counted;

impl Check {
    /// The state of `shown`, which counts failures of any severity. If `shown` is up while the window of `downing` or
    /// `degrading` keeps that counter down, the state of that counter.
    pub(crate) fn state(&self) -> CheckState {
        let counters = [&self.downing, &self.degrading];
        let down = counters.into_iter().find(|counter| counter.verdict() == Some(Verdict::Down));
        match (self.shown.state(), down) {
            (CheckState::Up, Some(counter)) => counter.state(),
            // The other counter counts failures of a lower severity as passes.
            (CheckState::Falling(_), Some(_)) if self.shown.verdict() == Some(Verdict::Up) => {
                CheckState::Down
            }
            (state, _) => state,
        }
    }

    /// Whether its window alone is the reason of its verdict.
    pub(crate) fn is_lossy(&self) -> bool {
        self.deciding().loss().is_some()
    }

    /// The end of a sentence about its window: how many more rounds must pass without a failure.
    pub(crate) fn end_of_loss(&self) -> String {
        match self.deciding().passes_to_rise() {
            _ if !self.is_lossy() => String::new(),
            needed => format!("; needs {}", counted(needed as usize, "more pass")),
        }
    }

    /// Whether it fails by a cause whose effect is milder than its verdict: such a result counts as a pass toward the end of
    /// that verdict.
    pub(crate) fn fails_milder(&self) -> bool {
        let ends_its_verdict = matches!(self.deciding().state(), CheckState::Rising(_));
        self.failure.is_some() && ends_its_verdict && !self.is_lossy()
    }

    /// The time until it rises if every further round passes; zero while it fails as before, so that it sorts first.
    pub(crate) fn time_to_rise(&self) -> Duration {
        let fails = self.failure.is_some() && !self.fails_milder();
        let needed = if fails { 0 } else { self.deciding().passes_to_rise() };
        self.interval().saturating_mul(needed)
    }

    /// Why its window keeps it down, if the window does.
    pub(super) fn loss(&self) -> Option<String> {
        self.deciding().loss()
    }

    /// The counter that its verdict comes from.
    fn deciding(&self) -> &Hysteresis {
        self.counter(self.verdict().unwrap_or(Severity::Observe))
    }
}
