//! Lists the addresses of this host's interfaces in the order of the kernel: IPv4 first.

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;

use super::super::options::Label;
use crate::sys::interfaces::addresses;

/// The interface of service addresses unless another one is named.
pub(super) const LOOPBACK: &str = "lo";

/// An address with its prefix length and label. The label of an IPv4 address is the interface name, optionally followed
/// by a colon and more text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Present {
    pub(super) label: String,
    pub(super) network: IpNet,
}

impl Present {
    pub(super) fn address(&self) -> IpAddr {
        self.network.addr()
    }

    pub(super) fn interface(&self) -> &str {
        super::without_alias(&self.label)
    }

    /// Whether the address has this label. A label without a colon is none.
    fn has_label(&self, label: &Label) -> bool {
        self.label.split_once(':').is_some_and(|(_, text)| {
            if label.exact { text == label.text } else { text.starts_with(&label.text) }
        })
    }
}

pub(super) fn read() -> io::Result<Vec<Present>> {
    Ok(addresses()?.into_iter().map(|(label, network)| Present { label, network }).collect())
}

/// The addresses to advertise if `--ip` is absent: those of the loopback interface except 127.0.0.0/8 and ::1, only
/// those with `label` if one is given, in the order of the kernel.
///
/// An address such as 192.0.2.1/24 does not count: the original treats the length as that of a network to advertise and
/// skips networks with host bits.
///
/// # Errors
/// Returns an error if the system has no descriptor or memory left.
pub(crate) fn found(label: Option<&Label>) -> io::Result<Vec<IpNet>> {
    Ok(select(&read()?, label))
}

fn select(present: &[Present], label: Option<&Label>) -> Vec<IpNet> {
    let ours = present.iter().filter(|entry| {
        let network = entry.network;
        entry.interface() == LOOPBACK
            && network.trunc() == network
            && !(network.network().is_loopback() && network.broadcast().is_loopback())
            && label.is_none_or(|label| entry.has_label(label))
    });
    ours.map(|entry| entry.network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(label: Option<(&str, bool)>) -> Vec<String> {
        let present = [
            ("lo", "127.0.0.1/8"),
            ("lo", "127.0.0.53/32"),
            ("lo", "192.0.2.9/32"),
            ("lo:haproxy1", "192.0.2.1/32"),
            ("lo:haproxy", "192.0.2.2/32"),
            ("lo", "198.51.100.0/24"),
            ("lo", "198.51.100.7/24"),
            ("eth0:haproxy", "203.0.113.1/32"),
            ("log:haproxy", "203.0.113.2/32"),
            ("lo", "::1/128"),
            ("lo", "2001:db8::1/128"),
            ("lo", "fe80::1/64"),
        ];
        let present = present
            .map(|(label, network)| Present { label: label.to_owned(), network: network.parse().unwrap() });
        let label = label.map(|(text, exact)| Label { text: text.to_owned(), exact });
        select(&present, label.as_ref()).iter().map(IpNet::to_string).collect()
    }

    #[test]
    fn skips_the_loopback_addresses() {
        assert_eq!(
            listed(None),
            ["192.0.2.9/32", "192.0.2.1/32", "192.0.2.2/32", "198.51.100.0/24", "2001:db8::1/128"]
        );
    }

    #[test]
    fn matches_a_label_or_its_prefix() {
        assert_eq!(listed(Some(("haproxy", false))), ["192.0.2.1/32", "192.0.2.2/32"]);
        assert_eq!(listed(Some(("haproxy", true))), ["192.0.2.2/32"]);
        assert!(listed(Some(("aproxy", false))).is_empty());
    }

    #[test]
    fn reads_the_loopback_interface_of_this_host() {
        let local: IpAddr = "127.0.0.1".parse().unwrap();
        let present = read().unwrap();
        assert!(present.iter().any(|entry| entry.interface() == LOOPBACK && entry.address() == local));
        assert!(found(None).unwrap().iter().all(|network| !network.contains(&local)));
    }
}
