//! Falls and their consequences.
//!
//! A fall from serving adds a penalty and may lengthen the return. The exit of a process withdraws at once as well, but
//! counts only if no other process replaces it within `restart-grace`. A restart takes less time, and so does systemd
//! after a crash. At most [`RESTARTS_EXCUSED`](crate::engine::dampening::RESTARTS_EXCUSED) restarts within ten minutes
//! are excused: a server that crashes in a loop is always back in time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Service, ServiceState};
use crate::engine::action::Action;
use crate::engine::check::{Check, Severity};
use crate::engine::dampening::Mode;
use crate::engine::dampening::return_time::takes;
use crate::engine::memory::PendingRestart;
use crate::engine::moment::Moment;
use crate::engine::notice::{Fall, Notice};
use crate::engine::plan;
use crate::outcome::{Cause, Outcome};

/// The exit of a process, while nothing else is known to be wrong: whether it was a fall is not decided yet.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Grace {
    /// The places of the checks that watch the process; `None` for one that a reload has removed, so that whether the
    /// process is back cannot be known.
    checks: Vec<Option<usize>>,
    began: Moment,
    /// The time before `began` at which the process ended, under an earlier helper.
    before: Duration,
    until: Moment,
}

impl Grace {
    pub(super) const fn until(&self) -> Moment {
        self.until
    }

    /// The same after a reload, which moves the checks to other places; `place` translates.
    pub(super) fn translated(self, place: impl Fn(usize) -> Option<usize>) -> Self {
        let checks = self.checks.into_iter().map(|check| check.and_then(&place)).collect();
        Self { checks, ..self }
    }
}

/// The time from the end of a fault to the verdict of the slowest check that can bring the service down.
pub(super) fn rises_in(plan: &plan::Service) -> Duration {
    let checks = plan.checks.iter().filter(|check| check.on_fail.worst() == Severity::Down);
    checks.map(|check| check.timing.returns()).max().unwrap_or_default()
}

impl Service {
    /// The service fell from serving: this counts now, or once `restart-grace` is over.
    pub(super) fn fall(&mut self, now: Moment, out: &mut Vec<Action>) {
        let policy = self.dampening.policy;
        if policy.mode == Mode::Off {
            return;
        }
        let blamed = || self.checks.iter().enumerate().filter(|(_, check)| is_down(check));
        let process_exited = blamed().all(|(_, check)| has_lost_its_process(check));
        if !process_exited || !self.dampening.may_excuse(now) {
            let grace_used_up = process_exited && !policy.restart_grace.is_zero();
            return self.count_fall(now, grace_used_up, out);
        }
        let checks = blamed().map(|(place, _)| Some(place)).collect();
        let until = now + policy.restart_grace;
        self.grace = Some(Grace { checks, began: now, before: Duration::ZERO, until });
        // A helper that starts within the grace continues it.
        out.push(Action::Save);
    }

    /// The undecided exit of a process, for the next helper.
    pub(in crate::engine) fn pending_restart(&self, now: Moment) -> Option<PendingRestart> {
        let grace = self.grace.as_ref()?;
        let places: Option<Vec<_>> = grace.checks.iter().copied().collect();
        let name = |place: usize| self.checks.get(place).map(|check| check.name().to_owned());
        let checks = places?.into_iter().filter_map(name).collect();
        Some(PendingRestart { age: grace.before.saturating_add(now.since(grace.began)), checks })
    }

    /// Continues the grace of an earlier helper, which saved it `ago`. If no helper ran when the grace ended, it is not
    /// known whether the process was back in time: then it is no fall.
    pub(super) fn recall_pending_restart(&mut self, now: Moment, pending: &PendingRestart, ago: Duration) {
        let policy = &self.dampening.policy;
        let before = pending.age.saturating_add(ago);
        let Some(left) = policy.restart_grace.checked_sub(before).filter(|_| policy.mode != Mode::Off) else {
            return;
        };
        let place = |name: &String| self.checks.iter().position(|check| check.name() == name);
        let checks = pending.checks.iter().map(place).collect();
        self.grace = Some(Grace { checks, began: now, before, until: now + left });
    }

