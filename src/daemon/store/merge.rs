//! Merges the drains and holds of two helpers with one state file.
//!
//! Each helper knows the content of the file when it last read or wrote it. A difference in the file is a change by the
//! other helper; a difference in memory is its own change. A change is applied if the other side has not changed the
//! same order. If both have, an order wins over its end.
//!
//! A drain of all services is an entry of its own, beside the drain of each service. It begins for the services that
//! the other helper does not have, too; for those that it has, their own entries decide. A missing entry for all
//! services is an ended one, a missing service is not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::IpNet;

use crate::engine::memory::{ALL_SERVICES, Memory, NO_LONGER_CONFIGURED, Remembered};
use crate::engine::order::{Holder, Kind, RememberedOrder};
use crate::text::ordered;

pub(crate) use self::change::Change;

mod change;

/// Two ends of the same order differ at most by this, although they were written at different times.
const TOLERANCE: Duration = Duration::from_secs(5);

/// The names and prefixes of the services.
fn services_of(memory: &Memory) -> Vec<(&str, Vec<IpNet>)> {
    let services = memory
        .services
        .iter()
        .filter(|(name, _)| ![ALL_SERVICES, NO_LONGER_CONFIGURED].contains(&name.as_str()));
    services.map(|(name, kept)| (name.as_str(), kept.prefixes.clone())).collect()
}

#[derive(Clone, Copy, Debug)]
pub(super) struct DatedMemory<'a> {
    pub(super) memory: &'a Memory,
    pub(super) age: Duration,
}

impl DatedMemory<'_> {
    /// The current order, unless it has expired or ends with its helper.
    fn order(&self, service: &str, kind: Kind, holder: &Holder) -> Option<RememberedOrder> {
        let order = self.memory.services.get(service)?.orders(kind).get(holder)?;
        let remaining = order.remaining.map(|remaining| remaining.saturating_sub(self.age));
        let order = RememberedOrder { remaining, age: order.age.saturating_add(self.age), ..order.clone() };
        (remaining != Some(Duration::ZERO) && !order.until_exit).then_some(order)
    }
}

/// The changes between `known` and `found`, for services in `found`; those for all services last.
pub(super) fn changes(known: DatedMemory<'_>, found: DatedMemory<'_>, by_older: bool) -> Vec<Change> {
    let nothing = Remembered::default();
    let mut changes = vec![];
    let listed = services_of(found.memory);
    let names = listed.iter().map(|(name, _)| *name);
    for service in names.chain([ALL_SERVICES]) {
        let [before, after] =
            [known, found].map(|dated| dated.memory.services.get(service).unwrap_or(&nothing));
        for kind in Kind::ALL {
            let holders: BTreeSet<_> = ordered(before.orders(kind).keys().chain(after.orders(kind).keys()));
            for holder in holders {
                let (was, order) = (known.order(service, kind, holder), found.order(service, kind, holder));
                if is_same(was.as_ref(), order.as_ref()) {
                    continue;
                }
                let mut change = Change {
                    service: service.to_owned(),
                    prefixes: after.prefixes.clone(),
                    kind,
                    holder: holder.clone(),
                    was,
                    order,
                    listed: BTreeMap::new(),
                    by_older,
                };
                if change.is_for_all() {
                    let owned =
                        |(name, prefixes): &(&str, Vec<IpNet>)| ((*name).to_owned(), prefixes.clone());
                    change.listed = ordered(listed.iter().map(owned));
                }
                changes.push(change);
            }
        }
    }
    changes
}

/// Applies the change to `memory`, which has this age, unless the same order changed there. Returns whether it was
/// applied.
pub(super) fn apply(change: &Change, memory: &mut Memory, age: Duration) -> bool {
    if change.is_for_all() {
        return apply_for_all(change, memory, age);
    }
    let concerned: Vec<_> =
        change.concerned(&services_of(memory)).into_iter().map(ToOwned::to_owned).collect();
    if concerned.is_empty() {
        return apply_to(&change.service, change, memory, age);
    }
    let applied = concerned.iter().filter(|service| apply_to(service, change, memory, age));
    applied.count() > 0
}

