//! The decision of a service: drains, a missing address, holds, dampening, and the worst of its checks.

use super::{Service, ServiceState};
use crate::engine::action::Action;
use crate::engine::check::{Check, Severity};
use crate::engine::dampening::Mode;
use crate::engine::dampening::window::Recent;
use crate::engine::ladder::Stated;
use crate::engine::moment::Moment;
use crate::engine::notice::{Desired, Notice, OrderEnd, RouteState};
use crate::engine::order::Kind;
use crate::exabgp::Advertisement;

impl Service {
    /// Decides the state from all that is known at `now`.
    pub(crate) fn decide(&mut self, now: Moment, ticks: bool, out: &mut Vec<Action>) {
        if self.dampening.release(now) {
            let enforced = self.dampening.policy.mode == Mode::Enforce;
            out.push(Notice::Reused { service: self.name.clone(), enforced }.into());
            out.push(Action::Save);
        }
        let expired = self.drains.expire(now);
        self.note_ends(Kind::Drain, expired, OrderEnd::Expired, out);
        let expired = self.holds.expire(now);
        self.note_ends(Kind::Hold, expired, OrderEnd::Expired, out);
        self.update_unknown_checks(now);
        self.settle_grace(now, out);
        self.assess(now, out);
        self.return_from_drain(now, out);
        self.follow_check(now, ticks, out);
        self.wait_for_return(now, out);
        let state = self.conclude();
        let state = self.warm_up(now, state);
        let state = self.recover(now, state);
        // A hold announces a suppressed service, which does not serve by its checks.
        if state.serves() && self.by_checks().serves() {
            self.exits = Recent::new();
            if self.dampening.note_serving() {
                out.push(Action::Save);
            }
        }
        self.raise_alarm(state, out);
        self.note_without_hold(state == self.state, out);
        if state == self.state {
            return self.follow_reason(out);
        }
        if state != ServiceState::Starting {
            // One that is not enabled is withdrawn, whatever `drained` advertises.
            self.stands_without_verdict = self.enabled.then_some(state);
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
        self.entry_reason = Some(why.clone());
        self.named = self.degraded_by();
        // A reload lets it start anew: the state that it had before is no change.
        let goes_on = self.before_reload.is_some_and(|(former, _)| former == state);
        if !self.compat.hooks_follow_check && self.enabled && !goes_on {
            out.push(self.enter(state.to_string().to_uppercase(), why.clone()));
        }
        let asks = self.asks(|place, wanted| {
            Some(wanted) != before.and_then(|before| self.advertisement(before, place))
        });
        let (service, kept) = (self.name.clone(), vec![]);
        let planned = state == ServiceState::Drained && self.is_drained_for_restart();
        out.push(Notice::Service { service, from, to: state, why, asks, kept, planned }.into());
    }

    /// Logs that it stays degraded for another reason, once the check that the log named no longer degrades it.
    fn follow_reason(&mut self, out: &mut Vec<Action>) {
        let by = self.degraded_by();
        let still_degrades = |(place, by_window): (usize, bool)| {
            self.checks.get(place).is_some_and(|check| {
                check.verdict() == Some(Severity::Degraded) && check.is_lossy() == by_window
            })
        };
        if by == self.named || (by.is_some() && self.named.is_some_and(still_degrades)) {
            return;
        }
        self.named = by;
        if self.state != ServiceState::Degraded {
            return;
        }
        let (service, why) = (self.name.clone(), self.explain());
        self.entry_reason = Some(why.clone());
        // Unknown checks have an alarm of their own.
        if !self.unknown_checks.all_unknown {
            let (from, to, asks, kept) = (self.state, self.state, vec![], vec![]);
            out.push(Notice::Service { service, from, to, why, asks, kept, planned: false }.into());
        }
    }

    /// The requested commands for the routes for which `applies` is true, announcements first.
    pub(in crate::engine) fn asks(&self, applies: impl Fn(usize, &Advertisement) -> bool) -> Vec<Desired> {
        let asks = |route: RouteState| {
            let prefixes = self.prefixes.iter().enumerate().filter_map(|(place, prefix)| {
                let wanted = self.stated(place)?;
                (RouteState::new(wanted) == route && applies(place, wanted)).then(|| prefix.to_string())
            });
            Some(Desired { route, prefixes: prefixes.collect() }).filter(|asks| !asks.prefixes.is_empty())
        };
        [RouteState::Announced, RouteState::Withdrawn].into_iter().filter_map(asks).collect()
    }

    pub(super) fn enter(&self, state: String, reason: String) -> Action {
        Action::Enter { service: self.name.clone(), state, reason }
    }

    /// Takes the worst verdict of the checks, and counts a fall.
    fn assess(&mut self, now: Moment, out: &mut Vec<Action>) {
        let health = self.worst_verdict().or(self.health);
        let health = self.await_last_passes(now, health);
        if health == self.health {
            return;
        }
        self.health = health;
        // A service that was withdrawn already (suppressed, drained) cannot fall. Nor can one that a hold keeps
        // announced.
        let fell = self.is_serving() && health == Some(Severity::Down) && !self.is_held();
        self.served_before = false;
        if fell {
            self.fall(now, out);
        }
    }

    /// The health instead of `health`: before it serves, it is not degraded by checks that may all be up in a moment. Thus
    /// a return has one announcement, though not all checks rise at the same instant.
    fn await_last_passes(&mut self, now: Moment, health: Option<Severity>) -> Option<Severity> {
        let serves = self.health.is_some_and(|health| health < Severity::Down);
        let degrades = |check: &&Check| check.decides() && check.verdict() == Some(Severity::Degraded);
        let by = (health == Some(Severity::Degraded) && !serves).then(|| {
            let mut last_passes = self.checks.iter().filter(degrades).map(|check| check.last_pass_by(now));
            last_passes.try_fold(now, |latest, by| Some(latest.max(by?)))
        });
        // What rises meanwhile does not prolong the wait.
        let until = by.flatten().map(|by| self.last_passes_by.unwrap_or(by));
        self.last_passes_by = until.filter(|until| now < *until);
        if self.last_passes_by.is_some() { self.health } else { health }
    }

    /// Whether its checks have a verdict.
    pub(in crate::engine) const fn has_verdict(&self) -> bool {
        self.health.is_some()
    }

    /// Whether it is up or degraded: by its last decision; before the first after a start or a reload, by the one before that.
    pub(super) fn is_serving(&self) -> bool {
        self.state.serves() || (self.state == ServiceState::Starting && self.served_before)
    }

    /// In this order: not enabled, drains and the checks after one (`revalidating`), holds, dampening, health. A missing
    /// address overrides a hold ([`Self::is_held`]), and brings its check down.
    fn conclude(&self) -> ServiceState {
        if !self.enabled || self.is_drained() || self.revalidating {
            ServiceState::Drained
        } else if self.is_pinned() {
            ServiceState::Up
        } else if self.is_held() && self.state == ServiceState::Starting {
            // After a start or a reload the last statement stands until each check has reported, whatever the first ones say.
            ServiceState::Starting
        } else {
            self.by_checks()
        }
    }

    /// The state that a decision changes. While a reload leaves the service without a verdict, the state before it.
    pub(super) fn state_before(&self) -> ServiceState {
        match (self.state, self.before_reload) {
            (ServiceState::Starting, Some((before, _))) => before,
            (state, _) => state,
        }
    }

    /// On the way back from a withdraw to `up` it is degraded for a time: the load returns at once, and caches are cold. A
    /// reload in this time does not change its end, except that one without `recovery` ends it.
    fn recover(&mut self, now: Moment, state: ServiceState) -> ServiceState {
        if state.returns_from(self.state_before()) && !self.recovery.is_zero() {
            self.recovers = Some(now + self.recovery);
        }
        let goes_on = state.serves() || state == ServiceState::Starting;
        let lasts = |until: &Moment| goes_on && *until > now && !self.is_pinned();
        self.recovers = self.recovers.filter(lasts);
        if state == ServiceState::Up && self.recovers.is_some() { ServiceState::Degraded } else { state }
    }

    /// Its state by checks and dampening alone. A missing address has failed its check.
    pub(super) fn by_checks(&self) -> ServiceState {
        match self.health {
            Some(_) if self.dampening.keeps_withdrawn() => ServiceState::Down,
            None => ServiceState::Starting,
            Some(Severity::Observe) if self.unknown_checks.all_unknown => ServiceState::Degraded,
            Some(Severity::Observe) => ServiceState::Up,
            Some(Severity::Degraded) => ServiceState::Degraded,
            Some(Severity::Down) => ServiceState::Down,
        }
    }
}
