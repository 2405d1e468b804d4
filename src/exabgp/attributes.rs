//! The attributes of a route, each of a type that can only print as ExaBGP expects it.
//!
//! ExaBGP up to 5.0 finds commands by substring: a community called `graceful-shutdown` shuts it down. So this module
//! prints only words of its own and sends communities as numbers, even if the configuration names them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::words::words;

mod extended;

pub(crate) use self::extended::ExtendedCommunity;

/// The attributes of an announced route. ExaBGP chooses the absent ones.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Attributes {
    /// Multi-exit discriminator: lower is preferred between links to one neighboring network.
    pub(crate) med: Option<u32>,
    /// Higher is preferred within one network.
    pub(crate) local_preference: Option<u32>,
    /// RFC 1997.
    pub(crate) communities: Vec<Community>,
    /// RFC 4360.
    pub(crate) extended_communities: Vec<ExtendedCommunity>,
    /// RFC 8092.
    pub(crate) large_communities: Vec<LargeCommunity>,
    /// Replaces the whole path; ExaBGP does not put its own network in front of it.
    pub(crate) as_path: Option<Vec<u32>>,
    /// The origin of the route.
    pub(crate) origin: Option<Origin>,
}

/// Prints the attributes in the order of `exabgp healthcheck`, each after a blank.
impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(med) = self.med {
            write!(f, " med {med}")?;
        }
        if let Some(preference) = self.local_preference {
            write!(f, " local-preference {preference}")?;
        }
        list(f, "community", &self.communities)?;
        list(f, "extended-community", &self.extended_communities)?;
        list(f, "large-community", &self.large_communities)?;
        match &self.as_path {
            Some(path) if path.is_empty() => f.write_str(" as-path [ ]")?,
            Some(path) => list(f, "as-path", path)?,
            None => {}
        }
        if let Some(origin) = self.origin {
            write!(f, " origin {origin}")?;
        }
        Ok(())
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, items: &[T]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    write!(f, " {name} [")?;
    for item in items {
        write!(f, " {item}")?;
    }
    f.write_str(" ]")
}

/// Two 16-bit numbers: `64512:100`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Community(u16, u16);

/// The well-known communities, by the names of the IANA registry. They are sent as numbers.
const WELL_KNOWN: [(&str, Community); 6] = [
    ("graceful-shutdown", Community(0xFFFF, 0)),
    ("blackhole", Community(0xFFFF, 666)),
    ("no-export", Community(0xFFFF, 0xFF01)),
    ("no-advertise", Community(0xFFFF, 0xFF02)),
    ("no-export-subconfed", Community(0xFFFF, 0xFF03)),
    ("no-peer", Community(0xFFFF, 0xFF04)),
];

/// The high 16 bits are the first number.
impl From<u32> for Community {
    fn from(number: u32) -> Self {
        Self((number >> 16) as u16, number as u16)
    }
}

impl FromStr for Community {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((_, community)) = WELL_KNOWN.iter().find(|(name, _)| *name == text) {
            return Ok(*community);
        }
        numbers::<u16, 2>(text)
            .map(|[high, low]| Self(high, low))
            .ok_or_else(|| {
                format!("`{text}` is no community, expected two numbers up to 65535 such as `64512:100`, or a well-known name")
            })
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0, self.1)
    }
}

/// Three 32-bit numbers: `64512:1:100`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct LargeCommunity(u32, u32, u32);

impl FromStr for LargeCommunity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        numbers::<u32, 3>(text)
            .map(|[administrator, first, second]| Self(administrator, first, second))
            .ok_or_else(|| {
                format!("`{text}` is no large community, expected three numbers such as `64512:1:100`")
            })
    }
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.0, self.1, self.2)
    }
}

words! {
    /// The ORIGIN attribute (RFC 4271, section 5.1.1).
    #[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
    pub(crate) enum Origin {
        /// IGP: from inside the network.
        Igp = "igp",
        /// EGP: learned by the predecessor of BGP.
        Egp = "egp",
        /// INCOMPLETE: learned by other means.
        Incomplete = "incomplete",
    }
}

/// The path identifier of RFC 7911, as a number or in dotted form.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct PathInformation(pub(crate) u32);

impl fmt::Display for PathInformation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Parses `1:2:3` if it consists of exactly `N` decimal numbers.
fn numbers<T: FromStr + Copy + Default, const N: usize>(text: &str) -> Option<[T; N]> {
    let mut numbers = [T::default(); N];
    let mut parts = text.split(':');
    for number in &mut numbers {
        let part = parts.next()?;
        *number = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    parts.next().is_none().then_some(numbers)
}

/// Implements the conversions by which serde reads and writes these types as text.
macro_rules! by_text {
    ($($type:ty),+) => {$(
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )+};
}

by_text!(Community, LargeCommunity, ExtendedCommunity);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn communities_print_as_numbers_whatever_their_name() {
        let community: Community = "graceful-shutdown".parse().unwrap();
        assert_eq!(community.to_string(), "65535:0");
        assert_eq!("64512:100".parse::<Community>().unwrap().to_string(), "64512:100");
    }

    #[test]
    fn text_that_is_not_all_numbers_is_refused() {
        for text in ["64512", "64512:70000", "1:2:3", "a:b", "+1:2", "1: 2", "restart now"] {
            assert!(text.parse::<Community>().is_err(), "{text}");
        }
        for text in ["1:2", "1:2:3:4", "1:2:4294967296"] {
            assert!(text.parse::<LargeCommunity>().is_err(), "{text}");
        }
    }

    #[test]
    fn attributes_print_in_the_order_of_exabgp_healthcheck() {
        let attributes = Attributes {
            med: Some(100),
            local_preference: Some(200),
            communities: vec![Community(64512, 1), Community(64512, 2)],
            extended_communities: vec!["target:1:2".parse().unwrap()],
            large_communities: vec![LargeCommunity(1, 2, 3)],
            as_path: Some(vec![64512, 64512]),
            origin: Some(Origin::Igp),
        };
        assert_eq!(
            attributes.to_string(),
            " med 100 local-preference 200 community [ 64512:1 64512:2 ] extended-community [ target:1:2 ] \
             large-community [ 1:2:3 ] as-path [ 64512 64512 ] origin igp"
        );
    }
}
