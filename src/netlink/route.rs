//! Looks up where the kernel delivers packets to an address: `RTM_GETROUTE` (`linux/rtnetlink.h`).
//!
//! The addresses of the interfaces (`getifaddrs`) do not answer this: with AnyIP (`ip route add local …`) and in a VRF
//! the host receives packets for addresses that no interface has.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;

use super::connection::{Connection, Wanted};
use super::message::{array, attribute};

/// `RTM_NEWROUTE`.
const NEW_ROUTE: u16 = 24;

/// `RTM_GETROUTE`.
const GET_ROUTE: u16 = 26;

/// `RTA_DST`: the address to look up.
const DESTINATION: u16 = 1;

/// `RTA_OIF`: the index of the interface, or of the VRF.
const OUTPUT: u16 = 4;

/// Offset of the route type in `struct rtmsg`.
const TYPE: usize = 7;

/// `RTN_LOCAL`.
const LOCAL: u8 = 2;

/// `RTN_BLACKHOLE` to `RTN_PROHIBIT`: routes that drop packets.
const DISCARDING: std::ops::RangeInclusive<u8> = 6..=8;

/// Where the kernel delivers a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Delivery {
    /// To this host.
    Here,
    /// To another host, which may answer.
    Elsewhere,
    /// Nowhere: there is no route, or one that drops packets.
    Nowhere,
    /// Nowhere: there is no device of the name in which to look.
    NoDevice,
}

/// Completes "the kernel … to this address".
impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here => "delivers locally",
            Self::Elsewhere => "sends to another host",
            Self::Nowhere | Self::NoDevice => "has no route",
        })
    }
}

thread_local! {
    /// Opened by the first look-up of a thread and reused, so that later look-ups need no descriptor.
    static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// Looks up where the kernel delivers packets to `address`, in the VRF `device` if one is given.
///
/// # Errors
/// Returns an error if the kernel cannot be asked: netlink is not permitted (`AF_NETLINK` in
/// `RestrictAddressFamilies=`), no descriptor is left, or the kernel lacks the address family.
pub(crate) fn look_up(address: IpAddr, device: Option<&str>) -> io::Result<Delivery> {
    let index = match device.map(if_nametoindex) {
        None => None,
        Some(Ok(index)) => Some(index),
        Some(Err(Errno::ENODEV)) => return Ok(Delivery::NoDevice),
        Some(Err(error)) => return Err(error.into()),
    };
    let answer = ask(address, index);
    let is_ambiguous = matches!(&answer, Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32));
    if !is_ambiguous {
        return answer;
    }
    // The kernel returns the same error for a blackhole route and for an invalid request. If it delivers the loopback
    // address locally, the request is valid.
    let loopback = match address {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
    };
    match ask(loopback, None) {
        Ok(Delivery::Here) => Ok(Delivery::Nowhere),
        _ => answer,
    }
}

fn ask(address: IpAddr, index: Option<u32>) -> io::Result<Delivery> {
    CONNECTION.with_borrow_mut(|cached| {
        let mut connection = match cached.take() {
            Some(connection) => connection,
            None => Connection::open(None)?,
        };
        let mut delivery = None;
        let answered = connection.ask(GET_ROUTE, 0, &body(address, index), |kind, route| {
            delivery = (kind == NEW_ROUTE).then(|| read(route)).flatten();
            Wanted::NoMore
        });
        match (answered, delivery) {
            (Ok(()), Some(delivery)) => {
                *cached = Some(connection);
                Ok(delivery)
            }
            (Ok(()), None) => Err(io::Error::from(io::ErrorKind::InvalidData)),
            (Err(error), _) => {
                let errno = error.raw_os_error().map(Errno::from_raw);
                // A normal answer; the socket stays usable.
                if matches!(
                    errno,
                    Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EACCES | Errno::EINVAL)
                ) {
                    *cached = Some(connection);
                }
                match errno {
                    Some(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::ENODEV) => Ok(Delivery::Nowhere),
                    // The answer for a route of type prohibit.
                    Some(Errno::EACCES) => Ok(Delivery::Nowhere),
                    _ => Err(error),
                }
            }
        }
    })
}

/// Builds `struct rtmsg` and its attributes.
fn body(address: IpAddr, index: Option<u32>) -> Vec<u8> {
    let (family, destination) = match address {
        IpAddr::V4(address) => (rustix::net::AddressFamily::INET, address.octets().to_vec()),
        IpAddr::V6(address) => (rustix::net::AddressFamily::INET6, address.octets().to_vec()),
    };
    let bits = u8::try_from(destination.len() * 8).unwrap_or(u8::MAX);
    let mut octets = vec![0; 12];
    octets[0] = u8::try_from(family.as_raw()).unwrap_or_default();
    octets[1] = bits;
    octets.extend(attribute(DESTINATION, &destination));
    if let Some(index) = index {
        octets.extend(attribute(OUTPUT, &index.to_ne_bytes()));
    }
    octets
}

