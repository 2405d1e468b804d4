//! The addresses of this host's interfaces, read without starting another process.

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// Each label with its address and prefix length, in the order of the kernel. Skips hardware addresses and interfaces
/// without an address.
///
/// # Errors
/// Returns an error if the system has no descriptor or memory left.
pub(crate) fn addresses() -> io::Result<Vec<(String, IpNet)>> {
    let labeled = getifaddrs()?.filter_map(|entry| {
        let address = ip(entry.address.as_ref()?)?;
        let network = IpNet::with_netmask(address, ip(entry.netmask.as_ref()?)?).ok()?;
        Some((entry.interface_name, network))
    });
    Ok(labeled.collect())
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| address.ip().into());
    v4.or_else(|| address.as_sockaddr_in6().map(|address| address.ip().into()))
}
