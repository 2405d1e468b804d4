//! Which addresses are declared to be of this host, and what that means for a probe to one of them.

use std::net::IpAddr;

/// The addresses of this host, as one check knows them. By default there are none but the loopback addresses.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Locality {
    /// Service addresses: a probe fails if one of them is missing.
    pub(crate) service: Vec<IpAddr>,
    /// Management addresses: if one of them is missing, a probe finds out nothing about the server.
    pub(crate) management: Vec<IpAddr>,
    /// The VRF, by the name of its device, in which to look an address up and to send.
    pub(crate) device: Option<String>,
}

/// What an address is to a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// A service address of this host.
    Service,
    /// A management address of this host.
    Management,
    /// A loopback address, which no packet leaves the host for.
    Loopback,
    /// An address of whatever host.
    Anywhere,
}

impl Locality {
    /// What this address is.
    #[must_use]
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
