//! A service: the worst of its checks, overridden by drains, holds and dampening.
//!
//! This file counts outcomes and decides. [`drained`] and [`held`] are what operators order, [`damped`] falls, [`reloaded`] what
//! survives a reload, [`sight`] the rules for unknown outcomes, [`shown`] what others may read.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::action::Action;
use super::check::{Change, Check, Severity};
use super::compat::{Compat, HookState};
use super::dampening::{Dampening, Mode};
use super::drain::Drains;
use super::hold::Holds;
use super::ladder::{Ladder, Stated};
use super::memory::Remembered;
use super::moment::Moment;
use super::notice::{Asks, DrainEnd, Notice, Stands};
use super::plan;
use crate::outcome::{Failure, Outcome};

use self::damped::Grace;
use self::drained::Disabled;
use self::sight::Sight;
pub use self::state::{ServiceState, StartPolicy};

mod damped;
mod drained;
mod followed;
mod held;
pub(crate) mod next;
mod reloaded;
mod shown;
mod sight;
mod state;

/// What was acknowledged longer ago than this does not stand without a verdict: ExaBGP may have been started since.
const STANDS_FOR: Duration = Duration::from_secs(10 * 60);

/// One service at work.
#[derive(Debug)]
pub(crate) struct Service {
    name: String,
    /// What its decisions are about.
    prefixes: Vec<IpNet>,
    /// One that is not enabled is withdrawn, and asks nothing.
    enabled: bool,
    checks: Vec<Check>,
    /// That of each route, in their order.
    ladders: Vec<Ladder>,
    start: StartPolicy,
    disable_file: Option<PathBuf>,
    dampening: Dampening,
    /// A fall that may turn out to be none.
    grace: Option<Grace>,
    /// It stays withdrawn though its checks are up, and that has been said.
    is_held: bool,
    /// From the end of a fault to the verdict of the slowest check that can bring down.
    rises_in: Duration,
    disabled: Disabled,
    drains: Drains,
    holds: Holds,
    /// What it would be without its holds, as it was last said.
    held_off: Option<ServiceState>,
    /// Its last drain has ended, and its checks, whose outcomes may be as old as an interval, are asked anew before it
    /// returns.
    revalidating: bool,
    /// The worst that the checks say; `None` before the first verdict.
    health: Option<Severity>,
    /// An earlier helper left it serving, and there has been no verdict since.
    served_before: bool,
    /// How much its checks see.
    sight: Sight,
    /// What ExaBGP acknowledged last: in the life before, or before the checks began anew.
    acknowledged_before: Option<ServiceState>,
    state: ServiceState,
    since: Moment,
    /// Why it came into its state; `None` where a start or a reload brought it there.
    entered: Option<String>,
    stated: Option<Stated>,
    /// A reload has changed its checks, and it has had no verdict since.
    lost_verdict: bool,
    compat: Compat,
    /// The state of its first check, or that it is disabled, as `exabgp healthcheck` tells hooks.
    hook_state: HookState,
    /// What is stated is to be stated again, though it has not changed.
    restate: bool,
    /// When a round would begin while probing is paused.
    paused_round_at: Option<Moment>,
}

