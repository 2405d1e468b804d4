//! Checks of the neighbors in the files of ExaBGP, against the routes of the configuration.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::facts::{Facts, Helper, Known, known};
use super::finding::{Examined, Id};
use crate::config::Config;
use crate::exabgp::command::Family;
use crate::exabgp::{NextHop, Route};
use crate::exabgp_conf::{Neighbor, Peer};
use crate::text::foreign;

/// The longest hold time without a finding, in seconds.
const LONGEST_HOLD: u32 = 30;

/// The hold time of ExaBGP, in seconds.
const USUAL_HOLD: u32 = 180;

/// The neighbors of the helpers, each with its helper.
pub(super) fn of_helpers(facts: &Facts) -> impl Iterator<Item = (Helper<'_>, &Neighbor)> {
    facts.helpers().into_iter().flat_map(of_helper)
}

fn of_helper(helper: Helper<'_>) -> impl Iterator<Item = (Helper<'_>, &Neighbor)> {
    // A neighbor of other helpers is none of ours.
    let is_its = move |neighbor: &&Neighbor| {
        neighbor.lists(&helper.process.name) != Some(false) || is_only_helper(&helper)
    };
    helper.conf.neighbors.iter().filter(is_its).map(move |neighbor| (helper, neighbor))
}

/// Calls `check` for each neighbor of a helper.
fn each(facts: &Facts, mut check: impl FnMut(&Helper<'_>, &Neighbor, &mut Examined)) -> Known<Examined> {
    facts.any_helper()?;
    let mut examined = Examined::default();
    for (helper, neighbor) in of_helpers(facts) {
        check(&helper, neighbor, &mut examined);
    }
    Ok(examined)
}

fn is_only_helper(helper: &Helper<'_>) -> bool {
    helper.conf.processes.len() == 1
}

fn at(path: &Path, neighbor: &Neighbor) -> String {
    format!("{}:{}: {}", path.display(), neighbor.line, neighbor.name())
}

fn unclear(helper: &Helper<'_>, neighbor: &Neighbor, what: &str) -> String {
    format!("{}: its {what} is not understood", at(helper.path, neighbor))
}

pub(super) fn listed(facts: &Facts) -> Known<Examined> {
    let mut examined = each(facts, |helper, neighbor, examined| {
        let is_listed = |neighbor: &Neighbor| neighbor.lists(&helper.process.name);
        match is_listed(neighbor) {
            Some(true) => {}
            None => examined.skip(unclear(helper, neighbor, "`api`")),
            // Only a warning: the neighbor may be meant for static routes, since others list the process.
            Some(false) if helper.conf.neighbors.iter().any(|other| is_listed(other) != Some(false)) => {
                let name = foreign(&helper.process.name);
                let what = format!(
                    "{} does not list process `{name}`: from ExaBGP 4.2.22 on it gets none of its routes",
                    at(helper.path, neighbor)
                );
                examined.find(Id::ProcessNotListed, what, api(&name));
            }
            Some(false) => {}
        }
    })?;
    for helper in facts.helpers() {
        let lists = |neighbor: &Neighbor| neighbor.lists(&helper.process.name) != Some(false);
        if helper.conf.is_complete() && !helper.conf.neighbors.iter().any(lists) {
            let name = foreign(&helper.process.name);
            let what = format!(
                "{}: no neighbor lists process `{name}`: from ExaBGP 4.2.22 on no router gets its routes",
                helper.path.display()
            );
            examined.find(Id::NoNeighbor, what, api(&name));
        }
    }
    Ok(examined)
}

fn api(process: &str) -> String {
    format!("add `api {{ processes [ {process} ]; neighbor-changes; }}` to the neighbor, and restart ExaBGP")
}

/// Calls `check` for each enabled route, with the neighbors that receive it.
fn each_route(
    facts: &Facts,
    mut check: impl FnMut(&Helper<'_>, &Route, &[&Neighbor], &mut Examined),
) -> Known<Examined> {
    let config = facts.usable_config()?;
    facts.any_helper()?;
    let mut examined = Examined::default();
    let helpers = facts.helpers();
    // The options of one `dnsherald healthcheck` say nothing about another.
    let several = if config.origin.is_some() { helpers.len() } else { 1 };
    for helper in helpers.iter().take(several) {
        for route in routes(config) {
            let receives = |neighbor: &&Neighbor| {
                neighbor.lists(&helper.process.name) != Some(false)
                    && (route.neighbors.is_empty()
                        || route.neighbors.iter().any(|router| neighbor.is(*router) != Some(false)))
            };
            let receivers: Vec<_> = helper.conf.neighbors.iter().filter(receives).collect();
            check(helper, route, &receivers, &mut examined);
        }
    }
    Ok(examined)
}

fn routes(config: &Config) -> impl Iterator<Item = &Route> {
    config.services.iter().filter(|service| service.enabled).flat_map(|service| &service.routes)
}

pub(super) fn families(facts: &Facts) -> Known<Examined> {
    each_route(facts, |helper, route, receivers, examined| {
        // ExaBGP refuses a command for a neighbor that it does not have, or answers `done` and sends the route nowhere.
        for router in &route.neighbors {
            let is_known = helper.conf.neighbors.iter().any(|neighbor| neighbor.is(*router) != Some(false));
            if !is_known && helper.conf.is_complete() {
                examined.find(
                    Id::NeighborUnknown,
                    format!(
                        "{}: prefix {} is for neighbor {router}, which is not there",
                        helper.path.display(),
                        route.prefix
                    ),
                    format!(
                        "add `neighbor {router} {{ … }}` there, or correct `neighbors` in {}",
                        facts.settings_place()
                    ),
                );
            }
        }
        let family = Family::from_address(route.prefix.addr());
        if receivers.is_empty() || !helper.conf.is_complete() {
            return;
        }
        let lacks = |neighbor: &&&Neighbor| neighbor.has_family(family) == Some(false);
        let lacking: Vec<_> = receivers.iter().filter(lacks).collect();
        if let Some(neighbor) = receivers.iter().find(|neighbor| neighbor.has_family(family).is_none()) {
            examined.skip(unclear(helper, neighbor, "`family`"));
        }
        // A neighbor for each family is as good as one for both, unless the route names it.
        if lacking.len() == receivers.len() || (!route.neighbors.is_empty() && !lacking.is_empty()) {
            let names: Vec<_> = lacking.iter().map(|neighbor| neighbor.name()).collect();
            examined.find(
                Id::FamilyMissing,
                format!(
                    "{}: prefix {} is never announced to {}: `family` lacks `{}`",
                    helper.path.display(),
                    route.prefix,
                    names.join(", "),
                    family.words()
                ),
                format!("add `{};` to `family {{ … }}` of the neighbor, and restart ExaBGP", family.words()),
            );
        }
    })
}

pub(super) fn next_hop(facts: &Facts) -> Known<Examined> {
    each_route(facts, |helper, route, receivers, examined| {
        if let NextHop::Address(address) = route.next_hop {
            for neighbor in receivers {
                if let Some(link) = link_without(address, neighbor, facts) {
                    examined.find(
                        Id::NextHopOffLink,
                        off_link(helper, route, neighbor, link),
                        own_next_hop(neighbor),
                    );
                }
            }
        }
        if route.next_hop != NextHop::Itself || Family::from_address(route.prefix.addr()) == Family::V4 {
            return;
        }
        for neighbor in receivers.iter().filter(|neighbor| neighbor.has_family(Family::V6) != Some(false)) {
            match neighbor.session_is_v6() {
                Some(true) => {}
                None => examined.skip(unclear(helper, neighbor, "address")),
                Some(false) => examined.find(
                    Id::NextHopSelf,
                    format!(
                        "prefix {} has `next-hop self`, and {} is a session over IPv4: ExaBGP refuses the route, or announces \
                         a next hop that resets the session",
                        route.prefix,
                        at(helper.path, neighbor)
                    ),
                    format!("set an IPv6 address of this host as `next-hop` in {}", facts.settings_place()),
                ),
            }
        }
    })
}

/// The network in which this host and an external neighbor are, if the next hop is not in it (RFC 4271 section 5.1.3).
fn link_without(next_hop: IpAddr, neighbor: &Neighbor, facts: &Facts) -> Option<IpNet> {
    let Peer::Address(router) = neighbor.peer else { return None };
    let is_external = neighbor.is_external() == Some(true) && facts.network.is_ok();
    let of_router = || facts.links.iter().filter(|link| link.contains(&router));
    let is_apart = is_external
        && router.is_ipv4() == next_hop.is_ipv4()
        && of_router().all(|link| !link.contains(&next_hop));
    of_router().next().filter(|_| is_apart).copied()
}

fn off_link(helper: &Helper<'_>, route: &Route, neighbor: &Neighbor, link: IpNet) -> String {
    format!(
        "prefix {} has `next-hop {}` for {}, which is not in {link}, the network of this session: most routers take no \
         route from a directly connected neighbor with such a next hop",
        route.prefix,
        route.next_hop,
        at(helper.path, neighbor)
    )
}

fn own_next_hop(neighbor: &Neighbor) -> String {
    format!(
        "give {} an entry in `announce` of the service, with this host's address on that link as `next-hop`",
        neighbor.name()
    )
}

pub(super) fn graceful_restart(facts: &Facts) -> Known<Examined> {
    let sends = facts.usable_config().map(|config| config.exabgp.end_of_rib);
    each(facts, |helper, neighbor, examined| {
        let (Some(restart), Some(manual)) =
            (neighbor.graceful_restart.or(None), neighbor.manual_eor.or(false))
        else {
            examined.skip(unclear(helper, neighbor, "graceful restart"));
            return;
        };
        if restart.is_some() && !manual {
            examined.find(
                Id::GracefulRestart,
                format!(
                    "{} has graceful restart without `manual-eor`: after a restart of ExaBGP the router drops the routes \
                     before the helper has decided",
                    at(helper.path, neighbor)
                ),
                "remove `graceful-restart`; or set `manual-eor true;` there and `end-of-rib = true` in [exabgp]",
            );
        }
        match (&sends, manual) {
            (_, false) | (Ok(true), true) => {}
            (Ok(false), true) => examined.find(
                Id::EndOfRib,
                format!(
                    "{} has `manual-eor`, and the helper sends no End-of-RIB: after a restart the router keeps old routes",
                    at(helper.path, neighbor)
                ),
                format!("set `end-of-rib = true` under [exabgp] in {}", facts.settings_place()),
            ),
            (Err(why), true) => examined.skip(why.clone()),
        }
    })
}

pub(super) fn hold_time(facts: &Facts) -> Known<Examined> {
    known(&facts.network)?;
    if facts.has_bfd {
        return Ok(Examined::default());
    }
    each(facts, |helper, neighbor, examined| {
        let Some(seconds) = neighbor.hold_time.or(USUAL_HOLD) else {
            examined.skip(unclear(helper, neighbor, "`hold-time`"));
            return;
        };
        let long = match seconds {
            0 => "never times out: a host without power attracts traffic for ever".to_owned(),
            seconds if seconds > LONGEST_HOLD => {
                format!("has a hold time of {seconds} s: a host without power attracts traffic that long")
            }
            _ => return,
        };
        examined.find(
            Id::HoldTime,
            format!("{} {long}", at(helper.path, neighbor)),
            "set `hold-time 9;` in the neighbor (the lower one of both ends counts), or run BFD beside ExaBGP",
        );
    })
}

pub(super) fn adj_rib_out(facts: &Facts) -> Known<Examined> {
    each(facts, |helper, neighbor, examined| {
        match neighbor.adj_rib_out.or(true) {
        Some(true) => {}
        Some(false) => examined.find(
            Id::AdjRibOut,
            format!(
                "{} does not keep routes (`adj-rib-out`): they are lost whenever the session ends, and the next one begins without them",
                at(helper.path, neighbor)
            ),
            "remove `adj-rib-out`; without a value it means off",
        ),
        None => examined.skip(unclear(helper, neighbor, "`adj-rib-out`")),
    }
    })
}
