//! The `route` table of a check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use toml::Spanned;

use super::address::same_family;
use super::file;
use super::resolve::{CheckScope, Resolver, Result, addresses};
use crate::exabgp::command::Family;
use crate::probe::route::RouteProbe;
use crate::text::toml_strings;

/// `to` by default, of IPv4 and of IPv6: an address that each host with a default route reaches. It is looked up in the
/// routing table, nothing is sent to it: `a.root-servers.net`, since networks of documentation have blackhole routes on
/// many hosts.
pub(super) const CLIENTS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30)),
];

impl Resolver<'_> {
    /// Builds the probe of a `route` table.
    pub(super) fn route_probe(
        &self,
        written: &Spanned<file::Route>,
        check: &CheckScope<'_>,
    ) -> Result<RouteProbe> {
        let table = written.get_ref();
        let from = self.addresses_for("to answer from", check, &written.span());
        let known = from.clone().unwrap_or_default();
        let has_family = |address: &IpAddr| known.iter().any(|own| same_family(*own, *address));
        let to = match &table.to {
            None => CLIENTS.into_iter().filter(has_family).collect(),
            Some(to) => {
                self.require_nonempty(&table.to, "address of a client")?;
                addresses(&to.get_ref().0)
            }
        };
        let (from, other) = (from?, to.iter().find(|address| !has_family(address)));
        if let (Some(other), Some(to)) = (other, &table.to) {
            let family = Family::from_address(*other).name();
            let message = format!("`{other}` cannot be answered: the service has no {family} address");
            return Err(self.rule_error(&["prefixes", "address"], &to.span(), message));
        }
        let interfaces = table.interfaces.0.iter().map(|interface| interface.0.clone()).collect();
        let neighbors = match table.neighbors {
            Some(false) => vec![],
            None | Some(true) => self.written_neighbors(check.of.service),
        };
        let device = check.locality.device.clone();
        Ok(RouteProbe { from, to, neighbors, interfaces, device })
    }

    /// The neighbors that a service is announced to, as far as the file names them.
    fn written_neighbors(&self, service: &file::Service) -> Vec<IpAddr> {
        let entries = service.announce.iter().flat_map(Spanned::get_ref);
        let entries = entries.flat_map(|entry| &entry.get_ref().neighbors);
        let own: Vec<_> = entries.chain(&service.neighbors).map(|neighbor| neighbor.get_ref().0.0).collect();
        if own.is_empty() { self.neighbors.clone() } else { own }
    }
}

/// The `route` table that gives this probe, for the addresses that the service has.
pub(super) fn table(probe: &RouteProbe) -> String {
    let to: Vec<_> = probe.to.iter().map(ToString::to_string).collect();
    let interfaces = match &probe.interfaces[..] {
        [] => String::new(),
        some => format!(", interfaces = {}", toml_strings(some)),
    };
    let neighbors = if probe.neighbors.is_empty() { ", neighbors = false" } else { "" };
    format!("{{ to = {}{interfaces}{neighbors} }}", toml_strings(&to))
}
