//! The drains of services that are no longer configured.
//!
//! They go on as long as a prefix of the service is free. A service that is configured again then begins drained, and so does
//! one that gets only prefixes of such services ([`Succession`]). A hold does not go on: it would announce the prefix against new checks.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::memory::Remembered;
use super::moment::Moment;
use super::notice::{Notice, OrderEnd, Until};
use super::order::{Holder, Orders};
use super::plan;
use super::succession::Succession;

/// The consequence of the end of the last drain.
const BEGINS_UNDRAINED: &str = "; a service that gets its prefixes no longer begins drained";

/// Drained services that are no longer configured, by name.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct RemovedServices(BTreeMap<String, Removed>);

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Removed {
    /// Those that no service has now.
    prefixes: Vec<IpNet>,
    drains: Orders,
}

impl RemovedServices {
    /// The drained services of a memory, saved `age` ago, that none of `plans` follows and of which a prefix is free; the
    /// drains of the others end. Logs each that is not `known`, and each service that was held, since its hold ends.
    pub(super) fn new(
        now: Moment,
        succession: &Succession<'_>,
        plans: &[plan::Service],
        age: Duration,
        known: Option<&Self>,
        out: &mut Vec<Action>,
    ) -> Self {
        let mut removed = BTreeMap::new();
        for (name, remembered) in succession.unfollowed() {
            let is_free = |prefix: &&IpNet| {
                !plans.iter().flat_map(|plan| &plan.routes).any(|route| route.prefix == **prefix)
            };
            let prefixes: Vec<_> = remembered.prefixes.iter().filter(is_free).copied().collect();
            let mut drains = Orders::recall(now, &remembered.drains, age);
            drains.expire(now);
            if prefixes.is_empty() {
                continue;
            }
            let (drained, held) = (!drains.is_empty(), !remembered.holds.is_empty());
            if held || (drained && !known.is_some_and(|known| known.0.contains_key(name))) {
                let until = || Until::drains_end(now, &drains, Until::undrained_all(&drains));
                let drained = drained.then(|| (drains.reasons("drains it"), until()));
                out.push(Notice::Removed { service: name.to_owned(), drained, held }.into());
            }
            if drained {
                removed.insert(name.to_owned(), Removed { prefixes, drains });
            }
        }
        Self(removed)
    }

    /// Their memory.
    pub(super) fn remember(&self, now: Moment) -> impl Iterator<Item = (String, Remembered)> {
        self.0.iter().map(move |(name, removed)| {
            let (prefixes, drains) = (removed.prefixes.clone(), removed.drains.remember(now));
            (name.clone(), Remembered { prefixes, drains, ..Remembered::default() })
        })
    }

    /// When the next drain ends by itself.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.0.values().filter_map(|removed| removed.drains.deadline()).min()
    }

    /// Ends the drains that have expired.
    pub(super) fn expire(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.end(OrderEnd::Expired, &|drains| drains.expire(now), out);
    }

    /// Ends the drains of this holder, or all if none is named.
    pub(super) fn lift(&mut self, whose: Option<&Holder>, out: &mut Vec<Action>) {
        self.end(OrderEnd::Lifted, &|drains| drains.lift(whose), out);
    }

    fn end(&mut self, end: OrderEnd, ended: &dyn Fn(&mut Orders) -> Vec<Holder>, out: &mut Vec<Action>) {
        for (name, removed) in &mut self.0 {
            for holder in ended(&mut removed.drains) {
                let then = if removed.drains.is_empty() { BEGINS_UNDRAINED } else { "" };
                let (service, then) = (name.clone(), then.to_owned());
                out.extend([Notice::DrainOver { service, holder, end, then }.into(), Action::Save]);
            }
        }
        self.0.retain(|_, removed| !removed.drains.is_empty());
    }

    /// Each with its drains.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Orders)> {
        self.0.iter().map(|(name, removed)| (name, &removed.drains))
    }

    /// The names of those that this holder drains, or any if none is named.
    pub(crate) fn drained_by(&self, whose: Option<&Holder>) -> impl Iterator<Item = &String> {
        self.iter().filter(move |(_, drains)| drains.has(whose)).map(|(name, _)| name)
    }
}