impl Service {
    /// A service at its beginning, with what is remembered of it and how long ago that was.
    pub(crate) fn new(
        now: Moment,
        plan: &plan::Service,
        compat: Compat,
        remembered: Option<(&Remembered, Duration)>,
        out: &mut Vec<Action>,
    ) -> Self {
        let check = |check: &plan::Check| Check::new(check.name.clone(), check.timing, check.on_fail.clone());
        let asking = plan.checks.iter().enumerate().filter(|(_, check)| check.is_witness());
        let mut witnesses: Vec<_> = asking.map(|(place, _)| place).collect();
        if witnesses.is_empty() {
            witnesses = (0..plan.checks.len()).collect();
        }
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
            is_held: false,
            rises_in: damped::rises_in(plan),
            disabled: Disabled::No,
            drains: Drains::default(),
            holds: Holds::default(),
            held_off: None,
            revalidating: false,
            health: None,
            served_before: false,
            sight: Sight::new(now, witnesses, plan.unknown_after),
            acknowledged_before: None,
            state: ServiceState::Starting,
            since: now,
            entered: None,
            stated: None,
            lost_verdict: false,
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

    /// The same at the start of the helper, where its plan may want a withdraw to be stated at once. Later on, what was
    /// said before stands until there is a decision.
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
        let suppressed = self.dampening.restore(now, remembered.penalty, remembered.suppressed, age);
        let ages = remembered.falls.iter().map(|at| at.saturating_add(age));
        self.dampening.restore_falls(now, ages, remembered.withdrawn_by_fall);
        let ages = remembered.excused_restarts.iter().map(|at| at.saturating_add(age));
        self.dampening.restore_excused(now, ages);
        let penalty = self.penalty(now);
        if penalty > 0 {
            let service = self.name.clone();
            let suppressed = suppressed && self.dampening.enforced();
            out.push(Notice::Restored { service, penalty, suppressed }.into());
        }
        self.drains = Drains::recall(now, &remembered.drains, age);
        self.holds = Holds::recall(now, &remembered.holds, age);
        if remembered.disabled && self.disable_file.is_some() {
            self.disabled = Disabled::Remembered;
        }
        // ExaBGP no longer has what this helper withdrew when it stopped, nor perhaps what is old.
        let stands = !remembered.stopped && age <= STANDS_FOR && self.start != StartPolicy::Withdraw;
        self.acknowledged_before = remembered.acknowledged.filter(|_| stands);
        let Some(state) = remembered.acknowledged else { return };
        self.served_before =
            matches!(state, ServiceState::Up | ServiceState::Degraded) && !remembered.stopped;
        let StartPolicy::Adopt { max_age: limit } = self.start else { return };
        let service = self.name.clone();
        if !self.enabled {
            return;
        }
        if age > limit {
            out.push(Notice::TooOldToAdopt { service, state, age, limit }.into());
        } else if !self.dampening.enforced() && !self.is_drained() {
            self.stated = Stated::from_state(state);
            out.push(Notice::Adopted { service, state, age }.into());
        }
    }

    /// Whether what is stated is to be said again though it has not changed; true only once.
    pub(crate) fn take_restate(&mut self) -> bool {
        std::mem::take(&mut self.restate)
    }

    /// Whether none of its checks is due: it is not enabled, or its disable-file exists and pauses the checks.
    const fn probing_paused(&self) -> bool {
        !self.enabled || (self.is_disabled() && !self.compat.probe_while_disabled)
    }

    /// Counts the outcome of a round of one of its checks.
    pub(crate) fn on_outcome(&mut self, now: Moment, check: usize, outcome: &Outcome, out: &mut Vec<Action>) {
        let paused = self.probing_paused();
        let planned = self.is_planned();
        let Some(check) = self.checks.get_mut(check) else { return };
        if paused {
            return check.discard_outcome(now);
        }
        let changes = check.on_outcome(now, outcome).into_iter();
        out.extend(changes.map(|change| notice(&self.name, check.name(), change, planned)));
        self.restate |= self.compat.repeat_each_round && HookState::new(false, check.state()).has_route();
    }

    /// A check has failed between two rounds. That counts at once, and every check is due.
    pub(crate) fn on_sudden_failure(
        &mut self,
        now: Moment,
        check: usize,
        why: &Failure,
        out: &mut Vec<Action>,
    ) {
        if self.probing_paused() {
            return;
        }
        let planned = self.is_planned();
        let Some(lost) = self.checks.get_mut(check) else { return };
        let changes = lost.fail_at_once(now, why).into_iter();
        out.extend(changes.map(|change| notice(&self.name, lost.name(), change, planned)));
        for check in &mut self.checks {
            check.probe_now(now);
        }
    }

