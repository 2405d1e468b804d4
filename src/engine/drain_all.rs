//! Drains of all services: of the present ones, and of those that are added while the drain lasts.
//!
//! Each service has such a drain as its own, so that it can be taken out. The drain of all ends when it is lifted or
//! expires, or when no service has it any more.

use std::collections::BTreeSet;

use super::Engine;
use super::action::Action;
use super::moment::Moment;
use super::notice::Until;
use super::order::{Holder, Lift, Order, Orders};
use super::removed::RemovedServices;
use super::service::Service;
use crate::text::ordered;

impl Engine {
    /// Drains of all services, those added later included.
    pub(crate) const fn drains_of_all(&self) -> &Orders {
        &self.drains_of_all
    }

    /// Drained services that are no longer configured.
    pub(crate) const fn removed_services(&self) -> &RemovedServices {
        &self.removed
    }

    pub(super) fn drain_all(&mut self, now: Moment, order: &Order, out: &mut Vec<Action>) {
        for service in &mut self.services {
            service.drain(now, order.clone(), out);
        }
        self.drain_later(now, order.clone(), out);
    }

    /// Drains the services that are added later.
    pub(super) fn drain_later(&mut self, now: Moment, order: Order, out: &mut Vec<Action>) {
        self.drains_of_all.begin(now, order);
        out.push(Action::Save);
    }

    /// Ends drains, of this holder if one is named, for services that are added later.
    pub(super) fn undrain_later(&mut self, whose: Option<&Holder>, out: &mut Vec<Action>) {
        if !self.drains_of_all.lift(whose).is_empty() {
            out.push(Action::Save);
        }
    }

    /// The condition for the return of a withdrawn service. It names the command for all services if only a drain of
    /// all remains.
    pub(crate) fn until(&self, service: &Service, now: Moment) -> Until {
        match service.until(now) {
            Until::Undrained(..)
                if service.drains.iter().all(|(holder, _)| self.drains_of_all.has(Some(holder))) =>
            {
                Until::undrained_all(&service.drains)
            }
            until => until,
        }
    }

    /// Ends the drains of all services, of this holder if one is named. With `once_healthy` the present services keep
    /// theirs until their checks have passed. The drains of services that are added later, or were removed, end at once:
    /// such a service must pass its checks before its first announcement in any case.
    pub(super) fn undrain_all(&mut self, now: Moment, lift: &Lift, out: &mut Vec<Action>) {
        for service in &mut self.services {
            service.undrain(now, lift, out);
        }
        self.undrain_later(lift.holder.as_ref(), out);
        self.removed.lift(lift.holder.as_ref(), out);
    }

    /// Ends the drains of all services, and of removed ones, that have expired. Each present service ends its own.
    pub(super) fn expire_drains(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.drains_of_all.expire(now);
        self.removed.expire(now, out);
    }

    /// The holders of drains of all that at least one service has.
    pub(super) fn holders_of_all(&self) -> BTreeSet<Holder> {
        let holders = self.drains_of_all.iter().map(|(holder, _)| holder);
        ordered(holders.filter(|holder| self.is_held_by(holder)).cloned())
    }

    /// Ends those drains of all in `held` that no service has any more.
    pub(super) fn forget_drains_of_all(&mut self, held: &BTreeSet<Holder>, out: &mut Vec<Action>) {
        for holder in held {
            if !self.is_held_by(holder) {
                self.undrain_later(Some(holder), out);
            }
        }
    }

    fn is_held_by(&self, holder: &Holder) -> bool {
        self.services.iter().any(|service| service.drains.has(Some(holder)))
    }
}
