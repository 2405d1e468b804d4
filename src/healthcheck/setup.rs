//! Adds addresses that an interface lacks while the service needs them, and removes them again.
//!
//! ```text
//!  --ip ────► from_given ──┐              ┌─ add_missing ──► `ip address add`
//!                          ├─► Addresses ─┤   absent addresses │ remembered
//!  found ──► from_interface┘              └─ remove_added ─► `ip address delete`
//!  on lo                                      added addresses that are still present
//! ```
//!
//! The original removes every address that it advertises. This program removes only addresses that it added itself and
//! forgets them when it exits. If a process is killed, its addresses stay and belong to the host from then on.
//!
//! An address on any interface in question is present, whatever its length or label. Reading the addresses needs no other
//! process, so [`Addresses::add_missing`] can run with each check. That restores addresses that others have removed, for
//! instance the previous process when it ended.
//!
//! A network found on the interface is present as a whole. A network given with `--ip` is set up address by address unless
//! it is too large: an operator who advertises `2001:db8::/64` means the network, not 2^64 addresses.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;

use self::interfaces::{LOOPBACK, Present};
use self::ip::{Failure, Ip};
use super::network::{self, Interface, MOST_ADDRESSES};
use super::options::{Given, Setup};

mod interfaces;
mod ip;
#[cfg(test)]
mod tests;
pub(crate) mod worker;

pub(crate) use self::interfaces::found;

/// The remedy in messages about a failed `ip`.
const REMEDY: &str =
    "expected CAP_NET_ADMIN (or --sudo), or --no-ip-setup if the host sets up its addresses itself";

/// The addresses that the service needs, and those that this process added.
///
/// The methods block, usually about a millisecond per address, at worst a little over five seconds. Call them at start,
/// or from a thread that may wait, such as [`worker`].
#[derive(Debug)]
pub(crate) struct Addresses {
    wanted: Vec<Wanted>,
    /// The label without the name of the interface and the colon.
    label: Option<String>,
    ip: Ip,
    added: Vec<Wanted>,
    /// Whether a warning about refused addresses has been logged.
    complained: bool,
}

/// An address and its interface.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Wanted {
    address: IpAddr,
    interface: String,
}

impl Addresses {
    /// All addresses of the networks of `--ip`. Logs a warning about networks that are too large, and skips them.
    pub(crate) fn from_given(given: &Given, setup: &Setup) -> Self {
        Self::new(wanted(&given.networks, &given.interfaces), setup)
    }

    /// Addresses that were [`found`] on the interface, to restore them if they disappear.
    pub(crate) fn from_interface(found: &[IpNet], setup: &Setup) -> Self {
        let single = found.iter().filter(|network| network.prefix_len() == network.max_prefix_len());
        let wanted = single.map(|network| Wanted { address: network.addr(), interface: LOOPBACK.to_owned() });
        Self::new(wanted.collect(), setup)
    }

    fn new(wanted: Vec<Wanted>, setup: &Setup) -> Self {
        let label = setup.label.as_ref().map(|label| label.text.clone());
        Self { wanted, label, ip: Ip::new(setup.sudo), added: vec![], complained: false }
    }

    /// Adds missing addresses. Costs little if none is missing.
    ///
    /// Like the original, it continues if the kernel refuses an address, which may be intended. It warns once until all
    /// addresses are present.
    ///
    /// # Errors
    /// Returns an error if the addresses cannot be read or `ip` fails. Addresses added before the failure are
    /// remembered.
    pub(crate) fn add_missing(&mut self) -> Result<(), String> {
        self.add(interfaces::read)
    }

    /// Removes the addresses that this process added and that are still present. Logs failures as warnings; the next
    /// call tries again.
    pub(crate) fn remove_added(&mut self) {
        self.remove(interfaces::read);
    }

