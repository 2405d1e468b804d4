//! Applies drains and holds that another helper with the same configuration file has received.
//!
//! When ExaBGP reloads, the next helper starts before the previous one has ended, and either may receive a request.

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

    /// The events that carry out a change here.
    fn events_of(&self, change: &Change) -> Vec<Event> {
        let of = |id: &ServiceId| self.engine.services()[id.0].orders(change.kind);
        let is_for_all = change.kind == Kind::Drain && change.service == ALL_SERVICES;
        let holder = || change.holder.clone();
        let lift = |once_healthy| Lift { holder: Some(holder()), once_healthy };
        let Some(order) = &change.order else {
            // Keep an order whose reason or end was changed here meanwhile.
            let is_meant =
                |orders: &Orders| change.was.as_ref().is_some_and(|was| contains(orders, change, was));
            if is_for_all {
                let is_over = is_meant(self.engine.drains_of_all());
                return is_over.then(|| Event::UndrainAll(lift(false))).into_iter().collect();
            }
            let over = self.services_of(change).filter(|id| is_meant(of(id)));
            let end = |service| match change.kind {
                Kind::Drain => Event::Undrain(service, lift(false)),
                Kind::Hold => Event::Unhold(service, Some(holder())),
            };
            return over.map(end).collect();
        };
        let begun = self.services_of(change).filter(|id| !contains(of(id), change, order));
        let (reason, uid) = (order.reason.clone(), order.uid);
        if change.kind == Kind::Hold {
            let lasts = order.remaining.and_then(|left| HoldTime::try_from(left).ok());
            let Some(lasts) = lasts else { return vec![] };
            let hold = HoldOrder { holder: holder(), reason, lasts, uid };
            return begun.map(|service| Event::Hold(service, hold.clone())).collect();
        }
        let lasts = order.remaining.map_or(Lasts::UntilLifted, Lasts::For);
        let drain = Order { holder: holder(), reason, lasts, uid };
        if is_for_all {
            return vec![Event::DrainAll(drain)];
        }
        let events = begun.flat_map(|service| {
            let returns = order.returning.then(|| Event::Undrain(service, lift(true)));
            [Event::Drain(service, drain.clone())].into_iter().chain(returns)
        });
        events.collect()
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

/// Whether `orders` contains this order of the holder already.
fn contains(orders: &Orders, change: &Change, order: &RememberedOrder) -> bool {
    let alike = |held: &ActiveOrder| {
        let ends_alike = held.expires.is_some() == order.remaining.is_some();
        held.reason == order.reason && held.returning == order.returning && ends_alike
    };
    orders.iter().any(|(holder, held)| *holder == change.holder && alike(held))
}
