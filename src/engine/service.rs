//! A service: the worst of its checks, overridden by drains, holds and dampening.
//!
//! This file counts outcomes. [`begin`] has its start, [`decide`] its decision, [`drained`] and [`held`] the orders of
//! operators, [`damped`] falls, [`reloaded`] the state that survives a reload, [`unknown`] the rules for unknown
//! outcomes, [`warm_up`] the delay of a return, [`followed`] what the state of its one check causes in
//! `healthcheck`, [`shown`] and [`next`] the sentences that others read.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use ipnet::IpNet;

use super::action::Action;
use super::check::{Change, Check, Severity};
use super::compat::{Compat, HookState};
use super::dampening::Dampening;
use super::dampening::window::Recent;
use super::drain::ZoneAt;
use super::hysteresis::CheckState;
use super::ladder::{Ladder, Stated};
use super::memory::Acknowledged;
use super::moment::Moment;
use super::notice::Notice;
use super::order::{Orders, Reason};
use crate::outcome::{Cause, Failure, Outcome};

pub(super) use self::begin::STANDS_FOR;
use self::damped::Grace;
use self::drained::Disabled;
pub(super) use self::reloaded::SucceedingPlaces;
pub use self::state::ServiceState;
pub(crate) use self::state::StartPolicy;
use self::unknown::UnknownChecks;

mod begin;
mod damped;
mod decide;
mod drained;
mod failed_reload;
mod followed;
mod held;
pub(crate) mod next;
mod reloaded;
mod shown;
mod state;
mod unknown;
pub(crate) mod warm_up;

/// One service with its state.
///
/// A dump of the flight recorder contains these fields, and later versions read it: a renamed field keeps its first name there
/// (`rename`), and a new one has a `default`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Service {
    name: String,
    /// Its prefixes.
    prefixes: Vec<IpNet>,
    /// A service that is not enabled is withdrawn and not probed.
    pub(crate) enabled: bool,
    checks: Vec<Check>,
    /// For each route, in the order of `prefixes`, what it advertises in each state.
    ladders: Vec<Ladder>,
    start: StartPolicy,
    disable_file: Option<PathBuf>,
    /// Its record of falls.
    pub(crate) dampening: Dampening,
    /// A process has exited, and the service is withdrawn: a fall only if no process replaces it within `restart-grace`.
    grace: Option<Grace>,
    /// The exits of its process since it last served, without those during a drain.
    #[serde(default = "Recent::new")]
    pub(crate) exits: Recent,
    /// It stays withdrawn by dampening though its checks are up, and the log has a line about it.
    #[serde(rename = "is_held")]
    awaits_return: bool,
    /// The time from the end of a fault to the verdict of the slowest check that can bring the service down.
    rises_in: Duration,
    disabled: Disabled,
    /// Its drains, without the disable-file.
    pub(crate) drains: Orders,
    /// The holds that keep it announced against its checks. Each has an end.
    pub(crate) holds: Orders,
    /// The checks that failed when its drains began, and that a hold overrode. They keep no drain that waits for the checks.
    #[serde(default)]
    pub(super) overridden: Vec<String>,
    /// Why the last reload of its server failed, until a reload or a restart succeeds. Shown, and moves no route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed_reload: Option<Reason>,
    /// The zones that this reload has lost; `None` if it was not compared with the server before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lost_zones: Option<Vec<ZoneAt>>,
    /// Its state without its holds, as last logged.
    #[serde(rename = "held_off")]
    logged_without_hold: Option<ServiceState>,
    /// Its last drain has ended. Its last outcomes may be as old as an interval, so that all checks probe again before
    /// it returns.
    revalidating: bool,
    /// The worst verdict of the checks; `None` before the first. It stays as it was while the return waits for last passes.
    health: Option<Severity>,
    /// Until when its return waits for the last passes of checks that would degrade it; `None` if it does not wait.
    #[serde(default)]
    last_passes_by: Option<Moment>,
    /// It served before the start of the helper or before a reload, and there has been no verdict since.
    served_before: bool,
    /// Which of its checks are unknown, and for how long.
    #[serde(rename = "sight")]
    unknown_checks: UnknownChecks,
    /// How long it is degraded on its way back to `up`.
    recovery: Duration,
    /// Until when it is degraded for `recovery`; `None` if it is not.
    recovers: Option<Moment>,
    /// Whether the names of `warm-up` are asked before it returns.
    warms_up: bool,
    /// Until when its return waits for the answers to these names; `None` if it does not wait.
    pub(crate) warms_until: Option<Moment>,
    /// The names of `warm-up` are to be asked now.
    begins_warm_up: bool,
    /// The state that stands while there is no verdict: the last that was decided, or before the first decision the one
    /// that an earlier helper saved as acknowledged, as far as that may still be valid.
    #[serde(rename = "acknowledged_before")]
    pub(super) stands_without_verdict: Option<ServiceState>,
    /// The last state that ExaBGP has acknowledged, as last saved. One of an earlier helper only as far as it may still be
    /// valid.
    #[serde(default)]
    pub(super) acknowledged: Option<Acknowledged>,
    state: ServiceState,
    /// Since when it has this state.
    pub(crate) since: Moment,
    /// The reason of its state at the transition to it, or since another check degrades it; `None` after a start or a reload.
    #[serde(rename = "entered")]
    entry_reason: Option<String>,
    /// The check that this reason names, if the check degrades it: its place, and whether its window does.
    #[serde(default)]
    named: Option<(usize, bool)>,
    /// What it last told the API session to advertise. `None` until the first decision, or the earlier statement of a `start`
    /// policy or of the alarm about unknown checks.
    stated: Option<Stated>,
    /// A reload has changed its checks, and it has had no verdict since.
    lost_verdict: bool,
    /// Until the first verdict after a reload: its state before the reload, and the time at which that state began.
    #[serde(default)]
    before_reload: Option<(ServiceState, Moment)>,
    compat: Compat,
    /// The state of its first check, or that it is disabled, for hooks as in `exabgp healthcheck`.
    hook_state: HookState,
    /// Its statement is to be sent again, though it has not changed.
    restate: bool,
    /// While probing is paused as in `exabgp healthcheck`: when to look for the disable-file and to repeat the route.
    /// `None` in `run`.
    paused_round_at: Option<Moment>,
}

