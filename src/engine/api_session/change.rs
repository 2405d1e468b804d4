//! Another configuration during the API session.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::conversation::{Command, State};
use super::route_entry::RouteEntry;
use super::{ApiSession, Settings};
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::engine::notice::{LeftBehind, Notice};
use crate::exabgp::{Advertisement, Route};
use crate::text::joined;

impl ApiSession {
    /// Replaces settings and routes. A route that stays keeps its state; a route that is no longer configured and may
    /// be announced is withdrawn from the neighbors that no configured route of its prefix has, and a route to every
    /// neighbor from all of them. Nothing is sent yet: first the services pass their desired states
    /// ([`ApiSession::desire_all`]).
    pub(crate) fn change(
        &mut self,
        now: Moment,
        settings: Settings,
        routes: Vec<Route>,
        out: &mut Vec<Action>,
    ) {
        let spoken = self.dialect();
        let refresh = self.settings.exabgp.refresh;
        let marked = self.marks();
        self.settings = settings;
        self.change_routes(now, routes, out);
        self.change_marks(&marked);
        self.await_sessions(now);
        if self.settings.exabgp.refresh != refresh {
            self.refresh_at = None;
            self.plan_refresh(now);
        }
        if self.dialect() != spoken {
            self.entries.iter_mut().for_each(RouteEntry::forget_sent);
            self.entries.iter_mut().for_each(|entry| entry.restate(now));
        }
    }

    fn change_routes(&mut self, now: Moment, routes: Vec<Route>, out: &mut Vec<Action>) {
        let in_flight = match &self.state {
            State::Sending(Command::Route(route, ..)) => Some(self.entries[*route].route.clone()),
            _ => None,
        };
        // Collected first, so that the order of the routes does not matter.
        let mut stated: HashMap<_, Vec<_>> = HashMap::new();
        for RouteEntry { route, desired, .. } in &self.entries {
            if let Some(advertisement) = desired {
                let of_prefix = stated.entry((route.prefix, route.path_information)).or_default();
                of_prefix.push((route.clone(), advertisement.clone()));
            }
        }
        let mut before: Vec<_> = std::mem::take(&mut self.entries).into_iter().map(Some).collect();
        let mut places: HashMap<IpNet, Vec<usize>> = HashMap::new();
        for (place, entry) in before.iter().flatten().enumerate() {
            places.entry(entry.route.prefix).or_default().push(place);
        }
        for route in routes {
            let beside = || places.get(&route.prefix).into_iter().flatten().copied();
            let is_it = |place: &usize| {
                before[*place].as_ref().is_some_and(|entry| entry.route.is_the_same_as(&route))
            };
            let entry = if let Some(entry) = beside().find(is_it).and_then(|place| before[place].take()) {
                entry.become_route(now, route)
            } else {
                let stated = stated.get(&(route.prefix, route.path_information));
                beside_stated(now, route, stated.map_or(&[], Vec::as_slice))
            };
            self.entries.push(entry);
        }
        let is_in_flight =
            |entry: &RouteEntry| in_flight.as_ref().is_some_and(|route| entry.route.is_the_same_as(route));
        let left = before.into_iter().flatten();
        let left: Vec<_> = left.filter(|entry| entry.perhaps_announced || is_in_flight(entry)).collect();
        let news = self.left_behind(left.iter().filter(|entry| !entry.stale));
        out.extend(news.into_iter().map(|left| Notice::LeftBehind(left).into()));
        let remain = take_over(now, &mut self.entries, left);
        self.entries.extend(remain.into_iter().map(|entry| entry.become_stale(now)));
        // The command in flight concerns the same route, which may have another place. If the route is handed over, the
        // next commands follow that one: ExaBGP carries them out in order.
        if let (State::Sending(Command::Route(route, _, line)), Some(subject)) = (&mut self.state, in_flight)
        {
            match self.entries.iter().position(|entry| entry.route.is_the_same_as(&subject)) {
                Some(place) => *route = place,
                None => self.state = State::Sending(Command::Replaced(std::mem::take(line))),
            }
        }
    }

    /// The service of the route at this place has a verdict: states it with the next hop of the present configuration.
    pub(super) fn take_next_route(&mut self, now: Moment, place: usize) {
        // A reply to the command with the former next hop says nothing about the new one.
        if self.entries[place].take_next_route(now)
            && let State::Sending(Command::Route(of, _, line)) = &mut self.state
            && *of == place
        {
            self.state = State::Sending(Command::Replaced(std::mem::take(line)));
        }
    }

    /// The notices about routes that no service has now.
    pub(in crate::engine) fn left_behind<'a>(
        &self,
        gone: impl Iterator<Item = &'a RouteEntry>,
    ) -> Vec<LeftBehind> {
        let configured = self.entries.iter().filter(|entry| !entry.stale).map(|entry| &entry.route);
        let mut by_prefix: HashMap<IpNet, Vec<&Route>> = HashMap::new();
        configured.for_each(|route| by_prefix.entry(route.prefix).or_default().push(route));
        let notice = |entry: &RouteEntry| {
            let beside = by_prefix.get(&entry.route.prefix).into_iter().flatten().copied();
            let beside: Vec<_> = beside.filter(|route| route.has_the_prefix_of(&entry.route)).collect();
            left_behind(entry, &beside)
        };
        gone.map(notice).collect()
    }

    /// A route that is no longer configured has been withdrawn. The withdraw may have removed another route to its
    /// prefix from the same neighbors.
    pub(super) fn restate_beside(&mut self, now: Moment, withdrawn: usize) {
        let gone = self.entries[withdrawn].route.clone();
        let beside = |entry: &&mut RouteEntry| !entry.stale && entry.route.may_go_with(&gone);
        self.entries.iter_mut().filter(beside).for_each(|entry| entry.restate(now));
    }
}

