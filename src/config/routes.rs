//! Builds routes: the prefixes of a service with next hops for each family. Checks that the commands fit into one
//! write.

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;
use toml::Spanned;

use super::file;
use super::resolve::{Resolver, Result};
use super::value::{Address, Prefix, Text, WordOr, WrittenNextHop};
use crate::engine::ladder::Ladder;
use crate::exabgp::attributes::{Attributes, PathInformation};
use crate::exabgp::command::{Family, LINE_LIMIT};
use crate::exabgp::{Advertisement, Dialect, NextHop, Route};

impl Resolver<'_> {
    /// All routes of a service with their advertisements in each state.
    pub(super) fn announcements(&self, service: &file::Service) -> Result<Vec<(Route, Ladder)>> {
        let prefixes = &service.prefixes;
        let mut refused = Ok(());
        if prefixes.get_ref().is_empty() {
            refused = Err(self.value_error(&prefixes.span(), "no prefixes, expected at least one"));
        }
        let own = service.terms();
        let Some(announce) = &service.announce else {
            let announcements = self.announcements_with(service, &own);
            return refused.and(announcements);
        };
        for (key, place) in own.written() {
            let message =
                format!("`{key}` has no effect beside `announce`, expected it in each entry of `announce`");
            refused = Err(self.value_error(&place, message));
        }
        if announce.get_ref().is_empty() {
            refused =
                Err(self.value_error(&announce.span(), "`announce` is empty, expected at least one entry"));
        }
        let mut told = vec![];
        let mut announcements = vec![];
        for entry in announce.get_ref() {
            if entry.get_ref().neighbors.is_empty() {
                let message = "this entry of `announce` has no neighbors, expected at least one";
                refused = Err(self.rule_error(&["neighbors"], &entry.span(), message));
            }
            for neighbor in &entry.get_ref().neighbors {
                let address = neighbor.get_ref().0.0;
                if told.contains(&address) {
                    let message = format!(
                        "`{address}` is in an earlier entry of `announce`, expected each neighbor once"
                    );
                    refused = Err(self.value_error(&neighbor.span(), message));
                }
            }
            told.extend(entry.get_ref().neighbors.iter().map(|neighbor| neighbor.get_ref().0.0));
            match self.announcements_with(service, entry.get_ref()) {
                Ok(more) => announcements.extend(more),
                Err(refusal) => refused = Err(refusal),
            }
        }
        refused.map(|()| announcements)
    }

    /// The routes of every prefix with one set of terms.
    fn announcements_with(
        &self,
        service: &file::Service,
        terms: &file::Terms,
    ) -> Result<Vec<(Route, Ladder)>> {
        let neighbors = self.neighbors(&terms.neighbors);
        let med_increase = self.med_increase(terms);
        let path_information = self.path_information(terms);
        let up = self.up(terms);
        let terms_fit = self.next_hops_fit(terms);
        // Read every next hop before failing, so that all errors are reported.
        let next_hop = |prefix: &Spanned<Text<Prefix>>| {
            let neighbors = neighbors.as_deref().ok();
            let table = if service.announce.is_some() { "each entry of `announce`" } else { "the service" };
            self.next_hop(terms, prefix.get_ref().0.0, (&prefix.span(), table), neighbors)
        };
        let next_hops: Vec<_> = service.prefixes.get_ref().iter().map(next_hop).collect();
        terms_fit?;
        let (neighbors, med_increase, path_information) = (neighbors?, med_increase?, path_information?);
        let ladder = ladder(up?, terms);
        let route = |((place, prefix), next_hop): ((u32, &Spanned<Text<Prefix>>), Result<NextHop>)| {
            Ok(Route {
                prefix: prefix.get_ref().0.0,
                next_hop: next_hop?,
                path_information,
                neighbors: neighbors.clone(),
                med_offset: med_increase.saturating_mul(place),
            })
        };
        let routes = (0..).zip(service.prefixes.get_ref()).zip(next_hops).map(route);
        let routes: Vec<_> = routes.collect::<Result<_>>()?;
        self.require_short_commands(service, &routes, &ladder)?;
        Ok(routes.into_iter().map(|route| (route, ladder.clone())).collect())
    }

    fn neighbors(&self, written: &[Spanned<Text<Address>>]) -> Result<Vec<IpAddr>> {
        if written.is_empty() {
            return Ok(self.neighbors.clone());
        }
        let mut known = Ok(());
        for neighbor in written {
            let address = neighbor.get_ref().0.0;
            let is_any = self.neighbors.is_empty() || self.misses_neighbors();
            if !is_any && !self.neighbors.contains(&address) {
                let message = format!("`{address}` is not in exabgp.neighbors, expected one of those");
                known = Err(self.value_error(&neighbor.span(), message));
            }
        }
        let unique = self.unique_neighbors(written);
        known.and(unique)
    }

    /// Whether `exabgp.neighbors` has an error, so that the list is not complete.
    fn misses_neighbors(&self) -> bool {
        self.survey.has_invalid(&["exabgp", "neighbors"])
    }

    /// The advertisement of a service that is up. That is never a withdraw: the service would be well, and get no queries.
    fn up(&self, written: &file::Terms) -> Result<Advertisement> {
        match &written.up {
            Some(up) if matches!(up.get_ref(), WordOr::Word(_)) => {
                let message = "`up` is \"withdraw\", expected attributes, or no `up` for an announcement without any; to \
                               withdraw a service whatever its state, set `enabled = false`";
                Err(self.value_error(&up.span(), message))
            }
            up => Ok(rung(up.as_ref(), Advertisement::Announce(Attributes::default()))),
        }
    }

    /// Reads `med-increase`: each further prefix has so much more MED, in every state with a MED. `up` needs one.
    fn med_increase(&self, written: &file::Terms) -> Result<u32> {
        let Some(increase) = &written.med_increase else { return Ok(0) };
        let has_med =
            |rung: &Spanned<file::Rung>| matches!(rung.get_ref(), WordOr::Table(up) if up.med.is_some());
        if *increase.get_ref() > 0 && !written.up.as_ref().is_some_and(has_med) {
            let message = "med-increase adds to the med of each further prefix, but `up` has none, expected `up = { med = … }`";
            return Err(self.rule_error(&["up"], &increase.span(), message));
        }
        Ok(*increase.get_ref())
    }

    /// Checks that `next-hop` lists at most one address of each family, and none of a service.
    fn next_hops_fit(&self, written: &file::Terms) -> Result<()> {
        let Some(hops) = &written.next_hop else { return Ok(()) };
        let mut fit = Ok(());
        let mut families = vec![];
        for hop in &hops.get_ref().0 {
            let WrittenNextHop::Address(address) = hop else { continue };
            let family = Family::from_address(*address);
            if families.contains(&family) {
                let message = format!(
                    "`{address}` is a second {} address, expected one of each family: a route has one next hop",
                    family.name()
                );
                fit = Err(self.value_error(&hops.span(), message));
            }
            families.push(family);
            if self.own.contains(address) {
                let message = format!(
                    "next hop `{address}` is an address of a service, which routers look up in the route itself; expected an \
                     address of this host alone"
                );
                fit = Err(self.rule_error(&["prefixes", "address"], &hops.span(), message));
            }
        }
        fit
    }

    /// The next hop of a prefix. For its errors: `place` is where the prefix is written, and `table` says where the key
    /// `next-hop` can be set.
    fn next_hop(
        &self,
        written: &file::Terms,
        prefix: IpNet,
        (place, table): (&Range<usize>, &str),
        neighbors: Option<&[IpAddr]>,
    ) -> Result<NextHop> {
        let family = Family::from_address(prefix.addr());
        let name = family.name();
        let of_family = |address: &IpAddr| Family::from_address(*address) == family;
        let Some(hops) = &written.next_hop else {
            let own = self.management.iter().copied().find(of_family);
            return own.map(NextHop::Address).ok_or_else(|| {
                let message = format!(
                    "`{prefix}` has no next hop: node.management has no {name} address; add one, or set `next-hop` in {table}"
                );
                self.rule_error(&["next-hop", "announce"], place, message)
            });
        };
        let listed = hops.get_ref().0.iter().copied();
        let address = listed.clone().find_map(|hop| match hop {
            WrittenNextHop::Address(address) if of_family(&address) => Some(address),
            _ => None,
        });
        if let Some(address) = address {
            return Ok(NextHop::Address(address));
        }
        if !listed.clone().any(|hop| hop == WrittenNextHop::Itself) {
            let message =
                format!("`{prefix}` has no next hop: `next-hop` lists no {name} address, expected one");
            return Err(self.value_error(&hops.span(), message));
        }
        let Some(neighbors) = neighbors.filter(|_| !self.misses_neighbors()) else {
            return Ok(NextHop::Itself);
        };
        // Sessions that the file does not list count as sessions over IPv4.
        let is_assumed_v4 = family == Family::V4 && neighbors.is_empty();
        if is_assumed_v4 || (!neighbors.is_empty() && neighbors.iter().all(of_family)) {
            return Ok(NextHop::Itself);
        }
        let message = format!(
            "next hop \"self\" of `{prefix}` needs {name} sessions only, because ExaBGP uses the address of the session; \
             list the {name} neighbors in `neighbors`, or set an address"
        );
        Err(self.rule_error(&["neighbors", "announce"], &hops.span(), message))
    }

    /// Reads the path identifier. It is part of the key of a route, so it cannot differ between states.
    fn path_information(&self, written: &file::Terms) -> Result<Option<PathInformation>> {
        let rungs = [&written.up, &written.degraded, &written.down, &written.drained];
        let mut first = None;
        for rung in rungs.into_iter().flatten() {
            if let WordOr::Table(attributes) = rung.get_ref() {
                let path = attributes.path_information.map(|path| path.0);
                if *first.get_or_insert(path) != path {
                    let message = "path-information differs between the states of a service, expected the same in all: a different one is another route";
                    let keys = &["up", "degraded", "down", "drained"];
                    return Err(self.rule_error(keys, &rung.span(), message));
                }
            }
        }
        Ok(first.flatten())
    }

    fn require_short_commands(
        &self,
        written: &file::Service,
        routes: &[Route],
        ladder: &Ladder,
    ) -> Result<()> {
        let longest = ladder.rungs().into_iter().flat_map(|(state, advertisement)| {
            let lines = routes.iter().flat_map(move |route| {
                [Dialect::Neighbor, Dialect::Peer]
                    .map(|dialect| dialect.advertise(route, advertisement).len() + 1)
            });
            lines.map(move |length| (length, state))
        });
        match longest.max_by_key(|(length, _)| *length) {
            Some((length, state)) if length > LINE_LIMIT => {
                let message = format!(
                    "the command for state {state} would have {length} bytes, expected at most {LINE_LIMIT}; \
                     use fewer attributes or neighbors"
                );
                Err(self.error(&written.name.span(), message))
            }
            _ => Ok(()),
        }
    }
}

/// The advertisements of each state. Without its own attributes, `degraded` advertises the same as `up`: nothing is
/// sent that is not configured.
fn ladder(up: Advertisement, terms: &file::Terms) -> Ladder {
    Ladder {
        up: up.clone(),
        degraded: rung(terms.degraded.as_ref(), up),
        down: rung(terms.down.as_ref(), Advertisement::Withdraw),
        drained: rung(terms.drained.as_ref(), Advertisement::Withdraw),
    }
}

fn rung(written: Option<&Spanned<file::Rung>>, default: Advertisement) -> Advertisement {
    match written.map(Spanned::get_ref) {
        None => default,
        Some(WordOr::Word(_)) => Advertisement::Withdraw,
        Some(WordOr::Table(attributes)) => Advertisement::Announce(Attributes {
            med: attributes.med,
            local_preference: attributes.local_preference,
            communities: attributes.community.values(),
            extended_communities: attributes.extended_community.values(),
            large_communities: attributes.large_community.values(),
            as_path: attributes.as_path.clone(),
            origin: attributes.origin,
        }),
    }
}
