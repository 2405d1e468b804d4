//! Values as they may be written: each refuses what it does not mean, at its place in the file.
//!
//! serde's own ways to accept alternatives (`untagged`, `flatten`) lose the place of an error, hence the visitors.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use ipnet::IpNet;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::exabgp::Dialect;
use crate::exabgp::attributes::PathInformation;

/// Anything that reads itself from a string.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text<T>(pub(crate) T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen<T>(PhantomData<T>);

        impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Seen<T> {
            type Value = Text<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            // Parsed in here, so that an error in a list is placed at its element.
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map(Text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Seen(PhantomData))
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OneOrMany<T>(pub(crate) Vec<T>);

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Seen<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMany(vec![T::deserialize(StrDeserializer::new(text))?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany)
            }
        }

        deserializer.deserialize_any(Seen(PhantomData))
    }
}

/// A word that reads itself from a string, or a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WordOr<W, T> {
    /// The word.
    Word(W),
    /// The table.
    Table(T),
}

impl<'de, W: FromStr<Err = String>, T: Deserialize<'de>> Deserialize<'de> for WordOr<W, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen<W, T>(PhantomData<(W, T)>);

        impl<'de, W: FromStr<Err = String>, T: Deserialize<'de>> Visitor<'de> for Seen<W, T> {
            type Value = WordOr<W, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a table")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map(WordOr::Word).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(WordOr::Table)
            }
        }

        deserializer.deserialize_any(Seen(PhantomData))
    }
}

/// A number, or a string that reads itself: `api = "auto"`, `path-information = "0.0.0.1"`.
macro_rules! number_or_text {
    ($name:ident, $expected:literal, $from_number:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Seen;

                impl Visitor<'_> for Seen {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                        let read: fn(i64) -> Option<$name> = $from_number;
                        read(number).ok_or_else(|| E::custom(format!("`{number}` is not {}", $expected)))
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_any(Seen)
            }
        }
    };
}

/// The version of ExaBGP's commands; `None` to find out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Api(pub(crate) Option<Dialect>);

number_or_text!(Api, "\"auto\", 4, 5, 6 or a version such as \"4.2.22\"", |number| {
    Dialect::of_api(&number.to_string()).map(|dialect| Api(Some(dialect)))
});

impl FromStr for Api {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, Dialect::of_api(text)) {
            ("auto", _) => Ok(Self(None)),
            (_, Some(dialect)) => Ok(Self(Some(dialect))),
            _ => Err(format!(
                "`{text}` is no version of ExaBGP, expected \"auto\", 4, 5, 6 or a version from 3.4 to 6 such as \"4.2.22\""
            )),
        }
    }
}

/// A path identifier, as a number or dotted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WrittenPath(pub(crate) PathInformation);

number_or_text!(WrittenPath, "a number up to 4294967295 or its dotted form", |number| {
    u32::try_from(number).ok().map(|number| WrittenPath(PathInformation(number)))
});

impl FromStr for WrittenPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let dotted: Ipv4Addr = text.parse().map_err(|_| {
            format!("`{text}` is no path identifier, expected a number or its dotted form `0.0.0.1`")
        })?;
        Ok(Self(PathInformation(dotted.into())))
    }
}

/// A prefix with its length and without host bits; never the default route.
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
            format!("`{text}` is no prefix, expected one such as `192.0.2.53/32` or `2001:db8::53/128`")
        })?;
        if network.prefix_len() == 0 {
            return Err(format!(
                "`{text}` would attract all there is, expected the prefix of a service such as `192.0.2.53/32`"
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

/// An address of one host, this one or another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Address(pub(crate) IpAddr);

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.parse().map_err(|_| {
            format!("`{text}` is no IP address, expected one such as `10.1.0.2` or `2001:db8::2`")
        })?;
        of_one_host(address).map(Self)
    }
}

/// An address of one host that means the same on every link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unscoped(pub(crate) IpAddr);

impl FromStr for Unscoped {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Address(address) = text.parse()?;
        of_any_link(address).map(Self)
    }
}

/// Refuses what no single host answers to.
fn of_one_host(address: IpAddr) -> Result<IpAddr, String> {
    let kind = match address {
        _ if address.is_unspecified() => "the unspecified address",
        _ if address.is_multicast() => "a multicast address",
        IpAddr::V4(Ipv4Addr::BROADCAST) => "the broadcast address",
        _ => return Ok(address),
    };
    Err(format!("`{address}` is {kind}, expected the address of one host"))
}

/// Refuses what needs an interface to mean anything (RFC 4007 §6), for there is no place to write one: the kernel
/// refuses to send from or to it, and nobody elsewhere reaches such a next hop.
fn of_any_link(address: IpAddr) -> Result<IpAddr, String> {
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Err(format!(
            "`{address}` is a link-local address, which means nothing without an interface, and none can be written; \
             expected an address of wider scope"
        )),
        _ => Ok(address),
    }
}

/// Where the addresses of a service are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WrittenAddress {
    /// `false`: not on this host, as far as the kernel knows.
    No,
    /// These are on this host.
    These(Vec<Text<Unscoped>>),
}

impl WrittenAddress {
    /// Whether the addresses are elsewhere.
    #[must_use]
    pub(crate) const fn is_no(&self) -> bool {
        matches!(self, Self::No)
    }
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
                    true => {
                        Err(E::custom("`true` is the default, expected false, or addresses of this host"))
                    }
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(WrittenAddress::These(vec![Text::deserialize(StrDeserializer::new(text))?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(WrittenAddress::These)
            }
        }

        deserializer.deserialize_any(Seen)
    }
}

/// The name of a network device, at most 15 octets as the kernel has it.
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
            "`{}` is no name of a network device, expected one of at most 15 characters such as `vrf-dns`",
            text.escape_debug()
        ))
    }
}

/// Where a DNS server listens: an address, with port 53 unless another is given. A link-local one needs its interface,
/// by number: `[fe80::1%2]:53`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Server(pub(crate) SocketAddr);

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let default_port = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
        let server: SocketAddr = default_port.or_else(|_| text.parse()).map_err(|_| {
            format!("`{text}` is no server, expected an address such as `10.1.0.2`, `10.1.0.2:5353` or `[2001:db8::2]:5353`")
        })?;
        of_one_host(server.ip())?;
        match server {
            SocketAddr::V6(v6) if needs_interface(&v6) => Err(format!(
                "`{}` is a link-local address, which means nothing without an interface, expected its number as well, such \
                 as in `[{0}%2]:{}`",
                v6.ip(),
                v6.port()
            )),
            _ => Ok(Self(server)),
        }
    }
}

const fn needs_interface(server: &SocketAddrV6) -> bool {
    server.ip().is_unicast_link_local() && server.scope_id() == 0
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
        match text {
            "self" => Ok(Self::Itself),
            _ => {
                let address = text
                    .parse()
                    .map_err(|_| format!("`{text}` is no next hop, expected an address or \"self\""))?;
                of_one_host(address).and_then(of_any_link).map(Self::Address)
            }
        }
    }
}

/// The word that stands where a table of attributes could.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Withdraw;

impl FromStr for Withdraw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "withdraw" => Ok(Self),
            _ => {
                Err(format!("`{text}` is not \"withdraw\" or a table of attributes such as {{ med = 100 }}"))
            }
        }
    }
}