impl Service {
    /// Whether to send its statement again though it has not changed; true only once.
    pub(crate) fn take_restate(&mut self) -> bool {
        std::mem::take(&mut self.restate)
    }

    /// Whether none of its checks probes: it is not enabled, or its disable-file exists and pauses the checks.
    const fn probing_paused(&self) -> bool {
        !self.enabled || (self.is_disabled() && !self.compat.probe_while_disabled)
    }

    /// Counts the outcome of a round of one of its checks.
    pub(crate) fn on_outcome(&mut self, now: Moment, place: usize, outcome: &Outcome, out: &mut Vec<Action>) {
        let paused = self.probing_paused();
        let planned = self.is_drained_for_restart();
        let Some(check) = self.checks.get_mut(place) else { return };
        if paused {
            return check.discard_outcome(now);
        }
        let (lacked_address, was_down) = (check.lacks_address, check.state() == CheckState::Down);
        let changes = check.on_outcome(now, outcome).into_iter();
        // The failure of a check with `once-up` that has not been up yet is expected, and so is a change of a check whose
        // probes have not passed yet: the level of both is INFO.
        let is_expected = planned || check.is_unproven() || check.is_unseen();
        out.extend(changes.map(|change| notice(&self.name, check.name(), change, is_expected)));
        // As `exabgp healthcheck`: each round repeats the command, in the states that have a route.
        self.restate |= self.compat.repeat_each_round && HookState::new(false, check.state()).has_route();
        let has_address = lacked_address && !check.lacks_address;
        let is_back = was_down && check.state() != CheckState::Down;
        if has_address || is_back {
            self.hasten_others(now, place, has_address);
        }
    }

    /// What the check at this place asks is back. The others, except those with the shortest interval, no longer wait for their
    /// intervals, nor do those that failed for the lack of an address if `has_address`; otherwise the service would return
    /// with failures that they counted before. Of two that pass again at the same time, each hastens the other.
    fn hasten_others(&mut self, now: Moment, place: usize, has_address: bool) {
        let shortest = self.shortest_interval();
        let others = self.checks.iter_mut().enumerate().filter(|(other, _)| *other != place);
        for (_, check) in others {
            let failure = check.last.as_ref().and_then(|(_, outcome)| outcome.failure());
            let lacked = failure.is_some_and(|failure| failure.cause == Cause::AddressMissing);
            if check.timing.interval > shortest || (has_address && lacked) {
                check.hasten(now, shortest);
            }
        }
    }

