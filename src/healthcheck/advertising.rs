//! How prefixes are advertised, whichever they are: given on the command line, or found on an interface later.
//!
//! Their order matters, for the metric grows from each to the next; and a list that begins at another place on each
//! host spreads the load of several addresses over several hosts.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::network::{self, MOST_ADDRESSES};
use crate::exabgp::attributes::{Attributes, PathInformation};
use crate::exabgp::{Advertisement, NextHop, Route};

/// Routes in the order in which to speak of them, and what to say in each state. The metric of a route is that of the
/// state and its own [`Route::med_offset`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Advertised {
    /// One for each prefix.
    pub(crate) routes: Vec<Route>,
    /// Prefixes that are named more than once. The original announces them with one metric after the other, in every
    /// round; here only the last is said, which is the one that stays.
    pub(crate) repeated: Vec<IpNet>,
    /// While the service is up.
    pub(crate) up: Advertisement,
    /// While it is down.
    pub(crate) down: Advertisement,
    /// While it is disabled.
    pub(crate) disabled: Advertisement,
}

/// All that makes routes out of prefixes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Advertising {
    /// Whether networks are advertised address by address.
    pub(crate) deaggregate: bool,
    /// The place of the prefix that comes first; it may be negative or lie beyond the end.
    pub(crate) start: i64,
    /// The same for all prefixes.
    pub(crate) next_hop: NextHop,
    /// The same for all prefixes.
    pub(crate) path_information: Option<PathInformation>,
    /// Only these; empty for all.
    pub(crate) neighbors: Vec<IpAddr>,
    /// How much the metric grows from each prefix to the next; it may be negative.
    pub(crate) increase: i64,
    /// While the service is up.
    pub(crate) up: Rung,
    /// While it is down.
    pub(crate) down: Rung,
    /// While it is disabled.
    pub(crate) disabled: Rung,
}

/// What is advertised in one state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Rung {
    /// Announce the prefixes.
    Announce {
        /// The option that says the metric.
        option: &'static str,
        /// The metric of the first prefix.
        metric: i64,
        /// All but the metric.
        attributes: Attributes,
    },
    /// Withdraw them.
    Withdraw,
}

impl Advertising {
    /// What to say about `networks`, of which there is at least one.
    ///
    /// # Errors
    /// The sentence that says which network is too large, or which metric does not fit.
    pub(crate) fn over(&self, networks: &[IpNet]) -> Result<Advertised, String> {
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
            up: self.up.over(offsets)?,
            down: self.down.over(offsets)?,
            disabled: self.disabled.over(offsets)?,
            routes: named_last.into_iter().map(|(_, named)| route(named)).collect(),
            repeated,
        })
    }
}

