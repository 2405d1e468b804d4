//! Rounds of probes that are under way, and the checks they belong to.
//!
//! A round keeps its number when a reload moves its check to another place, so that its outcome counts there. The
//! outcome of a round whose check is gone or changed is dropped.

use std::collections::HashMap;

use crate::engine::event::CheckId;

/// One round of one check; never used twice in the life of a helper.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct RoundId(u64);

/// Every round under way.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    begun: u64,
    under_way: HashMap<RoundId, CheckId>,
}

impl Rounds {
    /// A round of this check begins.
    pub(super) fn begin(&mut self, check: CheckId) -> RoundId {
        self.begun += 1;
        let round = RoundId(self.begun);
        self.under_way.insert(round, check);
        round
    }

    /// The round is over: the present place of its check, or `None` where no check waits for it any more.
    pub(super) fn end(&mut self, round: RoundId) -> Option<CheckId> {
        self.under_way.remove(&round)
    }

    /// A reload has moved checks: `kept` has the present place of each that goes on, by its former one.
    pub(super) fn reassign(&mut self, kept: &HashMap<CheckId, CheckId>) {
        self.under_way.retain(|_, check| match kept.get(check) {
            Some(present) => {
                *check = *present;
                true
            }
            None => false,
        });
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
    fn a_round_follows_its_check_through_reloads_and_ends_with_it() {
        let mut rounds = Rounds::default();
        let (moved, gone) = (rounds.begin(check(0)), rounds.begin(check(1)));
        rounds.reassign(&HashMap::from([(check(0), check(1))]));
        let new = rounds.begin(check(0));
        rounds.reassign(&HashMap::from([(check(1), check(2)), (check(0), check(0))]));
        assert_eq!([moved, gone, new].map(|round| rounds.end(round)), [Some(check(2)), None, Some(check(0))]);
        assert_eq!(rounds.end(moved), None, "counted once");
    }
}
