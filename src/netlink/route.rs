//! Looks up where the kernel delivers packets to an address: `RTM_GETROUTE` (`linux/rtnetlink.h`).
//!
//! The addresses of the interfaces (`getifaddrs`) do not answer this: with AnyIP (`ip route add local …`) the host
//! receives packets for addresses that no interface has, and in a VRF only those of the interfaces in it count.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;

use super::connection::Connection;
use super::message::{array, attribute, find};

/// `RTM_GETROUTE`.
const GET_ROUTE: u16 = 26;

/// `RTA_DST`: the address to look up.
const DESTINATION: u16 = 1;

/// `RTA_SRC`: the address that a packet comes from.
const SOURCE: u16 = 2;

/// `RTA_IIF`: the index of the interface where a packet arrives.
const INPUT: u16 = 3;

/// `RTA_OIF`: the index of the interface, or of the VRF.
const OUTPUT: u16 = 4;

/// Offset of the route type in `struct rtmsg`, and its size.
const TYPE: usize = 7;
const SIZE: usize = 12;

/// `RTN_LOCAL`.
const LOCAL: u8 = 2;

/// `RTN_BLACKHOLE`, `RTN_UNREACHABLE` and `RTN_PROHIBIT`: routes that drop packets.
const BLACKHOLE: u8 = 6;
const UNREACHABLE: u8 = 7;
const PROHIBIT: u8 = 8;

/// Where the kernel delivers a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Delivery {
    /// To this host.
    Here,
    /// To another host, which may answer; by the interface with this index, unless the route has none.
    Elsewhere(Option<u32>),
    /// Nowhere, for this reason: there is no route, or one that drops packets.
    Nowhere(&'static str),
    /// Nowhere: there is no device of the name in which to look.
    NoDevice,
}

thread_local! {
    /// The first look-up of a thread opens it; later ones need no new descriptor.
    static CONNECTION: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// Looks up where the kernel delivers packets to `address`, in the VRF `device` if one is given.
///
/// # Errors
/// Returns an error if the kernel cannot be asked: netlink is not permitted (`AF_NETLINK` in
/// `RestrictAddressFamilies=`), no descriptor is left, or the kernel lacks the address family.
pub(crate) fn look_up(address: IpAddr, device: Option<&str>) -> io::Result<Delivery> {
    way(address, None, device)
}

/// The same for packets from the address `from`, which must be on this host: look it up first. Otherwise the result means
/// nothing: Linux 6.18 takes any route for IPv6, and reports an unreachable network for IPv4.
///
/// # Errors
/// Those of [`look_up`].
pub(crate) fn way(to: IpAddr, from: Option<IpAddr>, device: Option<&str>) -> io::Result<Delivery> {
    match index_of(device)? {
        Some(index) => find_route(to, from, index),
        None => Ok(Delivery::NoDevice),
    }
}

/// Whether the kernel drops a packet from `from` to the address `to` of this host, which arrives by the interface
/// `input`: by its reverse path filter, if that is strict, or for a source that no packet may have. Only IPv4 has such a
/// filter of its own; IPv6 is always accepted.
///
/// # Errors
/// Those of [`look_up`].
pub(crate) fn drops_arrival(from: IpAddr, to: IpAddr, input: u32) -> io::Result<bool> {
    if to.is_ipv6() {
        return Ok(false);
    }
    match ask(&body(to, Some(from), &[(INPUT, input)])) {
        Ok(_) => Ok(false),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            // Some kernels have the second number for all that they drop.
            Some(Errno::EXDEV | Errno::EINVAL) => Ok(true),
            _ => Err(error),
        },
    }
}

/// The index of a device, or `Some(None)` without one; `None` if there is none of this name.
fn index_of(device: Option<&str>) -> io::Result<Option<Option<u32>>> {
    match device.map(if_nametoindex) {
        None => Ok(Some(None)),
        Some(Ok(index)) => Ok(Some(Some(index))),
        Some(Err(Errno::ENODEV)) => Ok(None),
        Some(Err(error)) => Err(error.into()),
    }
}

fn find_route(to: IpAddr, from: Option<IpAddr>, index: Option<u32>) -> io::Result<Delivery> {
    let output = index.map(|index| (OUTPUT, index));
    let answer = ask(&body(to, from, output.as_slice()));
    let is_ambiguous = matches!(&answer, Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32));
    if !is_ambiguous {
        return answer;
    }
    // The kernel returns the same error for a blackhole route, for a source that is invalid or, in older kernels, not on
    // this host, and for an invalid request. If it delivers the source, or else the loopback address, locally, the
    // request is valid.
    let loopback = match to {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
    };
    let output = from.and(output);
    match ask(&body(from.unwrap_or(loopback), None, output.as_slice())) {
        Ok(Delivery::Here) => Ok(Delivery::Nowhere("a blackhole route")),
        _ => answer,
    }
}