/// As [`apply`], for a drain of all services.
fn apply_for_all(change: &Change, memory: &mut Memory, age: Duration) -> bool {
    let services = services_of(memory);
    let unlisted: Vec<_> =
        services.iter().filter_map(|(name, prefixes)| change.for_unlisted(name, prefixes)).collect();
    let is_drained = |name: &str| {
        let order = DatedMemory { memory, age }.order(name, change.kind, &change.holder);
        order.is_some_and(|order| !order.returning)
    };
    if change.is_withheld(&services, is_drained) {
        return false;
    }
    let applied = apply_to(ALL_SERVICES, change, memory, age);
    if applied {
        for of_service in unlisted {
            apply_to(&of_service.service, &of_service, memory, age);
        }
    }
    applied
}

fn apply_to(service: &str, change: &Change, memory: &mut Memory, age: Duration) -> bool {
    let Change { prefixes, kind, holder, was, order, .. } = change;
    let has = DatedMemory { memory, age }.order(service, *kind, holder);
    let is_there = memory.services.get(service).is_some_and(|kept| kept.orders(*kind).contains_key(holder));
    let unchanged = is_same(was.as_ref(), has.as_ref());
    match order {
        Some(order) if !is_there || (unchanged && has.is_some()) => {
            let empty = || Remembered { prefixes: prefixes.clone(), ..Remembered::default() };
            let kept = memory.services.entry(service.to_owned()).or_insert_with(empty);
            kept.orders_mut(*kind).insert(holder.clone(), at_age(order, age));
            true
        }
        None if unchanged && is_there => memory
            .services
            .get_mut(service)
            .is_some_and(|kept| kept.orders_mut(*kind).remove(holder).is_some()),
        Some(_) | None => false,
    }
}

/// Adds to `next`, which has this age, the services that only `before` has, as the changes leave them: a helper knows its own
/// services although another one has renamed or removed them.
pub(super) fn keep_missing(before: DatedMemory<'_>, next: &mut Memory, age: Duration, changes: &[Change]) {
    let mut missing = Memory::default();
    for (service, prefixes) in services_of(before.memory) {
        if next.services.contains_key(service) {
            continue;
        }
        let mut kept = Remembered { prefixes, ..Remembered::default() };
        for kind in Kind::ALL {
            for holder in before.memory.services[service].orders(kind).keys() {
                let converted = before.order(service, kind, holder).map(|order| at_age(&order, age));
                kept.orders_mut(kind).extend(converted.map(|order| (holder.clone(), order)));
            }
        }
        missing.services.insert(service.to_owned(), kept);
    }
    for change in changes {
        apply(change, &mut missing, age);
    }
    for (service, kept) in missing.services.into_iter().filter(|(service, _)| service != ALL_SERVICES) {
        next.services.entry(service).or_insert(kept);
    }
}

/// A present order, converted to the time of a memory of this age.
fn at_age(order: &RememberedOrder, age: Duration) -> RememberedOrder {
    RememberedOrder {
        remaining: order.remaining.map(|remaining| remaining.saturating_add(age)),
        age: order.age.saturating_sub(age),
        ..order.clone()
    }
}

/// Whether both are the same order, at the same time.
pub(crate) fn is_same(one: Option<&RememberedOrder>, other: Option<&RememberedOrder>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one.is_none() && other.is_none() };
    let ends_alike = match (one.remaining, other.remaining) {
        (Some(one), Some(other)) => one.abs_diff(other) <= TOLERANCE,
        (one, other) => one == other,
    };
    ends_alike && one.reason == other.reason && one.returning == other.returning && one.needs == other.needs
}

#[cfg(test)]
mod tests;
