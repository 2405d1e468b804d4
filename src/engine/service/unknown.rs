//! The state of a service while its checks are unknown.
//!
//! An unknown outcome moves no route, unless the configuration gives it a severity (`on-unknown`, `on-fail`). Two rules limit
//! how long that holds, both after `unknown-after`:
//!
//! * At the start, unknown checks are ignored if a witness has a verdict. If none has, the last acknowledged state
//!   stands, after a reload the last decided one; if there is none, or dampening suppresses it, the prefixes are withdrawn.
//! * While the service runs and every witness is unknown, the service is degraded.
//!
//! After a drain the service waits for a first verdict anew, as at the start; what the drain stated stands meanwhile. A service
//! that is down stays down. Each of these states has an alarm, so no service stays withdrawn without a log line.
//!
//! Witnesses are the checks that ask the server itself (`dns`), are not only observed, and have neither `once-up` nor `once-seen`
//! ([`is_witness`](crate::engine::plan::Check::is_witness)); if a service has none, all its checks that decide at
//! present are, without those of the addresses and routes of this host if there are others.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Service, ServiceState};
use crate::engine::action::Action;
use crate::engine::check::{Check, Severity};
use crate::engine::ladder::Stated;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::engine::plan::CheckSubject;
use crate::outcome::Cause;
use crate::text::joined;

/// The alarm of a service whose witnesses have been unknown for `unknown-after`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Alarm {
    /// There is no first verdict: an earlier state stands, or the prefixes are withdrawn.
    Starts,
    /// The service is degraded.
    Degraded,
    /// The service stays in this state until its checks pass.
    Stays(ServiceState),
}

/// Which checks of a service are unknown, and for how long.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct UnknownChecks {
    /// The places of the witnesses.
    witnesses: Vec<usize>,
    /// What the witnesses tell about.
    #[serde(default)]
    subject: CheckSubject,
    /// `unknown-after`.
    #[serde(rename = "patience")]
    unknown_after: Duration,
    /// When the checks began to probe for a first verdict.
    began: Moment,
    /// Whether `unknown_after` has passed since `began`.
    is_over: bool,
    /// No witness had a verdict in time, and the prefixes were stated without one.
    #[serde(rename = "stated_blindly")]
    pub(super) stated_without_verdict: bool,
    /// Every witness has been unknown for `unknown_after`, after there was a verdict.
    #[serde(rename = "is_blind")]
    pub(super) all_unknown: bool,
    /// The last alarm, as long as there is a reason for one.
    raised: Option<Alarm>,
}

impl UnknownChecks {
    /// For checks that begin at `now`.
    pub(super) fn new(
        now: Moment,
        (subject, witnesses): (CheckSubject, Vec<usize>),
        unknown_after: Duration,
    ) -> Self {
        Self {
            witnesses,
            subject,
            unknown_after,
            began: now,
            is_over: false,
            stated_without_verdict: false,
            all_unknown: false,
            raised: None,
        }
    }

    /// The checks forget their verdicts and begin anew.
    pub(super) const fn restart(&mut self, now: Moment) {
        self.began = now;
        self.is_over = false;
        self.all_unknown = false;
        self.raised = None;
    }

    /// Continues the time limits and the alarms of the service before a reload. The caller decides whether the service
    /// begins anew instead.
    pub(super) const fn continue_from(&mut self, earlier: &Self) {
        self.began = earlier.began;
        self.is_over = earlier.is_over;
        self.stated_without_verdict = earlier.stated_without_verdict;
        self.all_unknown = earlier.all_unknown;
        self.raised = earlier.raised;
    }

    /// Allows the same alarm again.
    pub(super) const fn allow_alarm(&mut self) {
        self.raised = None;
    }

    /// Without those whose failures are only observed, as before the first pass of a check with `once-up`. If none is left,
    /// every check that decides.
    fn witnesses<'a>(&self, checks: &'a [Check]) -> impl Iterator<Item = &'a Check> {
        let listed = || self.witnesses.iter().filter_map(|place| checks.get(*place));
        let has_any = listed().any(Check::decides);
        listed().chain(checks.iter().filter(move |_| !has_any)).filter(|check| check.decides())
    }

    /// Since when every witness has been unknown.
    fn all_unknown_since(&self, checks: &[Check]) -> Option<Moment> {
        let since: Option<Vec<_>> =
            self.witnesses(checks).map(|check| check.unknown.as_ref().map(|unknown| unknown.since)).collect();
        since?.into_iter().max()
    }

    /// Whether the first verdict of the service does not wait for this check. It never waits for an unknown process or
    /// unknown sockets beside a witness, nor for a check that moves no route.
    fn ignores(&self, check: &Check, checks: &[Check]) -> bool {
        if !check.decides() {
            return true;
        }
        let Some(unknown) = &check.unknown else { return false };
        let decided = || self.witnesses(checks).any(|witness| witness.verdict().is_some());
        let is_witness = || self.witnesses(checks).any(|witness| std::ptr::eq(witness, check));
        let is_beside = || {
            matches!(unknown.failure.cause, Cause::ProcessUnknown | Cause::ListenerUnknown) && !is_witness()
        };
        check.verdict().is_none() && (is_beside() || (self.is_over && decided()))
    }
}

