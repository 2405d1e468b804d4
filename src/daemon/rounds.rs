//! Tracks running rounds of probes and their checks.
//!
//! A round keeps its number if a reload moves its check, so its outcome still counts. The outcome is dropped if its
//! check was removed or changed.

use std::collections::HashMap;

use crate::engine::event::CheckId;

/// The number of a round, unique for the life of a helper.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct RoundId(u64);

#[derive(Debug, Default)]
pub(super) struct Rounds {
    last: u64,
    running: HashMap<RoundId, CheckId>,
}

impl Rounds {
    /// Starts a round of this check.
    pub(super) fn begin(&mut self, check: CheckId) -> RoundId {
        self.last += 1;
        let round = RoundId(self.last);
        self.running.insert(round, check);
        round
    }

    /// Ends a round. Returns the current ID of its check, or `None` if the check no longer waits for it.
    pub(super) fn end(&mut self, round: RoundId) -> Option<CheckId> {
        self.running.remove(&round)
    }

    /// Updates the IDs after a reload. `kept` maps the former ID of each remaining check to the current one.
    pub(super) fn reassign(&mut self, kept: &HashMap<CheckId, CheckId>) {
        self.running.retain(|_, check| kept.get(check).map(|present| *check = *present).is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::ServiceId;

    const fn check(service: usize) -> CheckId {
        CheckId { service: ServiceId(service), check: 0 }
    }

    #[test]
    fn a_round_follows_its_check_through_reloads() {
        let mut rounds = Rounds::default();
        let (moved, gone) = (rounds.begin(check(0)), rounds.begin(check(1)));
        rounds.reassign(&HashMap::from([(check(0), check(1))]));
        let new = rounds.begin(check(0));
        rounds.reassign(&HashMap::from([(check(1), check(2)), (check(0), check(0))]));
        assert_eq!([moved, gone, new].map(|round| rounds.end(round)), [Some(check(2)), None, Some(check(0))]);
        assert_eq!(rounds.end(moved), None, "counted once");
    }
}
