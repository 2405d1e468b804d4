//! The start of a service, with the saved state of an earlier helper.

use std::time::Duration;

use super::damped::rises_in;
use super::drained::Disabled;
use super::unknown::UnknownChecks;
use super::{Service, ServiceState, StartPolicy};
use crate::engine::action::Action;
use crate::engine::check::Check;
use crate::engine::compat::{Compat, HookState};
use crate::engine::dampening::window::Recent;
use crate::engine::dampening::{Dampening, Mode};
use crate::engine::hold;
use crate::engine::ladder::Stated;
use crate::engine::memory::{Acknowledged, Remembered};
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::engine::order::Orders;
use crate::engine::plan::{self, CheckSubject};

/// A state that was acknowledged longer ago does not stand without a verdict: ExaBGP may have been restarted since. With
/// `start = "adopt"`, `adopt-max-age` alone limits it.
pub(in crate::engine) const STANDS_FOR: Duration = Duration::from_secs(10 * 60);

impl Service {
    /// A service at its start, with its saved state and the age of that.
    pub(crate) fn new(
        now: Moment,
        plan: &plan::Service,
        compat: Compat,
        remembered: Option<(&Remembered, Duration)>,
        out: &mut Vec<Action>,
    ) -> Self {
        let check = |check: &plan::Check| {
            Check::new(check.name.clone(), check.timing, check.on_fail.clone()).once_seen(check.once_seen)
        };
        let places = |is: fn(&plan::Check) -> bool| -> Vec<_> {
            let checks = plan.checks.iter().enumerate().filter(|(_, check)| is(check));
            checks.map(|(place, _)| place).collect()
        };
        let kinds = [
            (CheckSubject::Answers, places(plan::Check::is_witness)),
            (CheckSubject::Server, places(|check| check.subject != CheckSubject::Host)),
            (CheckSubject::Host, places(|_| true)),
        ];
        let witnesses = kinds.into_iter().find(|(_, places)| !places.is_empty()).unwrap_or_default();
        let mut service = Self {
            name: plan.name.clone(),
            prefixes: plan.routes.iter().map(|route| route.prefix).collect(),
            enabled: plan.enabled,
            checks: plan.checks.iter().map(check).collect(),
            ladders: plan.ladders.clone(),
            start: plan.start,
            disable_file: plan.disable_file.clone(),
            dampening: Dampening::new(plan.dampening),
            grace: None,
            exits: Recent::new(),
            awaits_return: false,
            rises_in: rises_in(plan),
            disabled: Disabled::No,
            drains: Orders::default(),
            holds: Orders::default(),
            overridden: vec![],
            failed_reload: None,
            lost_zones: None,
            logged_without_hold: None,
            revalidating: false,
            health: None,
            last_passes_by: None,
            recovery: plan.recovery,
            warms_up: plan.warms_up,
            warms_until: None,
            begins_warm_up: false,
            recovers: None,
            served_before: false,
            unknown_checks: UnknownChecks::new(now, witnesses, plan.unknown_after),
            stands_without_verdict: None,
            acknowledged: None,
            state: ServiceState::Starting,
            since: now,
            entry_reason: None,
            named: None,
            stated: None,
            lost_verdict: false,
            before_reload: None,
            compat,
            hook_state: HookState::Init,
            restate: false,
            paused_round_at: None,
        };
        if let Some((remembered, age)) = remembered {
            service.recall(now, remembered, age, out);
        }
        service
    }

    /// The same at the start of the helper, whose plan may require a withdraw at once. After a reload the last
    /// statement stands until there is a decision.
    pub(crate) fn at_start(
        plan: &plan::Service,
        compat: Compat,
        remembered: Option<(&Remembered, Duration)>,
        out: &mut Vec<Action>,
    ) -> Self {
        let mut service = Self::new(Moment::START, plan, compat, remembered, out);
        if service.start == StartPolicy::Withdraw {
            service.stated = Some(Stated::Withdraw);
        }
        service
    }

    fn recall(&mut self, now: Moment, remembered: &Remembered, age: Duration, out: &mut Vec<Action>) {
        self.dampening.recall(now, remembered, age);
        if let Some(pending) = remembered.restart_pending.as_ref().filter(|_| !remembered.stopped) {
            self.recall_pending_restart(now, pending, age);
        }
        let penalty = self.dampening.whole_penalty(now);
        if penalty > 0 {
            let (service, suppressed) = (self.name.clone(), self.dampening.enforced());
            let enforced = self.dampening.policy.mode == Mode::Enforce;
            out.push(Notice::Restored { service, penalty, suppressed, enforced }.into());
        }
        self.drains = Orders::recall(now, &remembered.drains, age);
        self.holds = hold::recall(now, &remembered.holds, age);
        self.overridden.clone_from(&remembered.overridden);
        self.failed_reload.clone_from(&remembered.failed_reload);
        self.lost_zones.clone_from(&remembered.lost_zones);
        if remembered.disabled && self.disable_file.is_some() {
            self.disabled = Disabled::Remembered;
        }
        let Some(state) = remembered.acknowledged else { return };
        self.served_before = state.serves() && !remembered.stopped;
        let age = age.saturating_add(remembered.acknowledged_age);
        // ExaBGP no longer has routes that this helper withdrew when it stopped, and perhaps none of an old state.
        let stands = !remembered.stopped && age <= STANDS_FOR && self.start != StartPolicy::Withdraw;
        if self.adopt(state, age, out) || stands {
            self.stands_without_verdict = Some(state);
            self.acknowledged = Some(Acknowledged { state, age, noted: now });
        }
    }

    /// States this state, acknowledged so long ago, if `start` says so. True if it did.
    fn adopt(&mut self, state: ServiceState, age: Duration, out: &mut Vec<Action>) -> bool {
        let StartPolicy::Adopt { max_age: limit } = self.start else { return false };
        if !self.enabled {
            return false;
        }
        let service = self.name.clone();
        if age > limit {
            out.push(Notice::TooOldToAdopt { service, state, age, limit }.into());
            return false;
        }
        let adopts = !self.dampening.enforced() && !self.is_drained();
        if adopts {
            self.stated = Stated::from_state(state);
            out.push(Notice::Adopted { service, state, age }.into());
        }
        adopts
    }
}