    fn add(&mut self, look: impl Fn() -> io::Result<Vec<Present>>) -> Result<(), String> {
        let look = || look().map_err(|error| format!("cannot read the addresses of interfaces: {error}"));
        let there = self.on_our_interfaces(&look()?);
        let mut refused = vec![];
        for wanted in self.wanted.iter().filter(|wanted| !there.contains(&wanted.address)) {
            let Wanted { address, interface } = wanted;
            match self.ip.run(&wanted.words("add", self.label.as_deref())) {
                Ok(()) => {
                    log::debug!("added {address} to {interface}");
                    self.added.retain(|added| added != wanted);
                    self.added.push(wanted.clone());
                }
                Err(Failure::Refused(why)) => refused.push((wanted, why)),
                Err(Failure::Failed(why)) => {
                    return Err(format!("cannot add {address} to {interface}: {why}; {REMEDY}"));
                }
            }
        }
        // `ip` exits with the same status if the address exists already and if the caller lacks the right to add it.
        if !refused.is_empty() {
            let there: HashSet<_> = look()?.iter().map(Present::address).collect();
            refused.retain(|(wanted, _)| !there.contains(&wanted.address));
        }
        if let Some((Wanted { address, interface }, why)) = refused.first()
            && !self.complained
        {
            let further = match refused.len() - 1 {
                0 => String::new(),
                number => format!(" and {number} more"),
            };
            log::warn!("cannot add {address} to {interface}{further}, continuing without: {why}; {REMEDY}");
        }
        self.complained = !refused.is_empty();
        Ok(())
    }

    fn remove(&mut self, look: impl Fn() -> io::Result<Vec<Present>>) {
        if self.added.is_empty() {
            return;
        }
        match look() {
            Ok(present) => {
                let there = self.on_our_interfaces(&present);
                self.added.retain(|added| there.contains(&added.address));
            }
            Err(error) => {
                log::warn!(
                    "cannot read the addresses of interfaces: {error}; removing all addresses that were added"
                );
            }
        }
        let mut kept = vec![];
        let mut added = std::mem::take(&mut self.added).into_iter();
        for wanted in added.by_ref() {
            let Wanted { address, interface } = &wanted;
            let Err(failure) = self.ip.run(&wanted.words("delete", self.label.as_deref())) else {
                log::debug!("removed {address} from {interface}");
                continue;
            };
            let (Failure::Refused(why) | Failure::Failed(why)) = &failure;
            log::warn!("cannot remove {address} from {interface}: {why}; {REMEDY}");
            kept.push(wanted);
            // The other addresses would fail for the same reason, and perhaps as slowly.
            if matches!(failure, Failure::Failed(_)) {
                break;
            }
        }
        kept.extend(added);
        self.added = kept;
    }

    /// The addresses on the loopback interface and on every named interface.
    fn on_our_interfaces(&self, present: &[Present]) -> HashSet<IpAddr> {
        let ours = self.wanted.iter().map(|wanted| without_alias(&wanted.interface));
        let ours: HashSet<&str> = ours.chain([LOOPBACK]).collect();
        present.iter().filter(|entry| ours.contains(entry.interface())).map(Present::address).collect()
    }
}

impl Wanted {
    /// The arguments of `ip`. IPv6 addresses have no labels.
    fn words(&self, action: &str, label: Option<&str>) -> Vec<String> {
        let Self { address, interface } = self;
        let network = IpNet::from(*address);
        let mut words =
            ["address", action, &network.to_string(), "dev", interface].map(str::to_owned).to_vec();
        if let (Some(label), IpAddr::V4(_)) = (label, address) {
            words.extend(["label".to_owned(), format!("{interface}:{label}")]);
        }
        words
    }
}

/// Removes an alias: the kernel treats `eth0:1` as `eth0`.
fn without_alias(interface: &str) -> &str {
    interface.split_once(':').map_or(interface, |(name, _)| name)
}

/// All addresses without duplicates, in order, with the interface of the most specific binding.
fn wanted(networks: &[IpNet], interfaces: &BTreeMap<IpNet, Interface>) -> Vec<Wanted> {
    let mut seen = HashSet::new();
    let mut wanted = vec![];
    for network in networks {
        let Some(hosts) = network::addresses(network, MOST_ADDRESSES) else {
            log::warn!(
                "`{network}` has more than {MOST_ADDRESSES} addresses and is not set up: it is advertised as a \
                 network; expected its addresses on the host already, for instance by `ip route add local {network} \
                 dev lo`"
            );
            continue;
        };
        for host in hosts {
            let interface = interfaces.get(&host).or_else(|| interfaces.get(network));
            let interface = interface.map_or(LOOPBACK, Interface::name).to_owned();
            if seen.insert(host) {
                wanted.push(Wanted { address: host.addr(), interface });
            }
        }
    }
    wanted
}