    /// When dampening lets go, a fall is decided, a drain or a hold expires, or checks have been unknown for long.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Moment> {
        let grace = self.grace.as_ref().map(Grace::until);
        let orders = [self.drains.deadline(), self.holds.orders().deadline()];
        let orders = orders.into_iter().flatten().min();
        let deadlines = [self.dampening.deadline(), grace, orders, self.sight_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// When the next check is due, or would be while probing is paused.
    #[must_use]
    pub(crate) fn next_round(&self) -> Option<Moment> {
        if self.probing_paused() {
            return self.paused_round_at;
        }
        self.checks.iter().filter_map(Check::due).min()
    }

    /// Starts the rounds that are due, and returns the places of their checks. `ticks` says whether this is a tick.
    pub(crate) fn start_rounds(&mut self, now: Moment, ticks: bool) -> impl Iterator<Item = usize> {
        let waits = self.probing_paused() || (self.compat.look_before_each_round && !ticks);
        let starting = self.checks.iter_mut().filter(move |_| !waits).enumerate();
        starting.filter_map(move |(place, check)| check.start_round(now).then_some(place))
    }

    /// Draws the conclusion from all that is known at `now`.
    pub(crate) fn decide(&mut self, now: Moment, ticks: bool, out: &mut Vec<Action>) {
        if self.dampening.release(now) {
            let enforced = self.dampening.policy().mode == Mode::Enforce;
            out.push(Notice::Reused { service: self.name.clone(), enforced }.into());
            out.push(Action::Save);
        }
        let expired = self.drains.expire(now);
        self.note_ends(expired, DrainEnd::Expired, out);
        self.expire_holds(now, out);
        self.look_at_sight(now);
        self.settle_grace(now, out);
        self.assess(now, out);
        self.return_from_drain(now, out);
        self.follow_check(now, ticks, out);
        self.wait_for_return(now, out);
        let state = self.conclude();
        self.raise_alarm(state, out);
        self.note_what_is_held_off(state == self.state, out);
        if state == self.state {
            return;
        }
        if state != ServiceState::Starting {
            self.acknowledged_before = Some(state);
        }
        let from = std::mem::replace(&mut self.state, state);
        self.since = now;
        self.lost_verdict &= state == ServiceState::Starting;
        let before = self.stated;
        if !self.enabled {
            self.stated = Some(Stated::Withdraw);
        } else {
            self.stated = Stated::from_state(state).or(self.stated);
        }
        let why = self.explain();
        self.entered = Some(why.clone());
        if !self.compat.hooks_follow_check && self.enabled {
            out.push(self.enter(state.to_string().to_uppercase(), why.clone()));
        }
        let asks = self.asks(before);
        let planned = state == ServiceState::Drained && self.is_planned();
        out.push(Notice::Service { service: self.name.clone(), from, to: state, why, asks, planned }.into());
    }

    /// What it wants of ExaBGP that it did not want `before`, announcements first.
    fn asks(&self, before: Option<Stated>) -> Vec<Asks> {
        let asks = |route: Stands| {
            let prefixes = self.prefixes.iter().enumerate().filter_map(|(place, prefix)| {
                let wanted = self.stated(place)?;
                let is_new = Some(wanted) != before.and_then(|before| self.advertisement(before, place));
                (is_new && Stands::new(wanted) == route).then(|| prefix.to_string())
            });
            Some(Asks { route, prefixes: prefixes.collect() }).filter(|asks| !asks.prefixes.is_empty())
        };
        [Stands::Announced, Stands::Withdrawn].into_iter().filter_map(asks).collect()
    }

    fn enter(&self, state: String, reason: String) -> Action {
        Action::Enter { service: self.name.clone(), state, reason }
    }

    /// Combines the verdicts of the checks, and counts a fall.
    fn assess(&mut self, now: Moment, out: &mut Vec<Action>) {
        let health = self.worst_verdict().or(self.health);
        if health == self.health {
            return;
        }
        self.health = health;
        // What was withdrawn already (suppressed, drained) cannot fall.
        // Nor does what a hold keeps announced.
        let fell = self.is_serving() && health == Some(Severity::Down) && !self.is_pinned();
        self.served_before = false;
        if fell {
            self.fall(now, out);
        }
    }

    /// Whether it attracts traffic: by the last decision, before the first one by that of an earlier helper.
    const fn is_serving(&self) -> bool {
        match self.state {
            ServiceState::Up | ServiceState::Degraded => true,
            ServiceState::Starting => self.served_before,
            ServiceState::Down | ServiceState::Drained => false,
        }
    }

    /// A drain first, then a missing address, then a hold, then dampening and health.
    fn conclude(&self) -> ServiceState {
        if !self.enabled || self.is_drained() || self.revalidating {
            ServiceState::Drained
        } else if self.is_pinned() {
            ServiceState::Up
        } else {
            self.by_checks()
        }
    }

    /// Its state by checks and dampening alone. A missing address has brought its check down.
    fn by_checks(&self) -> ServiceState {
        match self.health {
            Some(_) if self.dampening.holds() => ServiceState::Down,
            None => ServiceState::Starting,
            Some(Severity::Observe) if self.sight.is_blind() => ServiceState::Degraded,
            Some(Severity::Observe) => ServiceState::Up,
            Some(Severity::Degraded) => ServiceState::Degraded,
            Some(Severity::Down) => ServiceState::Down,
        }
    }
}

fn notice(service: &str, check: &str, change: Change, planned: bool) -> Action {
    let (service, check) = (service.to_owned(), check.to_owned());
    match change {
        Change::State { from, to, why } => Notice::Check { service, check, from, to, why, planned },
        Change::Blind { why } => Notice::CheckUnknown { service, check, why },
        Change::Sees { after } => Notice::CheckKnown { service, check, after },
    }
    .into()
}
