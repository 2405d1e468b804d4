//! A service that a reload has changed: which of its checks, its dampening and its time limits continue.

use super::{Service, ServiceState};
use crate::engine::action::Action;
use crate::engine::dampening::{Mode, Values};
use crate::engine::moment::Moment;
use crate::engine::notice::{Notice, OrderEnd};
use crate::engine::order::Kind;
use crate::engine::plan;

/// The former and the present places of checks that have a successor.
#[derive(Debug)]
pub(in crate::engine) struct SucceedingPlaces {
    /// Of those that are unchanged and continue.
    pub(in crate::engine) kept: Vec<(usize, usize)>,
    /// Of those with the same name and probe, whether they continue or begin anew.
    pub(in crate::engine) same_probe: Vec<(usize, usize)>,
}

/// The former and present places of the checks whose name and probe are the same.
fn same_probe<'a>(
    earlier: &'a plan::Service,
    plan: &'a plan::Service,
) -> impl Iterator<Item = (usize, usize)> + 'a {
    let is_same =
        |check: &plan::Check, former: &plan::Check| former.name == check.name && former.probe == check.probe;
    plan.checks.iter().enumerate().filter_map(move |(place, check)| {
        Some((earlier.checks.iter().position(|former| is_same(check, former))?, place))
    })
}

impl Service {
    /// Takes over the checks of the service `before`, configured as `earlier`, that are unchanged in `plan`, with their counters
    /// and the round under way. A check with the same name and probe that begins anew, as when its interval has changed, keeps
    /// the mark that it was up once. A service whose drain ends with the reload
    /// probes all its checks anew: outcomes during maintenance say nothing. So does one that the reload enables, whose
    /// checks were not probed. One that it disables keeps none of them.
    ///
    /// Without a verdict the last statement stands until there is one.
    pub(in crate::engine) fn continue_from(
        &mut self,
        now: Moment,
        mut before: Self,
        earlier: &plan::Service,
        plan: &plan::Service,
        out: &mut Vec<Action>,
    ) -> SucceedingPlaces {
        let same_probe: Vec<_> = same_probe(earlier, plan).collect();
        for (former, place) in &same_probe {
            self.checks[*place].keep_been_up(&before.checks[*former]);
        }
        let mut places = vec![];
        // A drain whose time is over ends with the reload.
        let expired = self.drains.expire(now);
        self.note_ends(Kind::Drain, expired, OrderEnd::Expired, out);
        if earlier.enabled == plan.enabled && (!before.is_drained() || self.is_drained()) {
            for (place, check) in plan.checks.iter().enumerate() {
                if let Some(former) = earlier.checks.iter().position(|before| before == check) {
                    std::mem::swap(&mut self.checks[place], &mut before.checks[former]);
                    places.push((former, place));
                }
            }
        }
        // The record of falls is restored already ([`Service::recall`]). If every check continues, so does a return that
        // waits; otherwise it begins anew.
        if places.len() == plan.checks.len() {
            self.continue_dampening(now, &mut before);
        }
        // The check that continues, or the one that has its name now, decides whether the exit of a process was a fall.
        let present = |former: usize| {
            let named = || {
                let name = &earlier.checks.get(former)?.name;
                plan.checks.iter().position(|check| check.name == *name)
            };
            places.iter().find(|(was, _)| *was == former).map(|(_, is)| *is).or_else(named)
        };
        if self.dampening.policy.mode != Mode::Off {
            self.grace = before.grace.take().map(|grace| grace.translated(present));
        }
        std::mem::swap(&mut self.exits, &mut before.exits);
        std::mem::swap(&mut self.overridden, &mut before.overridden);
        // `start` applies to a start of the helper, not to a reload: the last statement stands.
        self.stands_without_verdict = before.stands_without_verdict;
        self.acknowledged = before.acknowledged;
        self.served_before = before.is_serving();
        if before.state == ServiceState::Starting {
            self.stated = before.stated;
        }
        self.revalidating = before.revalidating && plan.enabled;
        self.before_reload = match before.state {
            ServiceState::Starting => before.before_reload,
            state => Some((state, before.since)),
        };
        self.carry_over_time_limits(&before, earlier, plan, &places, out);
        let enforces = |mode| mode == Mode::Enforce;
        // If the new mode is `off`, only the former record has one.
        let penalty = self.dampening.whole_penalty(now).max(before.dampening.whole_penalty(now));
        if enforces(earlier.dampening.mode) != enforces(plan.dampening.mode) {
            self.note_enforced(now, penalty, out);
        }
        SucceedingPlaces { kept: places, same_probe }
    }

