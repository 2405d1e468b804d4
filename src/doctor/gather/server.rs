//! Asks the kernel about addresses, sockets and routes, and the server for one answer at each of its addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use futures_util::future::join_all;

use crate::backend::Backend;
use crate::config::{Config, Service};
use crate::doctor::facts::{AddressFact, AnswerFact, Known, ListenerFact};
use crate::exabgp_conf::{Conf, Peer};
use crate::netlink::route::{Delivery, look_up, way};
use crate::netlink::sockets::{Protocol, listener};
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::address::Presence;
use crate::probe::dns::DnsProbe;
use crate::probe::locality::Place;
use crate::probe::route::RouteProbe;

/// Probes that are sent, at most.
const MOST_PROBES: usize = 64;

/// A client far away, `a.root-servers.net`; nothing is sent to it.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4));

pub(super) fn enabled(config: &Config) -> impl Iterator<Item = &Service> {
    config.services.iter().filter(|service| service.enabled)
}

/// The DNS probes of a service, in the order of its checks. Without those that count only once they have passed: a server
/// need not offer what they ask for, such as TLS.
pub(super) fn probes(service: &Service) -> impl Iterator<Item = &DnsProbe> {
    let sets = service.checks.iter().filter_map(|check| match &check.probe {
        Probe::Dns(set) if !set.needs_seen() => Some(set.probes()),
        _ => None,
    });
    sets.flatten()
}

/// The VRFs in which addresses of a service are looked up.
pub(super) fn devices(service: &Service) -> impl Iterator<Item = &str> {
    service.checks.iter().filter_map(|check| match &check.probe {
        Probe::Address(probe) => probe.device.as_deref(),
        Probe::Dns(set) => set.probes().first().and_then(|probe| probe.locality.device.as_deref()),
        _ => None,
    })
}

/// Looks up where the kernel delivers each address: the management addresses in any VRF, the service addresses in their own.
pub(crate) fn addresses(
    config: &Config,
    look_up: impl Fn(IpAddr, Option<&str>) -> io::Result<Delivery>,
) -> Vec<AddressFact> {
    let mut facts = vec![];
    let devices: Vec<_> = config.services.iter().flat_map(devices).collect();
    for address in &config.node.management {
        let places = [None].into_iter().chain(devices.iter().copied().map(Some));
        let found: Vec<_> = places.map(|device| look_up(*address, device)).collect();
        let is_here = |delivery: &io::Result<Delivery>| matches!(delivery, Ok(Delivery::Here));
        let missing = match found.iter().find_map(|delivery| delivery.as_ref().err()) {
            _ if found.iter().any(is_here) => Ok(None),
            Some(error) => Err(format!("the kernel does not say whether {address} is on this host: {error}")),
            None => Ok(Some(format!("management address {address} is not on this host"))),
        };
        facts.push(AddressFact { service: None, missing });
    }
    for service in enabled(config) {
        for check in &service.checks {
            let Probe::Address(probe) = &check.probe else { continue };
            let found = probe.look_with(|address| look_up(address, probe.device.as_deref()));
            let missing = match found {
                Presence::Here => Ok(None),
                Presence::Missing(why) => Ok(Some(why)),
                Presence::Unknown(why) => Err(why),
            };
            facts.push(AddressFact { service: Some(service.name.clone()), missing });
        }
    }
    facts
}

/// Looks for sockets at each service address that is asked: over UDP and TCP where either is asked without encryption
/// (RFC 7766 section 5).
pub(super) fn listeners(config: &Config) -> Vec<ListenerFact> {
    let mut facts: Vec<ListenerFact> = vec![];
    for service in enabled(config) {
        let own = service.addresses.as_deref().unwrap_or_default();
        for probe in probes(service).filter(|probe| own.contains(&probe.server.ip())) {
            let both = [Protocol::Udp, Protocol::Tcp];
            let protocols = if probe.transport.is_encrypted() { &both[1..] } else { &both[..] };
            for protocol in protocols {
                if facts.iter().any(|fact| fact.at == probe.server && fact.protocol == *protocol) {
                    continue;
                }
                let is_there = listener(probe.server, *protocol).map_err(|error| {
                    format!("the kernel does not say who listens at {}: {error}", probe.server)
                });
                let (service, at) = (service.name.clone(), probe.server);
                facts.push(ListenerFact { service, at, protocol: *protocol, is_there });
            }
        }
    }
    facts
}