impl RouteEntry {
    /// Takes the route of another configuration. While the service wants it announced, or before its first decision if an earlier
    /// announcement may stand, a new next hop waits for a verdict: the checks may have to show first that it leads to a server that
    /// answers. A route that is to be withdrawn takes it at once.
    fn become_route(mut self, now: Moment, route: Route) -> Self {
        self.stale = false;
        self.given_up = false;
        self.next_route = (self.route != route).then_some(route);
        let stands = self.desired.as_ref().map_or(self.perhaps_announced, Advertisement::announces);
        if !stands {
            self.take_next_route(now);
        }
        self
    }

    /// Takes the route that has waited for a verdict. True if there is one: its command differs, so it is stated anew.
    pub(super) fn take_next_route(&mut self, now: Moment) -> bool {
        let Some(route) = self.next_route.take() else { return false };
        self.route = route;
        self.state_anew(now);
        true
    }
}

/// A route with new neighbors. Until there is a decision, what was `stated` for its prefix stands for it, too; with the former
/// next hop if all its neighbors have the same.
fn beside_stated(now: Moment, route: Route, stated: &[(Route, Advertisement)]) -> RouteEntry {
    let is_announced = |(was, what): &&(Route, Advertisement)| what.announces() && was.may_go_with(&route);
    let announced: Vec<_> = stated.iter().filter(is_announced).map(|(was, _)| was).collect();
    let has_all = match route.neighbors.as_slice() {
        [] => announced.iter().any(|was| was.neighbors.is_empty()),
        neighbors => neighbors.iter().all(|one| announced.iter().any(|was| was.is_for(one))),
    };
    let command = |was: &Route| (was.next_hop, was.med_offset);
    let is_the_same = |first: &&&Route| announced.iter().all(|was| command(was) == command(first));
    let former = announced.first().filter(is_the_same).filter(|_| has_all);
    let former = former.map(|was| Route { neighbors: route.neighbors.clone(), ..(*was).clone() });
    let mut entry = RouteEntry::new(former.unwrap_or_else(|| route.clone()));
    // Another entry of `announce` may state something else.
    let of_neighbors = stated.iter().find(|(was, _)| was.may_go_with(&route));
    if let Some((_, stands)) = stated.iter().find(is_announced).or(of_neighbors).or(stated.first()) {
        entry.desire(now, stands);
    }
    entry.become_route(now, route)
}

/// Hands routes that are no longer configured over to the `configured` ones of the same prefix: to a neighbor that has
/// both, the new announcement replaces the former without a gap, and a withdraw removes it. Returns the routes that remain
/// to be withdrawn, each with the neighbors that it alone has. A route for every neighbor remains whole, since ExaBGP has no
/// command for all neighbors but some.
pub(super) fn take_over(
    now: Moment,
    configured: &mut [RouteEntry],
    left: Vec<RouteEntry>,
) -> Vec<RouteEntry> {
    if left.is_empty() {
        return left;
    }
    let mut places: HashMap<IpNet, Vec<usize>> = HashMap::new();
    for (place, entry) in configured.iter().enumerate() {
        places.entry(entry.route.prefix).or_default().push(place);
    }
    let remainder = |mut entry: RouteEntry| {
        if entry.route.neighbors.is_empty() {
            return Some(entry);
        }
        let before = entry.route.neighbors.len();
        for place in places.get(&entry.route.prefix).into_iter().flatten() {
            let successor = &mut configured[*place];
            if successor.route.may_go_with(&entry.route) {
                if entry.perhaps_announced && !successor.perhaps_announced {
                    // It was withdrawn, and the other route was announced since.
                    successor.perhaps_announced = true;
                    successor.forget_acknowledgment(now);
                }
                successor.restate(now);
                entry.route.neighbors.retain(|neighbor| !successor.route.is_for(neighbor));
            }
            // An empty list would stand for every neighbor.
            if entry.route.neighbors.is_empty() {
                return None;
            }
        }
        if entry.route.neighbors.len() < before {
            entry.state_anew(now);
        }
        Some(entry)
    };
    left.into_iter().filter_map(remainder).collect()
}

/// Whether the prefix of a route that no service has now is configured for other neighbors, by the routes `beside` it.
fn left_behind(entry: &RouteEntry, beside: &[&Route]) -> LeftBehind {
    let (prefix, neighbors) = (entry.route.prefix.to_string(), &entry.route.neighbors);
    if beside.is_empty() {
        let acknowledged = entry.acknowledged.as_ref().is_some_and(Advertisement::announces);
        return LeftBehind::Gone { route: entry.with_neighbors(), acknowledged };
    }
    let has = |neighbor: &&IpAddr| beside.iter().any(|route| route.is_for(neighbor));
    let lost: Vec<_> = neighbors.iter().filter(|neighbor| !has(neighbor)).copied().collect();
    let is_for_all = beside.iter().any(|route| route.neighbors.is_empty());
    let others = match is_for_all {
        true => addressed(&[]),
        false => joined(beside.iter().flat_map(|route| &route.neighbors), ", "),
    };
    if is_for_all || (lost.is_empty() && !neighbors.is_empty()) {
        LeftBehind::Replaced { prefix, neighbors: addressed(neighbors), others }
    } else if neighbors.is_empty() {
        LeftBehind::Narrowed { prefix, others }
    } else {
        LeftBehind::Elsewhere { prefix, neighbors: addressed(&lost), others }
    }
}

/// The neighbors of a route, for people.
fn addressed(neighbors: &[IpAddr]) -> String {
    if neighbors.is_empty() { "every neighbor".to_owned() } else { joined(neighbors, ", ") }
}
