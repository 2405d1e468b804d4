//! Shortens the interval of a check once its fault seems to be over: another check of its service passes again, or an event
//! shows that what it asks has returned.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Check;
use crate::engine::hysteresis::{CheckState, Verdict};
use crate::engine::moment::Moment;
use crate::outcome::Outcome;

/// The shortest interval of such a check: it may ask servers of others.
const SHORTEST: Duration = Duration::from_secs(1);

/// What the check asks may be back, so it rises at a shorter interval.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Hastened {
    /// Since when.
    since: Moment,
    /// The shorter interval.
    interval: Duration,
}

impl Check {
    /// What it asks may be back. If its last outcome was no pass, it is due at once; if it rises, after `interval`;
    /// otherwise nothing changes. It asks at `interval`, but not more than once a second, until it is up. A round that
    /// began after this and fails ends that, or one without a result if the check does not rise.
    pub(crate) fn hasten(&mut self, now: Moment, interval: Duration) {
        let interval = interval.max(SHORTEST);
        if self.last.as_ref().is_some_and(|(_, outcome)| outcome.failure().is_some()) {
            self.probe_now(now);
        } else if self.is_rising_again() {
            self.due = self.due.map(|due| due.min((self.asked_at + interval).max(now)));
        } else {
            return;
        }
        self.hastened = Some(Hastened { since: now, interval });
    }

    /// When it would be due next, and its interval, if it was hastened at `now`; `None` if that would change nothing.
    pub(super) fn if_hastened(&self, now: Moment, interval: Duration) -> Option<(Moment, Duration)> {
        let mut hastened = self.clone();
        hastened.hasten(now, interval);
        hastened.hastened.map(|_| (hastened.due.unwrap_or(now).max(now), hastened.steady_interval()))
    }

    /// Decides after an outcome whether the shorter interval still applies: while it rises, and after a round that began
    /// before the fault was over and did not pass. An unknown outcome ends no rise.
    pub(super) fn settle_haste(&mut self, outcome: &Outcome) {
        let asked_at = self.asked_at;
        let rises = self.is_rising_again();
        let has_passed = matches!(outcome, Outcome::Pass { .. });
        self.hastened = self.hastened.filter(|hastened| rises || (!has_passed && asked_at < hastened.since));
    }

    /// Its interval while no counter is in doubt.
    pub(super) fn steady_interval(&self) -> Duration {
        let interval = self.timing.interval;
        self.hastened.map_or(interval, |hastened| interval.min(hastened.interval))
    }

    fn is_rising_again(&self) -> bool {
        matches!(self.state(), CheckState::Rising(_)) && self.shown.verdict() == Some(Verdict::Down)
    }
}