impl Service {
    /// The worst verdict of the checks; `None` while one that counts has no verdict and none is down.
    pub(super) fn worst_verdict(&self) -> Option<Severity> {
        self.worst_verdict_of(|_| true)
    }

    /// The same of the checks that `count`.
    pub(super) fn worst_verdict_of(&self, count: impl Fn(&Check) -> bool) -> Option<Severity> {
        let is_ignored = |check: &Check| self.unknown_checks.ignores(check, &self.checks);
        let counted = || self.checks.iter().filter(|check| count(check) && !is_ignored(check));
        let worst = counted().filter_map(Check::verdict).max();
        let all_in = counted().all(|check| check.verdict().is_some());
        worst.filter(|worst| all_in || *worst == Severity::Down)
    }

    /// The next moment at which one of the two rules may apply.
    pub(super) fn unknown_deadline(&self) -> Option<Moment> {
        let UnknownChecks { began, is_over, all_unknown, unknown_after, .. } = self.unknown_checks;
        let since = match self.health {
            None if !is_over && self.checks.iter().any(|check| check.unknown.is_some()) => Some(began),
            Some(_) if !all_unknown => self.unknown_checks.all_unknown_since(&self.checks),
            _ => None,
        };
        since.map(|since| since + unknown_after)
    }

    /// Applies both rules at `now`.
    pub(super) fn update_unknown_checks(&mut self, now: Moment) {
        self.unknown_checks.is_over = now >= self.unknown_checks.began + self.unknown_checks.unknown_after;
        let since = self.unknown_checks.all_unknown_since(&self.checks);
        let all_unknown = since.is_some_and(|since| now >= since + self.unknown_checks.unknown_after);
        self.unknown_checks.all_unknown = all_unknown && self.health.is_some();
    }

    /// Raises the alarm once, if the checks have been unknown for long, with its consequence in `state`. At the start
    /// an earlier state stands from then on, or the prefixes are withdrawn.
    pub(super) fn raise_alarm(&mut self, state: ServiceState, out: &mut Vec<Action>) {
        let alarm = self.alarm(state);
        if alarm.is_none() && self.health.is_some() {
            self.unknown_checks.raised = None;
        }
        let Some(alarm) = alarm.filter(|alarm| self.unknown_checks.raised != Some(*alarm)) else { return };
        self.unknown_checks.raised = Some(alarm);
        let (service, after, which, why) =
            (self.name.clone(), self.unknown_checks.unknown_after, self.unknown_kind(), self.why_unknown());
        out.push(match alarm {
            Alarm::Starts => {
                self.unknown_checks.stated_without_verdict = true;
                let suppressed = self.dampening.enforced();
                let stands = self.stands_without_verdict.filter(|_| !suppressed);
                if stands.is_none() {
                    // From this withdraw on no earlier state stands, for the next helper either.
                    (self.stands_without_verdict, self.acknowledged, self.served_before) =
                        (None, None, false);
                }
                self.stated = stands.and_then(Stated::from_state).or(Some(Stated::Withdraw));
                let reloaded = self.lost_verdict;
                Notice::StartsUnknown { service, after, reloaded, stands, suppressed, which, why }.into()
            }
            Alarm::Degraded => Notice::AllUnknown { service, after, which, why }.into(),
            Alarm::Stays(state) => {
                let stays = self.what_stands(state);
                Notice::StaysUnknown { service, stays, after, which, why }.into()
            }
        });
    }

    /// The alarm in `state`; `None` while a witness has results, or unknown checks change nothing.
    fn alarm(&self, state: ServiceState) -> Option<Alarm> {
        let has_no_verdict = || {
            let mut witnesses = self.unknown_checks.witnesses(&self.checks);
            self.unknown_checks.is_over
                && self.are_all_unknown()
                && witnesses.all(|check| check.verdict().is_none())
        };
        let all_unknown =
            if self.health.is_some() { self.unknown_checks.all_unknown } else { has_no_verdict() };
        match state {
            _ if !all_unknown => None,
            ServiceState::Starting => Some(Alarm::Starts),
            ServiceState::Degraded => Some(Alarm::Degraded),
            ServiceState::Down if self.health == Some(Severity::Down) => Some(Alarm::Stays(state)),
            ServiceState::Drained if self.waits_for_checks() => Some(Alarm::Stays(state)),
            ServiceState::Up | ServiceState::Down | ServiceState::Drained => None,
        }
    }

    /// Whether every witness is unknown at present.
    pub(super) fn are_all_unknown(&self) -> bool {
        self.unknown_checks.all_unknown_since(&self.checks).is_some()
    }

