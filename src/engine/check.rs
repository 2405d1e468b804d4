//! A check: its verdict, and when to probe next.
//!
//! One series of outcomes feeds three counters, which differ in the failures that they count: every failure (the state
//! shown), those that degrade, and those that bring the service down. To a counter, a failure that is too mild for it is a
//! pass. If, for example, `on-fail` lets a SERVFAIL degrade and a timeout bring down, the second counter counts both in one
//! row. To the third a SERVFAIL ends a row of timeouts, since the server answered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hysteresis::{CheckState, Hysteresis, RelapsePolicy, Verdict};
use super::moment::Moment;
use crate::outcome::{Cause, Failure, Outcome};

pub(crate) use self::count::{Change, Unknown};
use self::hastened::Hastened;
pub(crate) use self::on_fail::OnFail;
pub(crate) use self::severity::Severity;
pub(crate) use self::timing::Timing;

mod count;
pub(crate) mod forecast;
mod hastened;
mod on_fail;
mod severity;
mod shown;
mod timing;

/// Why a check rises or is up though none of its probes has ever passed: their failures count as passes.
pub(crate) const UNSEEN: &str = "no pass yet, so its failure (see `dnsherald check`) does not count";

/// One check of a service. A dump of the flight recorder contains its fields: a change keeps the rule of
/// [`Service`](super::service::Service).
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Check {
    name: String,
    pub(crate) timing: Timing,
    on_fail: OnFail,
    /// Whether its probes count only once they have passed; see [`plan::Check`](super::plan::Check).
    #[serde(default)]
    once_seen: bool,
    /// Counts every failure: the state that is shown.
    shown: Hysteresis,
    /// Counts the failures that degrade the service or bring it down.
    degrading: Hysteresis,
    /// Counts the failures that bring the service down.
    downing: Hysteresis,
    /// Whether it has been up, with a probe that passed, since it was made, at the start of the helper or at a reload that does
    /// not carry it over (`Service::continue_from`). A check that begins anew after a drain keeps it.
    was_up: bool,
    /// Why it fails: the last failure if no pass followed, too many failures in the window, or results that alternate.
    failure: Option<String>,
    /// The cause of its last failure; `None` if a pass followed.
    #[serde(default)]
    cause: Option<Cause>,
    /// The last outcome, and its time.
    pub(crate) last: Option<(Moment, Outcome)>,
    /// Since when and why its outcomes are unknown and count as nothing. `None` if the last one was known, or if `on-unknown`
    /// or `on-fail` gives it a severity, so that it counts as a failure.
    pub(crate) unknown: Option<Unknown>,
    /// Whether the last outcome that was not unknown says that an address is not on this host, and that this brings the
    /// service down.
    pub(super) lacks_address: bool,
    /// The start of the last round.
    asked_at: Moment,
    /// When to probe; `None` while a round is under way.
    pub(crate) due: Option<Moment>,
    /// Its shorter interval since another check of the service, or what it asks, came back, until it is up or fails anew.
    #[serde(default)]
    hastened: Option<Hastened>,
    /// The round under way began before the check was reset or failed at once, so its outcome is dropped.
    outdated: bool,
}

impl Check {
    /// A check without outcomes, due at once.
    pub(crate) fn new(name: String, timing: Timing, on_fail: OnFail) -> Self {
        // With `fall = { failures, of }`, half as many failures among the last rounds degrade, so that the milder effect
        // comes first. The check shows `down` as soon as it degrades.
        let sooner = timing.thresholds.halved();
        Self {
            name,
            timing,
            on_fail,
            once_seen: false,
            shown: Hysteresis::new(sooner),
            degrading: Hysteresis::new(sooner),
            downing: Hysteresis::new(timing.thresholds),
            was_up: false,
            failure: None,
            cause: None,
            last: None,
            unknown: None,
            lacks_address: false,
            asked_at: Moment::START,
            due: Some(Moment::START),
            hastened: None,
            outdated: false,
        }
    }

    /// Whether its probes count only once they have passed.
    #[must_use]
    pub(crate) fn once_seen(self, once_seen: bool) -> Self {
        Self { once_seen, ..self }
    }

    /// Forgets every outcome and becomes due. The outcome of a round under way is dropped.
    pub(crate) fn begin_anew(&mut self, now: Moment) {
        let under_way = self.due.is_none();
        let name = std::mem::take(&mut self.name);
        *self = Self {
            due: (!under_way).then_some(now),
            outdated: under_way,
            was_up: self.was_up,
            once_seen: self.once_seen,
            ..Self::new(name, self.timing, self.on_fail.clone())
        };
    }