fn ask(body: &[u8]) -> io::Result<Delivery> {
    CONNECTION.with_borrow_mut(|cached| {
        let mut connection = match cached.take() {
            Some(connection) => connection,
            None => Connection::open(None)?,
        };
        let answer = connection.get(GET_ROUTE, body, read);
        let errno = answer.as_ref().err().and_then(io::Error::raw_os_error).map(Errno::from_raw);
        let (why, is_usable) = match errno {
            None => (None, answer.is_ok()),
            // The answers of the kernel. After any other error a new socket is opened.
            Some(Errno::ENETUNREACH) => (Some("the network is unreachable"), true),
            Some(Errno::EHOSTUNREACH) => (Some("an unreachable route"), true),
            Some(Errno::EACCES) => (Some("a prohibit route"), true),
            Some(Errno::EINVAL | Errno::EXDEV) => (None, true),
            Some(Errno::ENODEV) => (Some("no such interface"), true),
            Some(_) => (None, false),
        };
        *cached = Some(connection).filter(|_| is_usable);
        why.map_or(answer, |why| Ok(Delivery::Nowhere(why)))
    })
}

/// Builds `struct rtmsg` and its attributes: the addresses, and the indexes of `interfaces`.
fn body(to: IpAddr, from: Option<IpAddr>, interfaces: &[(u16, u32)]) -> Vec<u8> {
    let octets_of = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let family = match to {
        IpAddr::V4(_) => rustix::net::AddressFamily::INET,
        IpAddr::V6(_) => rustix::net::AddressFamily::INET6,
    };
    let destination = octets_of(to);
    let bits = u8::try_from(destination.len() * 8).unwrap_or(u8::MAX);
    let mut octets = vec![0; SIZE];
    octets[0] = u8::try_from(family.as_raw()).unwrap_or_default();
    octets[1] = bits;
    octets.extend(attribute(DESTINATION, &destination));
    if let Some(from) = from {
        octets[2] = bits;
        octets.extend(attribute(SOURCE, &octets_of(from)));
    }
    for (kind, index) in interfaces {
        octets.extend(attribute(*kind, &index.to_ne_bytes()));
    }
    octets
}

fn read(route: &[u8]) -> Option<Delivery> {
    let [kind] = array(route, TYPE)?;
    Some(match kind {
        LOCAL => Delivery::Here,
        BLACKHOLE => Delivery::Nowhere("a blackhole route"),
        UNREACHABLE => Delivery::Nowhere("an unreachable route"),
        PROHIBIT => Delivery::Nowhere("a prohibit route"),
        _ => {
            let output = find(route.get(SIZE..)?, OUTPUT).and_then(|value| array(value, 0));
            Delivery::Elsewhere(output.map(u32::from_ne_bytes))
        }
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
        assert_eq!(body("192.0.2.53".parse().unwrap(), None, &[(OUTPUT, 7)]), expected.concat());
        let six = body("2001:db8::53".parse().unwrap(), None, &[]);
        assert_eq!(six[..2], [10, 128]);
        assert_eq!(six[12..16], [number(20), number(1)].concat());
        assert_eq!(six.len(), 32);
    }

    #[test]
    fn only_a_local_route_is_here() {
        let route = |kind| {
            let mut octets = [0; 12];
            octets[TYPE] = kind;
            read(&octets).map(kind_of)
        };
        assert_eq!(route(2), Some(Delivery::Here));
        for (kind, name) in [(1, "unicast"), (3, "broadcast"), (4, "anycast"), (5, "multicast")] {
            assert_eq!(route(kind), Some(ELSEWHERE), "{name}");
        }
        for kind in BLACKHOLE..=PROHIBIT {
            assert_eq!(route(kind), Some(NOWHERE), "{kind}");
        }
        assert!(read(&[2; 7]).is_none());
    }

    const ELSEWHERE: Delivery = Delivery::Elsewhere(None);
    const NOWHERE: Delivery = Delivery::Nowhere("");

    /// A delivery without its interface and its reason.
    fn kind_of(delivery: Delivery) -> Delivery {
        match delivery {
            Delivery::Elsewhere(_) => ELSEWHERE,
            Delivery::Nowhere(_) => NOWHERE,
            Delivery::Here | Delivery::NoDevice => delivery,
        }
    }

    /// Where the kernel delivers each address.
    fn delivery_of(addresses: &[&str]) -> Vec<Delivery> {
        addresses.iter().map(|address| kind_of(look_up(address.parse().unwrap(), None).unwrap())).collect()
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
    fn a_missing_interface_costs_no_connection() {
        let loopback = "127.0.0.1".parse().unwrap();
        let delivery = find_route(loopback, None, Some(4_000_000)).unwrap();
        assert_eq!(delivery, Delivery::Nowhere("no such interface"));
        assert!(CONNECTION.with_borrow(Option::is_some));
        assert_eq!(look_up(loopback, None).unwrap(), Delivery::Here);
    }

    #[test]
    fn an_address_of_an_interface_is_here() {
        let setup = "ip addr add 192.0.2.53/32 dev lo; ip addr add 2001:db8::53/128 dev lo";
        in_namespace("netlink::route::tests::an_address_of_an_interface_is_here", setup, || {
            let addresses = ["192.0.2.53", "2001:db8::53", "127.0.0.53", "::1", "192.0.2.54", "2001:db8::54"];
            let (here, nowhere) = (Delivery::Here, NOWHERE);
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
            assert_eq!(delivery_of(&["192.0.2.53", "2001:db8::53"]), [ELSEWHERE; 2]);
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
                assert_eq!(delivery_of(&["192.0.2.53", "2001:db8::53"]), [NOWHERE; 2], "{kind}");
                shell("ip route flush 192.0.2.0/24; ip -6 route del 2001:db8::/64");
            }
        });
    }
}
