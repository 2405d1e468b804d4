//! Merges the drains and holds of two helpers with one state file.
//!
//! Each helper knows the content of the file when it last read or wrote it. A difference in the file is a change by the
//! other helper; a difference in memory is its own change. A change is applied if the other side has not changed the
//! same order. If both have, an order wins over its end.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;

use crate::engine::memory::{Memory, NO_LONGER_CONFIGURED, Remembered};
use crate::engine::order::{Holder, Kind, RememberedOrder};

/// Two ends of the same order differ at most by this, although they were written at different times.
const TOLERANCE: Duration = Duration::from_secs(5);

/// A change of an order by a helper.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// The name of the service in that helper's configuration, or the name for all services.
    pub(crate) service: String,
    /// The prefixes of the service.
    pub(crate) prefixes: Vec<IpNet>,
    /// A drain or a hold.
    pub(crate) kind: Kind,
    pub(crate) holder: Holder,
    /// The order before; `None` if there was none.
    pub(crate) was: Option<RememberedOrder>,
    /// The order after; `None` if it ended.
    pub(crate) order: Option<RememberedOrder>,
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

/// The changes between `known` and `found`, for services in `found`.
pub(super) fn changes(known: DatedMemory<'_>, found: DatedMemory<'_>) -> Vec<Change> {
    let mut changes = vec![];
    for (service, remembered) in &found.memory.services {
        if service == NO_LONGER_CONFIGURED {
            continue;
        }
        for kind in Kind::ALL {
            let before = known.memory.services.get(service).map(|known| known.orders(kind));
            let holders: BTreeMap<_, _> =
                before.into_iter().flatten().chain(remembered.orders(kind)).collect();
            for holder in holders.into_keys() {
                let (was, is) = (known.order(service, kind, holder), found.order(service, kind, holder));
                if !is_same(was.as_ref(), is.as_ref()) {
                    changes.push(Change {
                        service: service.clone(),
                        prefixes: remembered.prefixes.clone(),
                        kind,
                        holder: holder.clone(),
                        was,
                        order: is,
                    });
                }
            }
        }
    }
    changes
}

/// Applies the change to `memory`, which has this age, unless the same order changed there. Returns whether it was
/// applied.
pub(super) fn apply(change: &Change, memory: &mut Memory, age: Duration) -> bool {
    let Change { service, prefixes, kind, holder, was, order } = change;
    let has = DatedMemory { memory, age }.order(service, *kind, holder);
    let is_there = memory.services.get(service).is_some_and(|kept| kept.orders(*kind).contains_key(holder));
    let unchanged = is_same(was.as_ref(), has.as_ref());
    match order {
        Some(order) if !is_there || (unchanged && has.is_some()) => {
            let empty = || Remembered { prefixes: prefixes.clone(), ..Remembered::default() };
            // Converted to the time of the memory.
            let order = RememberedOrder {
                remaining: order.remaining.map(|remaining| remaining.saturating_add(age)),
                age: order.age.saturating_sub(age),
                ..order.clone()
            };
            let kept = memory.services.entry(service.clone()).or_insert_with(empty);
            kept.orders_mut(*kind).insert(holder.clone(), order);
            true
        }
        None if unchanged && is_there => memory
            .services
            .get_mut(service)
            .is_some_and(|kept| kept.orders_mut(*kind).remove(holder).is_some()),
        Some(_) | None => false,
    }
}

fn is_same(one: Option<&RememberedOrder>, other: Option<&RememberedOrder>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one.is_none() && other.is_none() };
    let ends_alike = match (one.remaining, other.remaining) {
        (Some(one), Some(other)) => one.abs_diff(other) <= TOLERANCE,
        (one, other) => one == other,
    };
    ends_alike && one.reason == other.reason && one.returning == other.returning
}

#[cfg(test)]
mod tests;