    /// Ends a round whose outcome is obsolete.
    pub(crate) fn discard_outcome(&mut self, now: Moment) {
        self.outdated = false;
        self.due = Some(now);
    }

    /// Its name, as configured or supplied.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether any of its outcomes can move a route.
    pub(crate) fn decides(&self) -> bool {
        self.worst() > Severity::Observe
    }

    /// Whether its failures are only observed because it has not been up yet.
    pub(crate) const fn is_unproven(&self) -> bool {
        self.on_fail.once_up && !self.was_up
    }

    /// Whether no probe of its last round has ever passed, so that the round counts as a pass because of `once_seen`. Such a
    /// pass has zero latency.
    pub(crate) fn is_unseen(&self) -> bool {
        let no_answer =
            |outcome: &Outcome| matches!(outcome, Outcome::Pass { latency, .. } if latency.is_zero());
        self.once_seen && self.last.as_ref().is_some_and(|(_, outcome)| no_answer(outcome))
    }

    /// Why it fails; `None` if it passes.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The cause of its last failure; `None` if a pass followed.
    pub(crate) const fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// Whether it fails because the process has ended.
    pub(crate) fn names_an_ended_process(&self) -> bool {
        self.cause == Some(Cause::ProcessGone)
    }

    /// How near the cause of its failure is to the root: a process that has ended explains closed sockets, and these
    /// explain unanswered questions. 1 for any other failure, 0 if it passes or [fails milder](Self::fails_milder).
    pub(crate) fn nearness_to_root(&self) -> u8 {
        match self.cause {
            _ if self.fails_milder() => 0,
            Some(Cause::ProcessGone) => 5,
            Some(Cause::AddressMissing) => 4,
            Some(Cause::ListenerMissing | Cause::PortClosed) => 3,
            Some(Cause::NotReading) => 2,
            Some(_) => 1,
            None => u8::from(self.failure.is_some()),
        }
    }

    /// Its verdict on the service. `Down` as soon as its own counter says so; anything milder only once all three
    /// counters have a verdict, so that none is passed over. `Observe` if it has no effect, because it passes or its
    /// failures are only observed.
    pub(crate) fn verdict(&self) -> Option<Severity> {
        match (self.shown.verdict(), self.degrading.verdict(), self.downing.verdict()) {
            (_, _, Some(Verdict::Down)) => Some(Severity::Down),
            (Some(_), Some(Verdict::Down), Some(Verdict::Up)) => Some(Severity::Degraded),
            (Some(_), Some(Verdict::Up), Some(Verdict::Up)) => Some(Severity::Observe),
            _ => None,
        }
    }

    /// Whether it has a verdict that does not bring the service down.
    pub(crate) fn passes(&self) -> bool {
        self.verdict().is_some_and(|verdict| verdict < Severity::Down)
    }

    /// Has been up if `former` has, whose probe was the same.
    pub(crate) const fn keep_been_up(&mut self, former: &Self) {
        self.was_up |= former.was_up;
    }

    /// Starts a round if one is due. True if it did.
    pub(crate) fn start_round(&mut self, now: Moment) -> bool {
        let starts = self.due.is_some_and(|due| due <= now);
        if starts {
            self.asked_at = now;
            self.due = None;
        }
        starts
    }

    /// Counts the outcome of a round and schedules the next. Returns at most two changes, in order.
    pub(crate) fn on_outcome(&mut self, now: Moment, outcome: &Outcome) -> Vec<Change> {
        if self.outdated {
            self.discard_outcome(now);
            return vec![];
        }
        let changes = self.count(now, outcome);
        self.settle_haste(outcome);
        self.due = Some((self.asked_at + self.interval()).max(now));
        changes
    }

    /// An event shows a failure. One of a hard cause (the process exited, the address is gone) takes the check down at once,
    /// without `fall`. A round under way began before that: its outcome is dropped.
    pub(crate) fn fail_at_once(&mut self, now: Moment, why: &Failure) -> Vec<Change> {
        self.outdated = self.due.is_none();
        self.hastened = None;
        self.count(now, &Outcome::Fail(why.clone()))
    }

    /// Makes it due at once, unless a round is under way.
    pub(crate) fn probe_now(&mut self, now: Moment) {
        self.due = self.due.map(|due| due.min(now));
    }

