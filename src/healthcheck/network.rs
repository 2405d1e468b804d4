//! Parsers of addresses and networks in the syntax of Python's ipaddress module, and interfaces.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::IpNet;

/// Parses a network without host bits, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let refuse = || {
        format!("`{text}` is not an address or network, expected one such as `192.0.2.53` or `2001:db8::/64`")
    };
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| refuse())?;
    let host = IpNet::from(address);
    let network = match length {
        None => host,
        Some(length) => {
            let length = prefix_length(address, length).ok_or_else(refuse)?;
            IpNet::new(address, length).map_err(|_| refuse())?
        }
    };
    let whole = network.trunc();
    if whole != network {
        return Err(format!(
            "`{text}` has host bits set, expected the network `{whole}` or the address `{host}`"
        ));
    }
    Ok(network)
}

/// Largest number of single addresses: of all networks together that `--deaggregate-networks` advertises, each of which is a
/// command to ExaBGP, and of each network that is set up, each of which is a call of `ip`.
pub(crate) const MOST_ADDRESSES: u32 = 1 << 16;

/// Splits `network` into single addresses. Returns `None` if there are more than `most`.
pub(crate) fn addresses(network: &IpNet, most: u32) -> Option<Vec<IpNet>> {
    let longest = network.max_prefix_len();
    let count = 1_u32.checked_shl((longest - network.prefix_len()).into())?;
    (count <= most).then(|| network.subnets(longest).into_iter().flatten().collect())
}

/// Parses a prefix length: a number, or for IPv4 a netmask or hostmask: `24`, `255.255.255.0`, `0.0.0.255`.
fn prefix_length(address: IpAddr, text: &str) -> Option<u8> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let mask: u32 = text.parse::<Ipv4Addr>().ok().filter(|_| address.is_ipv4())?.into();
    let network = mask.leading_ones() + mask.trailing_zeros() >= u32::BITS;
    let hosts = mask.leading_zeros() + mask.trailing_ones() >= u32::BITS;
    let length = match (network, hosts) {
        (true, _) => mask.leading_ones(),
        (_, true) => mask.leading_zeros(),
        _ => return None,
    };
    u8::try_from(length).ok()
}

/// A network interface of this host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Interface(String);

impl Interface {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl FromStr for Interface {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if !(1..=15).contains(&text.len()) || !text.bytes().all(usual) {
            return Err(format!(
                "`{text}` is not an interface name, expected up to 15 letters, digits, dots, colons, dashes or \
                 underscores"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A network without host bits, and the interface of its addresses.
pub(super) type Binding = (IpNet, Interface);

/// Parses a network with the interface of its addresses: `192.0.2.53%eth0`.
pub(super) fn binding(text: &str) -> Result<Binding, String> {
    match text.split_once('%') {
        Some((address, interface)) => Ok((network(address)?, interface.parse()?)),
        None => Err(format!("`{text}` names no interface, expected ADDRESS%INTERFACE such as `{text}%eth0`")),
    }
}

/// The neighbor that receives a route; `None` for all neighbors of this process.
pub(super) type Neighbor = Option<IpAddr>;

/// Parses the address of a neighbor, or `*` for all.
pub(super) fn neighbor(text: &str) -> Result<Neighbor, String> {
    if text.trim() == "*" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| format!("`{text}` is not a neighbor, expected an IP address or `*`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        network(text).unwrap().to_string()
    }

    #[test]
    fn an_address_is_a_host_prefix() {
        assert_eq!(shown("192.0.2.1"), "192.0.2.1/32");
        assert_eq!(shown("2001:DB8::1"), "2001:db8::1/128");
    }

    #[test]
    fn accepts_masks_as_prefix_lengths() {
        for text in ["192.0.2.0/24", "192.0.2.0/024", "192.0.2.0/255.255.255.0", "192.0.2.0/0.0.0.255"] {
            assert_eq!(shown(text), "192.0.2.0/24", "{text}");
        }
        assert_eq!(shown("0.0.0.0/0.0.0.0"), "0.0.0.0/0");
        assert_eq!(shown("192.0.2.1/255.255.255.255"), "192.0.2.1/32");
        for text in ["192.0.2.0/255.0.255.0", "192.0.2.0/0.255.0.255", "2001:db8::/255.255.255.0"] {
            assert!(network(text).unwrap_err().contains("is not an address or network"), "{text}");
        }
    }

    #[test]
    fn refuses_text_that_is_not_a_network() {
        for text in [
            "",
            "x",
            "192.0.2",
            "192.0.2.1/",
            "192.0.2.1/33",
            "192.0.2.1/+32",
            "192.0.2.1/24/24",
            "010.0.0.1",
        ] {
            assert!(network(text).unwrap_err().contains("is not an address or network"), "{text}");
        }
        assert_eq!(
            network("192.0.2.1/24").unwrap_err(),
            "`192.0.2.1/24` has host bits set, expected the network `192.0.2.0/24` or the address `192.0.2.1/32`"
        );
    }

    #[test]
    fn a_binding_is_an_address_and_an_interface() {
        let (network, interface) = binding("192.0.2.1%eth0.7").unwrap();
        assert_eq!((network.to_string().as_str(), interface.name()), ("192.0.2.1/32", "eth0.7"));
        assert!(binding("192.0.2.1").unwrap_err().contains("names no interface"));
        assert!(binding("192.0.2.1%").unwrap_err().contains("`` is not an interface name"));
        assert!(binding("192.0.2.1%eth0%eth1").unwrap_err().contains("`eth0%eth1` is not an interface name"));
        assert!(binding("192.0.2.1%sixteen-letters-").unwrap_err().contains("up to 15"));
        assert!(binding("eth0%192.0.2.1").unwrap_err().contains("`eth0` is not an address"));
    }

    #[test]
    fn a_neighbor_is_an_address_or_all() {
        assert_eq!(neighbor(" * "), Ok(None));
        assert_eq!(neighbor("2001:db8::1"), Ok(Some("2001:db8::1".parse().unwrap())));
        assert!(neighbor("router.example").unwrap_err().contains("expected an IP address or `*`"));
    }
}
