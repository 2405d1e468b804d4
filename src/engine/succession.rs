//! The saved state that a service takes over, at a start or at a reload.
//!
//! ```text
//!   same name, or a name that is gone and a prefix in common ──► penalty, state, disable-file, drains
//!   same name                                                ──► holds
//!   prefixes of drained services, and no others              ──► their drains
//!   prefixes of held services, and no others                 ──► their holds
//!   no saved service of its name, a prefix that is new, and
//!   otherwise prefixes of drained services only              ──► the drains of all services
//! ```

use std::collections::{BTreeSet, HashMap, HashSet};

use ipnet::IpNet;

use super::memory::{ALL_SERVICES, Memory, NO_LONGER_CONFIGURED, Remembered};
use super::notice::Notice;
use super::order::Kind;
use super::plan::Service;
use crate::text::ordered;

/// Which service follows which.
#[derive(Debug)]
pub(super) struct Succession<'a> {
    memory: &'a Memory,
    /// The saved service of each prefix.
    owners: HashMap<IpNet, &'a str>,
    /// Names in the configuration.
    configured: HashSet<&'a str>,
    /// Saved services that have a successor under another name.
    succeeded: HashSet<&'a str>,
}

/// The state that one service takes over.
#[derive(Debug)]
pub(super) struct Inheritance {
    /// The name under which it was saved, if it was.
    pub(super) saved_name: Option<String>,
    /// The state; `None` for nothing.
    pub(super) remembered: Option<Remembered>,
    /// About drains and holds that move, or do not.
    pub(super) notices: Vec<Notice>,
}

impl<'a> Succession<'a> {
    /// From `memory` to these services.
    pub(super) fn new(memory: &'a Memory, services: &'a [Service]) -> Self {
        let mut owners = HashMap::new();
        for (name, remembered) in &memory.services {
            if [NO_LONGER_CONFIGURED, ALL_SERVICES].contains(&name.as_str()) {
                continue;
            }
            let announced = remembered.announced.iter().map(|route| route.prefix);
            owners.extend(
                remembered.prefixes.iter().copied().chain(announced).map(|prefix| (prefix, name.as_str())),
            );
        }
        let configured = services.iter().map(|plan| plan.name.as_str()).collect();
        Self { memory, owners, configured, succeeded: HashSet::new() }
    }

    /// The state that the service of this plan takes over. Call it once for each service.
    pub(super) fn inherit(&mut self, plan: &Service) -> Inheritance {
        let saved_name = self.predecessor(plan);
        let known = saved_name.and_then(|saved_name| self.memory.services.get(saved_name));
        let mut remembered = known.cloned().unwrap_or_default();
        // A state that was acknowledged under another name does not apply to prefixes that the other service did not have.
        let had_prefix = |prefix| self.owners.get(prefix).copied() == saved_name;
        if saved_name.is_some_and(|saved_name| saved_name != plan.name)
            && !plan.routes.iter().all(|route| had_prefix(&route.prefix))
        {
            remembered.acknowledged = None;
        }
        let drains = self.take_over_drains(&mut remembered, saved_name, plan);
        let holds = self.take_over_holds(&mut remembered, saved_name, plan);
        let anything = known.is_some() || !remembered.drains.is_empty() || !remembered.holds.is_empty();
        Inheritance {
            saved_name: saved_name.map(ToOwned::to_owned),
            remembered: anything.then_some(remembered),
            notices: drains.into_iter().chain(holds).collect(),
        }
    }

    /// The saved services that no service follows, once all have inherited.
    pub(super) fn unfollowed(&self) -> impl Iterator<Item = (&'a str, &'a Remembered)> {
        let saved = self.memory.services.iter().map(|(name, remembered)| (name.as_str(), remembered));
        saved.filter(|(name, _)| {
            ![NO_LONGER_CONFIGURED, ALL_SERVICES].contains(name)
                && !self.configured.contains(name)
                && !self.succeeded.contains(name)
        })
    }

