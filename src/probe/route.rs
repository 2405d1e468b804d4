//! Checks of the routes to clients: whether this host can send answers to them, and accepts their packets.
//!
//! ```text
//! for each service address: still on this host?           ─► `address-missing`
//!   for each client: does the kernel have a route there,
//!     from that address?                                   ─► `no-route`
//!     is the interface of the route up?                    ─► `link-down`
//! for each BGP neighbor: the same, from any address
//! for each interface of the clients: there, and up?        ─► `link-down`
//!   does the kernel drop what a client sends there, by
//!     `rp_filter`?                                         ─► `rp-filter`
//! ```
//!
//! It reads only the tables of the kernel and sends no packet. A look-up takes microseconds. If the look-up fails, the
//! outcome is unknown.

use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::time::Instant;

use crate::netlink::link::{self, Link, LinkState};
use crate::netlink::route::{self, Delivery};
use crate::outcome::{Cause, Failure, Outcome};
use crate::probe::address::Presence;
use crate::text::joined;

/// The routes from a service to its clients.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct RouteProbe {
    /// The service addresses, from which answers are sent. At least one.
    pub(crate) from: Vec<IpAddr>,
    /// Addresses of clients, each of a family of `from`.
    pub(crate) to: Vec<IpAddr>,
    /// The BGP neighbors that the prefixes are announced to.
    pub(crate) neighbors: Vec<IpAddr>,
    /// The interfaces where queries of clients arrive, besides those of the neighbors.
    pub(crate) interfaces: Vec<String>,
    /// The VRF, by the name of its device.
    pub(crate) device: Option<String>,
}

impl RouteProbe {
    /// Looks once. Of several failures `severity` chooses the cause, of equals the first.
    pub(crate) fn ask<K: Ord>(&self, severity: impl Fn(Cause) -> K) -> Outcome {
        let began = Instant::now();
        match self.failures() {
            Err(error) => {
                Outcome::from_cause(Cause::Local, format!("the kernel does not say how it routes: {error}"))
            }
            Ok(failures) => match failures.iter().rev().max_by_key(|failure| severity(failure.cause)) {
                None => Outcome::pass(began.elapsed()),
                Some(worst) if failures.len() == 1 => worst.clone().into(),
                Some(worst) => Outcome::from_cause(
                    worst.cause,
                    format!("{worst}; and {} more faults", failures.len() - 1),
                ),
            },
        }
    }

    /// The same for the thread that watches changes.
    pub(crate) fn look(&self) -> Presence {
        match self.failures() {
            Err(error) => Presence::Unknown(error.to_string()),
            Ok(failures) => match failures.first() {
                None => Presence::Here,
                Some(failure) => Presence::Missing(failure.to_string()),
            },
        }
    }

    fn failures(&self) -> io::Result<Vec<Failure>> {
        let mut failures = vec![];
        // The interfaces where queries arrive.
        let mut arrivals = vec![];
        for name in &self.interfaces {
            match link::named(name)? {
                Some(link) => {
                    failures.extend(down(&link, "where queries arrive"));
                    arrivals.push(link);
                }
                None => failures.push(Failure::new(Cause::LinkDown, format!("no interface {name}"))),
            }
        }
        // The routes to the neighbors, and to the clients.
        for neighbor in &self.neighbors {
            let what = format!("to BGP neighbor {neighbor}");
            if let Some(link) = self.way(*neighbor, None, &what, &mut failures)?
                && !arrivals.contains(&link)
                && link.name != "lo"
            {
                arrivals.push(link);
            }
        }
        for from in &self.from {
            if route::look_up(*from, self.device.as_deref())? != Delivery::Here {
                failures.push(Failure::new(Cause::AddressMissing, format!("{from} is not on this host")));
                continue;
            }
            for to in self.to.iter().filter(|to| to.is_ipv4() == from.is_ipv4()) {
                self.way(*to, Some(*from), &format!("from {from} to clients such as {to}"), &mut failures)?;
                failures.extend(filtered(*to, *from, &arrivals)?);
            }
        }
        Ok(failures)
    }

    /// The interface of the route to an address, and its failure.
    fn way(
        &self,
        to: IpAddr,
        from: Option<IpAddr>,
        what: &str,
        failures: &mut Vec<Failure>,
    ) -> io::Result<Option<Link>> {
        let why = match route::way(to, from, self.device.as_deref())? {
            Delivery::Here => return Ok(None),
            Delivery::Elsewhere(Some(index)) => {
                // The next look sees an interface that has gone meanwhile.
                let link = link::with_index(index)?;
                failures.extend(link.as_ref().and_then(|link| down(link, &format!("of the route {what}"))));
                return Ok(link);
            }
            Delivery::Elsewhere(None) => "a route without an interface",
            Delivery::Nowhere(why) => why,
            Delivery::NoDevice => "no such VRF",
        };
        failures.push(Failure::new(Cause::NoRoute, format!("no route {what}: {why}")));
        Ok(None)
    }
}

/// The failure of an interface that is not up.
fn down(link: &Link, which: &str) -> Option<Failure> {
    let state = match link.state {
        LinkState::Up => return None,
        LinkState::NoCarrier => "has no carrier",
        LinkState::Disabled => "is down",
    };
    Some(Failure::new(Cause::LinkDown, format!("interface {} {which} {state}", link.name)))
}

/// The failures of interfaces where the kernel drops the packets of a client. Only IPv4 has `rp_filter`.
fn filtered(client: IpAddr, service: IpAddr, arrivals: &[Link]) -> io::Result<Vec<Failure>> {
    let mut failures = vec![];
    for link in arrivals.iter().filter(|link| link.state == LinkState::Up) {
        if route::drops_arrival(client, service, link.index)? && is_strict(&link.name) {
            let why = format!(
                "rp_filter drops packets from clients such as {client} to {service} that arrive on {}: their route \
                 leads elsewhere; set net.ipv4.conf.{0}.rp_filter to 0 or 2, and net.ipv4.conf.all.rp_filter as well",
                link.name
            );
            failures.push(Failure::new(Cause::RpFilter, why));
        }
    }
    Ok(failures)
}

/// Whether the reverse path filter of an interface is strict: the greater of two settings is 1 (Linux,
/// `Documentation/networking/ip-sysctl.rst`). An unreadable setting counts as not strict.
fn is_strict(interface: &str) -> bool {
    let setting = |of: &str| {
        let text = fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{of}/rp_filter")).unwrap_or_default();
        text.trim().parse().unwrap_or(0_u8)
    };
    setting("all").max(setting(interface)) == 1
}

impl fmt::Display for RouteProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route from {} to {}", joined(&self.from, ", "), joined(&self.to, ", "))?;
        if !self.neighbors.is_empty() {
            write!(f, ", to BGP neighbors {}", joined(&self.neighbors, ", "))?;
        }
        if !self.interfaces.is_empty() {
            write!(f, ", by {}", self.interfaces.join(", "))?;
        }
        match &self.device {
            Some(device) => write!(f, " in {device}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
