//! What ExaBGP is told: routes, their attributes, and the words for them.
//!
//! [`attributes`] holds what a route may carry, typed, so that no free text can reach a command line. [`command`]
//! puts commands into the dialect of the ExaBGP at hand, [`reply`] sorts what comes back, and [`link`] is the
//! conversation: one command in flight, what is desired and what is acknowledged.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use self::attributes::{Attributes, PathInformation};

pub mod attributes;
pub mod command;
pub mod link;
pub mod reply;

/// Where a route leads.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NextHop {
    /// To this address, of the family of the prefix.
    Address(IpAddr),
    /// To whatever local address the session with the neighbor has.
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

/// All that identifies a route to ExaBGP, whatever attributes it carries at the moment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Route {
    /// Without host bits.
    pub prefix: IpNet,
    /// Said when announcing, never when withdrawing.
    pub next_hop: NextHop,
    /// Part of the key where several paths to one prefix are told apart (RFC 7911).
    pub path_information: Option<PathInformation>,
    /// Only these neighbors; empty for all that name this process.
    pub neighbors: Vec<IpAddr>,
    /// Added to the MED of what is announced, so that one of several prefixes is preferred here.
    #[serde(default)]
    pub med_offset: u32,
}

impl Route {
    /// Whether a withdraw of one is a withdraw of the other.
    #[must_use]
    pub fn is_the_same_as(&self, other: &Self) -> bool {
        self.has_the_prefix_of(other) && self.neighbors == other.neighbors
    }

    /// Whether a neighbor that has both has one route.
    #[must_use]
    pub fn has_the_prefix_of(&self, other: &Self) -> bool {
        (self.prefix, self.path_information) == (other.prefix, other.path_information)
    }
}

/// What a service wants for one prefix.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advertisement {
    /// Attract traffic, with these attributes.
    Announce(Attributes),
    /// Attract none.
    Withdraw,
}

impl Advertisement {
    /// Whether it attracts traffic.
    #[must_use]
    pub const fn announces(&self) -> bool {
        matches!(self, Self::Announce(_))
    }
}

/// The grammar of commands, which depends on the version of ExaBGP.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// `announce route …` without a selector: 3.4 to 4.2.21. Understood by every ExaBGP but 6.
    Plain,
    /// `neighbor * announce route …`: 4.2.22 to 5.
    Neighbor,
    /// `peer * announce route …`: 6.
    Peer,
}

impl Dialect {
    /// How a configuration calls it: `api = 4`, 5 or 6.
    #[must_use]
    pub const fn api(self) -> &'static str {
        match self {
            Self::Plain => "4",
            Self::Neighbor => "5",
            Self::Peer => "6",
        }
    }

    /// The dialect that a configuration calls so.
    #[must_use]
    pub fn of_api(number: &str) -> Option<Self> {
        [Self::Plain, Self::Neighbor, Self::Peer].into_iter().find(|dialect| dialect.api() == number)
    }

    /// How its announcements begin.
    #[must_use]
    pub const fn form(self) -> &'static str {
        match self {
            Self::Plain => "announce route",
            Self::Neighbor => "neighbor * announce route",
            Self::Peer => "peer * announce route",
        }
    }
}
