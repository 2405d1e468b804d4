//! Service addresses: which addresses a service has, which are watched, and what probes may assume about them.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;

use super::file::Placed;
use super::resolve::{CheckScope, Refused, Resolver, Result, Scope, addresses};
use super::value::{Device, Text, WrittenAddress};
use super::{Check, file};
use crate::backend::targets::Target;
use crate::engine::check::{OnFail, Severity};
use crate::probe::Probe;
use crate::probe::address::AddressProbe;
use crate::probe::locality::Locality;

const WATCHED: &str = "without its address another PoP would answer; a missing address is detected at once";

/// The addresses of a service that must be on this host: its host prefixes and the addresses of the key `address`.
/// `None` for `address = false`.
pub(super) fn service_addresses(service: &file::Service) -> Option<Vec<IpAddr>> {
    let listed = match service.address.as_ref().map(Spanned::get_ref) {
        None => vec![],
        Some(WrittenAddress::No) => return None,
        Some(WrittenAddress::These(listed)) => addresses(&listed.0),
    };
    let mut all: Vec<_> = service.hosts().collect();
    for address in listed {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    Some(all)
}

impl Resolver<'_> {
    /// Checks that the addresses of the key `address` are within the prefixes.
    pub(super) fn addresses_fit(&self, service: &file::Service) -> Result<()> {
        let Some(written) = &service.address else { return Ok(()) };
        let WrittenAddress::These(listed) = written.get_ref() else { return Ok(()) };
        if listed.0.is_empty() {
            return Err(self.value_error(&written.span(), "no address, expected at least one, or false"));
        }
        let outside = |address: &IpAddr| !service.networks().any(|prefix| prefix.contains(address));
        let refused = addresses(&listed.0).into_iter().filter(outside).map(|address| {
            let message = format!(
                "`{address}` is outside the prefixes of service `{}`, expected an address within one of them",
                service.name.get_ref()
            );
            self.rule_error(&["prefixes", "name"], &written.span(), message)
        });
        all_accepted(refused)
    }

    /// The addresses of this host as a check of this service knows them, and the device that its sockets bind to.
    pub(super) fn locality(&self, service: &file::Service, device: &Placed<Text<Device>>) -> Arc<Locality> {
        let device = device_of(service, device);
        Arc::new(match service.address.as_ref().map(Spanned::get_ref) {
            Some(WrittenAddress::No) => Locality { device, ..Locality::default() },
            _ => Locality { service: self.own.clone(), management: self.management.clone(), device },
        })
    }

    /// The addresses to query a backend at: the management addresses, then those of its services.
    pub(super) fn targets_of(&self, backend: &str, file: &file::File) -> Vec<Target> {
        let mut targets: Vec<_> = self.management.iter().copied().map(Target::management).collect();
        for service in file.service.iter().map(Spanned::get_ref) {
            if service.backend.as_ref().is_some_and(|name| name.get_ref() == backend) {
                let locality = self.locality(service, &None);
                let addresses = service_addresses(service).unwrap_or_default();
                targets.extend(addresses.into_iter().map(|address| Target::service(address, &locality)));
            }
        }
        targets
    }

    /// The addresses of the service on this host, of which the check needs at least one for this purpose.
    pub(super) fn addresses_for(
        &self,
        purpose: &str,
        check: &CheckScope<'_>,
        place: &Range<usize>,
    ) -> Result<Vec<IpAddr>> {
        let addresses = check.of.addresses();
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        let message = format!(
            "service `{}` has no address on this host {purpose}, expected a host prefix, or `address = [\"…\"]` in the service",
            check.of.service.name.get_ref()
        );
        Err(self.rule_error(&["prefixes", "address", "name"], place, message))
    }

    /// Builds the probe of an `address` table.
    pub(super) fn address_probe(
        &self,
        written: &Spanned<toml::Table>,
        check: &CheckScope<'_>,
    ) -> Result<AddressProbe> {
        let unknown = written.get_ref().keys().map(|key| {
            let message = format!(
                "unknown key `{}`, expected an empty table: the key `address` of the service lists the watched addresses",
                key.escape_debug()
            );
            self.value_error(&written.span(), message)
        });
        let refused = all_accepted(unknown);
        let addresses = self.addresses_for("to watch", check, &written.span());
        refused?;
        Ok(AddressProbe { addresses: addresses?, device: check.locality.device.clone() })
    }

    /// The default check of every service with addresses on this host, unless `others` contain such a check.
    pub(super) fn default_address_check(&self, of: Scope<'_>, others: &[Check]) -> Result<Option<Check>> {
        let addresses = of.addresses();
        if addresses.is_empty() || others.iter().any(|check| matches!(check.probe, Probe::Address(_))) {
            return Ok(None);
        }
        let timing = self.default_timing(of)?.without_window();
        let probe = Probe::Address(AddressProbe { addresses, device: device_of(of.service, &None) });
        let name = free_name("address", others);
        Ok(Some(Check::supplied(name, WATCHED, timing, OnFail::always(Severity::Down), probe)))
    }
}

