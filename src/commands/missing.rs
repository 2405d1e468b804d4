//! Warns about configured addresses that are not on this host, for `check` and `check-config`.

use std::io::{self, Write};

use crate::config::Config;
use crate::doctor::facts::AddressFact;
use crate::doctor::gather::addresses;
use crate::netlink::route::look_up;
use crate::text;

/// Prints one warning per address to standard error. It is no error, because the configuration may be for another host.
///
/// # Errors
/// Returns an error if nothing can be printed.
pub(super) fn warn(config: &Config) -> io::Result<()> {
    let mut err = text::stderr();
    for warning in addresses(config, look_up).iter().filter_map(warning) {
        writeln!(err, "warning: {warning}")?;
    }
    Ok(())
}

/// The warning about an address; none if it is on this host, or if the kernel cannot say.
fn warning(address: &AddressFact) -> Option<String> {
    let why = address.missing.as_ref().ok()?.as_ref()?;
    Some(match &address.service {
        None => format!("{why}: no probe can be sent from it, and probes to it stay unknown"),
        Some(service) => format!(
            "service {service}: {why}; the service stays withdrawn until it is; add it to `lo`, or set `address = false` \
             if the server is in another network namespace"
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::netlink::route::Delivery;

    fn warnings_for(service: &str, here: &[&str]) -> Vec<String> {
        let text = format!(
            "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"dns\"\nrole = \"resolver\"\n\
             prefixes = [\"192.0.2.53/32\"]\n{service}\n"
        );
        let config = Config::parse(Path::new("f"), &text, "host").unwrap();
        let facts = addresses(&config, |address, device| {
            let named = format!("{address}{}", device.map_or(String::new(), |device| format!("%{device}")));
            let is_here = here.contains(&named.as_str());
            Ok(if is_here { Delivery::Here } else { Delivery::Nowhere("") })
        });
        facts.iter().filter_map(warning).collect()
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
        let without_check = "address = false\ndevice = \"vrf-dns\"";
        assert_eq!(warnings_for(without_check, &["10.1.0.2%vrf-dns"]), [""; 0], "its probes are in the VRF");
        let unknown = "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"dns\"\nprefixes = [\"192.0.2.53/32\"]\n";
        let config = Config::parse(Path::new("f"), unknown, "host").unwrap();
        let facts = addresses(&config, |_, _| Err(io::ErrorKind::Unsupported.into()));
        assert!(!facts.iter().any(|fact| warning(fact).is_some()), "the kernel cannot say");
    }
}
