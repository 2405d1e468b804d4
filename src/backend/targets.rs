//! The addresses at which a server is queried, and the zones that its services need.
//!
//! The management address comes first. The server may not listen there, so the service addresses, which clients use,
//! are queried as well.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::listeners::PORT;
use crate::probe::dns::{DnsProbe, Finding, Query, Question, Transport};
use crate::probe::locality::Locality;

/// One address of the server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    /// The address and port that queries are sent to.
    pub(crate) server: SocketAddr,
    /// The address that queries are sent from.
    pub(crate) source: IpAddr,
    /// The addresses of this host, as far as they concern its query: a query to one of them does not leave it.
    pub(crate) locality: Arc<Locality>,
    /// Whether this is a service address, which clients query.
    pub(crate) is_service: bool,
}

/// A service that the server answers for.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceTargets {
    /// A SOA query for each zone that the service needs.
    pub(crate) zones: Vec<Query>,
    /// The service addresses on this host; none if the server is elsewhere (`address = false`).
    pub(crate) addresses: Vec<Target>,
}

/// Every address at which a server is queried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets {
    pub(crate) management: Vec<Target>,
    /// The services that the server answers for.
    pub(crate) services: Vec<ServiceTargets>,
}

impl Target {
    /// A management address; its queries come from itself.
    pub(crate) fn management(address: IpAddr) -> Self {
        let server = SocketAddr::new(address, PORT);
        let locality = Arc::new(Locality { management: vec![address], ..Locality::default() });
        Self { server, source: address, locality, is_service: false }
    }

    /// A service address; its queries come from the management address of its family, or without one from itself.
    pub(crate) fn service(address: IpAddr, locality: &Arc<Locality>) -> Self {
        let of_family = |other: &&IpAddr| other.is_ipv4() == address.is_ipv4();
        let source = locality.management.iter().find(of_family).copied().unwrap_or(address);
        let server = SocketAddr::new(address, PORT);
        Self { server, source, locality: Arc::clone(locality), is_service: true }
    }

    /// Sends one query and waits for the answer, at most this long.
    pub(crate) async fn ask(&self, question: Question, transport: Transport, timeout: Duration) -> Finding {
        let probe = DnsProbe {
            question: Arc::new(question),
            server: self.server,
            source: Some(self.source),
            transport,
            timeout,
            locality: Arc::clone(&self.locality),
        };
        probe.ask().await
    }
}

impl Targets {
    /// Every address once, the management addresses first.
    pub(crate) fn all(&self) -> Vec<&Target> {
        let mut all: Vec<&Target> = vec![];
        for target in
            self.management.iter().chain(self.services.iter().flat_map(|service| &service.addresses))
        {
            if !all.iter().any(|known| known.server == target.server) {
                all.push(target);
            }
        }
        all
    }

    /// The names of all zones that the services need, without duplicates, in lower case.
    pub(crate) fn zone_names(&self) -> Vec<String> {
        let mut names: Vec<String> = vec![];
        for query in self.services.iter().flat_map(|service| &service.zones) {
            let name = query.name().to_ascii_lowercase();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The queries for each address: every zone of a service at the management addresses and at those of the service.
    pub(super) fn zone_queries(&self) -> Vec<(Query, &Target)> {
        let mut pairs: Vec<(Query, &Target)> = vec![];
        for service in &self.services {
            for query in &service.zones {
                for target in self.management.iter().chain(&service.addresses) {
                    if !pairs.iter().any(|(known, at)| known == query && at.server == target.server) {
                        pairs.push((query.clone(), target));
                    }
                }
            }
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::locality::Place;

    #[test]
    fn a_service_address_is_asked_from_the_management_address_of_its_family() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let locality = Arc::new(Locality { management: vec![address("10.1.0.2")], ..Locality::default() });
        assert_eq!(Target::service(address("192.0.2.53"), &locality).source, address("10.1.0.2"));
        assert_eq!(Target::service(address("2001:db8::53"), &locality).source, address("2001:db8::53"));
        let management = Target::management(address("10.1.0.2"));
        assert_eq!(management.source, address("10.1.0.2"));
        // So its query without an answer counts as our own.
        assert_eq!(management.locality.place(management.server.ip()), Place::Management);
    }

    #[test]
    fn a_zone_is_asked_for_at_the_management_address_and_at_those_of_its_service() {
        let locality = Arc::default();
        let target = |text: &str| Target::service(text.parse().unwrap(), &locality);
        let service = |zones: &[&str], addresses: &[&str]| ServiceTargets {
            zones: zones.iter().map(|zone| format!("{zone} SOA").parse().unwrap()).collect(),
            addresses: addresses.iter().map(|address| target(address)).collect(),
        };
        let targets = Targets {
            management: vec![Target::management("10.1.0.2".parse().unwrap())],
            services: vec![
                service(&["a."], &["192.0.2.1"]),
                service(&["a.", "b."], &["192.0.2.2", "192.0.2.3"]),
            ],
        };
        let all: Vec<_> = targets.all().iter().map(|target| target.server.ip().to_string()).collect();
        assert_eq!(all, ["10.1.0.2", "192.0.2.1", "192.0.2.2", "192.0.2.3"]);
        let asked: Vec<_> =
            targets.zone_queries().iter().map(|(query, at)| format!("{query} {}", at.server.ip())).collect();
        assert_eq!(
            asked,
            [
                "a. SOA 10.1.0.2",
                "a. SOA 192.0.2.1",
                "a. SOA 192.0.2.2",
                "a. SOA 192.0.2.3",
                "b. SOA 10.1.0.2",
                "b. SOA 192.0.2.2",
                "b. SOA 192.0.2.3"
            ]
        );
    }
}