    /// The saved name of this service: its own, or one that is no longer configured and had a prefix of it.
    fn predecessor(&mut self, plan: &Service) -> Option<&'a str> {
        if let Some((name, _)) = self.memory.services.get_key_value(&plan.name) {
            return Some(name);
        }
        let mut owners = plan.routes.iter().filter_map(|route| self.owners.get(&route.prefix).copied());
        let renamed =
            owners.find(|owner| !self.configured.contains(owner) && !self.succeeded.contains(owner));
        self.succeeded.extend(renamed);
        renamed
    }

    /// Adds the drains of the other services that had prefixes of `plan`, unless it has other prefixes that are not
    /// drained: the drain is not to withdraw those. A drain of its own of the same holder stays. A new prefix counts as
    /// drained if its service, under its own name, is drained, or if all services are drained and no service of
    /// its name was saved.
    fn take_over_drains(
        &self,
        remembered: &mut Remembered,
        saved_name: Option<&str>,
        plan: &Service,
    ) -> Option<Notice> {
        let drains = |owner: &str| self.memory.services.get(owner).map(|kept| &kept.drains);
        let is_drained = |owner: &&str| drains(owner).is_some_and(|drains| !drains.is_empty());
        let of_all = self.memory.drains_of_all();
        let is_own_name = saved_name == Some(plan.name.as_str());
        let new_are_drained = if is_own_name { !remembered.drains.is_empty() } else { !of_all.is_empty() };
        let owners = plan.routes.iter().map(|route| self.owners.get(&route.prefix).copied());
        let orders_follow = owners.clone().all(|owner| owner.as_ref().map_or(new_are_drained, is_drained));
        let from: BTreeSet<_> =
            ordered(owners.clone().flatten().filter(is_drained).filter(|owner| saved_name != Some(owner)));
        let has_new = owners.clone().any(|owner| owner.is_none());
        let joins_all = orders_follow && has_new && !is_own_name;
        if orders_follow {
            let others = from.iter().filter_map(|owner| drains(owner)).flatten();
            for (holder, drain) in others.chain(of_all.iter().filter(|_| joins_all)) {
                remembered.drains.entry(holder.clone()).or_insert_with(|| drain.clone());
            }
        }
        let service = plan.name.clone();
        if from.is_empty() {
            return joins_all.then_some(Notice::DrainedWithAll { service });
        }
        if !orders_follow && !remembered.drains.is_empty() {
            // It has drains of its own, and stays drained by them.
            return None;
        }
        let from = from.into_iter().map(ToOwned::to_owned).collect();
        Some(Notice::OrdersMoved { kind: Kind::Drain, service, from, orders_follow })
    }

    /// Gives a service that was not held under its own name the holds of the services that had its prefixes, if each prefix
    /// was one of a held service. A new prefix prevents that: a hold must not announce it against its checks. A renamed
    /// service otherwise loses its holds.
    fn take_over_holds(
        &self,
        remembered: &mut Remembered,
        saved_name: Option<&str>,
        plan: &Service,
    ) -> Option<Notice> {
        let is_own_name = saved_name == Some(plan.name.as_str());
        if is_own_name && !remembered.holds.is_empty() {
            return None;
        }
        let holds = |owner: &str| self.memory.services.get(owner).map(|kept| &kept.holds);
        let is_held = |owner: &&str| holds(owner).is_some_and(|holds| !holds.is_empty());
        let owners = plan.routes.iter().map(|route| self.owners.get(&route.prefix).copied());
        let orders_follow = owners.clone().all(|owner| owner.as_ref().is_some_and(is_held));
        let from: BTreeSet<_> = ordered(owners.flatten().filter(is_held));
        remembered.holds.clear();
        if orders_follow {
            let taken = from.iter().filter_map(|owner| holds(owner)).flatten();
            remembered.holds.extend(taken.map(|(holder, hold)| (holder.clone(), hold.clone())));
        }
        // No notice if only the name has changed.
        let is_news = !orders_follow || from.iter().any(|owner| saved_name != Some(owner));
        let from: Vec<_> = from.into_iter().map(ToOwned::to_owned).collect();
        (is_news && !from.is_empty()).then(|| Notice::OrdersMoved {
            kind: Kind::Hold,
            service: plan.name.clone(),
            from,
            orders_follow,
        })
    }
}
