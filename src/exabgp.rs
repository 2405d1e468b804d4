//! The codec of the ExaBGP API: routes and attributes, the text of commands, and replies.
//!
//! [`attributes`] holds what a route may carry, typed, so that no free text can reach a command line. [`command`]
//! writes commands in the dialect of the running ExaBGP, [`reply`] parses the lines of ExaBGP. When to send what is
//! decided by `engine::api_session`.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use self::attributes::{Attributes, PathInformation};

pub(crate) mod attributes;
pub(crate) mod command;
pub(crate) mod notification;
pub(crate) mod reply;

/// The next hop of a route.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NextHop {
    /// This address, which has the family of the prefix.
    Address(IpAddr),
    /// The local address of the BGP session (`next-hop self`).
    #[serde(rename = "self")]
    Itself,
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Itself => f.write_str("self"),
        }
    }
}

/// A route as ExaBGP identifies it, without its attributes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Route {
    /// Without host bits.
    pub(crate) prefix: IpNet,
    /// Part of an announcement, and of a withdraw only in the compatibility with `exabgp healthcheck`.
    pub(crate) next_hop: NextHop,
    /// The path identifier, if there are several paths to one prefix (RFC 7911).
    pub(crate) path_information: Option<PathInformation>,
    /// The neighbors that receive it; empty for all whose configuration names this process.
    pub(crate) neighbors: Vec<IpAddr>,
    /// Added to the MED of the announcement, so that this host is preferred for one of several prefixes.
    #[serde(default)]
    pub(crate) med_offset: u32,
}

impl Route {
    /// Whether a withdraw of one route also withdraws the other.
    pub(crate) fn is_the_same_as(&self, other: &Self) -> bool {
        self.has_the_prefix_of(other) && self.neighbors == other.neighbors
    }

    /// Whether a withdraw of the other route may remove this one from a neighbor that both have.
    pub(crate) fn may_go_with(&self, other: &Self) -> bool {
        let is_for_all = self.neighbors.is_empty() || other.neighbors.is_empty();
        let is_shared = || self.neighbors.iter().any(|neighbor| other.neighbors.contains(neighbor));
        self.has_the_prefix_of(other) && (is_for_all || is_shared())
    }

    /// Whether this neighbor receives it.
    pub(crate) fn is_for(&self, neighbor: &IpAddr) -> bool {
        self.neighbors.is_empty() || self.neighbors.contains(neighbor)
    }

    /// Whether both are one route to a neighbor that receives both.
    pub(crate) fn has_the_prefix_of(&self, other: &Self) -> bool {
        (self.prefix, self.path_information) == (other.prefix, other.path_information)
    }
}

/// The announcement that a service wants for one prefix.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Advertisement {
    /// Announce with these attributes.
    Announce(Attributes),
    Withdraw,
}

impl Advertisement {
    /// Whether it attracts traffic.
    pub(crate) const fn announces(&self) -> bool {
        matches!(self, Self::Announce(_))
    }
}

/// The grammar of commands, which depends on the version of ExaBGP.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dialect {
    /// `announce route …` without a selector: 3.4 to 4.2.21. Understood by every ExaBGP but 6.
    Plain,
    /// `neighbor * announce route …`: 4.2.22 to 5.
    Neighbor,
    /// `peer * announce route …`: 6.
    Peer,
}

impl Dialect {
    /// Its number in a configuration: `api = 4`, 5 or 6.
    pub(crate) const fn api(self) -> &'static str {
        match self {
            Self::Plain => "4",
            Self::Neighbor => "5",
            Self::Peer => "6",
        }
    }

    /// The dialect that a configuration names: by the number of [`Self::api`], or by the version of an ExaBGP with
    /// its dots, from 3.4 to 6.
    pub(crate) fn from_api(text: &str) -> Option<Self> {
        let by_number = [Self::Plain, Self::Neighbor, Self::Peer].into_iter().find(|it| it.api() == text);
        by_number.or_else(|| {
            let numbers: Vec<u32> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
            match numbers.as_slice() {
                &[6, _] | &[6, _, _] => Some(Self::Peer),
                &[major @ 3..=5, minor] if (major, minor) >= (3, 4) => Some(Self::before_6(major, minor, 0)),
                &[major @ 3..=5, minor, patch] if (major, minor) >= (3, 4) => {
                    Some(Self::before_6(major, minor, patch))
                }
                _ => None,
            }
        })
    }

    /// The dialect of a version below 6.
    pub(crate) fn before_6(major: u32, minor: u32, patch: u32) -> Self {
        if (major, minor, patch) >= (4, 2, 22) { Self::Neighbor } else { Self::Plain }
    }

    /// The beginning of its announcements.
    pub(crate) const fn form(self) -> &'static str {
        match self {
            Self::Plain => "announce route",
            Self::Neighbor => "neighbor * announce route",
            Self::Peer => "peer * announce route",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_the_dialect_of_its_time() {
        let plain = ["4", "3.4", "3.4.29", "4.0.1", "4.2", "4.2.21"];
        let neighbor = ["5", "4.2.22", "4.2.100", "4.3.0", "5.0", "5.0.15"];
        let peer = ["6", "6.0", "6.0.1"];
        for (dialect, versions) in
            [(Dialect::Plain, &plain[..]), (Dialect::Neighbor, &neighbor), (Dialect::Peer, &peer)]
        {
            for version in versions {
                assert_eq!(Dialect::from_api(version), Some(dialect), "{version}");
            }
        }
        for wrong in ["", "3", "7", "3.3", "2.0.1", "7.0", "4.2.22.1", "4.2.x", "4.", "v5.0", " 5", "-5.0"] {
            assert_eq!(Dialect::from_api(wrong), None, "{wrong}");
        }
    }
}
