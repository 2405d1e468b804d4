//! The verdict of a set of probes, from their outcomes in any order.

use std::cmp::Reverse;
use std::time::Duration;

use crate::outcome::{Cause, Class, Failure, Lost, Outcome};

/// Whether too many of `of` probes failed for `need` of them to pass.
const fn is_lost(failed: usize, of: usize, need: usize) -> bool {
    failed > of - need
}

/// Whether a set of `of` probes that did not pass is unknown: it is a failure if too many probes failed, or if every probe
/// with a verdict did.
pub(crate) const fn is_unknown(passed: usize, failed: usize, of: usize, need: usize) -> bool {
    !is_lost(failed, of, need) && (passed > 0 || failed == 0)
}

/// Counts the outcomes of the probes of one set until no further outcome can change the verdict.
#[derive(Debug)]
pub(super) struct Tally<S> {
    of: usize,
    need: usize,
    passed: usize,
    slowest: Duration,
    lost: Lost,
    failures: Vec<(usize, Failure)>,
    /// How many of the failures are unknown outcomes.
    unknown: usize,
    severity: S,
}

impl<K: Ord, S: Fn(Cause) -> K> Tally<S> {
    /// Expects `of` outcomes, of which `need` have to pass. A higher `severity` is a worse cause.
    pub(super) const fn new(of: usize, need: usize, severity: S) -> Self {
        Self {
            of,
            need,
            passed: 0,
            slowest: Duration::ZERO,
            lost: Lost::NONE,
            failures: Vec::new(),
            unknown: 0,
            severity,
        }
    }

    /// Counts the outcome of the probe at `place`. Returns the verdict if no further outcome can change it.
    pub(super) fn count(&mut self, place: usize, outcome: Outcome) -> Option<Outcome> {
        match outcome {
            Outcome::Pass { latency, lost } => {
                self.passed += 1;
                self.slowest = self.slowest.max(latency);
                self.lost += lost;
                (self.passed == self.need).then(|| Outcome::pass(self.slowest).with(self.lost))
            }
            Outcome::Fail(failure) => {
                self.failures.push((place, failure));
                (self.is_lost() && self.has_seen_the_worst()).then(|| self.without_a_pass())
            }
            Outcome::Unknown(failure) => {
                self.failures.push((place, failure));
                self.unknown += 1;
                None
            }
        }
    }

    /// Whether too many probes failed for the set to pass, even if every unknown one had passed.
    fn is_lost(&self) -> bool {
        is_lost(self.failures.len() - self.unknown, self.of, self.need)
    }

    /// Whether the set fails by the outcomes so far: too many failed, or at least `enough` did and none passed.
    pub(super) fn fails_so_far(&self, enough: usize) -> bool {
        self.is_lost() || (self.passed == 0 && self.failures.len() - self.unknown >= enough)
    }

    fn has_seen_the_worst(&self) -> bool {
        let worst = Cause::ALL.iter().map(|cause| (self.severity)(*cause)).max();
        self.failures.iter().any(|(_, failure)| Some((self.severity)(failure.cause)) == worst)
    }

