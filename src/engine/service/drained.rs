//! Drains and the disable-file.

use serde::{Deserialize, Serialize};

use super::{Service, ServiceState};
use crate::engine::action::Action;
use crate::engine::check::{Check, Severity};
use crate::engine::moment::Moment;
use crate::engine::notice::{Notice, OrderEnd};
use crate::engine::order::{Holder, Kind, Lift, Order};

/// The disable-file, as last seen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Disabled {
    /// It does not exist.
    No,
    /// It existed before the restart or reload, and has not been looked for since.
    Remembered,
    /// It exists.
    Found,
}

impl Service {
    /// The disable-file has appeared or is gone, or still exists after a restart.
    pub(crate) fn disable(&mut self, now: Moment, disabled: bool, out: &mut Vec<Action>) {
        if self.is_disabled() != disabled {
            out.push(Action::Save);
        }
        if self.compat.start_anew_when_enabled && self.is_disabled() && !disabled {
            self.reset_checks(now);
        }
        let was_disabled = self.is_disabled();
        if disabled {
            self.note_overridden();
        }
        self.disabled = if disabled { Disabled::Found } else { Disabled::No };
        if let Some(file) = self.disable_file.as_ref().filter(|_| was_disabled && !disabled) {
            let then = match self.is_drained() {
                _ if !self.enabled => "it is not enabled, and stays withdrawn".to_owned(),
                true => "other drains remain".to_owned(),
                false if self.is_held() => "its hold announces it".to_owned(),
                false => format!("it returns once its checks pass{}", self.and_reuse()),
            };
            let (service, file) = (self.name.clone(), file.display().to_string());
            out.push(Notice::FileGone { service, file, then }.into());
        }
    }

    /// Begins a drain.
    pub(crate) fn drain(&mut self, now: Moment, order: Order, out: &mut Vec<Action>) {
        let Order { holder, reason, lasts, uid } = order.clone();
        out.push(Notice::Drained { service: self.name.clone(), holder, reason, lasts, uid }.into());
        self.note_overridden();
        self.drains.begin(now, order);
        out.push(Action::Save);
    }

    /// Ends drains, at once or when the checks have passed anew.
    pub(crate) fn undrain(&mut self, now: Moment, lift: &Lift, out: &mut Vec<Action>) {
        let whose = lift.holder.as_ref();
        // The checks of a service that is not enabled never pass; therefore its drains do not wait for them.
        if !lift.once_healthy || !self.enabled {
            let lifted = self.drains.lift(whose);
            return self.note_ends(Kind::Drain, lifted, OrderEnd::Lifted, out);
        }
        if self.drains.let_return(lift) {
            // Earlier outcomes may concern another server process than the present one.
            self.reset_checks(now);
            let ends = self.ends_once_healthy(!lift.checks.is_empty());
            out.push(Notice::Returning { service: self.name.clone(), ends }.into());
            out.push(Action::Save);
        }
    }