    /// Takes over the record of `before`, or under another policy the wait of its return.
    fn continue_dampening(&mut self, now: Moment, before: &mut Self) {
        let (policy, former) = (&self.dampening.policy, &before.dampening.policy);
        if policy == former {
            std::mem::swap(&mut self.dampening, &mut before.dampening);
        } else if policy.mode != Mode::Off {
            let limits = (former.max_rise_time, policy.max_rise_time);
            let wait = &before.dampening.return_time;
            self.dampening.return_time.continue_from(now, wait, self.rises_in, limits);
        }
    }

    /// Logs that the reload has switched the mode of dampening to `enforce`, or away from it, and the penalty.
    fn note_enforced(&self, now: Moment, penalty: u32, out: &mut Vec<Action>) {
        if !self.enabled {
            return;
        }
        if self.dampening.policy.mode != Mode::Enforce {
            let service = self.name.clone();
            return out.push(Notice::NotEnforced { service, penalty }.into());
        }
        let Values { suppress, max_suppress, .. } = *self.dampening.policy;
        let (service, suppresses) = (self.name.clone(), self.dampening.reused_at().map(|at| at.since(now)));
        out.push(Notice::Enforced { service, penalty, suppress, suppresses, max_suppress }.into());
    }

    /// Takes the state before the reload, once there is a verdict after it. If both agree, it began before the reload.
    pub(in crate::engine) fn take_state_before_reload(&mut self) -> Option<ServiceState> {
        let (state, since) = self.before_reload.take()?;
        if state == self.state {
            self.since = since;
        }
        Some(state)
    }

    /// Carries over the time limits, and whether it lacks a verdict; logs for which new checks it waits.
    fn carry_over_time_limits(
        &mut self,
        before: &Self,
        earlier: &plan::Service,
        plan: &plan::Service,
        places: &[(usize, usize)],
        out: &mut Vec<Action>,
    ) {
        let was_undecided = before.lost_verdict;
        let goes_on = |place| places.iter().any(|(_, present)| *present == place);
        let anew = plan.checks.iter().enumerate().filter(|(place, _)| !goes_on(*place));
        let anew: Vec<_> = anew.map(|(place, _)| &self.checks[place]).collect();
        // The service waits for no other.
        let checks = anew.iter().filter(|check| check.decides()).map(|check| check.name().to_owned());
        let (begin_anew, checks) = (!anew.is_empty(), checks.collect::<Vec<_>>());
        // Reloads that change checks do not extend the time limit of the first verdict.
        if earlier.enabled == plan.enabled && (!begin_anew || before.health.is_none()) {
            self.unknown_checks.continue_from(&before.unknown_checks);
        }
        self.recovers = before.recovers.filter(|_| !self.recovery.is_zero());
        self.lost_verdict = was_undecided || (begin_anew && before.health.is_some());
        // This service was made at this reload, so its `since` is the time of the reload.
        let undecided_for = was_undecided.then(|| self.since.since(before.since));
        if was_undecided {
            self.since = before.since;
        }
        if self.lost_verdict && plan.enabled && !checks.is_empty() {
            let (service, held) = (self.name.clone(), self.is_held());
            out.push(Notice::BeginsAnew { service, checks, undecided_for, held }.into());
        }
    }
}
