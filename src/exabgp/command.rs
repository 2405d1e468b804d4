//! Commands as ExaBGP reads them.
//!
//! A line is ASCII without a line break inside, and at most [`LINE_LIMIT`] bytes long, so that one `write` sends it
//! whole: dnsherald leaves no partial line behind, even if it is killed. The configuration refuses services whose commands
//! would be longer (`config::routes`).

use std::fmt::Write as _;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::attributes::Attributes;
use super::{Advertisement, Dialect, Route};
use crate::text::joined;

/// `PIPE_BUF` on Linux: a write to a pipe up to this size is atomic. The line break counts.
pub(crate) const LINE_LIMIT: usize = 4096;

/// The first line. ExaBGP answers it like any command. It ends a partial line of the previous helper, which may have been
/// another program: ExaBGP up to 5.0.11 keeps that line and would prepend it to our first command.
pub(crate) const GREETING: &str = "# dnsherald";

/// Every version understands this; 4.0 and 4.1 need the trailing zero.
pub(crate) const ASK_VERSION: &str = "system version 0";

/// The family of unicast routes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Family {
    /// IPv4 unicast.
    V4,
    /// IPv6 unicast.
    V6,
}

impl Family {
    /// The family of an address.
    pub(crate) const fn from_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// The words of ExaBGP for its unicast routes.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::V4 => "ipv4 unicast",
            Self::V6 => "ipv6 unicast",
        }
    }

    /// The name for messages: IPv4, IPv6.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

impl Dialect {
    /// The command that puts `advertisement` in force for `route`.
    pub(crate) fn advertise(self, route: &Route, advertisement: &Advertisement) -> String {
        self.command(route, advertisement, "")
    }

    /// The same command as `exabgp healthcheck` sends it: a withdraw also names the next hop.
    pub(crate) fn advertise_as_healthcheck(self, route: &Route, advertisement: &Advertisement) -> String {
        self.command(route, advertisement, &format!(" next-hop {}", route.next_hop))
    }

    /// A withdraw names only the prefix and the path: ExaBGP ignores attributes there, and 4.2 may not answer a withdraw with
    /// `next-hop self`. `next_hop_of_withdraw` is empty, unless the command is as `exabgp healthcheck` sends it.
    fn command(self, route: &Route, advertisement: &Advertisement, next_hop_of_withdraw: &str) -> String {
        let mut line = self.selector(&route.neighbors);
        let Route { prefix, next_hop, med_offset, .. } = route;
        let _ = match advertisement {
            Advertisement::Withdraw => write!(line, "withdraw route {prefix}{next_hop_of_withdraw}"),
            Advertisement::Announce(attributes) => {
                let _ = write!(line, "announce route {prefix} next-hop {next_hop}");
                match attributes.med {
                    Some(med) if *med_offset > 0 => {
                        let med = Some(med.saturating_add(*med_offset));
                        write!(line, "{}", Attributes { med, ..attributes.clone() })
                    }
                    _ => write!(line, "{attributes}"),
                }
            }
        };
        if let Some(path) = route.path_information {
            let _ = write!(line, " path-information {path}");
        }
        line
    }

    /// The End-of-RIB marker: the initial routes of a family are complete (RFC 4724, section 2).
    pub(crate) fn end_of_rib(self, family: Family, neighbors: &[IpAddr]) -> String {
        format!("{}announce eor {}", self.selector(neighbors), family.words())
    }

    /// The neighbor selector of a command, with a trailing blank unless it is empty.
    fn selector(self, neighbors: &[IpAddr]) -> String {
        match (self, neighbors) {
            (Self::Plain, []) => String::new(),
            (Self::Neighbor, []) => "neighbor * ".to_owned(),
            (Self::Peer, []) => "peer * ".to_owned(),
            (Self::Plain | Self::Neighbor, some) => {
                joined(some.iter().map(|address| format!("neighbor {address}")), ", ") + " "
            }
            (Self::Peer, [one]) => format!("peer {one} "),
            // ExaBGP 6 refuses `peer A, peer B`.
            (Self::Peer, some) => format!("peer [{}] ", joined(some, ", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exabgp::NextHop;
    use crate::exabgp::attributes::PathInformation;

    fn route() -> Route {
        Route {
            prefix: "192.0.2.53/32".parse().unwrap(),
            next_hop: NextHop::Address("10.1.0.2".parse().unwrap()),
            path_information: None,
            neighbors: vec![],
            med_offset: 0,
        }
    }

    fn up() -> Advertisement {
        Advertisement::Announce(Attributes { med: Some(100), ..Attributes::default() })
    }

    #[test]
    fn each_dialect_has_its_selector() {
        let said = |dialect: Dialect| dialect.advertise(&route(), &up());
        assert_eq!(said(Dialect::Plain), "announce route 192.0.2.53/32 next-hop 10.1.0.2 med 100");
        assert_eq!(
            said(Dialect::Neighbor),
            "neighbor * announce route 192.0.2.53/32 next-hop 10.1.0.2 med 100"
        );
        assert_eq!(said(Dialect::Peer), "peer * announce route 192.0.2.53/32 next-hop 10.1.0.2 med 100");
    }

    #[test]
    fn neighbors_are_named_as_each_dialect_wants_it() {
        let mut route = route();
        route.neighbors = vec!["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let said = |dialect: Dialect| dialect.advertise(&route, &Advertisement::Withdraw);
        let two = "neighbor 10.0.0.1, neighbor 2001:db8::1 withdraw route 192.0.2.53/32";
        assert_eq!(said(Dialect::Plain), two);
        assert_eq!(said(Dialect::Neighbor), two);
        assert_eq!(said(Dialect::Peer), "peer [10.0.0.1, 2001:db8::1] withdraw route 192.0.2.53/32");
    }

    #[test]
    fn a_withdraw_names_the_path_but_neither_next_hop_nor_attributes() {
        let mut route = route();
        route.path_information = Some(PathInformation(7));
        assert_eq!(
            Dialect::Plain.advertise(&route, &Advertisement::Withdraw),
            "withdraw route 192.0.2.53/32 path-information 7"
        );
    }

    #[test]
    fn the_words_of_healthcheck_differ_in_the_withdraw_alone() {
        let said = |advertisement: &Advertisement| {
            Dialect::Neighbor.advertise_as_healthcheck(&route(), advertisement)
        };
        assert_eq!(said(&up()), Dialect::Neighbor.advertise(&route(), &up()));
        assert_eq!(
            said(&Advertisement::Withdraw),
            "neighbor * withdraw route 192.0.2.53/32 next-hop 10.1.0.2"
        );
    }

    #[test]
    fn a_further_prefix_can_be_less_preferred() {
        let second = Route { med_offset: 1, ..route() };
        assert!(Dialect::Plain.advertise(&second, &up()).ends_with(" med 101"));
    }

    /// ExaBGP up to 5.0 takes a line for such a command if it contains the word followed by a blank, or ends with a blank
    /// and the word.
    #[test]
    fn no_line_contains_a_command_by_accident() {
        let words = [
            "shutdown", "restart", "reload", "reset", "crash", "json", "debug", "teardown", "version", "help",
        ];
        let attributes =
            Attributes { communities: vec!["graceful-shutdown".parse().unwrap()], ..Attributes::default() };
        let line = Dialect::Plain.advertise(&route(), &Advertisement::Announce(attributes));
        for line in [line.as_str(), GREETING] {
            assert!(words.iter().all(|word| !line.contains(word)), "{line}");
        }
    }
}
