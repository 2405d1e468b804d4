//! The window: how many of the last rounds failed, in whatever order.
//!
//! A server that answers only some of its queries passes and fails alternately, and may never fail `fall` times in a row.
//! The window of a counter therefore adds up its last rounds. A failed round counts 1; one that passed counts the share of its
//! probes whose first question was lost. So a random loss of 30 % counts about 0.3 in a round of one address, and hardly more in
//! one of a few. With many it counts more, since a round fails if one probe loses all its questions: about 0.5 with 16 probes.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::outcome::Lost;

/// The number of failures among the last rounds that takes a check down: `fall = { failures = 30, of = 60 }`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct WindowRule {
    /// Failed rounds that take the check down; half as many degrade it.
    pub(crate) failures: NonZeroU32,
    /// Rounds that are counted; at least `failures`.
    pub(crate) of: NonZeroU32,
}

impl WindowRule {
    /// The rule for degrading: half as many failures.
    pub(crate) fn halved(self) -> Self {
        Self { failures: NonZeroU32::new(self.failures.get().div_ceil(2)).unwrap_or(self.failures), ..self }
    }
}

/// The weight of a failed round. Shares are rounded up to multiples of 1 / `ROUND`.
const ROUND: u64 = 1_000_000;

/// The last rounds of one counter.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Window {
    rule: WindowRule,
    rounds: VecDeque<u64>,
    sum: u64,
}

impl Window {
    /// No rounds yet.
    pub(super) const fn new(rule: WindowRule) -> Self {
        Self { rule, rounds: VecDeque::new(), sum: 0 }
    }

    /// Forgets all rounds.
    pub(super) fn clear(&mut self) {
        self.rounds.clear();
        self.sum = 0;
    }

    /// Counts a round that passed or failed.
    pub(super) fn count(&mut self, failed: bool, lost: Lost) {
        let weight = if failed { ROUND } else { lost.share_of(ROUND) };
        self.rounds.push_back(weight);
        self.sum += weight;
        if self.rounds.len() > self.rule.of.get() as usize {
            self.sum -= self.rounds.pop_front().unwrap_or_default();
        }
    }

    /// Whether it holds at least as many failures as the rule says.
    pub(super) fn is_failing(&self) -> bool {
        self.sum >= ROUND * u64::from(self.rule.failures.get())
    }

    /// The number of passed rounds after which the window is full and holds at most half of the rule's failures.
    pub(super) fn clears_in(&self) -> u32 {
        let most = ROUND * u64::from(self.rule.failures.get()) / 2;
        let missing = self.rule.of.get() as usize - self.rounds.len();
        let mut sum = self.sum;
        let dropped = self.rounds.iter().take_while(|weight| {
            let drops = sum > most;
            sum -= if drops { **weight } else { 0 };
            drops
        });
        let dropped = dropped.count();
        u32::try_from(missing + dropped).unwrap_or(u32::MAX)
    }

    /// For a message: "31 of the last 60 rounds failed or were lost".
    pub(super) fn phrase(&self) -> String {
        format!("{} of the last {} rounds failed or were lost", self.sum.div_ceil(ROUND), self.rounds.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(failures: u32, of: u32) -> Window {
        let count = |number| NonZeroU32::new(number).unwrap();
        Window::new(WindowRule { failures: count(failures), of: count(of) })
    }

    #[test]
    fn failed_rounds_and_shares_of_passed_ones_add_up() {
        let mut window = window(3, 6);
        for lost in 1..=3 {
            window.count(false, Lost { lost, of: 3 });
        }
        assert!(!window.is_failing());
        window.count(true, Lost::NONE);
        assert!(window.is_failing());
        assert_eq!(window.phrase(), "4 of the last 4 rounds failed or were lost");
        window.clear();
        assert!(!window.is_failing());
    }

    #[test]
    fn it_clears_once_it_is_full_and_holds_half() {
        let mut window = window(2, 4);
        [true, true, false].into_iter().for_each(|failed| window.count(failed, Lost::NONE));
        assert_eq!(window.clears_in(), 2);
        window.count(false, Lost::NONE);
        assert_eq!(window.clears_in(), 1);
        window.count(false, Lost::NONE);
        assert_eq!(window.clears_in(), 0);
    }
}
