//! Extended communities (RFC 4360), in the kinds and the syntax that ExaBGP's parser accepts.
//!
//! Each has eight octets: two for its kind, six for the value after the first colon. Kinds without a name in ExaBGP are
//! written as eight octets in hexadecimal; the others may be.
//!
//! If an AS number needs 32 bits, or an IPv4 address replaces it, the versions of ExaBGP encode the same text
//! differently: 4.2.25 sends `target:192.0.2.1:5` as kind 0x0002, 5.0.15 sends `target:4200000000:5` as
//! kind 0x0102. In hexadecimal both send the intended octets.

use std::fmt::{self, Write as _};
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum ExtendedCommunity {
    /// `target:64512:100`: the route target.
    Target(Specific),
    /// `origin:64512:100`: the route origin, or site of origin.
    Origin(Specific),
    /// `bandwidth:64512:125000000`: AS number, and bytes per second (draft-ietf-idr-link-bandwidth).
    Bandwidth(u16, u32),
    /// `redirect:64512:100` (RFC 8955).
    Redirect(u16, u32),
    /// `redirect-to-nexthop`.
    RedirectToNextHop,
    /// `l2info:19:0:1500:100`: encapsulation, control flags, MTU and preference (RFC 4761).
    Layer2(u8, u8, u16, u16),
    /// `mup:10:20`, from ExaBGP 5.0 on.
    MobileUserPlane(u16, u32),
    /// `0x0002fc0000000064`: any community, by its octets.
    Octets([u8; 8]),
}

/// The administrator and the number that it assigned: six octets together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Specific {
    /// A 16-bit AS number and a 32-bit number.
    Short(u16, u32),
    /// A 32-bit AS number (RFC 5668) and a 16-bit number.
    Long(u32, u16),
    /// An IPv4 address and a 16-bit number.
    Address(Ipv4Addr, u16),
}

impl FromStr for ExtendedCommunity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| format!("`{text}` is no extended community, expected {}", expected(text)))
    }
}

/// The expected syntax of a community that begins like this one.
fn expected(text: &str) -> &'static str {
    match text.split(':').next().unwrap_or_default() {
        "target" | "origin" | "target4" | "origin4" => {
            "`target:64512:100` or `origin:64512:100`, with an AS number or an IPv4 address first (one of the two \
             numbers must fit 16 bits)"
        }
        "bandwidth" => "`bandwidth:64512:125000000`: an AS number of 16 bits, and bytes per second",
        "redirect" => "`redirect:64512:100`: an AS number of 16 bits, and a number",
        "l2info" => "`l2info:19:0:1500:100`: two numbers of 8 bits and two of 16",
        "mup" => "`mup:10:20`: a number of 16 bits and one of 32",
        _ if text.starts_with("0x") => "eight octets such as `0x0002fc0000000064`",
        _ => {
            "one such as `target:64512:100`, `origin:64512:100`, `bandwidth:64512:125000000`, `redirect:64512:100`, \
             `redirect-to-nexthop`, `l2info:19:0:1500:100`, `mup:10:20`, or eight octets such as `0x0002fc0000000064`"
        }
    }
}

fn parse(text: &str) -> Option<ExtendedCommunity> {
    if text == "redirect-to-nexthop" {
        return Some(ExtendedCommunity::RedirectToNextHop);
    }
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return octets(digits).map(ExtendedCommunity::Octets);
    }
    let (kind, rest) = text.split_once(':')?;
    let parts: Vec<&str> = rest.split(':').collect();
    Some(match (kind, parts.as_slice()) {
        ("target", [first, second]) => ExtendedCommunity::Target(specific(first, second)?),
        ("origin", [first, second]) => ExtendedCommunity::Origin(specific(first, second)?),
        ("target4", [first, second]) => ExtendedCommunity::Target(long(first, second)?),
        ("origin4", [first, second]) => ExtendedCommunity::Origin(long(first, second)?),
        ("bandwidth", [first, second]) => ExtendedCommunity::Bandwidth(number(first)?, number(second)?),
        ("redirect", [first, second]) => ExtendedCommunity::Redirect(number(first)?, number(second)?),
        ("mup", [first, second]) => ExtendedCommunity::MobileUserPlane(number(first)?, number(second)?),
        ("l2info", [encapsulation, control, mtu, preference]) => ExtendedCommunity::Layer2(
            number(encapsulation)?,
            number(control)?,
            number(mtu)?,
            number(preference)?,
        ),
        _ => return None,
    })
}

/// Parses an AS number. It has 32 bits if an `L` follows it or it does not fit into 16 bits.
fn specific(first: &str, second: &str) -> Option<Specific> {
    if first.ends_with('L') || first.contains('.') {
        return long(first, second);
    }
    match number(first) {
        Some(network) => {
            let value = number(second).or_else(|| second.parse().map(Ipv4Addr::to_bits).ok())?;
            Some(Specific::Short(network, value))
        }
        None => long(first, second),
    }
}

