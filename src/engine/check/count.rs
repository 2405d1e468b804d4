//! Counts outcomes, and says what each changed.

use std::time::Duration;

use super::{Check, Severity};
use crate::engine::hysteresis::{CheckState, Observed, Thresholds};
use crate::engine::moment::Moment;
use crate::outcome::{Failure, Outcome};

/// What an outcome changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// The state that the check shows.
    State {
        /// Before.
        from: CheckState,
        /// After; always another state.
        to: CheckState,
        /// The outcome that did it.
        why: String,
    },
    /// From now on the check finds out nothing about the server.
    Blind {
        /// The first unknown outcome.
        why: String,
    },
    /// The check finds out again how the server is.
    Sees {
        /// How long it did not.
        after: Duration,
    },
}

/// Outcomes in a row that said nothing about the server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unknown {
    /// When the first of them came.
    pub(crate) since: Moment,
    /// The last of them.
    pub(crate) failure: Failure,
}

impl Check {
    pub(super) fn count(&mut self, now: Moment, outcome: &Outcome) -> Vec<Change> {
        let from = self.shown.state();
        self.last = Some((now, outcome.clone()));
        // An unknown outcome is shown, and leaves every counter as it is, unless it is configured to count.
        if let Outcome::Unknown(failure) = outcome
            && self.on_fail.severity(failure.cause) == Severity::Observe
        {
            return self.become_blind(now, failure).into_iter().collect();
        }
        self.lacks_address = match outcome {
            Outcome::Unknown(_) => self.lacks_address,
            _ => self.on_fail.misses_address(outcome),
        };
        let sees = self.unknown.take().map(|unknown| Change::Sees { after: now.since(unknown.since) });
        match outcome.failure() {
            None => {
                self.failure = None;
                for counter in [&mut self.shown, &mut self.degrading, &mut self.downing] {
                    counter.on_result(Observed::Pass);
                }
                self.was_up |= self.shown.state() == CheckState::Up;
            }
            Some(failure) => self.count_failure(failure),
        }
        if self.shown.alternated() {
            let Thresholds { rise, fall, .. } = self.timing.thresholds;
            self.failure = Some(format!("alternates: never {rise} passes or {fall} failures in a row"));
        }
        let to = self.shown.state();
        let changed = (from.word() != to.word()).then(|| Change::State { from, to, why: self.explain() });
        sees.into_iter().chain(changed).collect()
    }

    fn count_failure(&mut self, failure: &Failure) {
        self.failure = Some(failure.to_string());
        let severity =
            if self.is_unproven() { Severity::Observe } else { self.on_fail.severity(failure.cause) };
        let fail = if failure.cause.is_definite() { Observed::FailForSure } else { Observed::Fail };
        let at_least = |bar| if severity >= bar { fail } else { Observed::Pass };
        self.shown.on_result(fail);
        self.degrading.on_result(at_least(Severity::Degraded));
        self.downing.on_result(at_least(Severity::Down));
    }

    fn become_blind(&mut self, now: Moment, failure: &Failure) -> Option<Change> {
        let since = self.unknown.as_ref().map(|unknown| unknown.since);
        self.unknown = Some(Unknown { since: since.unwrap_or(now), failure: failure.clone() });
        since.is_none().then(|| Change::Blind { why: failure.to_string() })
    }

    fn explain(&self) -> String {
        let Thresholds { rise, fall, .. } = self.timing.thresholds;
        let failure = self.failure().unwrap_or("failed");
        match self.state() {
            CheckState::Falling(count) => format!("{failure} ({count} of {fall})"),
            CheckState::Down => failure.to_owned(),
            CheckState::Rising(count) => format!("passed ({count} of {rise})"),
            CheckState::Up | CheckState::Unknown => "passed".to_owned(),
        }
    }
}