    /// Decides whether the exit of a process was a fall, as soon as that is known.
    pub(super) fn settle_grace(&mut self, now: Moment, out: &mut Vec<Action>) {
        let Some(grace) = self.grace.take() else { return };
        let is_back =
            |place: &Option<usize>| place.and_then(|place| self.checks.get(place)).is_some_and(passes);
        if self.is_drained() || !self.enabled {
            // The stop was planned: the drain, such as a disable-file, was noticed only after the exit.
        } else if grace.checks.iter().all(is_back) {
            let after = grace.before.saturating_add(now.since(grace.began));
            let excused = self.dampening.excuse(now);
            out.push(Notice::Forgiven { service: self.name.clone(), after, excused }.into());
            out.push(Action::Save);
        } else if grace.until <= now || grace.checks.contains(&None) {
            self.count_fall(now, false, out);
        } else {
            for place in grace.checks.iter().flatten() {
                if let Some(check) = self.checks.get_mut(*place) {
                    check.probe_soon(now);
                }
            }
            self.grace = Some(grace);
        }
    }

    fn count_fall(&mut self, now: Moment, grace_used_up: bool, out: &mut Vec<Action>) {
        let policy = self.dampening.policy;
        self.dampening.fall(now);
        let takes = self.return_takes();
        let fall = Fall {
            penalty: self.dampening.whole_penalty(now),
            enforced: policy.mode == Mode::Enforce,
            falls: self.dampening.return_time.falls(now),
            return_takes: (takes > self.rises_in).then_some(takes),
            grace_used_up,
        };
        let service = self.name.clone();
        out.push(if let Some(reuse) = self.dampening.reused_at() {
            Notice::Suppressed { service, reuse_in: reuse.since(now), fall }.into()
        } else {
            Notice::Penalty { service, suppress: policy.suppress, fall }.into()
        });
        out.push(Action::Save);
    }

    /// Keeps a service whose checks are up again withdrawn for as long as its falls require, and logs it.
    pub(super) fn wait_for_return(&mut self, now: Moment, out: &mut Vec<Action>) {
        let is_well = self.health.is_some_and(|health| health < Severity::Down);
        if self.is_drained() || self.state == ServiceState::Drained {
            self.dampening.return_time.forgive();
        } else if is_well {
            self.dampening.return_time.on_checks_up(now, self.rises_in, self.dampening.policy.max_rise_time);
        } else {
            self.dampening.return_time.on_checks_down();
        }
        let awaits_return = is_well
            && !self.is_drained()
            && !self.revalidating
            && !self.is_pinned()
            && self.dampening.keeps_withdrawn();
        let awaited_return = std::mem::replace(&mut self.awaits_return, awaits_return);
        if let Some(until) = self.dampening.returns_at().filter(|_| awaits_return && !awaited_return) {
            let falls = self.dampening.return_time.withdrawn_by();
            let suppressed = self.dampening.enforced();
            let service = self.name.clone();
            out.push(
                Notice::ReturnDelayed { service, falls, returns_in: until.since(now), suppressed }.into(),
            );
        }
    }

    /// The time from the end of the present fault to the return.
    pub(super) fn return_takes(&self) -> Duration {
        let longest = self.dampening.policy.max_rise_time;
        takes(self.dampening.return_time.withdrawn_by(), self.rises_in, longest)
    }

    /// Why it is down and the command that returns it, as the end of a sentence; `None` if dampening does not keep it down.
    pub(in crate::engine) fn undampen_remedy(&self) -> Option<String> {
        let remedy =
            || format!(": dampening keeps it withdrawn; to end that: dnsherald undampen {}", self.name);
        self.dampening.keeps_withdrawn().then(remedy)
    }

    /// Forgets every fall on request of the operator. The notice lists what was cleared; there is none if nothing was.
    pub(crate) fn undampen(&mut self, now: Moment, out: &mut Vec<Action>) {
        if let Some(cleared) = self.dampening.clear(now) {
            out.push(Notice::Undampened { service: self.name.clone(), cleared }.into());
            out.push(Action::Save);
        }
    }
}

fn is_down(check: &Check) -> bool {
    check.verdict() == Some(Severity::Down)
}

fn has_lost_its_process(check: &Check) -> bool {
    matches!(&check.last, Some((_, Outcome::Fail(failure))) if failure.cause == Cause::ProcessGone)
}

fn passes(check: &Check) -> bool {
    matches!(&check.last, Some((_, Outcome::Pass { .. })))
}
