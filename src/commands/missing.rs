//! Warns about configured addresses that are not on this host, for `check` and `check-config`.

use std::io::{self, Write};
use std::net::IpAddr;

use crate::config::{Config, Service};
use crate::netlink::route::{Delivery, look_up};
use crate::probe::Probe;
use crate::probe::address::Presence;
use crate::text;

/// Prints one warning per address to standard error. It is no error, because the configuration may be for another host.
///
/// # Errors
/// Returns an error if nothing can be printed.
pub(super) fn warn(config: &Config) -> io::Result<()> {
    let mut err = text::stderr();
    for warning in warnings(config, |address, device| look_up(address, device).ok()) {
        writeln!(err, "warning: {warning}")?;
    }
    Ok(())
}

/// `look_up` returns where the kernel delivers, or `None` if it cannot say.
fn warnings(config: &Config, look_up: impl Fn(IpAddr, Option<&str>) -> Option<Delivery>) -> Vec<String> {
    let mut all = vec![];
    let devices: Vec<_> = config.services.iter().flat_map(devices).collect();
    for address in &config.node.management {
        let is_here = |device| matches!(look_up(*address, device), None | Some(Delivery::Here));
        if !is_here(None) && !devices.iter().any(|device| is_here(Some(device))) {
            all.push(format!(
                "management address {address} is not on this host: no probe can be sent from it, and probes to it stay \
                 unknown"
            ));
        }
    }
    for service in config.services.iter().filter(|service| service.enabled) {
        for check in &service.checks {
            let Probe::Address(probe) = &check.probe else { continue };
            let answers = |address| look_up(address, probe.device.as_deref());
            let presence =
                probe.look_with(|address| answers(address).ok_or(io::ErrorKind::Unsupported.into()));
            if let Presence::Missing(why) = presence {
                all.push(format!(
                    "service {}: {why}; the service stays withdrawn until it is; add it to `lo`, or set `address = \
                     false` if the server is in another network namespace",
                    service.name
                ));
            }
        }
    }
    all
}

/// The VRFs in which addresses of a service are looked up.
fn devices(service: &Service) -> impl Iterator<Item = &str> {
    service.checks.iter().filter_map(|check| match &check.probe {
        Probe::Address(probe) => probe.device.as_deref(),
        Probe::Dns(set) => set.probes().first().and_then(|probe| probe.locality.device.as_deref()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn warnings_for(service: &str, here: &[&str]) -> Vec<String> {
        let text = format!(
            "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"dns\"\nrole = \"resolver\"\n\
             prefixes = [\"192.0.2.53/32\"]\n{service}\n"
        );
        let config = Config::parse(Path::new("f"), &text, "host").unwrap();
        warnings(&config, |address, device| {
            let named = format!("{address}{}", device.map_or(String::new(), |device| format!("%{device}")));
            let is_here = here.contains(&named.as_str());
            Some(if is_here { Delivery::Here } else { Delivery::Nowhere })
        })
    }

    #[test]
    fn warns_about_each_missing_address() {
        let all = warnings_for("", &[]);
        assert!(all[0].starts_with("management address 10.1.0.2 is not on this host"), "{all:?}");
        assert!(all[1].starts_with("service dns: 192.0.2.53 is not on this host"), "{all:?}");
        assert_eq!(warnings_for("", &["10.1.0.2", "192.0.2.53"]), [""; 0]);
        assert_eq!(warnings_for("address = false", &["10.1.0.2"]), [""; 0]);
        assert_eq!(warnings_for("enabled = false", &["10.1.0.2"]), [""; 0]);
        assert_eq!(
            warnings_for("device = \"vrf-dns\"", &["10.1.0.2%vrf-dns", "192.0.2.53%vrf-dns"]),
            [""; 0]
        );
        assert_eq!(
            warnings_for("device = \"vrf-dns\"", &["10.1.0.2", "192.0.2.53"]).len(),
            1,
            "not in the VRF"
        );
        let unknown = "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"dns\"\nprefixes = [\"192.0.2.53/32\"]\n";
        let config = Config::parse(Path::new("f"), unknown, "host").unwrap();
        assert_eq!(warnings(&config, |_, _| None), [""; 0], "the kernel cannot say");
    }
}
