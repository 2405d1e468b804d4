//! Values that name prefixes, addresses, devices and servers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::OneOrMany;

/// A prefix with its length and without host bits. The default route is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Prefix(pub(crate) IpNet);

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<IpAddr>() {
            let length = IpNet::from(address).max_prefix_len();
            return Err(format!("`{text}` has no length, expected a prefix such as `{text}/{length}`"));
        }
        let network: IpNet = text.parse().map_err(|_| {
            format!("`{text}` is not a prefix, expected one such as `192.0.2.53/32` or `2001:db8::53/128`")
        })?;
        if network.prefix_len() == 0 {
            return Err(format!(
                "`{text}` is the default route and would attract all traffic, expected the prefix of a service such as `192.0.2.53/32`"
            ));
        }
        if network.trunc() != network {
            let whole = network.trunc();
            let host = IpNet::from(network.addr());
            return Err(format!(
                "`{text}` has host bits set, expected the network `{whole}` or the address `{host}`"
            ));
        }
        Ok(Self(network))
    }
}

/// The unicast address of a host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Address(pub(crate) IpAddr);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.parse().map_err(|_| {
            format!("`{text}` is not an IP address, expected one such as `10.1.0.2` or `2001:db8::2`")
        })?;
        require_unicast(address).map(Self)
    }
}

/// The unicast address of a host that is valid without an interface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unscoped(pub(crate) IpAddr);

impl FromStr for Unscoped {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Address(address) = text.parse()?;
        require_unscoped(address).map(Self)
    }
}

/// Refuses addresses that do not belong to a single host.
fn require_unicast(address: IpAddr) -> Result<IpAddr, String> {
    let kind = match address {
        _ if address.is_unspecified() => "the unspecified address",
        _ if address.is_multicast() => "a multicast address",
        IpAddr::V4(Ipv4Addr::BROADCAST) => "the broadcast address",
        _ => return Ok(address),
    };
    Err(format!("`{address}` is {kind}, expected the address of one host"))
}

/// Refuses link-local addresses, which need an interface (RFC 4007, section 6) that a bare address does not name, unlike a
/// [`Server`]: the kernel cannot send from or to them, and other hosts cannot reach such a next hop.
fn require_unscoped(address: IpAddr) -> Result<IpAddr, String> {
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Err(format!(
            "`{address}` is a link-local address, which needs an interface; expected an address of wider scope"
        )),
        _ => Ok(address),
    }
}

/// The key `address` of a service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WrittenAddress {
    /// `false`: the kernel of this host does not have them.
    No,
    /// These addresses are on this host.
    These(OneOrMany<Unscoped>),
}

impl<'de> Deserialize<'de> for WrittenAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;

        impl<'de> Visitor<'de> for Seen {
            type Value = WrittenAddress;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("addresses of this host, or false")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                match value {
                    false => Ok(WrittenAddress::No),
                    true => Err(E::custom(
                        "found true, expected false or addresses of this host; without the key, host prefixes are watched",
                    )),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                OneOrMany::deserialize(StrDeserializer::new(text)).map(WrittenAddress::These)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                OneOrMany::deserialize(SeqAccessDeserializer::new(list)).map(WrittenAddress::These)
            }
        }

        deserializer.deserialize_any(Seen)
    }
}

/// The name of a network device, at most 15 octets as in the kernel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Device(pub(crate) String);

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'/' && byte != b':';
        if (1..=15).contains(&text.len()) && text.bytes().all(fits) && !matches!(text, "." | "..") {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{}` is not a name of a network device, expected one of at most 15 characters such as `vrf-dns`",
            text.escape_debug()
        ))
    }
}

/// An address and port to listen at, perhaps the unspecified address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Listen(pub(crate) SocketAddr);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "expected an address with a port such as `10.1.0.2:9353` or `[2001:db8::2]:9353`";
        let listen: SocketAddr =
            text.parse().map_err(|_| format!("`{text}` is nothing to listen at, {EXPECTED}"))?;
        if !listen.ip().is_unspecified() {
            require_unicast(listen.ip())?;
        }
        match listen.port() {
            0 => Err(format!("`{text}` has port 0, {EXPECTED}")),
            _ => Ok(Self(listen)),
        }
    }
}

/// The address of a DNS server, with port 53 unless another is given, and whether a port is given. A link-local address
/// needs its interface, by number: `[fe80::1%2]:53`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Server(pub(crate) SocketAddr, pub(crate) bool);

impl Server {
    /// A server whose port the file does not give: each transport has its own.
    pub(crate) const fn without_port(address: IpAddr) -> Self {
        Self(SocketAddr::new(address, 53), false)
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let default_port = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
        let has_port = default_port.is_err();
        let server: SocketAddr = default_port.or_else(|_| text.parse()).map_err(|_| {
            format!("`{text}` is not a server, expected an address such as `10.1.0.2`, `10.1.0.2:5353` or `[2001:db8::2]:5353`")
        })?;
        require_unicast(server.ip())?;
        match server {
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 => Err(format!(
                "`{}` is a link-local address, which needs an interface, expected its number as well, such as \
                 `[{0}%2]:{}`",
                v6.ip(),
                v6.port()
            )),
            _ => Ok(Self(server, has_port)),
        }
    }
}

/// The next hop of announced routes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WrittenNextHop {
    /// An address, for the prefixes of its family.
    Address(IpAddr),
    /// `self`: the local address of each session.
    Itself,
}

impl FromStr for WrittenNextHop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "self" {
            return Ok(Self::Itself);
        }
        let address = text
            .parse()
            .map_err(|_| format!("`{text}` is not a next hop, expected an address or \"self\""))?;
        require_unicast(address).and_then(require_unscoped).map(Self::Address)
    }
}
