//! The addresses that the configuration assigns to this host, and their meaning for a probe.

use std::net::IpAddr;
use std::sync::Arc;

/// The addresses of this host for one check. By default only the loopback addresses.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Locality {
    /// Service addresses: a probe fails if one of them is missing.
    pub(crate) service: Vec<IpAddr>,
    /// Management addresses: if one of them is missing, the outcome of a probe is unknown.
    pub(crate) management: Vec<IpAddr>,
    /// The VRF, by the name of its device, in which to look an address up and to send.
    pub(crate) device: Option<String>,
}

/// The kind of an address for a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// A service address of this host.
    Service,
    /// A management address of this host.
    Management,
    /// A loopback address; packets to it do not leave the host.
    Loopback,
    /// An address of any host.
    Anywhere,
}

impl Locality {
    /// The part that concerns these addresses. Thus a probe stays the same if the configuration gets another service.
    pub(crate) fn part_for(&self, addresses: impl IntoIterator<Item = IpAddr>) -> Arc<Self> {
        let addresses: Vec<_> = addresses.into_iter().collect();
        let concerned = |all: &[IpAddr]| {
            let mut found: Vec<_> = all.iter().copied().filter(|own| addresses.contains(own)).collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        Arc::new(Self {
            service: concerned(&self.service),
            management: concerned(&self.management),
            device: self.device.clone(),
        })
    }

    /// The kind of this address.
    pub(crate) fn place(&self, address: IpAddr) -> Place {
        if self.service.contains(&address) {
            Place::Service
        } else if self.management.contains(&address) {
            Place::Management
        } else if address.is_loopback() {
            Place::Loopback
        } else {
            Place::Anywhere
        }
    }
}