/// An error if there is a refusal. Goes through all, since each is recorded as it is made.
fn all_accepted(refusals: impl Iterator<Item = Refused>) -> Result<()> {
    refusals.last().map_or(Ok(()), Err)
}

/// Whether both addresses are of IPv4, or both of IPv6.
pub(super) fn same_family(one: IpAddr, other: IpAddr) -> bool {
    one.is_ipv4() == other.is_ipv4()
}

/// The device that the sockets of a check bind to: that of the check, else that of the service.
pub(super) fn device_of(service: &file::Service, of_check: &Placed<Text<Device>>) -> Option<String> {
    let device = of_check.as_ref().or(service.device.as_ref());
    device.map(|device| device.get_ref().0.0.clone())
}

/// The name of a default check, with a suffix if one of the others has this name.
pub(super) fn free_name(name: &str, others: &[Check]) -> String {
    let mut name = name.to_owned();
    while others.iter().any(|check| check.name == name) {
        name.push_str("-here");
    }
    name
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;
    use crate::config::describe::Description;
    use crate::probe::Probe;
    use crate::probe::dns::DnsProbe;
    use crate::probe::locality::Place;

    fn config(services: &str) -> Config {
        let text = format!("[node]\nmanagement = [\"10.1.0.2\", \"2001:db8:1::2\"]\n{services}");
        Config::parse(Path::new("f"), &text, "host").unwrap_or_else(|error| panic!("{error}"))
    }

    fn service(name: &str, keys: &str) -> String {
        let check = "[[service.check]]\nname = \"a\"\ndns = { query = \"localhost. A\" }\n";
        format!("[[service]]\nname = \"{name}\"\n{keys}\n{check}")
    }

    /// Each server that the check of this service asks, and its kind.
    fn places(config: &Config, service: usize) -> Vec<(String, Place)> {
        let Probe::Dns(set) = &config.services[service].checks[0].probe else { panic!() };
        let of = |probe: &DnsProbe| (probe.server.ip().to_string(), probe.locality.place(probe.server.ip()));
        set.probes().iter().map(of).collect()
    }

    #[test]
    fn another_service_changes_nothing_of_the_first() {
        let first = "prefixes = [\"192.0.2.53/32\"]\nbackend = \"unbound\"\nrole = \"resolver\"\nwarm-up = [\"example.com\"]";
        let backend = "[backend.unbound]\n";
        let plan = |more: &str| config(&format!("{}{more}{backend}", service("s", first))).plan();
        let alone = plan("");
        for keys in [
            "prefixes = [\"192.0.2.55/32\"]",
            "prefixes = [\"192.0.2.0/24\"]\naddress = [\"192.0.2.53\"]\nbackend = \"unbound\"\nrole = \"resolver\"",
            "prefixes = [\"192.0.2.54/32\"]\nbackend = \"unbound\"\nrole = \"resolver\"",
        ] {
            let both = plan(&service("t", keys));
            assert!(alone.services[0] == both.services[0], "{keys}: {:?}", both.services[0]);
        }
    }

    /// The address check beside the check of the file.
    fn watched(config: &Config) -> Option<String> {
        config.services[0].checks.get(1).map(|check| format!("{}: {}", check.name, check.probe))
    }

    #[test]
    fn watches_every_host_prefix_and_listed_address() {
        let watched = |keys| watched(&config(&service("s", keys)));
        let hosts = "prefixes = [\"192.0.2.53/32\", \"2001:db8::53/128\"]";
        assert_eq!(watched(hosts).unwrap(), "address: 192.0.2.53, 2001:db8::53");
        let vrf = format!("{hosts}\ndevice = \"vrf-dns\"");
        assert_eq!(watched(&vrf).unwrap(), "address: 192.0.2.53, 2001:db8::53 in vrf-dns");
        assert_eq!(watched("prefixes = [\"192.0.2.0/24\"]"), None);
        let listed = "prefixes = [\"192.0.2.0/24\", \"198.51.100.1/32\"]\naddress = \"192.0.2.53\"";
        assert_eq!(watched(listed).unwrap(), "address: 198.51.100.1, 192.0.2.53");
        assert_eq!(watched(&format!("{hosts}\naddress = false")), None);
    }

    #[test]
    fn an_address_check_in_the_file_replaces_the_default() {
        let own = "[[service.check]]\nname = \"here\"\ninterval = \"5s\"\naddress = {}\n";
        let config = config(&(service("s", "prefixes = [\"192.0.2.53/32\"]") + own));
        let names: Vec<_> = config.services[0].checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["a", "here"]);
    }

    #[test]
    fn service_addresses_belong_to_this_host_unless_address_is_false() {
        let both = service("s", "prefixes = [\"192.0.2.53/32\"]")
            + &service("t", "prefixes = [\"192.0.2.54/32\"]\naddress = false")
            + &service("u", "prefixes = [\"192.0.2.55/32\"]");
        let servers =
            "\"192.0.2.53\", \"192.0.2.54\", \"192.0.2.55\", \"10.1.0.2\", \"127.0.0.1\", \"203.0.113.1\"";
        let asks = format!("localhost. A\", server = [{servers}] }}");
        let config = config(&both.replace("localhost. A\" }", &asks));
        let expected = [
            ("192.0.2.53", Place::Service),
            ("192.0.2.54", Place::Anywhere),
            ("192.0.2.55", Place::Service),
            ("10.1.0.2", Place::Management),
            ("127.0.0.1", Place::Loopback),
            ("203.0.113.1", Place::Anywhere),
        ]
        .map(|(address, place)| (address.to_owned(), place));
        assert_eq!(places(&config, 0), expected);
        let of_others = places(&config, 1).into_iter().filter(|(_, place)| *place != Place::Anywhere);
        assert_eq!(of_others.collect::<Vec<_>>(), [("127.0.0.1".to_owned(), Place::Loopback)]);
    }

    #[test]
    fn warns_about_addresses_that_are_not_watched() {
        let described = |keys| Description(&config(&service("s", keys))).to_string();
        let shorter = "prefixes = [\"192.0.2.0/24\"]";
        assert!(described(shorter).contains("warning: no address of 192.0.2.0/24 is watched"));
        let named = format!("{shorter}\naddress = [\"192.0.2.53\"]");
        assert!(!described(&named).contains("is watched"));
        let elsewhere = "prefixes = [\"192.0.2.53/32\"]\naddress = false";
        assert!(described(elsewhere).contains("another PoP may answer the probes"));
        assert!(!described("prefixes = [\"192.0.2.53/32\"]").contains("another PoP may answer"));
    }
}
