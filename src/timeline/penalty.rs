//! The penalty of a service over time.

use crate::engine::dampening::{Dampening, Mode, Policy};
use crate::engine::moment::Moment;

/// A change of the penalty by less than this is its decay.
const JUMP: f64 = 0.5;

/// The penalty: its jumps. It decays by half in each half-life after one.
#[derive(Clone, Debug)]
pub(crate) struct Penalty {
    /// The rules.
    pub(crate) policy: Policy,
    /// The time and the penalty from then on.
    jumps: Vec<(Moment, f64)>,
}

impl Penalty {
    pub(super) const fn new(policy: Policy) -> Self {
        Self { policy, jumps: vec![] }
    }

    /// Records a change.
    pub(super) fn note(&mut self, now: Moment, dampening: &Dampening) {
        let found = dampening.penalty(now);
        if (found - self.at(now)).abs() > JUMP {
            self.jumps.push((now, found));
        }
    }

    /// Whether there is a penalty in this policy.
    pub(crate) fn is_on(&self) -> bool {
        self.policy.mode != Mode::Off
    }

    /// The penalty at `at`.
    pub(crate) fn at(&self, at: Moment) -> f64 {
        let after = self.jumps.partition_point(|(since, _)| *since <= at);
        let (since, penalty) = after.checked_sub(1).map_or((at, 0.0), |index| self.jumps[index]);
        self.policy.decayed(penalty, at.since(since))
    }

    /// The highest penalty between `from` and `until`.
    pub(crate) fn highest(&self, from: Moment, until: Moment) -> f64 {
        let after = self.jumps.partition_point(|(at, _)| *at <= from);
        let coming = self.jumps[after..].iter().take_while(|(at, _)| *at < until).map(|(_, value)| *value);
        coming.fold(self.at(from), f64::max)
    }

    /// The highest penalty of all.
    pub(crate) fn peak(&self) -> f64 {
        self.jumps.iter().map(|(_, value)| *value).fold(0.0, f64::max)
    }
}