    /// Makes it due after its fast interval, unless a round is under way.
    pub(crate) fn probe_soon(&mut self, now: Moment) {
        let soon = (self.asked_at + self.timing.fast_interval).max(now);
        self.due = self.due.map(|due| due.min(soon));
    }

    /// The worst effect that an outcome of it can have on the service at present.
    pub(crate) fn worst(&self) -> Severity {
        if self.is_unproven() { Severity::Observe } else { self.on_fail.worst().max(self.on_fail.unknown) }
    }

    /// The time between the starts of two rounds: the fast interval while any counter falls or has no verdict, otherwise
    /// the normal one, or a shorter one since another check of the service, or what it asks, came back. With [`RelapsePolicy::StartsAnew`], as
    /// in `exabgp healthcheck`, it is fast while a counter rises, too.
    pub(crate) fn interval(&self) -> Duration {
        let counters = [&self.shown, &self.degrading, &self.downing];
        let in_doubt = |counter: &&Hysteresis| match counter.state() {
            CheckState::Falling(_) => true,
            CheckState::Rising(_) if self.timing.thresholds.relapse == RelapsePolicy::StartsAnew => true,
            _ => counter.verdict().is_none(),
        };
        let doubt = counters.iter().any(in_doubt);
        if doubt { self.timing.fast_interval } else { self.steady_interval() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::num::NonZeroU32;

    use super::*;
    use crate::engine::hysteresis::Thresholds;

    fn check(on_fail: OnFail) -> Check {
        let three = NonZeroU32::new(3).unwrap();
        let timing = Timing {
            interval: Duration::from_secs(1),
            fast_interval: Duration::from_millis(100),
            timeout: Duration::from_millis(500),
            thresholds: Thresholds {
                rise: three,
                fall: three,
                relapse: RelapsePolicy::Returns,
                window: None,
            },
        };
        Check::new("answers".into(), timing, on_fail)
    }

    fn feed(check: &mut Check, outcomes: &[Option<Cause>]) {
        for outcome in outcomes {
            let outcome =
                outcome.map_or(Outcome::pass(Duration::ZERO), |cause| Outcome::from_cause(cause, ""));
            check.on_outcome(Moment::START, &outcome);
        }
    }

    /// Another check may pass again at any moment, and what it asks may return.
    #[test]
    fn the_earliest_rise_is_that_of_a_check_that_is_hastened_now() {
        let mut check = check(OnFail::always(Severity::Degraded));
        check.timing.interval = Duration::from_secs(10);
        let at = |seconds| Moment::START + Duration::from_secs(seconds);
        for second in 1..=3 {
            check.start_round(at(second * 10));
            check.on_outcome(at(second * 10), &Outcome::from_cause(Cause::Servfail, "no upstream"));
        }
        let earliest = |check: &Check, shortest| {
            check.rises(at(31), Severity::Degraded, Duration::from_secs(shortest)).unwrap().at
        };
        assert_eq!(earliest(&check, 10), at(60), "it has the shortest interval");
        assert_eq!(earliest(&check, 2), at(35), "three passes from now on");
        check.hasten(at(31), Duration::from_secs(2));
        assert_eq!(check.due, Some(at(31)));
    }

    #[test]
    fn severity_follows_the_cause() {
        let by_cause = BTreeMap::from([(Cause::Servfail, Severity::Degraded)]);
        let mut check = check(OnFail { by_cause, ..OnFail::always(Severity::Down) });
        feed(&mut check, &[None; 3]);
        feed(&mut check, &[Some(Cause::Servfail); 3]);
        assert_eq!(check.verdict(), Some(Severity::Degraded));
        feed(&mut check, &[Some(Cause::Timeout); 3]);
        assert_eq!(check.verdict(), Some(Severity::Down));
    }

    #[test]
    fn an_ignored_failure_shows_and_does_nothing() {
        let mut check = check(OnFail::always(Severity::Observe));
        feed(&mut check, &[Some(Cause::Timeout); 6]);
        assert_eq!(check.state(), CheckState::Down);
        assert_eq!(check.verdict(), Some(Severity::Observe));
    }

    #[test]
    fn a_check_that_was_never_up_can_be_observed_until_it_is() {
        let mut check = check(OnFail { once_up: true, ..OnFail::always(Severity::Degraded) });
        feed(&mut check, &[Some(Cause::Timeout); 6]);
        assert_eq!((check.state(), check.verdict()), (CheckState::Down, Some(Severity::Observe)));
        assert!(!check.decides());
        feed(&mut check, &[None; 3]);
        feed(&mut check, &[Some(Cause::Timeout); 3]);
        assert_eq!((check.verdict(), check.decides()), (Some(Severity::Degraded), true));
        // A reset of the check does not change whether it has been up.
        check.begin_anew(Moment::START);
        feed(&mut check, &[Some(Cause::Timeout); 3]);
        assert_eq!(check.verdict(), Some(Severity::Degraded));
    }

    #[test]
    fn an_unknown_outcome_is_shown_and_counts_as_nothing() {
        let mut check = check(OnFail::always(Severity::Down));
        feed(&mut check, &[None, None, Some(Cause::Local), None]);
        assert_eq!((check.state(), check.unknown.clone()), (CheckState::Up, None));
        let at = |seconds| Moment::START + Duration::from_secs(seconds);
        let local = Outcome::from_cause(Cause::Local, "no ports");
        assert!(
            matches!(&check.on_outcome(at(1), &local)[..], [Change::BecameUnknown { why }] if why == "no ports")
        );
        for second in 2..60 {
            assert_eq!(check.on_outcome(at(second), &local), [], "told once");
        }
        assert_eq!((check.state(), check.verdict()), (CheckState::Up, Some(Severity::Observe)));
        assert_eq!(check.unknown.as_ref().map(|unknown| unknown.since), Some(at(1)));
        let known = Change::BecameKnown { after: Duration::from_secs(59) };
        assert_eq!(check.on_outcome(at(60), &Outcome::pass(Duration::ZERO)), [known]);
    }

    #[test]
    fn an_unknown_outcome_counts_where_the_configuration_says_so() {
        let mut check = check(OnFail { unknown: Severity::Degraded, ..OnFail::always(Severity::Down) });
        feed(&mut check, &[None; 3]);
        feed(&mut check, &[Some(Cause::Local); 3]);
        assert_eq!((check.state(), check.verdict()), (CheckState::Down, Some(Severity::Degraded)));
        let by_cause = BTreeMap::from([(Cause::Local, Severity::Down)]);
        let mut check = self::check(OnFail { by_cause, ..OnFail::always(Severity::Down) });
        feed(&mut check, &[Some(Cause::Local); 3]);
        assert_eq!(check.verdict(), Some(Severity::Down));
    }

    #[test]
    fn probes_fast_while_falling_and_slowly_otherwise() {
        let mut check = check(OnFail::always(Severity::Down));
        let mut next_after = |outcome: Option<Cause>| {
            feed(&mut check, &[outcome]);
            check.due.unwrap().since_start()
        };
        let (fast, slow) = (Duration::from_millis(100), Duration::from_secs(1));
        let up = [None, None, None].map(&mut next_after);
        assert_eq!(up, [fast, fast, slow]);
        let down = [Some(Cause::Timeout); 3].map(&mut next_after);
        assert_eq!(down, [fast, fast, slow]);
        assert_eq!(next_after(None), slow);
    }

    #[test]
    fn a_hard_failure_needs_no_repetition_and_drops_the_round_under_way() {
        let mut check = check(OnFail::always(Severity::Down));
        feed(&mut check, &[None; 3]);
        let later = Moment::START + Duration::from_secs(5);
        assert!(check.start_round(later));
        let gone = Failure::new(Cause::ProcessGone, "it is gone");
        assert!(matches!(check.fail_at_once(later, &gone)[..], [Change::State { to: CheckState::Down, .. }]));
        check.probe_now(later);
        assert_eq!(check.due, None, "one round at a time");
        assert_eq!(check.on_outcome(later, &Outcome::pass(Duration::ZERO)), []);
        assert_eq!(
            (check.state(), check.failure(), check.due),
            (CheckState::Down, Some("it is gone"), Some(later))
        );
        assert_eq!(check.fail_at_once(later, &gone), [], "told twice");
        assert_eq!(check.due, Some(later));
    }

    #[test]
    fn a_reset_drops_the_round_under_way() {
        let mut check = check(OnFail::always(Severity::Down));
        assert!(check.start_round(Moment::START));
        check.begin_anew(Moment::START);
        assert_eq!(check.due, None, "one round at a time");
        feed(&mut check, &[Some(Cause::Timeout)]);
        assert_eq!((check.state(), check.due), (CheckState::Unknown, Some(Moment::START)));
        check.begin_anew(Moment::START);
        assert_eq!(check.due, Some(Moment::START), "none was out");
    }
}
