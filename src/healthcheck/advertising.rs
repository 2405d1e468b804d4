//! Turns prefixes into routes, both for prefixes of the command line and for those found on an interface later.
//!
//! The order matters: the metric increases from each prefix to the next. A start at a different place on each host
//! spreads the load of several addresses over several hosts.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::network::{self, MOST_ADDRESSES};
use crate::exabgp::attributes::{Attributes, PathInformation};
use crate::exabgp::{Advertisement, NextHop, Route};

/// Routes in the order of their commands, and the advertisement of each state. The metric of a route is the metric of
/// the state plus its [`Route::med_offset`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Advertised {
    /// One route for each prefix.
    pub(crate) routes: Vec<Route>,
    /// Prefixes that occur more than once. The original announces them repeatedly with increasing metrics in every
    /// round; this program sends only the last of those, which is the one that remains.
    pub(crate) repeated: Vec<IpNet>,
    /// The advertisement while the service is up.
    pub(crate) up: Advertisement,
    /// The advertisement while it is down.
    pub(crate) down: Advertisement,
    /// The advertisement while it is disabled.
    pub(crate) disabled: Advertisement,
}

/// The options that turn prefixes into routes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Advertising {
    /// Whether each address of a network gets its own route.
    pub(crate) deaggregate: bool,
    /// Index of the prefix that comes first, modulo the number of prefixes; it may be negative.
    pub(crate) start: i64,
    /// The next hop of all routes.
    pub(crate) next_hop: NextHop,
    /// The path identifier of all routes.
    pub(crate) path_information: Option<PathInformation>,
    /// Neighbors that receive the routes; empty for all.
    pub(crate) neighbors: Vec<IpAddr>,
    /// Increase of the metric from each prefix to the next; it may be negative.
    pub(crate) increase: i64,
    /// The advertisement while the service is up.
    pub(crate) up: Rung,
    /// The advertisement while it is down.
    pub(crate) down: Rung,
    /// The advertisement while it is disabled.
    pub(crate) disabled: Rung,
}

/// The advertisement of one state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Rung {
    /// Announces the prefixes.
    Announce {
        /// The option that sets the metric, for error messages.
        option: &'static str,
        /// The metric of the first prefix.
        metric: i64,
        /// All attributes except the metric.
        attributes: Attributes,
    },
    /// Withdraws them.
    Withdraw,
}

impl Advertising {
    /// Builds the routes and advertisements for `networks`, which must not be empty.
    ///
    /// # Errors
    /// Returns an error that names the network that is too large, or the metric that does not fit.
    pub(crate) fn advertise(&self, networks: &[IpNet]) -> Result<Advertised, String> {
        let mut prefixes = if self.deaggregate { addresses(networks)? } else { networks.to_vec() };
        rotate(&mut prefixes, self.start);
        let offsets = Offsets { increase: self.increase.into(), count: prefixes.len() };
        let route = |(prefix, med_offset)| Route {
            prefix,
            next_hop: self.next_hop,
            path_information: self.path_information,
            neighbors: self.neighbors.clone(),
            med_offset,
        };
        let last: HashMap<_, _> = prefixes.iter().zip(0..).collect();
        let is_last = |(place, (prefix, _)): &(usize, (IpNet, u32))| last.get(prefix) == Some(place);
        let (named_last, repeated): (Vec<_>, Vec<_>) =
            prefixes.iter().copied().zip(offsets.each()).enumerate().partition(is_last);
        let mut repeated: Vec<_> = repeated.into_iter().map(|(_, (prefix, _))| prefix).collect();
        repeated.dedup();
        Ok(Advertised {
            up: self.up.advertise(offsets)?,
            down: self.down.advertise(offsets)?,
            disabled: self.disabled.advertise(offsets)?,
            routes: named_last.into_iter().map(|(_, named)| route(named)).collect(),
            repeated,
        })
    }
}

impl Rung {
    fn advertise(&self, offsets: Offsets) -> Result<Advertisement, String> {
        let Self::Announce { option, metric, attributes } = self else { return Ok(Advertisement::Withdraw) };
        let first = i128::from(*metric);
        let last = first + offsets.last();
        if let Some(bad) = [first, last].into_iter().find(|metric| u32::try_from(*metric).is_err()) {
            let which = if bad == first { "first" } else { "last" };
            return Err(format!(
                "{option}: the {which} of {} prefixes would get the metric {bad}, expected a number from 0 to {}",
                offsets.count,
                u32::MAX
            ));
        }
        let med = u32::try_from(first.min(last)).ok();
        Ok(Advertisement::Announce(Attributes { med, ..attributes.clone() }))
    }
}

/// The offset of each metric from the lowest one, so that no offset is negative even if the metrics decrease.
#[derive(Clone, Copy, Debug)]
struct Offsets {
    increase: i128,
    count: usize,
}

impl Offsets {
    /// The distance from the first metric to the last.
    fn last(self) -> i128 {
        self.increase * (self.count.max(1) as i128 - 1)
    }

    /// The offsets in order. They fit into 32 bits if the first and the last metric do.
    fn each(self) -> impl Iterator<Item = u32> {
        let lowest = self.last().min(0);
        (0..self.count).map(move |place| (self.increase * place as i128 - lowest) as u32)
    }
}