    /// The checks that are unknown if all witnesses are.
    pub(super) fn unknown_kind(&self) -> &'static str {
        let has_result = |check: &Check| check.unknown.is_none();
        let (mut checks, mut deciding) =
            (self.checks.iter(), self.checks.iter().filter(|check| check.decides()));
        match (deciding.any(has_result), checks.any(has_result)) {
            (true, _) => match self.unknown_checks.subject {
                CheckSubject::Answers => "dns check",
                CheckSubject::Server => "server check",
                CheckSubject::Host => "deciding check",
            },
            (false, true) => "deciding check",
            (false, false) => "check",
        }
    }

    /// Why the witnesses are unknown.
    pub(super) fn why_unknown(&self) -> String {
        let reasons = self.unknown_checks.witnesses(&self.checks).filter_map(|check| {
            let unknown = check.unknown.as_ref()?;
            Some(format!("check {}: {}", check.name(), unknown.failure))
        });
        joined(reasons, "; ")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::engine::Engine;
    use crate::engine::api_session::Parent;
    use crate::engine::drain::{Lasts, Lift, Order};
    use crate::engine::event::{CheckId, Event, ServiceId};
    use crate::engine::memory::Memory;
    use crate::engine::order::Holder;
    use crate::engine::plan::Plan;
    use crate::engine::service::StartPolicy;
    use crate::outcome::Outcome;

    fn plan() -> Plan {
        let toml = "[node]\nmanagement = \"10.1.0.2\"\n[defaults]\nrise = 1\nfall = 1\n[[service]]\nname = \"a\"\n\
                    prefixes = [\"192.0.2.1/32\"]\naddress = false\n[[service.check]]\nname = \"b\"\n\
                    dns = { query = \"localhost. A\" }\n";
        Config::parse(Path::new("a.toml"), toml, "host").unwrap().plan()
    }

    fn engine() -> Engine {
        Engine::new(&plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO)
    }

    /// A dump of the flight recorder contains them.
    #[test]
    fn the_fields_of_a_recorded_engine_keep_their_names() {
        let recorded = engine().snapshot();
        for name in ["sight", "patience", "stated_blindly", "is_blind", "said", "left_behind"] {
            assert!(recorded.contains(&format!("\"{name}\":")), "{name}: {recorded}");
        }
    }

    /// Nothing is known of earlier, so the prefixes are withdrawn.
    #[test]
    fn a_service_that_starts_with_unknown_checks_shows_what_stands() {
        let mut engine = engine();
        let id = CheckId { service: ServiceId(0), check: 0 };
        engine.handle(Moment::START, Event::Start);
        let mut now = Moment::START;
        for _ in 0..2 {
            now = now + Duration::from_secs(3600);
            engine.handle(now, Event::Outcome(id, Outcome::from_cause(Cause::Local, "no ports")));
        }
        let shown = "no verdict: check b: no ports; no earlier state stands, so its prefixes are withdrawn";
        assert_eq!(engine.services()[0].explain(), shown);
    }

    /// What was announced before does not stand.
    #[test]
    fn a_service_that_starts_withdrawn_says_so() {
        let mut plan = plan();
        plan.services[0].start = StartPolicy::Withdraw;
        let started = |plan: &Plan| {
            let mut engine = Engine::new(plan, Parent::ExaBgp, Memory::default(), Duration::ZERO);
            engine.handle(Moment::START, Event::Start);
            engine.services()[0].explain()
        };
        assert_eq!(started(&plan), "no verdict yet; its prefixes are withdrawn until there is one");
        // As while the configuration is unusable.
        plan.services[0].checks.clear();
        let shown = "no usable configuration; its known prefixes are withdrawn until there is one";
        assert_eq!(started(&plan), shown);
    }

    #[test]
    fn a_service_that_waits_for_unknown_checks_shows_the_reason() {
        let mut engine = engine();
        let id = CheckId { service: ServiceId(0), check: 0 };
        let unknown = || Event::Outcome(id, Outcome::from_cause(Cause::Local, "no ports"));
        let order = Order {
            holder: Holder::operator(),
            reason: String::new().into(),
            lasts: Lasts::UntilLifted,
            uid: None,
        };
        let mut now = Moment::START;
        let mut after = |event| {
            now = now + Duration::from_secs(1);
            engine.handle(now, event);
            engine.services()[0].explain()
        };
        for event in [Event::Start, Event::Outcome(id, Outcome::pass(Duration::ZERO))] {
            after(event);
        }
        assert_eq!(after(Event::Drain(ServiceId(0), order)), "operator drains it: no reason given");
        let lift = Lift { holder: None, once_healthy: false, checks: vec![] };
        let waits = "drain ended; stays withdrawn until its checks pass";
        assert_eq!(after(Event::Undrain(ServiceId(0), lift)), waits);
        assert_eq!(after(unknown()), waits, "it was asked before the drain ended");
        assert_eq!(after(unknown()), format!("{waits}; all checks unknown: check b: no ports"));
        after(Event::Outcome(id, Outcome::pass(Duration::ZERO)));
        let down = "check b: no answer";
        assert_eq!(after(Event::Outcome(id, Outcome::from_cause(Cause::Timeout, "no answer"))), down);
        assert_eq!(after(unknown()), format!("{down}; all checks unknown: check b: no ports"));
    }
}
