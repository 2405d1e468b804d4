//! The penalty of a service over time.

use std::time::Duration;

use crate::engine::dampening::{Dampening, Mode, Policy};
use crate::engine::moment::Moment;

/// A change of the penalty by less than this is its decay.
const JUMP: f64 = 0.5;

/// The penalty: its jumps. It decays by half in each half-life after one.
#[derive(Clone, Debug)]
pub(crate) struct Penalty {
    policy: Policy,
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
    #[must_use]
    pub(crate) fn is_on(&self) -> bool {
        self.policy.mode != Mode::Off
    }

    /// The rules.
    #[must_use]
    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The penalty at `at`.
    #[must_use]
    pub(crate) fn at(&self, at: Moment) -> f64 {
        let after = self.jumps.partition_point(|(since, _)| *since <= at);
        after.checked_sub(1).map_or(0.0, |index| self.decayed(self.jumps[index], at))
    }

    fn decayed(&self, (since, penalty): (Moment, f64), at: Moment) -> f64 {
        let half_life = self.policy.half_life.max(Duration::from_micros(1));
        penalty * libm::exp2(-(at.since(since).as_secs_f64() / half_life.as_secs_f64()))
    }

    /// The highest penalty between `from` and `until`.
    #[must_use]
    pub(crate) fn highest(&self, from: Moment, until: Moment) -> f64 {
        let after = self.jumps.partition_point(|(at, _)| *at <= from);
        let coming = self.jumps[after..].iter().take_while(|(at, _)| *at < until).map(|(_, value)| *value);
        coming.fold(self.at(from), f64::max)
    }

    /// The highest penalty of all.
    #[must_use]
    pub(crate) fn peak(&self) -> f64 {
        self.jumps.iter().map(|(_, value)| *value).fold(0.0, f64::max)
    }
}
