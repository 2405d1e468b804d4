//! Applies drains and holds that another helper with the same configuration file has received.
//!
//! When ExaBGP reloads, the next helper starts before the previous one has ended, and either may receive a request.

use ipnet::IpNet;

use super::store::merge::{Change, is_same};
use super::{Daemon, Supervisor};
use crate::engine::Engine;
use crate::engine::drain::{Lasts, Lift, Order};
use crate::engine::event::{Event, ServiceId};
use crate::engine::hold::{HoldOrder, HoldTime};
use crate::engine::moment::Moment;
use crate::engine::order::{Kind, Orders, RememberedOrder};

impl Daemon<'_> {
    /// Carries out changes that another helper has written. Returns true if the loop must end.
    pub(super) fn learn(&mut self, changes: &[Change], supervisor: &mut dyn Supervisor) -> bool {
        for change in changes {
            let what = match (&change.was, &change.order) {
                (None, Some(_)) => "begun",
                (Some(_), Some(_)) => "changed",
                (_, None) => "ended",
            };
            log::info!(
                "another helper has {what} a {} of {} of {}",
                change.kind,
                change.holder,
                change.service
            );
            // A service that only the other helper has is part of a drain of all.
            let with_all = self.engine.drains_of_all().has(Some(&change.holder))
                || changes.iter().any(|other| other.is_for_all() && other.holder == change.holder);
            if !with_all && change.concerned(&services(&self.engine)).is_empty() {
                log::warn!(
                    "no service of this configuration is called {0} or contains only its prefixes, so the change has no effect \
                     here; see `dnsherald status`",
                    change.service
                );
            }
        }
        let mut over = false;
        for events in [of_services, of_all] {
            for event in events(&self.engine, self.now(), changes) {
                over |= self.handle(event, supervisor);
            }
        }
        // Write the state again, so that the file has the orders that are in force here. The writer also asks for that by an
        // empty list, when the file has lost the state of this helper.
        self.unsaved = true;
        over
    }
}

/// The events that carry out the changes here, for each service. A new order comes before the end of another one, and the
/// end of a hold before that of a drain: the engine decides after each event, and no service may be announced or
/// withdrawn in between.
pub(super) fn of_services(engine: &Engine, now: Moment, changes: &[Change]) -> Vec<Event> {
    let services = services(engine);
    let unlisted = changes.iter().flat_map(|change| {
        services.iter().filter_map(|(name, prefixes)| change.for_unlisted(name, prefixes))
    });
    let mut each: Vec<_> = changes.iter().filter(|change| !change.is_for_all()).cloned().collect();
    each.extend(unlisted);
    each.sort_by_key(|change| match (change.kind, change.order.is_some()) {
        (Kind::Drain, true) => 0,
        (Kind::Hold, true) => 1,
        (Kind::Hold, false) => 2,
        (Kind::Drain, false) => 3,
    });
    let events = each.iter().flat_map(|change| {
        let concerned = change.concerned(&services);
        let places = services.iter().enumerate().filter(move |(_, (name, _))| concerned.contains(name));
        places.flat_map(|(place, _)| events_of(engine, now, change, ServiceId(place)))
    });
    events.collect()
}

/// The events that carry out the changes here for services that are added later, once those of [`of_services`] are in
/// force.
pub(super) fn of_all(engine: &Engine, now: Moment, changes: &[Change]) -> Vec<Event> {
    let held = engine.drains_of_all();
    let events = changes.iter().filter(|change| change.is_for_all()).filter_map(|change| {
        let Some(order) = &change.order else {
            let is_drained = |name: &str| {
                let of_name = engine.services().iter().filter(|service| service.name() == name);
                let mut drains = of_name.flat_map(|service| service.drains.iter());
                drains.any(|(holder, drain)| *holder == change.holder && !drain.returning)
            };
            let is_over = is_meant(held, now, change) && !change.is_withheld(&services(engine), is_drained);
            return is_over.then(|| Event::UndrainLater(change.holder.clone()));
        };
        (!is_known(held, now, change, order)).then(|| Event::DrainLater(drain(change, order)))
    });
    events.collect()
}