/// Splits `networks` into single addresses.
fn addresses(networks: &[IpNet]) -> Result<Vec<IpNet>, String> {
    let mut all = vec![];
    for network in networks {
        let room = MOST_ADDRESSES.saturating_sub(u32::try_from(all.len()).unwrap_or(u32::MAX));
        all.extend(network::addresses(network, room).ok_or_else(|| {
            format!(
                "--deaggregate-networks: `{network}` brings the number of addresses above {MOST_ADDRESSES}, expected fewer"
            )
        })?);
    }
    Ok(all)
}

/// Rotates the prefixes so that the one at `start` comes first, modulo their number.
fn rotate(prefixes: &mut [IpNet], start: i64) {
    let Ok(count @ 1..) = i64::try_from(prefixes.len()) else { return };
    prefixes.rotate_left(usize::try_from(start.rem_euclid(count)).unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exabgp::Dialect;

    fn advertising() -> Advertising {
        let rung = |option, metric| Rung::Announce { option, metric, attributes: Attributes::default() };
        Advertising {
            deaggregate: false,
            start: 0,
            next_hop: NextHop::Itself,
            path_information: None,
            neighbors: vec![],
            increase: 1,
            up: rung("--up-metric", 100),
            down: Rung::Withdraw,
            disabled: rung("--disabled-metric", 500),
        }
    }

    fn networks(text: &str) -> Vec<IpNet> {
        text.split(' ').map(|network| network.parse().unwrap()).collect()
    }

    /// Address and metric of each route while up.
    fn said(advertising: &Advertising, text: &str) -> Vec<String> {
        let advertised = advertising.advertise(&networks(text)).unwrap();
        let line = |route| Dialect::Plain.advertise(route, &advertised.up);
        let lines = advertised.routes.iter().map(line);
        lines.map(|line| line.replace("announce route ", "").replace(" next-hop self med", "")).collect()
    }

    const THREE: &str = "192.0.2.1/32 192.0.2.2/32 192.0.2.3/32";

    #[test]
    fn metrics_increase_from_each_prefix_to_the_next() {
        assert_eq!(said(&advertising(), THREE), ["192.0.2.1/32 100", "192.0.2.2/32 101", "192.0.2.3/32 102"]);
        let even = Advertising { increase: 0, ..advertising() };
        assert_eq!(said(&even, THREE), ["192.0.2.1/32 100", "192.0.2.2/32 100", "192.0.2.3/32 100"]);
        let falling = Advertising { increase: -50, ..advertising() };
        assert_eq!(said(&falling, THREE), ["192.0.2.1/32 100", "192.0.2.2/32 50", "192.0.2.3/32 0"]);
    }

    #[test]
    fn refuses_a_metric_that_does_not_fit() {
        let refused =
            |increase| Advertising { increase, ..advertising() }.advertise(&networks(THREE)).unwrap_err();
        assert_eq!(
            refused(-51),
            "--up-metric: the last of 3 prefixes would get the metric -2, expected a number from 0 to 4294967295"
        );
        assert!(refused(i64::MAX).contains("would get the metric 18446744073709551714"));
        let up = Rung::Announce { option: "--up-metric", metric: -1, attributes: Attributes::default() };
        let refused = Advertising { up, ..advertising() }.advertise(&networks(THREE)).unwrap_err();
        assert!(refused.contains("the first of 3 prefixes would get the metric -1"));
    }

    #[test]
    fn start_counts_in_both_directions() {
        for (start, first) in [(1, "2"), (-1, "3"), (3, "1"), (4, "2"), (i64::MIN, "2")] {
            let said = said(&Advertising { start, ..advertising() }, THREE);
            assert_eq!(said[0], format!("192.0.2.{first}/32 100"), "{start}");
        }
    }

    #[test]
    fn deaggregates_networks_to_addresses() {
        let apart = Advertising { deaggregate: true, start: 1, ..advertising() };
        assert_eq!(
            said(&apart, "192.0.2.4/31 2001:db8::/128"),
            ["192.0.2.5/32 100", "2001:db8::/128 101", "192.0.2.4/32 102"]
        );
        assert_eq!(said(&apart, "10.0.0.0/16").len(), 65536);
        for too_many in ["2001:db8::/64", "::/0", "10.0.0.0/15", "10.0.0.0/16 192.0.2.1/32"] {
            assert!(apart.advertise(&networks(too_many)).unwrap_err().contains("above 65536"), "{too_many}");
        }
    }

    #[test]
    fn the_last_occurrence_of_a_repeated_prefix_counts() {
        let twice = "192.0.2.1/32 192.0.2.2/32 192.0.2.1/32 192.0.2.3/32 192.0.2.1/32";
        assert_eq!(said(&advertising(), twice), ["192.0.2.2/32 101", "192.0.2.3/32 103", "192.0.2.1/32 104"]);
        let repeated = advertising().advertise(&networks(twice)).unwrap().repeated;
        assert_eq!(repeated, networks("192.0.2.1/32"));
        assert!(advertising().advertise(&networks(THREE)).unwrap().repeated.is_empty());
        let apart = Advertising { deaggregate: true, ..advertising() };
        assert_eq!(said(&apart, "192.0.2.0/31 192.0.2.1/32"), ["192.0.2.0/32 100", "192.0.2.1/32 102"]);
    }

    #[test]
    fn withdraws_while_down() {
        let advertised = advertising().advertise(&networks(THREE)).unwrap();
        assert_eq!(advertised.down, Advertisement::Withdraw);
    }
}
