//! The drains of services that are no longer configured.
//!
//! They go on, so that a service that is configured again begins drained, and so does one that gets only prefixes of such
//! services ([`Succession`]). A hold does not go on: it would announce the prefix against new checks.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::action::Action;
use super::memory::Remembered;
use super::moment::Moment;
use super::notice::Notice;
use super::order::{Holder, Orders};
use super::plan;
use super::succession::Succession;

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
    /// The drained services of a memory, saved `age` ago, that none of `plans` follows. Logs those that are not `known`.
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
            let drains = Orders::recall(now, &remembered.drains, age);
            if prefixes.is_empty() {
                continue;
            }
            let (drained, held) = (!drains.is_empty(), !remembered.holds.is_empty());
            if held || (drained && !known.is_some_and(|known| known.0.contains_key(name))) {
                out.push(Notice::Removed { service: name.to_owned(), drained, held }.into());
            }
            if drained {
                removed.insert(name.to_owned(), Removed { prefixes, drains });
            }
        }
        Self(removed)
    }

    /// Their memory, without drains that have expired.
    pub(super) fn remember(&mut self, now: Moment) -> impl Iterator<Item = (String, Remembered)> {
        self.0.retain(|_, removed| {
            removed.drains.expire(now);
            !removed.drains.is_empty()
        });
        self.0.iter().map(move |(name, removed)| {
            let (prefixes, drains) = (removed.prefixes.clone(), removed.drains.remember(now));
            (name.clone(), Remembered { prefixes, drains, ..Remembered::default() })
        })
    }

    /// Ends the drains of this holder, or all if none is named. True if there were any.
    pub(super) fn lift(&mut self, whose: Option<&Holder>) -> bool {
        let lifted = self.0.values_mut().filter_map(|removed| removed.drains.lift(whose).pop()).count() > 0;
        self.0.retain(|_, removed| !removed.drains.is_empty());
        lifted
    }

    /// The names of those that this holder drains, or any if none is named.
    pub(crate) fn drained_by(&self, now: Moment, whose: Option<&Holder>) -> impl Iterator<Item = &String> {
        let is_drained = move |removed: &Removed| {
            removed.drains.iter().any(|(holder, drain)| {
                whose.is_none_or(|whose| whose == holder) && drain.expires.is_none_or(|at| at > now)
            })
        };
        self.0.iter().filter(move |(_, removed)| is_drained(removed)).map(|(name, _)| name)
    }
}
