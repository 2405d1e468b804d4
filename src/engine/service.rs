//! A service: the worst of its checks, overridden by drains, holds and dampening.
//!
//! This file counts outcomes. [`begin`] is its start, [`decide`] its decision, [`drained`] and [`held`] are what operators order, [`damped`] falls, [`reloaded`] what
//! survives a reload, [`sight`] the rules for unknown outcomes, [`shown`] what others may read.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::action::Action;
use super::check::{Change, Check, Severity};
use super::compat::{Compat, HookState};
use super::dampening::Dampening;
use super::drain::Drains;
use super::hold::Holds;
use super::ladder::{Ladder, Stated};
use super::moment::Moment;
use super::notice::Notice;
use crate::outcome::{Failure, Outcome};

use self::damped::Grace;
use self::drained::Disabled;
use self::sight::Sight;
pub use self::state::{ServiceState, StartPolicy};

mod begin;
mod damped;
mod decide;
mod drained;
mod followed;
mod held;
pub(crate) mod next;
mod reloaded;
mod shown;
mod sight;
mod state;

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
        self.probe_now(now);
    }

    /// The answer of the server decides whether it hangs. While the service serves, every check is due; otherwise further
    /// passes would let it return too early.
    pub(crate) fn on_doubt(&mut self, now: Moment) {
        if self.is_serving() && !self.probing_paused() {
            self.probe_now(now);
        }
    }

    /// Makes every check due.
    fn probe_now(&mut self, now: Moment) {
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