/// The events that carry out a change of this service.
fn events_of(engine: &Engine, now: Moment, change: &Change, service: ServiceId) -> Vec<Event> {
    let orders = engine.services()[service.0].orders(change.kind);
    let holder = || change.holder.clone();
    let lift = |once_healthy, checks| Lift { holder: Some(holder()), once_healthy, checks };
    let Some(order) = &change.order else {
        let end = || match change.kind {
            Kind::Drain => Event::Undrain(service, lift(false, vec![])),
            Kind::Hold => Event::Unhold(service, Some(holder())),
        };
        return is_meant(orders, now, change).then(end).into_iter().collect();
    };
    if is_known(orders, now, change, order) {
        return vec![];
    }
    if change.kind == Kind::Hold {
        let lasts = order.remaining.and_then(|left| HoldTime::try_from(left).ok());
        let (reason, uid) = (order.reason.clone(), order.uid);
        let hold = |lasts| Event::Hold(service, HoldOrder { holder: holder(), reason, lasts, uid });
        return lasts.map(hold).into_iter().collect();
    }
    // A known drain that is only new in that it ends once the checks pass does not begin again.
    let lasting = RememberedOrder { returning: false, needs: vec![], ..order.clone() };
    let begins = !order.returning || !is_known(orders, now, change, &lasting);
    let begun = begins.then(|| Event::Drain(service, drain(change, order)));
    let returns = || Event::Undrain(service, lift(true, order.needs.clone()));
    begun.into_iter().chain(order.returning.then(returns)).collect()
}

fn drain(change: &Change, order: &RememberedOrder) -> Order {
    let lasts = order.remaining.map_or(Lasts::UntilLifted, Lasts::For);
    Order { holder: change.holder.clone(), reason: order.reason.clone(), lasts, uid: order.uid }
}

/// The names and prefixes of the services, in the order of the configuration.
fn services(engine: &Engine) -> Vec<(&str, Vec<IpNet>)> {
    let plans = engine.plans().iter();
    plans.map(|plan| (plan.name.as_str(), plan.routes.iter().map(|route| route.prefix).collect())).collect()
}

/// Whether `orders` contains this order of the holder already.
fn is_known(orders: &Orders, now: Moment, change: &Change, order: &RememberedOrder) -> bool {
    orders.remember(now).get(&change.holder).is_some_and(|held| is_same(Some(held), Some(order)))
}

/// Whether `orders` contains the order that has ended. An order that was changed here meanwhile stays.
fn is_meant(orders: &Orders, now: Moment, change: &Change) -> bool {
    change.was.as_ref().is_some_and(|was| is_known(orders, now, change, was))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::engine::api_session::Parent;
    use crate::engine::drain::Holder;
    use crate::engine::memory::Memory;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_drain_that_was_prolonged_here_outlives_its_end_at_another_helper() {
        let toml = "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\n\
                    address = false\n[[service.check]]\nname = \"answers\"\ndns = { query = \"localhost. A\" }\n";
        let config = Config::parse(Path::new("a.toml"), toml, "host").unwrap();
        let ends_there = |drained_for: Duration, prolonged_to: Duration| {
            let plan = config.plan();
            let mut engine = Engine::new(&plan, Parent::ExaBgp, Memory::default(), Duration::ZERO);
            let drain = |engine: &mut Engine, time| {
                let (holder, reason) = (Holder::operator(), "disk".to_owned().into());
                let order = Order { holder, reason, lasts: Lasts::For(time), uid: None };
                engine.handle(Moment::START, Event::Drain(ServiceId(0), order));
            };
            engine.handle(Moment::START, Event::Start);
            drain(&mut engine, drained_for);
            let was = engine.services()[0].drains.remember(Moment::START).remove(&Holder::operator());
            drain(&mut engine, prolonged_to);
            let change = Change {
                service: "a".to_owned(),
                prefixes: vec![],
                kind: Kind::Drain,
                holder: Holder::operator(),
                was,
                order: None,
                listed: [].into(),
                by_older: false,
            };
            of_services(&engine, Moment::START, &[change]).len()
        };
        assert_eq!(ends_there(HOUR, HOUR), 1, "it ends here, too");
        assert_eq!(ends_there(HOUR, 2 * HOUR), 0);
    }
}
