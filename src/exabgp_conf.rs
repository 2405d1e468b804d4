//! Reads `exabgp.conf` and `exabgp.env` as far as `doctor` needs them. Pure, tolerant and bounded.
//!
//! ```text
//! text ─► tokens: words and `;` `{` `}` ─► blocks: a tree ─► Conf: processes, neighbors with their templates
//! ```
//!
//! ExaBGP is the judge of its files, so nothing here is an error. A value that is not understood is [`Setting::Unclear`]:
//! nothing may be concluded from it. A section, a template or a brace that is not understood is named in
//! [`Conf::not_understood`], and what it would have set stays [`Setting::Unset`]: ask [`Conf::is_complete`] before concluding
//! anything from what is absent.
//! The grammar is that of 4.2 to 6 (`configuration/` in the source of ExaBGP); of 3.4, where a `process` is within a
//! `neighbor`, only as much as is alike.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::exabgp::command::Family;

mod blocks;
pub(crate) mod environment;
mod neighbor;
mod process;
mod tokens;

#[cfg(test)]
mod tests;

/// Maximum size of a file that is read, in octets.
pub(crate) const MAX_SIZE: u64 = 1 << 20;

/// A configuration of ExaBGP.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Conf {
    pub(crate) processes: Vec<Process>,
    /// The neighbors, with what they inherit from templates.
    pub(crate) neighbors: Vec<Neighbor>,
    /// Sentences about what is not understood, each with its line. If there is any, processes and neighbors may be
    /// missing above.
    pub(crate) not_understood: Vec<String>,
}

/// A value, as the file sets it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Setting<T> {
    /// The default of ExaBGP is in force.
    #[default]
    Unset,
    /// This value.
    Set(T),
    /// It is set to what is not understood.
    Unclear,
}

impl<T: Clone + PartialEq> Setting<T> {
    /// The value, or `default` if none is set; `None` if it is unclear.
    pub(crate) fn or(&self, default: T) -> Option<T> {
        match self {
            Self::Unset => Some(default),
            Self::Set(value) => Some(value.clone()),
            Self::Unclear => None,
        }
    }

    fn new(value: Option<T>) -> Self {
        value.map_or(Self::Unclear, Self::Set)
    }

    /// Adds the value of a template. Which of two different values wins depends on the version of ExaBGP.
    fn inherit(&mut self, from: &Self) {
        *self = match (&*self, from) {
            (Self::Unset, other) | (other, Self::Unset) => other.clone(),
            (own, other) if own == other => own.clone(),
            _ => Self::Unclear,
        };
    }
}

/// A `process` section.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Process {
    pub(crate) name: String,
    /// The line of its section, from 1.
    pub(crate) line: usize,
    /// The program and its arguments.
    pub(crate) run: Vec<String>,
    /// Whether it has an `encoder`.
    pub(crate) has_encoder: bool,
    /// Whether ExaBGP restarts it; by default it does.
    pub(crate) respawn: Setting<bool>,
}

impl Process {
    pub(crate) fn is_ours(&self) -> bool {
        self.command().is_some()
    }

    /// The words after the program, if that is dnsherald, also behind a wrapper such as `env` or `nice`.
    pub(crate) fn command(&self) -> Option<&[String]> {
        let name = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
        // A program of another name, such as `dnsherald-0.1`, is known only in the first place.
        let is_first = self.run.first().is_some_and(|word| name(word).contains("dnsherald"));
        let place =
            if is_first { Some(0) } else { self.run.iter().position(|word| name(word) == "dnsherald") };
        place.map(|place| &self.run[place + 1..])
    }
}

/// Which peers a `neighbor` section describes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Peer {
    /// One router.
    Address(IpAddr),
    /// Routers of a network, which connect themselves.
    Network(IpNet),
    /// What is no address.
    #[default]
    Unclear,
}

/// A `neighbor` section.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Neighbor {
    /// Its address.
    pub(crate) peer: Peer,
    /// The line of its section, from 1.
    pub(crate) line: usize,
    /// Seconds; 180 by default, 0 for a session that never times out.
    pub(crate) hold_time: Setting<u32>,
    /// The AS of this host.
    pub(crate) local_as: Setting<u32>,
    /// The AS of the router.
    pub(crate) peer_as: Setting<u32>,
    /// Whether the helper sends End-of-RIB; off by default.
    pub(crate) manual_eor: Setting<bool>,
    /// Whether routes are kept for the next session; on by default.
    pub(crate) adj_rib_out: Setting<bool>,
    /// The restart time in seconds, 0 for that of the hold time; `None` and by default off.
    pub(crate) graceful_restart: Setting<Option<u32>>,
    /// The unicast families; by default both.
    pub(crate) families: Setting<Vec<Family>>,
    /// The names of the processes that it lists.
    pub(crate) processes: Setting<Vec<String>>,
    /// Whether ExaBGP reports its session to these processes; off by default.
    pub(crate) neighbor_changes: Setting<bool>,
}

impl Neighbor {
    /// Its name in messages: `neighbor 10.1.0.1`.
    pub(crate) fn name(&self) -> String {
        match self.peer {
            Peer::Address(address) => format!("neighbor {address}"),
            Peer::Network(network) => format!("neighbor {network}"),
            Peer::Unclear => format!("the neighbor in line {}", self.line),
        }
    }

    /// The family of its session, if it is known.
    pub(crate) fn session_is_v6(&self) -> Option<bool> {
        match self.peer {
            Peer::Address(address) => Some(address.is_ipv6()),
            Peer::Network(network) => Some(network.addr().is_ipv6()),
            Peer::Unclear => None,
        }
    }

    /// Whether it is this router, or may be; `None` if its own address is unclear.
    pub(crate) fn is(&self, router: IpAddr) -> Option<bool> {
        match self.peer {
            Peer::Address(address) => Some(address == router),
            Peer::Network(network) => Some(network.contains(&router)),
            Peer::Unclear => None,
        }
    }

    /// Whether it is a router of another AS; `None` if a number is not a plain one.
    pub(crate) fn is_external(&self) -> Option<bool> {
        match (&self.local_as, &self.peer_as) {
            (Setting::Set(local), Setting::Set(peer)) => Some(local != peer),
            _ => None,
        }
    }

    /// Whether it exchanges unicast routes of this family; `None` if that is unclear.
    pub(crate) fn has_family(&self, family: Family) -> Option<bool> {
        Some(self.families.or(vec![Family::V4, Family::V6])?.contains(&family))
    }

    /// Whether it lists this process; `None` if that is unclear.
    pub(crate) fn lists(&self, process: &str) -> Option<bool> {
        Some(self.processes.or(vec![])?.iter().any(|name| name == process))
    }
}

impl Conf {
    /// Reads the text of a file, at most [`MAX_SIZE`] octets of it.
    pub(crate) fn read(text: &str) -> Self {
        let tree = blocks::tree(text);
        let mut conf = Self { not_understood: tree.faults, ..Self::default() };
        neighbor::read(&tree.nodes, &mut conf);
        conf
    }

    /// Whether every section is understood, so that what is not above is not in the file. Values may be unclear.
    pub(crate) fn is_complete(&self) -> bool {
        self.not_understood.is_empty()
    }
}
