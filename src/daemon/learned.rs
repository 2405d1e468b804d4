//! Applies drains and holds that another helper with the same configuration file has received.
//!
//! When ExaBGP reloads, the next helper starts before the previous one has ended, and either may receive a request.

use super::store::Store;
use super::store::merge::Change;
use super::{Daemon, Supervisor};
use crate::engine::drain::{Lasts, Lift, Order};
use crate::engine::event::{Event, ServiceId};
use crate::engine::hold::{HoldOrder, HoldTime};
use crate::engine::memory::ALL_SERVICES;
use crate::engine::order::{ActiveOrder, Kind, Orders, RememberedOrder};

impl Daemon<'_> {
    /// Carries out changes that another helper has written. Returns true if the loop must end.
    pub(super) fn learn(&mut self, changes: &[Change], supervisor: &mut dyn Supervisor) -> bool {
        let mut over = false;
        for change in changes {
            let what = if change.order.is_some() { "begun" } else { "ended" };
            log::info!(
                "another helper has {what} a {} of {} of {}",
                change.kind,
                change.holder,
                change.service
            );
            if change.service != ALL_SERVICES && self.services_of(change).next().is_none() {
                log::warn!(
                    "no service of this configuration is called {0} or contains only its prefixes, so the change has no effect \
                     here; see `dnsherald status`",
                    change.service
                );
            }
            for event in self.events_of(change) {
                over |= self.handle(event, supervisor);
            }
        }
        // Write the state again, so that the file has the orders that are in force here.
        self.unsaved = true;
        over
    }

    fn events_of(&self, change: &Change) -> Vec<Event> {
        if change.kind == Kind::Hold {
            return self.events_of_hold(change);
        }
        let all = change.service == ALL_SERVICES;
        let lift = |once_healthy| Lift { holder: Some(change.holder.clone()), once_healthy };
        let Some(drain) = &change.order else {
            // Keep an order whose reason or end was changed here meanwhile.
            let is_meant =
                |drains: &Orders| change.was.as_ref().is_some_and(|was| contains(drains, change, was));
            let of = |id: &ServiceId| self.engine.services()[id.0].orders(change.kind);
            let concerned = self.services_of(change).filter(|id| is_meant(of(id)));
            return if !all {
                concerned.map(|service| Event::Undrain(service, lift(false))).collect()
            } else if is_meant(self.engine.drains_of_all()) {
                vec![Event::UndrainAll(lift(false))]
            } else {
                vec![]
            };
        };
        let lasts = drain.remaining.map_or(Lasts::UntilLifted, Lasts::For);
        let order =
            Order { holder: change.holder.clone(), reason: drain.reason.clone(), lasts, uid: drain.uid };
        if all {
            return vec![Event::DrainAll(order)];
        }
        let mut events = vec![];
        let of = |id: &ServiceId| self.engine.services()[id.0].orders(change.kind);
        for service in self.services_of(change).filter(|id| !contains(of(id), change, drain)) {
            events.push(Event::Drain(service, order.clone()));
            if drain.returning {
                events.push(Event::Undrain(service, lift(true)));
            }
        }
        events
    }

    fn events_of_hold(&self, change: &Change) -> Vec<Event> {
        let of = |id: &ServiceId| self.engine.services()[id.0].orders(change.kind);
        let Some(hold) = &change.order else {
            // Keep an order whose reason or end was changed here meanwhile.
            let is_meant =
                |id: &ServiceId| change.was.as_ref().is_some_and(|was| contains(of(id), change, was));
            let ended = self.services_of(change).filter(is_meant);
            return ended.map(|service| Event::Unhold(service, Some(change.holder.clone()))).collect();
        };
        let Some(lasts) = hold.remaining.and_then(|left| HoldTime::try_from(left).ok()) else {
            return vec![];
        };
        let order =
            HoldOrder { holder: change.holder.clone(), reason: hold.reason.clone(), lasts, uid: hold.uid };
        let begun = self.services_of(change).filter(|id| !contains(of(id), change, hold));
        begun.map(|service| Event::Hold(service, order.clone())).collect()
    }

    /// The service of that name, else the services whose prefixes all belong to it.
    fn services_of(&self, change: &Change) -> impl Iterator<Item = ServiceId> {
        let plans = self.engine.plans();
        let named = plans.iter().position(|plan| plan.name == change.service);
        let of_prefixes = plans.iter().enumerate().filter(move |(place, plan)| match named {
            Some(named) => named == *place,
            None => plan.routes.iter().all(|route| change.prefixes.contains(&route.prefix)),
        });
        of_prefixes.map(|(place, _)| ServiceId(place))
    }
}

/// Whether `drains` contains this drain already.
fn contains(drains: &Orders, change: &Change, drain: &RememberedOrder) -> bool {
    let alike = |held: &ActiveOrder| {
        let ends_alike = held.expires.is_some() == drain.remaining.is_some();
        held.reason == drain.reason && held.returning == drain.returning && ends_alike
    };
    drains.iter().any(|(holder, held)| *holder == change.holder && alike(held))
}

/// Waits for the next changes; for ever without a store.
pub(super) async fn next_changes(store: &mut Option<Store>) -> Vec<Change> {
    match store {
        Some(store) => store.learn().await,
        None => std::future::pending().await,
    }
}