    /// When a drain ends that waits for the checks; `needs` is true if it needs some that only degrade the service.
    pub(super) fn ends_once_healthy(&self, needs: bool) -> &'static str {
        match (self.will_be_held() && !self.overridden.is_empty(), needs) {
            (false, false) => "once all checks have new verdicts and none takes the service down",
            (false, true) => {
                "once all checks have new verdicts, none takes the service down, and none that its restart requires degrades it"
            }
            (true, false) => {
                "once all checks have new verdicts, and none takes the service down but those that its hold overrides"
            }
            (true, true) => {
                "once all checks have new verdicts, none takes the service down but those that its hold overrides, and none that its \
                 restart requires degrades it"
            }
        }
    }

    /// Ends the drains that wait for the checks. After the end of any other drain the checks probe anew first.
    pub(super) fn return_from_drain(&mut self, now: Moment, out: &mut Vec<Action>) {
        let found_anew = self.revalidating && (self.health.is_some() || self.is_pinned());
        self.revalidating &= !found_anew;
        let passes = self.passes();
        let degrades = |check: &Check| check.verdict() == Some(Severity::Degraded);
        let fails = |name: &str| self.checks.iter().any(|check| check.name() == name && degrades(check));
        let returns = passes || self.passes_beside_hold();
        let returned = if returns { self.drains.lift_returning(fails) } else { vec![] };
        let have_passed_anew = found_anew || !returned.is_empty();
        self.note_ends(Kind::Drain, returned, OrderEnd::Healthy, out);
        if have_passed_anew || !self.may_begin_anew_after_drains() {
            return;
        }
        if passes {
            self.reset_checks(now);
        } else if self.health.is_none() {
            // The others are probing for a verdict already.
            self.checks.iter_mut().filter(|check| check.passes()).for_each(|check| check.begin_anew(now));
        }
        self.revalidating = self.health.is_none();
        self.unknown_checks.allow_alarm();
    }

    /// Whether its drains are over and its checks, which pass, begin anew.
    fn begins_anew_after_drains(&self) -> bool {
        self.may_begin_anew_after_drains()
            && (self.passes() || (self.health.is_none() && self.checks.iter().any(Check::passes)))
    }

    /// Whether its drains are over, its return has not begun, and its checks decide it. A hold returns it at once.
    fn may_begin_anew_after_drains(&self) -> bool {
        self.has_ended_drains()
            && !self.is_on_its_way()
            && !self.compat.start_anew_when_enabled
            && !self.is_pinned()
    }

    /// Whether it is still in the state `drained` although no drain is left.
    fn has_ended_drains(&self) -> bool {
        self.state == ServiceState::Drained && self.enabled && !self.is_drained()
    }

    /// Whether its return has begun.
    const fn is_on_its_way(&self) -> bool {
        self.revalidating || self.warms_until.is_some()
    }

    /// Whether its checks have a verdict that does not withdraw it.
    fn passes(&self) -> bool {
        self.health.is_some_and(|health| health < Severity::Down)
    }

    /// Whether it stays drained only until its checks pass.
    pub(super) fn waits_for_checks(&self) -> bool {
        let all_return = !self.drains.is_empty() && self.drains.iter().all(|(_, drain)| drain.returning);
        !self.is_disabled() && (self.revalidating || all_return)
    }

    pub(super) fn reset_checks(&mut self, now: Moment) {
        for check in &mut self.checks {
            check.begin_anew(now);
        }
        self.health = None;
        self.served_before = false;
        self.unknown_checks.restart(now);
    }

    pub(super) fn note_ends(&self, kind: Kind, holders: Vec<Holder>, end: OrderEnd, out: &mut Vec<Action>) {
        let anew = end != OrderEnd::Healthy && self.begins_anew_after_drains();
        let begins_anew =
            || format!("; its checks begin anew, and it returns once they pass{}", self.and_reuse());
        for holder in holders {
            let then = match end {
                _ if anew => begins_anew(),
                OrderEnd::Healthy if !self.passes() => " but those that its hold overrides".to_owned(),
                _ => String::new(),
            };
            let service = self.name.clone();
            out.push(Action::Log(match kind {
                Kind::Drain => Notice::DrainOver { service, holder, end, then },
                Kind::Hold => Notice::HoldOver { service, holder, end },
            }));
            out.push(Action::Save);
        }
    }

    /// The condition for its return beside that its checks pass, as the end of a sentence.
    pub(super) fn and_reuse(&self) -> &'static str {
        if self.dampening.enforced() { " and dampening releases it" } else { "" }
    }

    /// Whether only restarts by dnsherald drain it: failures of its checks are then expected.
    pub(in crate::engine) fn is_drained_for_restart(&self) -> bool {
        !self.is_disabled() && self.drains.are_for_restarts()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.is_disabled() || !self.drains.is_empty()
    }
}