impl Rung {
    fn over(&self, offsets: Offsets) -> Result<Advertisement, String> {
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

/// How far each metric is from the lowest, so that none is negative even where they decrease.
#[derive(Clone, Copy, Debug)]
struct Offsets {
    increase: i128,
    count: usize,
}

impl Offsets {
    /// From the first metric to the last.
    fn last(self) -> i128 {
        self.increase * (self.count.max(1) as i128 - 1)
    }

    /// In order. They fit if the first and the last metric do.
    fn each(self) -> impl Iterator<Item = u32> {
        let lowest = self.last().min(0);
        (0..self.count).map(move |place| (self.increase * place as i128 - lowest) as u32)
    }
}

/// Every address of `networks` as a network of its own.
fn addresses(networks: &[IpNet]) -> Result<Vec<IpNet>, String> {
    let mut all = vec![];
    for network in networks {
        let room = MOST_ADDRESSES.saturating_sub(u32::try_from(all.len()).unwrap_or(u32::MAX));
        all.extend(network::addresses(network, room).ok_or_else(|| {
            format!(
                "--deaggregate-networks: `{network}` makes it more than {MOST_ADDRESSES} addresses, expected fewer"
            )
        })?);
    }
    Ok(all)
}

/// Lets the prefix at `start` be the first, counted around as often as it takes.
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

    /// Address and metric of each, while up.
    fn said(advertising: &Advertising, text: &str) -> Vec<String> {
        let advertised = advertising.over(&networks(text)).unwrap();
        let line = |route| Dialect::Plain.advertise(route, &advertised.up);
        let lines = advertised.routes.iter().map(line);
        lines.map(|line| line.replace("announce route ", "").replace(" next-hop self med", "")).collect()
    }

    const THREE: &str = "192.0.2.1/32 192.0.2.2/32 192.0.2.3/32";

    #[test]
    fn metrics_grow_from_each_prefix_to_the_next() {
        assert_eq!(said(&advertising(), THREE), ["192.0.2.1/32 100", "192.0.2.2/32 101", "192.0.2.3/32 102"]);
        let even = Advertising { increase: 0, ..advertising() };
        assert_eq!(said(&even, THREE), ["192.0.2.1/32 100", "192.0.2.2/32 100", "192.0.2.3/32 100"]);
        let falling = Advertising { increase: -50, ..advertising() };
        assert_eq!(said(&falling, THREE), ["192.0.2.1/32 100", "192.0.2.2/32 50", "192.0.2.3/32 0"]);
    }

    #[test]
    fn a_metric_that_does_not_fit_is_refused() {
        let refused =
            |increase| Advertising { increase, ..advertising() }.over(&networks(THREE)).unwrap_err();
        assert_eq!(
            refused(-51),
            "--up-metric: the last of 3 prefixes would get the metric -2, expected a number from 0 to 4294967295"
        );
        assert!(refused(i64::MAX).contains("would get the metric 18446744073709551714"));
        let up = Rung::Announce { option: "--up-metric", metric: -1, attributes: Attributes::default() };
        let refused = Advertising { up, ..advertising() }.over(&networks(THREE)).unwrap_err();
        assert!(refused.contains("the first of 3 prefixes would get the metric -1"));
    }

    #[test]
    fn the_first_prefix_is_chosen_in_either_direction() {
        for (start, first) in [(1, "2"), (-1, "3"), (3, "1"), (4, "2"), (i64::MIN, "2")] {
            let said = said(&Advertising { start, ..advertising() }, THREE);
            assert_eq!(said[0], format!("192.0.2.{first}/32 100"), "{start}");
        }
    }

    #[test]
    fn networks_are_taken_apart_down_to_the_last_address() {
        let apart = Advertising { deaggregate: true, start: 1, ..advertising() };
        assert_eq!(
            said(&apart, "192.0.2.4/31 2001:db8::/128"),
            ["192.0.2.5/32 100", "2001:db8::/128 101", "192.0.2.4/32 102"]
        );
        assert_eq!(said(&apart, "10.0.0.0/16").len(), 65536);
        for too_many in ["2001:db8::/64", "::/0", "10.0.0.0/15", "10.0.0.0/16 192.0.2.1/32"] {
            assert!(apart.over(&networks(too_many)).unwrap_err().contains("more than 65536"), "{too_many}");
        }
    }

    #[test]
    fn of_a_prefix_that_is_named_twice_the_last_counts() {
        let twice = "192.0.2.1/32 192.0.2.2/32 192.0.2.1/32 192.0.2.3/32 192.0.2.1/32";
        assert_eq!(said(&advertising(), twice), ["192.0.2.2/32 101", "192.0.2.3/32 103", "192.0.2.1/32 104"]);
        let repeated = advertising().over(&networks(twice)).unwrap().repeated;
        assert_eq!(repeated, networks("192.0.2.1/32"));
        assert!(advertising().over(&networks(THREE)).unwrap().repeated.is_empty());
        let apart = Advertising { deaggregate: true, ..advertising() };
        assert_eq!(said(&apart, "192.0.2.0/31 192.0.2.1/32"), ["192.0.2.0/32 100", "192.0.2.1/32 102"]);
    }

    #[test]
    fn what_is_down_can_be_withdrawn() {
        let advertised = advertising().over(&networks(THREE)).unwrap();
        assert_eq!(advertised.down, Advertisement::Withdraw);
    }
}