    /// An event shows that a check fails, whether or not a round of it is under way. The failure counts at once, and every
    /// check without a round under way is due.
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
        // `once-up` makes no such failure an expected one: what has gone was there.
        let planned = self.is_drained_for_restart();
        // Several checks may watch one process.
        let is_known =
            |other: &Check| other.names_an_ended_process() && other.failure() == Some(&*why.to_string());
        let exited =
            why.cause == Cause::ProcessGone && !self.is_drained() && !self.checks.iter().any(is_known);
        let Some(lost) = self.checks.get_mut(check) else { return };
        let changes = lost.fail_at_once(now, why).into_iter();
        out.extend(changes.map(|change| notice(&self.name, lost.name(), change, planned)));
        if exited {
            self.exits.add(now);
            // The transition of a service that serves names its exit.
            if !self.is_serving() {
                let (service, exits) = (self.name.clone(), self.exits.count(now));
                out.push(Notice::Exited { service, why: why.to_string(), exits }.into());
            }
        }
        self.probe_now(now);
    }

    /// An event is a sign of trouble that only a round confirms: the server may hang, or a route is lost. Makes every check
    /// due if the service serves. If it does not, extra passes would let it return too early.
    pub(crate) fn on_probe_now(&mut self, now: Moment) {
        if self.is_serving() && !self.probing_paused() {
            self.probe_now(now);
        }
    }

    /// An event shows that what a check asks has returned.
    pub(crate) fn on_returned(&mut self, now: Moment, check: usize) {
        if self.probing_paused() {
            return;
        }
        let shortest = self.shortest_interval();
        if let Some(check) = self.checks.get_mut(check) {
            check.hasten(now, shortest);
        }
    }

    /// The shortest interval of its checks.
    pub(crate) fn shortest_interval(&self) -> Duration {
        self.checks.iter().map(|check| check.timing.interval).min().unwrap_or_default()
    }

    /// Makes every check due.
    fn probe_now(&mut self, now: Moment) {
        for check in &mut self.checks {
            check.probe_now(now);
        }
    }

    /// The next moment at which dampening ends, a fall is decided, a drain or a hold expires, checks have been unknown for
    /// `unknown-after`, the time of `recovery` ends, or the return no longer waits for the warm-up or for last passes.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        let grace = self.grace.as_ref().map(Grace::until);
        let deadlines = [
            self.dampening.deadline(),
            grace,
            self.drains.deadline(),
            self.holds.deadline(),
            self.unknown_deadline(),
            self.recovers,
            self.warms_until,
            self.last_passes_by,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// When the next check is due. While probing is paused, when `exabgp healthcheck` looks for the disable-file.
    pub(crate) fn next_round(&self) -> Option<Moment> {
        if self.probing_paused() {
            return self.paused_round_at;
        }
        self.checks.iter().filter_map(|check| check.due).min()
    }

    /// Starts the rounds that are due, and returns the places of their checks. With `look_before_each_round` only a tick
    /// (`ticks`) starts a round, since the caller looks for the disable-file before each tick.
    pub(crate) fn start_rounds(&mut self, now: Moment, ticks: bool) -> impl Iterator<Item = usize> {
        let waits = self.probing_paused() || (self.compat.look_before_each_round && !ticks);
        let starting = self.checks.iter_mut().enumerate().filter(move |_| !waits);
        starting.filter_map(move |(place, check)| check.start_round(now).then_some(place))
    }
}

/// The log line of a change of a check. A change that is `expected` is information.
fn notice(service: &str, check: &str, change: Change, expected: bool) -> Action {
    let (service, check) = (service.to_owned(), check.to_owned());
    match change {
        Change::State { from, to, why, first } => {
            // After a start, a drain or a reload each check rises once, and ends no failure.
            let expected = expected || (first && to == CheckState::Up);
            Notice::Check { service, check, from, to, why, expected }
        }
        Change::BecameUnknown { why } => Notice::CheckUnknown { service, check, why },
        Change::BecameKnown { after } => Notice::CheckKnown { service, check, after },
    }
    .into()
}

#[cfg(test)]
mod tests;
