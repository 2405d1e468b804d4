//! Another configuration while the engine runs: unchanged services and checks keep their state.

use std::collections::HashMap;
use std::time::Duration;

use super::action::Action;
use super::api_session::route_entry::RouteEntry;
use super::event::{CheckId, ServiceId};
use super::moment::Moment;
use super::notice::Notice;
use super::plan::Plan;
use super::removed::RemovedServices;
use super::service::{Service, ServiceState, SucceedingPlaces};
use super::succession::{Inheritance, Succession};
use super::{Engine, Phase, heartbeat, routes, settings};
use crate::exabgp::Advertisement;

use self::differences::Changed;

mod differences;

/// The result of a reload.
#[derive(Debug)]
pub(crate) struct Reloaded {
    /// The actions for the loop to perform, in this order.
    pub(crate) actions: Vec<Action>,
    /// The checks that continue, each by its former place, with its present one. The outcome of a round under way
    /// counts for these, and must not be reported for any other.
    pub(crate) kept: HashMap<CheckId, CheckId>,
    /// The checks whose new probes take over what the former ones have learned: those of `kept`, and those that begin
    /// anew with an unchanged probe.
    pub(crate) same_probes: HashMap<CheckId, CheckId>,
}

impl Engine {
    /// Puts `next` in force. A service with the same configuration keeps its state and its counters. A changed one
    /// keeps its drains, holds, disable-file and penalty, and its unchanged checks unless it begins anew
    /// ([`Service::continue_from`]). A service of another name follows one that is gone if it has one of its prefixes
    /// ([`Succession::inherit`]). A new or changed check begins anew; until the service has a verdict, its last statement
    /// stands. Drains and holds follow the prefixes ([`Succession::inherit`]). The drains of a service that is gone go on
    /// ([`RemovedServices`]). Routes that are no longer configured are withdrawn.
    ///
    /// From here on checks have the places of the new configuration; [`Reloaded::kept`] translates. An engine that has
    /// not started, or that is over, ignores `next`: the loop starts it before the first reload, and ends after the last.
    pub(crate) fn reload(&mut self, now: Moment, next: &Plan) -> Reloaded {
        let (mut out, mut kept_checks, mut same_probes) = (vec![], HashMap::new(), HashMap::new());
        if self.phase != Phase::Running {
            return Reloaded { actions: out, kept: kept_checks, same_probes };
        }
        self.expire_drains(now, &mut out);
        let drain_holders = self.holders_of_all();
        let memory = self.remember(now);
        let plans = std::mem::replace(&mut self.plans, next.services.clone());
        let services = std::mem::take(&mut self.services);
        let settled = std::mem::take(&mut self.settled);
        let mut removed: Vec<_> = plans.iter().map(|plan| plan.name.clone()).collect();
        // The former services by name, each with its place.
        let former = plans.into_iter().zip(services.into_iter().zip(settled)).enumerate();
        let mut before: HashMap<_, _> = former.map(|former| (former.1.0.name.clone(), former)).collect();
        let mut succession = Succession::new(&memory, &next.services);
        // A carried penalty or an adopted state is news at a start of the helper only.
        let mut unlogged = vec![];
        let (mut unchanged, mut changed, mut added, mut moved) = (0, vec![], vec![], vec![]);
        for (place, plan) in next.services.iter().enumerate() {
            let Inheritance { saved_name, remembered, notices } = succession.inherit(plan);
            let (service, settled) = match saved_name.and_then(|saved_name| before.remove(&saved_name)) {
                Some((former, (earlier, (service, settled)))) if earlier == *plan => {
                    unchanged += 1;
                    let places = (0..plan.checks.len()).map(|check| (check, check));
                    kept_checks.extend(translated(former, place, places.clone()));
                    same_probes.extend(translated(former, place, places));
                    (service, settled)
                }
                Some((former, (earlier, (service, _)))) => {
                    changed.push(Changed::new(place, &earlier, plan, self.entries_of(former)));
                    moved.extend(notices);
                    let mut kept = remembered.unwrap_or_default();
                    // It continues from its present state, even if ExaBGP has not acknowledged that yet.
                    kept.acknowledged = None;
                    let kept = Some((&kept, Duration::ZERO));
                    let mut changed_service = Service::new(now, plan, next.compat, kept, &mut unlogged);
                    let SucceedingPlaces { kept, same_probe } =
                        changed_service.continue_from(now, service, &earlier, plan, &mut out);
                    kept_checks.extend(translated(former, place, kept.into_iter()));
                    same_probes.extend(translated(former, place, same_probe.into_iter()));
                    (changed_service, None)
                }
                None => {
                    added.push(plan.name.clone());
                    moved.extend(notices);
                    let kept = remembered.as_ref().map(|kept| (kept, Duration::ZERO));
                    (Service::new(now, plan, next.compat, kept, &mut unlogged), None)
                }
            };
            self.services.push(service);
            self.settled.push(settled);
        }
        removed.retain(|name| before.contains_key(name));
        out.extend(moved.into_iter().map(Action::from));
        let known = std::mem::take(&mut self.removed);
        self.removed =
            RemovedServices::new(now, &succession, &next.services, Duration::ZERO, Some(&known), &mut out);
        // A drain of all ends with the last service that had it.
        self.forget_drains_of_all(&drain_holders, &mut out);
        self.put_in_force(now, next, &mut out);
        // The log names the reload before its effects.
        let changed = changed.into_iter().map(|changed| changed.told(self)).collect();
        out.insert(0, Notice::Reloaded { unchanged, changed, added, removed }.into());
        Reloaded { actions: out, kept: kept_checks, same_probes }
    }

