//! The `route` table of a check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use toml::Spanned;

use super::address::service_addresses;
use super::file::{self, Placed};
use super::resolve::{Resolver, Result, addresses};
use super::value::{Device, Text};
use crate::exabgp::command::Family;
use crate::probe::route::RouteProbe;
use crate::text::{toml_string, toml_strings};

/// `to` by default, of IPv4 and of IPv6: an address that each host with a default route reaches. It is looked up in the routing table, nothing is sent
/// to it: `a.root-servers.net`, since networks of documentation have blackhole routes on many hosts.
pub(super) const CLIENTS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30)),
];

impl Resolver<'_> {
    /// Builds the probe of a `route` table.
    pub(super) fn route_probe(
        &self,
        written: &Spanned<file::Route>,
        service: &file::Service,
        device: &Placed<Text<Device>>,
    ) -> Result<RouteProbe> {
        let table = written.get_ref();
        let from = service_addresses(service).unwrap_or_default();
        let has_family = |address: &IpAddr| from.iter().any(|from| from.is_ipv4() == address.is_ipv4());
        let mut refused = Ok(());
        if from.is_empty() {
            let message = format!(
                "service `{}` has no address on this host to answer from, expected a host prefix, or `address = [\"…\"]` in \
                 the service",
                service.name.get_ref()
            );
            refused = Err(self.rule_error(&["prefixes", "address", "name"], &written.span(), message));
        }
        let to = match &table.to {
            None => CLIENTS.into_iter().filter(has_family).collect(),
            Some(to) => {
                self.require_nonempty(&table.to, |to| to.0.len(), "address of a client")?;
                let to_all = addresses(&to.get_ref().0);
                if let (Some(other), false) =
                    (to_all.iter().find(|address| !has_family(address)), from.is_empty())
                {
                    let family = Family::of(*other).name();
                    let message =
                        format!("`{other}` cannot be answered: the service has no {family} address");
                    refused = Err(self.rule_error(&["prefixes", "address"], &to.span(), message));
                }
                to_all
            }
        };
        let device = self.locality(service, device).device.clone();
        let interfaces = table.interfaces.0.iter().map(|interface| interface.0.0.clone()).collect();
        refused.map(|()| RouteProbe {
            from,
            to,
            neighbors: self.written_neighbors(service),
            interfaces,
            device,
        })
    }

    /// The neighbors that a service is announced to, as far as the file names them.
    fn written_neighbors(&self, service: &file::Service) -> Vec<IpAddr> {
        let entries = service.announce.iter().flat_map(Spanned::get_ref);
        let entries = entries.flat_map(|entry| &entry.get_ref().neighbors);
        let own: Vec<_> = entries.chain(&service.neighbors).map(|neighbor| neighbor.get_ref().0.0).collect();
        if own.is_empty() { self.neighbors.clone() } else { own }
    }
}

/// The `route` table that gives this probe, for the service and the neighbors that it has.
pub(super) fn table(probe: &RouteProbe) -> String {
    let to: Vec<_> = probe.to.iter().map(ToString::to_string).collect();
    match &probe.interfaces[..] {
        [] => format!("{{ to = {} }}", toml_strings(&to)),
        [one] => format!("{{ to = {}, interfaces = [{}] }}", toml_strings(&to), toml_string(one)),
        interfaces => format!("{{ to = {}, interfaces = {} }}", toml_strings(&to), toml_strings(interfaces)),
    }
}