/// Sends the first probe of each address of this host and transport.
pub(super) async fn answers(config: Option<&Config>) -> Vec<AnswerFact> {
    let mut chosen: Vec<(&DnsProbe, Option<&Arc<Backend>>)> = vec![];
    for service in config.into_iter().flat_map(enabled) {
        for probe in probes(service) {
            let place = probe.locality.place(probe.server.ip());
            let is_known = chosen
                .iter()
                .any(|(known, _)| (known.server, known.transport) == (probe.server, probe.transport));
            if place != Place::Anywhere && !is_known && chosen.len() < MOST_PROBES {
                chosen.push((probe, service.backend.as_ref()));
            }
        }
    }
    let asked = chosen.into_iter().map(async |(probe, backend)| AnswerFact {
        probe: probe.to_string(),
        source: probe.source,
        kind: backend.map_or("", |backend| backend.kind.word()),
        is_service: probe.locality.place(probe.server.ip()) == Place::Service,
        outcome: probe.ask().await.outcome,
    });
    join_all(asked).await
}

/// The addresses of the routers.
pub(super) fn neighbors(confs: &[&Conf]) -> Vec<IpAddr> {
    let all = confs.iter().flat_map(|conf| &conf.neighbors);
    all.filter_map(|neighbor| match neighbor.peer {
        Peer::Address(address) => Some(address),
        _ => None,
    })
    .collect()
}

/// Whether the kernel drops what clients send by way of the routers.
pub(super) fn reverse_path(config: &Config, neighbors: &[IpAddr]) -> Known<Option<String>> {
    let routers: Vec<_> =
        neighbors.iter().copied().filter(|router| router.is_ipv4() && !router.is_loopback()).collect();
    if routers.is_empty() {
        return Err("the router by which IPv4 clients come is not known".to_owned());
    }
    match way(CLIENT, None, None) {
        Ok(Delivery::Elsewhere(Some(_))) => {}
        Ok(_) => return Err(format!("there is no route to clients such as {CLIENT}")),
        Err(error) => return Err(format!("the kernel does not say how it routes: {error}")),
    }
    for service in enabled(config) {
        let own = service.addresses.iter().flatten().copied();
        let device = devices(service).next();
        let here =
            |address: &IpAddr| address.is_ipv4() && matches!(look_up(*address, device), Ok(Delivery::Here));
        let probe = RouteProbe {
            from: own.filter(here).collect(),
            to: vec![CLIENT],
            neighbors: routers.clone(),
            interfaces: vec![],
            device: device.map(str::to_owned),
        };
        let outcome = probe.ask(|cause| cause == Cause::RpFilter);
        if let Some(failure) = outcome.failure().filter(|failure| failure.cause == Cause::RpFilter) {
            return Ok(Some(failure.detail.clone()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn asks_for_nothing_that_a_server_need_not_offer() {
        let text = "[node]\nmanagement = \"10.1.0.2\"\n[backend.unbound]\n[[service]]\nname = \"s\"\n\
                    prefixes = [\"192.0.2.53/32\"]\nbackend = \"unbound\"\n";
        let config = Config::parse(Path::new("f"), text, "host").unwrap();
        assert!(config.services[0].checks.iter().any(|check| check.name == "tls"));
        let ports: Vec<_> = probes(&config.services[0]).map(|probe| probe.server.port()).collect();
        assert!(!ports.is_empty() && ports.iter().all(|port| *port == 53), "{ports:?}");
    }
}