fn read(route: &[u8]) -> Option<Delivery> {
    let [kind] = array(route, TYPE)?;
    Some(match kind {
        LOCAL => Delivery::Here,
        kind if DISCARDING.contains(&kind) => Delivery::Nowhere,
        _ => Delivery::Elsewhere,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::netlink::namespace::{in_namespace, shell};

    #[test]
    fn encodes_a_request() {
        let number = |number: u16| number.to_ne_bytes().to_vec();
        let expected = [
            vec![2, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            number(8),
            number(1),
            vec![192, 0, 2, 53],
            number(8),
            number(4),
            7_u32.to_ne_bytes().to_vec(),
        ];
        assert_eq!(body("192.0.2.53".parse().unwrap(), Some(7)), expected.concat());
        let six = body("2001:db8::53".parse().unwrap(), None);
        assert_eq!(six[..2], [10, 128]);
        assert_eq!(six[12..16], [number(20), number(1)].concat());
        assert_eq!(six.len(), 32);
    }

    #[test]
    fn only_a_local_route_is_here() {
        let route = |kind| {
            let mut octets = [0; 12];
            octets[TYPE] = kind;
            read(&octets)
        };
        assert_eq!(route(2), Some(Delivery::Here));
        for (kind, name) in [(1, "unicast"), (3, "broadcast"), (4, "anycast"), (5, "multicast")] {
            assert_eq!(route(kind), Some(Delivery::Elsewhere), "{name}");
        }
        for kind in DISCARDING {
            assert_eq!(route(kind), Some(Delivery::Nowhere), "{kind}");
        }
        assert_eq!(read(&[2; 7]), None);
    }

    /// Where the kernel delivers each address.
    fn delivery_of(addresses: &[&str]) -> Vec<Delivery> {
        addresses.iter().map(|address| look_up(address.parse().unwrap(), None).unwrap()).collect()
    }

    fn wait_for_delivery(address: &str, delivery: Delivery) {
        let began = Instant::now();
        while delivery_of(&[address]) != [delivery] {
            assert!(began.elapsed() < Duration::from_secs(20), "{address}: {:?}", delivery_of(&[address]));
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_missing_device_delivers_nowhere() {
        assert_eq!(look_up("127.0.0.1".parse().unwrap(), Some("no-such-vrf")).unwrap(), Delivery::NoDevice);
    }

    #[test]
    fn an_address_of_an_interface_is_here() {
        let setup = "ip addr add 192.0.2.53/32 dev lo; ip addr add 2001:db8::53/128 dev lo";
        in_namespace("netlink::route::tests::an_address_of_an_interface_is_here", setup, || {
            let addresses = ["192.0.2.53", "2001:db8::53", "127.0.0.53", "::1", "192.0.2.54", "2001:db8::54"];
            let (here, nowhere) = (Delivery::Here, Delivery::Nowhere);
            // The kernel adds the local route of an IPv6 address a moment after the address.
            wait_for_delivery("2001:db8::53", here);
            assert_eq!(delivery_of(&addresses), [here, here, here, here, nowhere, nowhere]);
            shell("ip addr del 192.0.2.53/32 dev lo; ip addr del 2001:db8::53/128 dev lo");
            assert_eq!(delivery_of(&addresses), [nowhere, nowhere, here, here, nowhere, nowhere]);
        });
    }

    #[test]
    fn an_address_with_a_local_route_is_here() {
        let setup = "ip route add local 192.0.2.0/24 dev lo; ip -6 route add local 2001:db8::/64 dev lo";
        in_namespace("netlink::route::tests::an_address_with_a_local_route_is_here", setup, || {
            assert_eq!(delivery_of(&["192.0.2.53", "2001:db8::53"]), [Delivery::Here; 2]);
        });
    }

    #[test]
    fn an_address_of_another_host_is_elsewhere() {
        let setup = "ip link add v0 type veth peer name v1; ip addr add 10.0.0.1/24 dev v0; ip link set v0 up; \
                     ip -6 addr add 2001:db8:1::1/64 dev v0 nodad; ip route add default via 10.0.0.2; \
                     ip -6 route add default via 2001:db8:1::2";
        in_namespace("netlink::route::tests::an_address_of_another_host_is_elsewhere", setup, || {
            assert_eq!(delivery_of(&["192.0.2.53", "2001:db8::53"]), [Delivery::Elsewhere; 2]);
            assert_eq!(delivery_of(&["10.0.0.1", "2001:db8:1::1"]), [Delivery::Here; 2]);
        });
    }

    /// Many hosts have such a route to originate a prefix that contains the service address.
    #[test]
    fn a_discarding_route_delivers_nowhere() {
        in_namespace("netlink::route::tests::a_discarding_route_delivers_nowhere", "", || {
            for kind in ["blackhole", "unreachable", "prohibit"] {
                shell(&format!(
                    "ip route add {kind} 192.0.2.0/24; ip -6 route add {kind} 2001:db8::/64 metric 1"
                ));
                assert_eq!(delivery_of(&["192.0.2.53", "2001:db8::53"]), [Delivery::Nowhere; 2], "{kind}");
                shell("ip route flush 192.0.2.0/24; ip -6 route del 2001:db8::/64");
            }
        });
    }
}
