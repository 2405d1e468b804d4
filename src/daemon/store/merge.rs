//! What two helpers have made of the drains and holds of one state file.
//!
//! Each knows what the file held when it last read or wrote it. What is in the file otherwise, another helper has
//! changed; what is in its own memory otherwise, it has changed itself. A change is taken over where the other side has
//! not changed the same order; else an order prevails over its end.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;

use crate::engine::memory::{Memory, NO_LONGER_CONFIGURED, Remembered};
use crate::engine::order::{Holder, Kind, RememberedOrder};

/// The ends of the same order differ by no more, though they were written at different moments.
const TOLERANCE: Duration = Duration::from_secs(5);

/// What a helper has changed of an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// The service's name in the configuration of that helper, or that of all services.
    pub(crate) service: String,
    /// Its prefixes, under whatever name.
    pub(crate) prefixes: Vec<IpNet>,
    /// A drain or a hold.
    pub(crate) kind: Kind,
    /// Whose.
    pub(crate) holder: Holder,
    /// As it was before; `None` where there was none.
    pub(crate) was: Option<RememberedOrder>,
    /// As it is now; `None` where it has ended.
    pub(crate) order: Option<RememberedOrder>,
}

/// What was remembered, so long ago.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aged<'a> {
    pub(super) memory: &'a Memory,
    pub(super) age: Duration,
}

impl Aged<'_> {
    /// The order as it is now, unless its time is over by now, or it ends with its helper.
    fn order(&self, service: &str, kind: Kind, holder: &Holder) -> Option<RememberedOrder> {
        let order = self.memory.services.get(service)?.orders(kind).get(holder)?;
        let remaining = order.remaining.map(|remaining| remaining.saturating_sub(self.age));
        let order = RememberedOrder { remaining, age: order.age.saturating_add(self.age), ..order.clone() };
        (remaining != Some(Duration::ZERO) && !order.until_exit).then_some(order)
    }
}

/// What has changed from what was `known` to what is `found`, of services that are found.
pub(super) fn changes(known: Aged<'_>, found: Aged<'_>) -> Vec<Change> {
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
                if !are_same(was.as_ref(), is.as_ref()) {
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

/// Makes the change in `memory`, which is of so long ago, unless the same order has changed there, too. True if it is
/// made.
pub(super) fn apply(change: &Change, memory: &mut Memory, age: Duration) -> bool {
    let Change { service, prefixes, kind, holder, was, order } = change;
    let has = Aged { memory, age }.order(service, *kind, holder);
    let is_there = memory.services.get(service).is_some_and(|kept| kept.orders(*kind).contains_key(holder));
    let unchanged = are_same(was.as_ref(), has.as_ref());
    match order {
        Some(order) if !is_there || (unchanged && has.is_some()) => {
            let empty = || Remembered { prefixes: prefixes.clone(), ..Remembered::default() };
            // As of the moment that the memory is of.
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

fn are_same(one: Option<&RememberedOrder>, other: Option<&RememberedOrder>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one.is_none() && other.is_none() };
    let ends_alike = match (one.remaining, other.remaining) {
        (Some(one), Some(other)) => one.abs_diff(other) <= TOLERANCE,
        (one, other) => one == other,
    };
    ends_alike && one.reason == other.reason && one.returning == other.returning
}

#[cfg(test)]
mod tests;
