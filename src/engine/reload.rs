//! Another configuration while the engine runs: what did not change goes on as if nothing had happened.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::action::Action;
use super::event::{CheckId, ServiceId};
use super::memory::{Memory, Remembered};
use super::moment::Moment;
use super::notice::Notice;
use super::service::{Service, State};
use super::{Engine, Phase, heartbeat, routes, settings};
use crate::config::{self, Config};

/// What a reload leads to.
#[derive(Debug)]
pub struct Reloaded {
    /// What the edges are to do, in this order.
    pub actions: Vec<Action>,
    /// The checks that go on, each by its former place, with its present one. A round of such a check that is under way
    /// counts; the outcome of any other must not be reported any more.
    pub kept: HashMap<CheckId, CheckId>,
}

impl Engine {
    /// From now on `config` is meant. A service that is configured as before keeps its state and its counters. One
    /// that is configured otherwise keeps its drains, its penalty and the checks that are configured as before, even
    /// if it is called otherwise as long as it has one of its prefixes; a check that is new or changed begins anew, and
    /// until the service has a verdict, what was said of it stands. Drains go with the prefixes, to a service that has
    /// none but drained ones. What is no longer wanted is withdrawn.
    ///
    /// Checks have the places of the new configuration from here on; [`Reloaded::kept`] translates.
    pub fn reload(&mut self, now: Moment, config: &Config) -> Reloaded {
        let mut out = vec![];
        let mut kept_checks = HashMap::new();
        if self.phase != Phase::Running {
            return Reloaded { actions: out, kept: kept_checks };
        }
        let memory = self.remember(now).clone();
        let plans = std::mem::replace(&mut self.plans, config.services.clone());
        let services = std::mem::take(&mut self.services);
        let settled = std::mem::take(&mut self.settled);
        let earlier_plans = plans.clone();
        let mut moved = vec![];
        let mut before: Vec<_> =
            plans.into_iter().zip(services.into_iter().zip(settled)).enumerate().collect();
        let (mut unchanged, mut changed, mut added) = (0, vec![], vec![]);
        for (place, plan) in config.services.iter().enumerate() {
            let named = |(_, (earlier, _)): &(_, (config::Service, _))| earlier.name == plan.name;
            let renamed = |(_, (earlier, _)): &(_, (config::Service, _))| is_renamed(earlier, plan, config);
            let known = before.iter().position(named).or_else(|| before.iter().position(renamed));
            let (service, settled) = match known.map(|known| before.swap_remove(known)) {
                Some((former, (earlier, (service, settled)))) if earlier == *plan => {
                    unchanged += 1;
                    let places = (0..plan.checks.len()).map(|check| (check, check));
                    kept_checks.extend(translated(former, place, places));
                    (service, settled)
                }
                Some((former, (earlier, (service, _)))) => {
                    let was = if earlier.name == plan.name {
                        String::new()
                    } else {
                        format!(" (was {})", earlier.name)
                    };
                    changed.push(format!("{}{was}", plan.name));
                    let mut kept = memory.services.get(&earlier.name).cloned().unwrap_or_default();
                    moved.extend(kept.take_over_drains(&memory, &earlier_plans, &earlier.name, plan));
                    // What ExaBGP has acknowledged may be older than that.
                    if service.state() != State::Starting {
                        kept.acknowledged = Some(service.state());
                    }
                    let kept = Some((&kept, Duration::ZERO));
                    let mut next = Service::new(now, plan, config.habits, kept, &mut vec![]);
                    let places = next.go_on_from(service, &earlier, plan, &mut out);
                    kept_checks.extend(translated(former, place, places.into_iter()));
                    (next, None)
                }
                None => {
                    added.push(plan.name.clone());
                    let mut kept = Remembered::default();
                    moved.extend(kept.take_over_drains(&memory, &earlier_plans, &plan.name, plan));
                    let kept = Some((&kept, Duration::ZERO)).filter(|(kept, _)| !kept.drains.is_empty());
                    (Service::new(now, plan, config.habits, kept, &mut vec![]), None)
                }
            };
            self.services.push(service);
            self.settled.push(settled);
        }
        let removed = before.into_iter().map(|(_, (plan, _))| plan.name).collect();
        out.insert(0, Notice::Reloaded { unchanged, changed, added, removed }.into());
        out.extend(moved.into_iter().map(Action::from));
        let (owners, routes) = routes(config);
        self.owners = owners;
        self.link.change(now, settings(config, self.parent), routes, &mut out);
        self.heartbeat = heartbeat(config);
        self.heartbeat_at = self.heartbeat.map(|period| now + period);
        out.push(Action::Save);
        self.advance(now, true, &mut out);
        Reloaded { actions: out, kept: kept_checks }
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

impl Remembered {
    /// Takes over the drains of the services that had prefixes of `plan`, which was called `called`, unless it has others
    /// that nobody drained: those are not to be withdrawn for it. A drain of its own of the same holder stays. Says what
    /// has become of the drains, if there are any.
    fn take_over_drains(
        &mut self,
        memory: &Memory,
        earlier: &[config::Service],
        called: &str,
        plan: &config::Service,
    ) -> Option<Notice> {
        let drains = |of: &config::Service| memory.services.get(&of.name).map(|kept| &kept.drains);
        let is_drained = |of: &&config::Service| drains(of).is_some_and(|drains| !drains.is_empty());
        let concerned = |of: &&config::Service| is_drained(of) && have_a_prefix_in_common(of, plan);
        let (own, others): (Vec<_>, Vec<_>) =
            earlier.iter().filter(concerned).partition(|of| of.name == called);
        let drained: HashSet<_> =
            own.iter().chain(&others).flat_map(|of| &of.routes).map(|route| route.prefix).collect();
        let with_it = plan.routes.iter().all(|route| drained.contains(&route.prefix));
        for (holder, drain) in others.iter().filter(|_| with_it).filter_map(|of| drains(of)).flatten() {
            self.drains.entry(holder.clone()).or_insert_with(|| drain.clone());
        }
        let from: Vec<_> = others.iter().map(|of| of.name.clone()).collect();
        (!from.is_empty()).then(|| Notice::DrainsMoved { service: plan.name.clone(), from, with_it })
    }
}

/// Whether this service is now called otherwise: its name is gone, and a prefix of it is there.
fn is_renamed(earlier: &config::Service, plan: &config::Service, config: &Config) -> bool {
    let is_gone = !config.services.iter().any(|service| service.name == earlier.name);
    is_gone && have_a_prefix_in_common(earlier, plan)
}

fn have_a_prefix_in_common(earlier: &config::Service, plan: &config::Service) -> bool {
    let prefixes: HashSet<_> = plan.routes.iter().map(|route| route.prefix).collect();
    earlier.routes.iter().any(|route| prefixes.contains(&route.prefix))
}

#[cfg(test)]
mod tests;
