//! Addresses that an interface lacks: added while the service is to have them, removed by whoever added them.
//!
//! ```text
//!  --ip ────► given ──┐                  ┌─ add_missing ──► `ip address add`
//!                     ├─► Addresses ─────┤   what is not there   │ remembered
//!  found ──► of_interface                └─ remove_added ─► `ip address delete`
//!  on lo                                     what was added, and is still there
//! ```
//!
//! Where the original removes whatever it was told to advertise, an address that was there before is never removed
//! here: only this process knows what it has added, and forgets it when it ends. What a process leaves behind that was
//! killed stays, and belongs to the host from then on.
//!
//! An address that is on one of the interfaces in question, with whatever length or label, is not missing. To look
//! takes no other process, so that [`Addresses::add_missing`] can be called again with each check: that brings back
//! what others have removed, for instance the process before this one, at its end.
//!
//! A network that is found on the interface is there as a whole. One that was given is set up address by address,
//! unless it is too large for it: who advertises `2001:db8::/64` means the network, and not 2^64 addresses.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;

use self::interfaces::{LOOPBACK, Present};
use self::ip::{Failure, Ip};
use super::network::{self, Interface, MOST_ADDRESSES};
use super::options::{Given, Setup};

pub(crate) mod beside;
mod interfaces;
mod ip;
#[cfg(test)]
mod tests;

pub(crate) use self::interfaces::found;

/// What helps if `ip` does not do it.
const REMEDY: &str =
    "expected CAP_NET_ADMIN (or --sudo), or --no-ip-setup where addresses are not to be set up";

/// Addresses that are to be there while the service is, and those of them that we have added.
///
/// Its methods block, usually for about a millisecond per address that is added or removed, at worst five seconds
/// and a moment. They are for the start, or for a thread that may wait: [`beside`] is one.
#[derive(Debug)]
pub(crate) struct Addresses {
    wanted: Vec<Wanted>,
    /// Of the label, what follows the name of the interface and a colon.
    label: Option<String>,
    ip: Ip,
    added: Vec<Wanted>,
    /// Whether it has been said that `ip` refuses some.
    complained: bool,
}

/// An address, and where it belongs.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Wanted {
    address: IpAddr,
    interface: String,
}

impl Addresses {
    /// Every address of the networks that were named. Warns of networks that are too large, and leaves them out.
    #[must_use]
    pub(crate) fn given(given: &Given, setup: &Setup) -> Self {
        Self::new(wanted(&given.networks, &given.interfaces), setup)
    }

    /// Those that were [`found`], for the case that they get lost.
    #[must_use]
    pub(crate) fn of_interface(found: &[IpNet], setup: &Setup) -> Self {
        let single = found.iter().filter(|network| network.prefix_len() == network.max_prefix_len());
        let wanted = single.map(|network| Wanted { address: network.addr(), interface: LOOPBACK.to_owned() });
        Self::new(wanted.collect(), setup)
    }

    fn new(wanted: Vec<Wanted>, setup: &Setup) -> Self {
        let label = setup.label.as_ref().map(|label| label.text.clone());
        Self { wanted, label, ip: Ip::new(setup.sudo), added: vec![], complained: false }
    }

    /// Adds what is missing. Costs little if nothing is.
    ///
    /// Like the original it goes on without an address that the kernel refuses, for that may be on purpose; but it
    /// warns, once until all are there.
    ///
    /// # Errors
    /// The sentence that says why the addresses of interfaces cannot be read, or what `ip` failed to add and why. What
    /// was added until then is remembered.
    pub(crate) fn add_missing(&mut self) -> Result<(), String> {
        self.add(interfaces::read)
    }

    /// Removes what this process has added, unless it is gone. A failure is a warning; what could not be removed is
    /// tried again next time.
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
        // The same exit status says that it is there already, and that it is not allowed.
        if !refused.is_empty() {
            let there: HashSet<_> = look()?.iter().map(Present::address).collect();
            refused.retain(|(wanted, _)| !there.contains(&wanted.address));
        }
        if let Some((Wanted { address, interface }, why)) = refused.first()
            && !self.complained
        {
            let further = match refused.len() - 1 {
                0 => String::new(),
                number => format!(", as with {number} more"),
            };
            log::warn!("cannot add {address} to {interface}{further}, going on without: {why}; {REMEDY}");
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
                log::warn!("cannot read the addresses of interfaces: {error}; removing what we added");
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
            log::warn!("cannot remove {address}, which we added to {interface}: {why}; {REMEDY}");
            kept.push(wanted);
            // Whatever it is, it would be the same with the others, and perhaps as slow.
            if matches!(failure, Failure::Failed(_)) {
                break;
            }
        }
        kept.extend(added);
        self.added = kept;
    }

    /// What the loopback interface has, and every interface that was named.
    fn on_our_interfaces(&self, present: &[Present]) -> HashSet<IpAddr> {
        let ours = self.wanted.iter().map(|wanted| without_alias(&wanted.interface));
        let ours: HashSet<&str> = ours.chain([LOOPBACK]).collect();
        present.iter().filter(|entry| ours.contains(entry.interface())).map(Present::address).collect()
    }
}

impl Wanted {
    /// What `ip` is told. IPv6 has no labels.
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

/// The kernel takes `eth0:1` for `eth0`.
fn without_alias(interface: &str) -> &str {
    interface.split_once(':').map_or(interface, |(name, _)| name)
}

/// Every address once, in order, and the interface that the narrowest binding names.
fn wanted(networks: &[IpNet], interfaces: &BTreeMap<IpNet, Interface>) -> Vec<Wanted> {
    let mut seen = HashSet::new();
    let mut wanted = vec![];
    for network in networks {
        let Some(hosts) = network::addresses(network, MOST_ADDRESSES) else {
            log::warn!(
                "`{network}` has more than {MOST_ADDRESSES} addresses, which are not set up one by one: it is \
                 advertised as a network; expected its addresses on the host already, for instance by `ip route add \
                 local {network} dev lo`"
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
