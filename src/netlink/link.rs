//! Interfaces of this host and whether they are up: `RTM_GETLINK` (`linux/rtnetlink.h`).
//!
//! `/sys/class/net` does not answer this: it shows the network namespace in which it was mounted.

use std::io;

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;

use super::connection::Connection;
use super::message::{array, find};

/// `RTM_GETLINK`.
const GET_LINK: u16 = 18;

/// `IFLA_IFNAME`: the name, with a zero octet at its end.
const NAME: u16 = 3;

/// Offsets of the index and the flags in `struct ifinfomsg`, and its size.
const INDEX: usize = 4;
const FLAGS: usize = 8;
const SIZE: usize = 16;

/// `IFF_UP`: enabled by the administrator.
const UP: u32 = 0x1;

/// `IFF_RUNNING`: able to send (RFC 2863 operational state up or unknown).
const RUNNING: u32 = 0x40;

/// The state of an interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LinkState {
    /// It sends and receives.
    Up,
    /// It is enabled, but has no carrier or is not ready.
    NoCarrier,
    /// It is disabled.
    Disabled,
}

/// An interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) state: LinkState,
}

/// The interface of this name; `None` if there is none.
///
/// # Errors
/// Returns an error if the kernel cannot be asked.
pub(crate) fn named(name: &str) -> io::Result<Option<Link>> {
    match if_nametoindex(name) {
        Ok(index) => with_index(index),
        Err(Errno::ENODEV) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The interface with this index; `None` if there is none.
///
/// # Errors
/// Returns an error if the kernel cannot be asked.
pub(crate) fn with_index(index: u32) -> io::Result<Option<Link>> {
    match Connection::open(None)?.get(GET_LINK, &body(index), read) {
        Err(error) if error.raw_os_error() == Some(Errno::ENODEV as i32) => Ok(None),
        found => found.map(Some),
    }
}

/// Builds `struct ifinfomsg`.
fn body(index: u32) -> Vec<u8> {
    let mut octets = vec![0; SIZE];
    octets[INDEX..FLAGS].copy_from_slice(&index.to_ne_bytes());
    octets
}

fn read(octets: &[u8]) -> Option<Link> {
    let index = u32::from_ne_bytes(array(octets, INDEX)?);
    let flags = u32::from_ne_bytes(array(octets, FLAGS)?);
    let name = find(octets.get(SIZE..)?, NAME)?;
    let name = name.split(|octet| *octet == 0).next().unwrap_or_default();
    let state = match (flags & UP != 0, flags & RUNNING != 0) {
        (false, _) => LinkState::Disabled,
        (true, false) => LinkState::NoCarrier,
        (true, true) => LinkState::Up,
    };
    Some(Link { index, name: String::from_utf8_lossy(name).into_owned(), state })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::namespace::{in_namespace, shell};

    fn state(name: &str) -> Option<LinkState> {
        named(name).unwrap().map(|link| {
            assert_eq!(link.name, name);
            link.state
        })
    }

    #[test]
    fn shows_whether_an_interface_is_up() {
        let setup = "ip link add v0 type veth peer name v1";
        in_namespace("netlink::link::tests::shows_whether_an_interface_is_up", setup, || {
            assert_eq!(state("lo"), Some(LinkState::Up));
            assert_eq!(state("v0"), Some(LinkState::Disabled));
            shell("ip link set v0 up");
            assert_eq!(state("v0"), Some(LinkState::NoCarrier));
            shell("ip link set v1 up");
            let began = std::time::Instant::now();
            while state("v0") != Some(LinkState::Up) {
                assert!(began.elapsed() < std::time::Duration::from_secs(20));
                std::thread::yield_now();
            }
            assert_eq!(state("v2"), None);
            assert_eq!(with_index(4_000_000).unwrap(), None);
        });
    }

    #[test]
    fn a_short_answer_is_no_link() {
        assert_eq!(read(&[0; SIZE]), None);
        assert_eq!(read(&[0; 9]), None);
    }
}
