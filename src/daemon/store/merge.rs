//! What two helpers have made of the drains of one state file.
//!
//! Each knows what the file held when it last read or wrote it. What is in the file otherwise, another helper has
//! changed; what is in its own memory otherwise, it has changed itself. A change is taken over where the other side has
//! not changed the same drain; else a drain prevails over its end.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;

use crate::engine::drain::{Holder, RememberedDrain};
use crate::engine::memory::{Memory, NO_LONGER_CONFIGURED, Remembered};

/// The ends of the same drain differ by no more, though they were written at different moments.
const TOLERANCE: Duration = Duration::from_secs(5);

/// What a helper has changed of a drain.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The service's name in the configuration of that helper, or that of all services.
    pub service: String,
    /// Its prefixes, under whatever name.
    pub prefixes: Vec<IpNet>,
    /// Whose drain.
    pub holder: Holder,
    /// As it was before; `None` where there was none.
    pub was: Option<RememberedDrain>,
    /// As it is now; `None` where it has ended.
    pub drain: Option<RememberedDrain>,
}

/// What was remembered, so long ago.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aged<'a> {
    pub(super) memory: &'a Memory,
    pub(super) age: Duration,
}

impl Aged<'_> {
    /// The drain as it is now, unless its time is over by now, or it ends with its helper.
    fn drain(&self, service: &str, holder: &Holder) -> Option<RememberedDrain> {
        let drain = self.memory.services.get(service)?.drains.get(holder)?;
        let remaining = drain.remaining.map(|remaining| remaining.saturating_sub(self.age));
        let drain = RememberedDrain { remaining, age: drain.age.saturating_add(self.age), ..drain.clone() };
        (remaining != Some(Duration::ZERO) && !drain.until_exit).then_some(drain)
    }
}

/// What has changed from what was `known` to what is `found`, of services that are found.
pub(super) fn changes(known: Aged<'_>, found: Aged<'_>) -> Vec<Change> {
    let mut changes = vec![];
    for (service, remembered) in &found.memory.services {
        if service == NO_LONGER_CONFIGURED {
            continue;
        }
        let before = known.memory.services.get(service).map(|known| &known.drains);
        let holders: BTreeMap<_, _> = before.into_iter().flatten().chain(&remembered.drains).collect();
        for holder in holders.into_keys() {
            let (was, is) = (known.drain(service, holder), found.drain(service, holder));
            if !are_same(was.as_ref(), is.as_ref()) {
                changes.push(Change {
                    service: service.clone(),
                    prefixes: remembered.prefixes.clone(),
                    holder: holder.clone(),
                    was,
                    drain: is,
                });
            }
        }
    }
    changes
}

/// Makes the change in `memory`, which is of so long ago, unless the same drain has changed there, too. True if it is
/// made.
pub(super) fn apply(change: &Change, memory: &mut Memory, age: Duration) -> bool {
    let Change { service, prefixes, holder, was, drain } = change;
    let has = Aged { memory, age }.drain(service, holder);
    let is_there = memory.services.get(service).is_some_and(|kept| kept.drains.contains_key(holder));
    let unchanged = are_same(was.as_ref(), has.as_ref());
    match drain {
        Some(drain) if !is_there || (unchanged && has.is_some()) => {
            let empty = || Remembered { prefixes: prefixes.clone(), ..Remembered::default() };
            // As of the moment that the memory is of.
            let drain = RememberedDrain {
                remaining: drain.remaining.map(|remaining| remaining.saturating_add(age)),
                age: drain.age.saturating_sub(age),
                ..drain.clone()
            };
            let kept = memory.services.entry(service.clone()).or_insert_with(empty);
            kept.drains.insert(holder.clone(), drain);
            true
        }
        None if unchanged && is_there => {
            memory.services.get_mut(service).is_some_and(|kept| kept.drains.remove(holder).is_some())
        }
        Some(_) | None => false,
    }
}

fn are_same(one: Option<&RememberedDrain>, other: Option<&RememberedDrain>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one.is_none() && other.is_none() };
    let ends_alike = match (one.remaining, other.remaining) {
        (Some(one), Some(other)) => one.abs_diff(other) <= TOLERANCE,
        (one, other) => one == other,
    };
    ends_alike && one.reason == other.reason && one.returning == other.returning
}

#[cfg(test)]
mod tests;
