//! The changes of a service by a reload, for people.

use std::collections::{BTreeSet, HashMap, HashSet};

use ipnet::IpNet;

use crate::engine::Engine;
use crate::engine::api_session::route_entry::RouteEntry;
use crate::engine::ladder::Ladder;
use crate::engine::plan::Service;
use crate::engine::service::ServiceState;
use crate::exabgp::{Advertisement, Route};
use crate::text::joined;

/// A service that a reload has changed, before the log names it.
#[derive(Debug)]
pub(super) struct Changed {
    /// Its present place.
    place: usize,
    /// Its names and its changes, for people.
    what: String,
    /// Whether it becomes enabled.
    begins: bool,
    /// Its routes, each with what was desired for it, if their configuration lets them stay.
    stood: Option<Vec<(Route, Option<Advertisement>)>>,
}

impl Changed {
    /// From `earlier` to `plan`, which is at `place`; `entries` are its routes before the reload.
    pub(super) fn new<'a>(
        place: usize,
        earlier: &Service,
        plan: &Service,
        entries: impl Iterator<Item = &'a RouteEntry>,
    ) -> Self {
        let renamed = earlier.name != plan.name;
        let was = if renamed { format!(" (was {})", earlier.name) } else { String::new() };
        let stood = may_stay(earlier, plan)
            .then(|| entries.map(|entry| (entry.route.clone(), entry.desired.clone())).collect());
        let what = format!("{}{was} ({}", plan.name, differences(earlier, plan));
        Self { place, what, begins: plan.enabled && !earlier.enabled, stood }
    }

    /// The words for the log, once the reload is in force: whether each of its routes is desired as before, or waits for a
    /// first verdict.
    pub(super) fn told(self, engine: &Engine) -> String {
        let Self { place, what, begins, stood } = self;
        let service = &engine.services[place];
        let waits_for_checks = service.state() == ServiceState::Starting
            && service.holds.is_empty()
            && !service.dampening.enforced();
        if begins && waits_for_checks {
            return format!("{what}; announced once its checks pass)");
        }
        let entries = by_prefix(engine.entries_of(place), |entry| entry.route.prefix);
        let stays = |(route, desired): &(Route, Option<Advertisement>)| {
            let mut of_prefix = entries.get(&route.prefix).into_iter().flatten();
            of_prefix.any(|entry| entry.route == *route && entry.desired == *desired)
        };
        match stood.filter(|stood| stood.iter().all(stays)) {
            None => format!("{what})"),
            Some(stood) => {
                let routes = if stood.len() == 1 { "route" } else { "routes" };
                let starts = service.state() == ServiceState::Starting;
                let until = if starts { " until a verdict" } else { "" };
                format!("{what}; {routes} unchanged{until})")
            }
        }
    }
}

/// Items by their prefix. There may be many, and few of one prefix.
fn by_prefix<T>(items: impl IntoIterator<Item = T>, prefix: impl Fn(&T) -> IpNet) -> HashMap<IpNet, Vec<T>> {
    let mut known: HashMap<_, Vec<_>> = HashMap::new();
    for item in items {
        known.entry(prefix(&item)).or_default().push(item);
    }
    known
}

/// Whether ExaBGP cannot tell the routes of `plan` from those of `earlier`, so that they stay until there is another
/// verdict.
fn may_stay(earlier: &Service, plan: &Service) -> bool {
    let planned = by_prefix(&plan.routes, |route| route.prefix);
    let is_kept = |route: &Route| {
        planned.get(&route.prefix).into_iter().flatten().any(|planned| planned.is_the_same_as(route))
    };
    earlier.enabled && plan.enabled && earlier.ladders == plan.ladders && earlier.routes.iter().all(is_kept)
}

/// The different ladders, each once. There are few, since all routes of one entry of `announce` have equal ladders.
fn distinct(ladders: &[Ladder]) -> Vec<&Ladder> {
    let mut known = vec![];
    for ladder in ladders {
        if !known.contains(&ladder) {
            known.push(ladder);
        }
    }
    known
}

/// The keys and checks in which `plan` differs from `earlier`.
fn differences(earlier: &Service, plan: &Service) -> String {
    // With an `announce` of several neighbors a prefix has as many routes.
    let prefixes = |service: &Service| {
        let mut known = HashSet::new();
        let of_each = service.routes.iter().map(|route| route.prefix);
        of_each.filter(|prefix| known.insert(*prefix)).collect::<Vec<_>>()
    };
    let same_prefixes = prefixes(earlier) == prefixes(plan);
    let same_neighbors = same_prefixes && !differ(earlier, plan, |route| &route.neighbors);
    let (before, now) = (&earlier.ladders, &plan.ladders);
    // Each route has one ladder. If the number of routes changes, only the different ladders are compared.
    let states_differ = distinct(before) != distinct(now) || (before.len() == now.len() && before != now);
    let mut different: Vec<_> = [
        ("name", earlier.name != plan.name),
        ("enabled", earlier.enabled != plan.enabled),
        ("prefixes", !same_prefixes),
        ("neighbors", same_prefixes && !same_neighbors),
        ("path-information", same_neighbors && differ(earlier, plan, |route| &route.path_information)),
        ("med-increase", same_neighbors && differ(earlier, plan, |route| &route.med_offset)),
        ("what its states advertise", states_differ),
        ("unknown-after", earlier.unknown_after != plan.unknown_after),
        ("recovery", earlier.recovery != plan.recovery),
        ("start", earlier.start != plan.start),
        ("disable-file", earlier.disable_file != plan.disable_file),
        ("dampening", earlier.dampening != plan.dampening),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(key, _)| key.to_owned())
    .collect();
    different.extend(next_hops(earlier, plan));
    let others = plan.others.iter().filter(|other| !earlier.others.contains(other));
    different.extend(others.map(|(key, _)| (*key).to_owned()));
    different.extend(checks(earlier, plan));
    different.join(", ")
}

/// Whether this part of their routes differs.
fn differ<T: PartialEq>(earlier: &Service, plan: &Service, part: impl Fn(&Route) -> &T) -> bool {
    !earlier.routes.iter().map(&part).eq(plan.routes.iter().map(&part))
}

/// The next hops of the routes that get another one.
fn next_hops(earlier: &Service, plan: &Service) -> Option<String> {
    let before = by_prefix(&earlier.routes, |route| route.prefix);
    let had_another = |route: &&Route| {
        let mut of_prefix = before.get(&route.prefix).into_iter().flatten();
        of_prefix.any(|was| was.may_go_with(route) && was.next_hop != route.next_hop)
    };
    let hops: BTreeSet<_> =
        plan.routes.iter().filter(had_another).map(|route| route.next_hop.to_string()).collect();
    (!hops.is_empty()).then(|| format!("next-hop {}", joined(hops, " and ")))
}

/// The checks that differ, are new or are gone; if there are none, whether only their order differs.
fn checks<'a>(earlier: &'a Service, plan: &'a Service) -> impl Iterator<Item = String> + 'a {
    let find = |service: &'a Service, name: &str| service.checks.iter().find(|check| check.name == name);
    let present = plan.checks.iter().filter_map(move |check| match find(earlier, &check.name) {
        None => Some(format!("new check {}", check.name)),
        Some(before) if before != check => Some(format!("check {}", check.name)),
        Some(_) => None,
    });
    let gone = earlier.checks.iter().filter(move |check| find(plan, &check.name).is_none());
    let mut different = present.chain(gone.map(|check| format!("no more check {}", check.name))).peekable();
    let is_order = different.peek().is_none() && earlier.checks != plan.checks;
    different.chain(is_order.then(|| "order of its checks".to_owned()))
}
