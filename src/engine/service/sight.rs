//! What a service does while its checks find out nothing about the server.
//!
//! An unknown outcome moves no route. Two rules limit how long that holds, both after `unknown-after`:
//!
//! * At the start, checks that are still unknown are left out if a witness has a verdict. If none has, what was
//!   acknowledged last stands; without a memory of that, the prefixes are withdrawn.
//! * While the service runs and every witness is unknown, the service is degraded.
//!
//! Witnesses are the checks that ask the server itself (`dns`) and are not only observed; of a service without one, all
//! its checks.

use std::time::Duration;

use super::{Service, State};
use crate::engine::action::Action;
use crate::engine::check::{Check, Severity};
use crate::engine::ladder::Stated;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::outcome::Cause;

/// What is known about how much the checks of a service see.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// The places of the checks that ask the server itself.
    witnesses: Vec<usize>,
    /// `unknown-after`.
    patience: Duration,
    /// When the checks began to look for a first verdict.
    began: Moment,
    /// `patience` has passed since.
    is_over: bool,
    /// No witness had a verdict by then, and the prefixes were stated without one.
    stated_blindly: bool,
    /// Every witness has been unknown for `patience`, after there was a verdict.
    is_blind: bool,
}

impl Sight {
    /// Of checks that begin at `now`, of which those at `witnesses` ask the server itself.
    pub(super) const fn new(now: Moment, witnesses: Vec<usize>, patience: Duration) -> Self {
        Self { witnesses, patience, began: now, is_over: false, stated_blindly: false, is_blind: false }
    }

    /// The checks forget their verdicts and begin anew.
    pub(super) const fn begin_anew(&mut self, now: Moment) {
        self.began = now;
        self.is_over = false;
        self.is_blind = false;
    }

    /// The checks go on as those of a service that a reload has changed, or still look for a first verdict.
    pub(super) const fn go_on_from(&mut self, earlier: &Self) {
        self.began = earlier.began;
        self.is_over = earlier.is_over;
        self.stated_blindly = earlier.stated_blindly;
        self.is_blind = earlier.is_blind;
    }

    /// Whether every witness has found out nothing for long.
    pub(super) const fn is_blind(&self) -> bool {
        self.is_blind
    }

    /// Whether the prefixes were stated although no witness has a verdict.
    pub(super) const fn stated_blindly(&self) -> bool {
        self.stated_blindly
    }

    fn witnesses<'a>(&self, checks: &'a [Check]) -> impl Iterator<Item = &'a Check> {
        self.witnesses.iter().filter_map(|place| checks.get(*place))
    }

    /// Since when every witness has been unknown.
    fn blind_since(&self, checks: &[Check]) -> Option<Moment> {
        let since: Option<Vec<_>> =
            self.witnesses(checks).map(|check| check.unknown().map(|unknown| unknown.since)).collect();
        since?.into_iter().max()
    }

    /// Whether a check does not hold up the first verdict of the service. A process that is not known never does, nor
    /// does a check that moves no route.
    fn leaves_out(&self, check: &Check, checks: &[Check]) -> bool {
        if !check.decides() {
            return true;
        }
        let Some(unknown) = check.unknown() else { return false };
        let decided = || self.witnesses(checks).any(|witness| witness.verdict().is_some());
        check.verdict().is_none()
            && (unknown.failure.cause == Cause::ProcessUnknown || (self.is_over && decided()))
    }
}

impl Service {
    /// The worst verdict of the checks; `None` while one that counts has none yet and none is down.
    pub(super) fn worst_verdict(&self) -> Option<Severity> {
        let counted = || self.checks.iter().filter(|check| !self.sight.leaves_out(check, &self.checks));
        let worst = counted().filter_map(Check::verdict).max();
        let all_in = counted().all(|check| check.verdict().is_some());
        worst.filter(|worst| all_in || *worst == Severity::Down)
    }

    /// When one of the two rules may apply.
    pub(super) fn sight_deadline(&self) -> Option<Moment> {
        let sight = &self.sight;
        let is_waiting = self.health.is_none() && self.checks.iter().any(|check| check.unknown().is_some());
        let start = (is_waiting && !sight.is_over).then(|| sight.began + sight.patience);
        let blind = if self.health.is_some() && !sight.is_blind {
            sight.blind_since(&self.checks).map(|since| since + sight.patience)
        } else {
            None
        };
        [start, blind].into_iter().flatten().min()
    }

    /// Applies both rules at `now`.
    pub(super) fn look_at_sight(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.sight.is_over = now >= self.sight.began + self.sight.patience;
        let since = self.sight.blind_since(&self.checks);
        let is_blind = since.is_some_and(|since| now >= since + self.sight.patience);
        // While the service runs: blind is degraded, and said loudly.
        if self.health.is_some() {
            if is_blind && !self.sight.is_blind {
                let (service, why) = (self.name.clone(), self.blindness());
                out.push(Notice::Blind { service, after: self.sight.patience, why }.into());
            }
            self.sight.is_blind = is_blind;
            return;
        }
        // At the start: what was acknowledged last stands.
        let decided = self.sight.witnesses(&self.checks).any(|check| check.verdict().is_some());
        let states = since.is_some() && self.sight.is_over && !decided && self.state == State::Starting;
        if states && !self.sight.stated_blindly {
            self.sight.stated_blindly = true;
            let stands = self.acknowledged_before.filter(|_| !self.dampening.enforced());
            self.stated = stands.and_then(Stated::of).or(Some(Stated::Withdraw));
            let (service, why) = (self.name.clone(), self.blindness());
            out.push(Notice::StartsBlind { service, after: self.sight.patience, stands, why }.into());
        }
    }

    /// Why the witnesses find out nothing.
    pub(super) fn blindness(&self) -> String {
        let reasons = self.sight.witnesses(&self.checks).filter_map(|check| {
            let unknown = check.unknown()?;
            Some(format!("check {}: {}", check.name(), unknown.failure))
        });
        reasons.collect::<Vec<_>>().join("; ")
    }
}
