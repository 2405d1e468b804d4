//! Counts outcomes, and reports the changes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Check, Severity, UNSEEN};
use crate::engine::hysteresis::{CheckState, Hysteresis, Observed, Thresholds};
use crate::engine::moment::Moment;
use crate::outcome::{Cause, Failure, Lost, Outcome};

/// The change due to an outcome.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Another state of the check; `first` if it had no verdict before.
    State { from: CheckState, to: CheckState, why: String, first: bool },
    /// The first of a series of unknown outcomes.
    BecameUnknown { why: String },
    /// The end of a series of unknown outcomes, after this time.
    BecameKnown { after: Duration },
}

/// A series of unknown outcomes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Unknown {
    /// When the first of them arrived.
    pub(crate) since: Moment,
    /// The last of them.
    pub(crate) failure: Failure,
}

impl Check {
    pub(super) fn count(&mut self, now: Moment, outcome: &Outcome) -> Vec<Change> {
        let (from, first) = (self.state(), self.shown.verdict().is_none());
        self.last = Some((now, outcome.clone()));
        // An unknown outcome is shown and changes no counter, unless the configuration gives it a severity.
        if let Outcome::Unknown(failure) = outcome
            && self.on_fail.severity(failure.cause) == Severity::Observe
        {
            // What was lost of late may have the same reason.
            self.counters().into_iter().for_each(Hysteresis::clear_window);
            return self.become_unknown(now, failure).into_iter().collect();
        }
        self.lacks_address = match outcome {
            Outcome::Unknown(_) => self.lacks_address,
            _ => self.on_fail.misses_address(outcome),
        };
        let known =
            self.unknown.take().map(|unknown| Change::BecameKnown { after: now.since(unknown.since) });
        match outcome {
            Outcome::Pass { lost, .. } => self.count_pass(*lost),
            Outcome::Fail(failure) | Outcome::Unknown(failure) => self.count_failure(failure),
        }
        if let Some(loss) = self.loss() {
            let last = self.failure.take().map(|failure| format!("; last: {failure}"));
            self.failure = Some(loss + &last.unwrap_or_default());
        }
        if self.shown.alternated() {
            let Thresholds { rise, fall, .. } = self.timing.thresholds;
            self.failure = Some(format!("alternates: never {rise} passes or {fall} failures in a row"));
        }
        let to = self.state();
        let changed =
            (from.word() != to.word()).then(|| Change::State { from, to, why: self.explain(), first });
        known.into_iter().chain(changed).collect()
    }

    fn count_failure(&mut self, failure: &Failure) {
        self.failure = Some(failure.to_string());
        self.cause = Some(failure.cause);
        let fail = if failure.cause.is_definite() { Observed::FailForSure } else { Observed::Fail };
        self.count_result(failure.cause, fail, Lost::NONE);
    }

    /// A lost question is as bad as a timeout, though it counts in the windows only.
    fn count_pass(&mut self, lost: Lost) {
        (self.failure, self.cause) = (None, None);
        self.count_result(Cause::Timeout, Observed::Pass, lost);
        // A round in which no probe has passed yet counts as a pass, and proves nothing.
        self.was_up |= self.shown.state() == CheckState::Up && !self.is_unseen();
    }

    /// Counts a result with the counters that the severity of its cause concerns. The others count a pass.
    fn count_result(&mut self, cause: Cause, result: Observed, lost: Lost) {
        let severity = if self.is_unproven() { Severity::Observe } else { self.on_fail.severity(cause) };
        let bars = [Severity::Observe, Severity::Degraded, Severity::Down];
        for (counter, bar) in self.counters().into_iter().zip(bars) {
            match severity >= bar {
                true => counter.on_result(result, lost),
                false => counter.on_result(Observed::Pass, Lost::NONE),
            }
        }
    }

    fn counters(&mut self) -> [&mut Hysteresis; 3] {
        [&mut self.shown, &mut self.degrading, &mut self.downing]
    }

    fn become_unknown(&mut self, now: Moment, failure: &Failure) -> Option<Change> {
        let since = self.unknown.as_ref().map(|unknown| unknown.since);
        self.unknown = Some(Unknown { since: since.unwrap_or(now), failure: failure.clone() });
        since.is_none().then(|| Change::BecameUnknown { why: failure.to_string() })
    }

    fn explain(&self) -> String {
        let Thresholds { rise, fall, .. } = self.timing.thresholds;
        let failure = self.failure().unwrap_or("failed");
        let unproven = if self.is_unproven() { "; not counted before its first pass" } else { "" };
        match self.state() {
            CheckState::Falling(count) => format!("{failure} ({count} of {fall}){unproven}"),
            CheckState::Down => format!("{failure}{unproven}"),
            CheckState::Rising(_) | CheckState::Up if self.is_unseen() => UNSEEN.to_owned(),
            CheckState::Rising(count) => {
                let loss = self.loss().map(|loss| format!(", but {loss}"));
                format!("passed ({count} of {rise}){}", loss.unwrap_or_default())
            }
            CheckState::Up | CheckState::Unknown => "passed".to_owned(),
        }
    }
}