fn long(first: &str, second: &str) -> Option<Specific> {
    let value = number(second)?;
    Some(match first.parse() {
        Ok(address) => Specific::Address(address, value),
        Err(_) => Specific::Long(number(first)?, value),
    })
}

/// Parses digits with an optional `L`, the suffix of long numbers in Python 2.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.strip_suffix('L').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn octets(digits: &str) -> Option<[u8; 8]> {
    let plain = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(digits, 16).ok().map(u64::to_be_bytes))?
}

impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(specific) => write!(f, "target:{specific}"),
            Self::Origin(specific) => write!(f, "origin:{specific}"),
            Self::Bandwidth(network, speed) => write!(f, "bandwidth:{network}:{speed}"),
            Self::Redirect(network, value) => write!(f, "redirect:{network}:{value}"),
            Self::RedirectToNextHop => f.write_str("redirect-to-nexthop"),
            Self::Layer2(encapsulation, control, mtu, preference) => {
                write!(f, "l2info:{encapsulation}:{control}:{mtu}:{preference}")
            }
            Self::MobileUserPlane(segment, value) => write!(f, "mup:{segment}:{value}"),
            Self::Octets(octets) => {
                f.write_str("0x")?;
                octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

impl fmt::Display for Specific {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(network, value) => write!(f, "{network}:{value}"),
            Self::Long(network, value) => {
                write!(f, "{network}")?;
                // Without the `L` ExaBGP takes a small number for a 16-bit AS number.
                if u16::try_from(*network).is_ok() {
                    f.write_char('L')?;
                }
                write!(f, ":{value}")
            }
            Self::Address(address, value) => write!(f, "{address}:{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_exabgp_is_displayed_as_written() {
        for text in [
            "target:64512:4294967295",
            "target:4200000000:1",
            "target:5L:1",
            "target:0:0",
            "origin:192.0.2.1:65535",
            "bandwidth:64512:125000000",
            "bandwidth:0:4294967295",
            "redirect:64512:4294967295",
            "redirect-to-nexthop",
            "l2info:19:0:1500:111",
            "mup:10:20",
            "0x0002fc0000000064",
        ] {
            assert_eq!(
                text.parse::<ExtendedCommunity>().map(|community| community.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn other_spellings_become_the_usual_one() {
        for (text, said) in [
            ("target4:70000:1", "target:70000:1"),
            ("target4:5:1", "target:5L:1"),
            ("origin4:5:1", "origin:5L:1"),
            ("target4:192.0.2.1:5", "target:192.0.2.1:5"),
            ("target:70000L:1L", "target:70000:1"),
            ("target:5:192.0.2.1", "target:5:3221225985"),
            ("target:01:002", "target:1:2"),
            ("0X0002FC0000000064", "0x0002fc0000000064"),
        ] {
            assert_eq!(text.parse::<ExtendedCommunity>().unwrap().to_string(), said, "{text}");
        }
    }

    #[test]
    fn a_number_that_does_not_fit_its_field_is_refused() {
        for text in [
            "target:4200000000:65536",
            "target:5L:70000",
            "target:64512:4294967296",
            "target:4294967296:1",
            "origin:192.0.2.1:65536",
            "bandwidth:65536:1",
            "bandwidth:64512:4294967296",
            "bandwidth:64512:1.5",
            "bandwidth:64512:1e6",
            "bandwidth:64512",
            "redirect:65536:1",
            "redirect:192.0.2.1:1",
            "redirect-to-nexthop:1:2",
            "l2info:256:0:1500:1",
            "l2info:19:0:1500",
            "mup:65536:1",
            "0x0002fc00000000",
            "0x0002fc000000000100",
            "0x0002fc00000000g4",
            "0x+002fc0000000064",
        ] {
            assert!(text.parse::<ExtendedCommunity>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_kind_is_refused_with_the_known_kinds() {
        let refused = |text: &str| text.parse::<ExtendedCommunity>().unwrap_err();
        for text in ["", "x", "1:2", "Target:1:2", "rt:1:2", ":1:2"] {
            let start =
                format!("`{text}` is no extended community, expected one such as `target:64512:100`, ");
            assert!(refused(text).starts_with(&start), "{text}");
        }
        for text in ["target:1", "target:1:2:3", "target:+1:2", "origin:1:-2", "target4:L:1"] {
            assert!(refused(text).contains("one of the two numbers must fit 16 bits"), "{text}");
        }
        assert!(refused("bandwidth:1").ends_with("an AS number of 16 bits, and bytes per second"));
        assert!(refused("0x12").ends_with("expected eight octets such as `0x0002fc0000000064`"));
    }
}