    /// Corrects the first verdict of the service at this place since a reload, in `out` from `first` on: it names the state
    /// before the reload, and lists no prefix whose route is advertised as desired already. It is no news if both stay.
    pub(super) fn note_kept_routes(&mut self, place: usize, first: usize, out: &mut Vec<Action>) {
        let is_verdict = |action: &Action| {
            matches!(action, Action::Log(Notice::Service { from: ServiceState::Starting, .. }))
        };
        let Some(at) = out[first..].iter().position(is_verdict).map(|at| first + at) else { return };
        let former = self.services[place].take_state_before_reload();
        let entries: Vec<_> = self.entries_of(place).collect();
        let has_verdict = self.services[place].has_verdict();
        let gets_next_hop = |entry: &RouteEntry| has_verdict && entry.awaits_verdict();
        let stands = |route: usize, wanted: &Advertisement| {
            entries.get(route).is_some_and(|entry| {
                entry.desired.as_ref() == Some(wanted) && !(wanted.announces() && gets_next_hop(entry))
            })
        };
        let Action::Log(Notice::Service { from, to, asks, kept, .. }) = &mut out[at] else { return };
        if !asks.is_empty() || entries.iter().any(|entry| gets_next_hop(entry)) {
            *kept = self.services[place].asks(stands);
            *asks = self.services[place].asks(|route, wanted| !stands(route, wanted));
        }
        *from = former.unwrap_or(*from);
        if from == to && asks.is_empty() {
            out.remove(at);
        }
    }

    /// Takes the routes and settings of `next`, and decides anew.
    fn put_in_force(&mut self, now: Moment, next: &Plan, out: &mut Vec<Action>) {
        let (owners, routes) = routes(next);
        self.owners = owners;
        self.api_session.change(now, settings(next, self.parent), routes, out);
        self.heartbeat = heartbeat(next);
        self.heartbeat_at = self.heartbeat.map(|period| now + period);
        out.push(Action::Save);
        // As at a tick: starts the rounds that are due.
        self.advance(now, true, out);
    }
}

/// The places of the checks of one service, which was at the place `former` and is at `place`.
fn translated(
    former: usize,
    place: usize,
    checks: impl Iterator<Item = (usize, usize)>,
) -> impl Iterator<Item = (CheckId, CheckId)> {
    let id = |service, check| CheckId { service: ServiceId(service), check };
    checks.map(move |(was, is)| (id(former, was), id(place, is)))
}

#[cfg(test)]
mod tests;