    /// The verdict of a set that did not pass.
    ///
    /// [`is_unknown`] says whether it is a failure or unknown. The cause is the worst one of the probes of that kind. The detail says how many more did not pass; probes without an outcome
    /// yet are not counted.
    pub(super) fn without_a_pass(&self) -> Outcome {
        // Fail or unknown?
        let known = self.failures.len() - self.unknown;
        let is_unknown = is_unknown(self.passed, known, self.of, self.need);
        // The worst cause of that kind; of equals the first probe.
        let worst = self
            .failures
            .iter()
            .filter(|(_, failure)| (failure.cause.class() == Class::Unknown) == is_unknown)
            .min_by_key(|(place, failure)| (Reverse((self.severity)(failure.cause)), *place));
        match (worst, self.failures.len()) {
            (None, _) => Outcome::from_cause(Cause::Local, "no probe came to an end"),
            (Some((_, failure)), 1) => failure.clone().into(),
            (Some((_, failure)), count) => Outcome::from_cause(
                failure.cause,
                format!("{failure}; and {} more of {} probes", count - 1, self.of),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EQUAL: fn(Cause) -> u8 = |_| 1;

    /// Timeouts are worst.
    const BY_TIMEOUT: fn(Cause) -> u8 = |cause| u8::from(cause == Cause::Timeout);

    fn pass(millis: u64) -> Outcome {
        Outcome::pass(Duration::from_millis(millis))
    }

    fn fail(cause: Cause) -> Outcome {
        Outcome::from_cause(cause, format!("probe: {cause}"))
    }

    #[test]
    fn a_round_passes_when_enough_have_and_is_as_slow_as_the_slowest_of_these() {
        let mut tally = Tally::new(4, 2, EQUAL);
        assert_eq!(tally.count(3, pass(7)), None);
        assert_eq!(tally.count(0, fail(Cause::Timeout)), None);
        assert_eq!(tally.count(1, pass(5)), Some(pass(7)));
    }

    #[test]
    fn a_round_counts_repeated_questions() {
        let mut tally = Tally::new(3, 3, EQUAL);
        let once = |lost| Lost { lost, of: 1 };
        assert_eq!(tally.count(0, pass(1).with(once(1))), None);
        assert_eq!(tally.count(1, pass(1)), None, "over TCP");
        assert_eq!(tally.count(2, pass(1).with(once(0))), Some(pass(1).with(Lost { lost: 1, of: 2 })));
    }

    #[test]
    fn a_round_fails_when_too_few_are_left() {
        let mut tally = Tally::new(4, 3, EQUAL);
        assert_eq!(tally.count(0, pass(1)), None);
        assert_eq!(tally.count(2, fail(Cause::Servfail)), None);
        assert_eq!(
            tally.count(1, fail(Cause::Refused)),
            Some(Outcome::from_cause(Cause::Refused, "probe: refused; and 1 more of 4 probes")),
        );
    }

    #[test]
    fn a_round_is_unknown_if_its_unknown_probes_could_have_made_it_pass() {
        let local = || Outcome::from_cause(Cause::Local, "probe: local");
        let mut tally = Tally::new(3, 2, EQUAL);
        assert_eq!(tally.count(0, local()), None);
        assert_eq!(tally.count(1, fail(Cause::Timeout)), None);
        assert_eq!(tally.count(2, pass(1)), None);
        let unknown = Outcome::from_cause(Cause::Local, "probe: local; and 1 more of 3 probes");
        assert_eq!(tally.without_a_pass(), unknown);
        let mut tally = Tally::new(3, 2, EQUAL);
        assert_eq!(tally.count(0, local()), None);
        assert_eq!(tally.count(1, fail(Cause::Timeout)), None);
        let lost = Outcome::from_cause(Cause::Timeout, "probe: timeout; and 2 more of 3 probes");
        assert_eq!(tally.count(2, fail(Cause::Servfail)), Some(lost));
    }

    #[test]
    fn a_round_fails_if_every_known_outcome_is_a_failure() {
        let mut tally = Tally::new(2, 1, EQUAL);
        assert_eq!(tally.count(0, Outcome::from_cause(Cause::SourceAddress, "probe: gone")), None);
        assert_eq!(tally.count(1, fail(Cause::Timeout)), None);
        assert!(matches!(tally.without_a_pass(), Outcome::Fail(failure) if failure.cause == Cause::Timeout));
    }

    #[test]
    fn a_lost_round_goes_on_while_a_worse_cause_may_come() {
        let mut tally = Tally::new(4, 4, BY_TIMEOUT);
        assert_eq!(tally.count(0, fail(Cause::Servfail)), None);
        assert_eq!(tally.count(1, pass(1)), None);
        let Some(Outcome::Fail(failure)) = tally.count(2, fail(Cause::Timeout)) else {
            panic!("nothing is worse than a timeout, so the round is over");
        };
        assert_eq!(failure.cause, Cause::Timeout);
    }

    #[test]
    fn a_round_fails_so_far_if_it_is_lost_or_enough_failed_and_none_passed() {
        let mut tally = Tally::new(6, 2, EQUAL);
        for place in 0..2 {
            assert!(!tally.fails_so_far(2));
            tally.count(place, fail(Cause::Timeout));
        }
        assert!(tally.fails_so_far(2) && !tally.fails_so_far(3));
        tally.count(2, pass(1));
        assert!(!tally.fails_so_far(2), "one more may pass");
        (3..6).for_each(|place| drop(tally.count(place, fail(Cause::Timeout))));
        assert!(tally.fails_so_far(9));
    }

    #[test]
    fn without_the_worst_the_first_in_probe_order_is_reported() {
        let mut tally = Tally::new(2, 1, BY_TIMEOUT);
        assert_eq!(tally.count(1, fail(Cause::Refused)), None);
        assert_eq!(tally.count(0, fail(Cause::Servfail)), None);
        assert_eq!(
            tally.without_a_pass(),
            Outcome::from_cause(Cause::Servfail, "probe: servfail; and 1 more of 2 probes")
        );
    }
}
