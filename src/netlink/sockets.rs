//! Finds sockets that receive packets for an address and port: `sock_diag` (`linux/inet_diag.h`).
//!
//! It lists the sockets of this network namespace, of all users. `/proc/net/udp` has the same content, but reading it
//! takes the kernel tens of milliseconds if a resolver has thousands of sockets.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use rustix::net::{AddressFamily, netlink};

use super::connection::{Connection, Wanted};
use super::message::{DUMP, array, find};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;

/// `TCP_ESTABLISHED`, which is also the state of a connected UDP socket.
const CONNECTED: u8 = 1;

/// `TCP_LISTEN`, as a bit in a set of states.
const LISTENING: u32 = 1 << 10;

/// `INET_DIAG_SKV6ONLY`: whether an IPv6 socket takes no IPv4.
const V6_ONLY: u16 = 11;

/// Size of `struct inet_diag_msg`, which attributes follow.
const ATTRIBUTES: usize = 72;

/// How often an interrupted dump is tried.
const ATTEMPTS: usize = 3;

/// The protocol of a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    /// UDP sockets that are not connected.
    Udp,
    /// TCP sockets that listen.
    Tcp,
}

impl Protocol {
    /// `IPPROTO_UDP` or `IPPROTO_TCP`.
    const fn number(self) -> u8 {
        match self {
            Self::Udp => 17,
            Self::Tcp => 6,
        }
    }

    const fn states(self) -> u32 {
        match self {
            Self::Udp => u32::MAX,
            Self::Tcp => LISTENING,
        }
    }
}

/// Whether a socket receives packets for this address and port: bound to the address, to the wildcard address of its
/// family, or, for IPv4, to `::` without `IPV6_V6ONLY`. A socket bound to any device counts.
///
/// # Errors
/// Returns an error if the kernel cannot be asked or its tables change continuously.
pub(crate) fn listener(at: SocketAddr, protocol: Protocol) -> io::Result<bool> {
    let families: &[AddressFamily] = match at {
        SocketAddr::V4(_) => &[AddressFamily::INET, AddressFamily::INET6],
        SocketAddr::V6(_) => &[AddressFamily::INET6],
    };
    for family in families {
        match find_among(*family, at, protocol) {
            Ok(false) => {}
            // A kernel without IPv6 has no sockets of that family.
            Err(_) if *family == AddressFamily::INET6 && at.is_ipv4() && !has_v6() => {}
            answer => return answer,
        }
    }
    Ok(false)
}

fn has_v6() -> bool {
    std::path::Path::new("/proc/self/net/if_inet6").exists()
}

fn find_among(family: AddressFamily, at: SocketAddr, protocol: Protocol) -> io::Result<bool> {
    let mut attempt = 1;
    loop {
        let mut found = false;
        let mut connection = Connection::open(Some(netlink::SOCK_DIAG))?;
        let answered = connection.ask(BY_FAMILY, DUMP, &body(family, at.port(), protocol), |kind, socket| {
            found |= kind == BY_FAMILY && receives(socket, family, at);
            if found { Wanted::NoMore } else { Wanted::More }
        });
        match answered {
            _ if found => return Ok(true),
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Builds `struct inet_diag_req_v2`: all sockets of this family and local port.
fn body(family: AddressFamily, port: u16, protocol: Protocol) -> Vec<u8> {
    let mut octets = vec![u8::try_from(family.as_raw()).unwrap_or_default(), protocol.number(), 0, 0];
    octets.extend(protocol.states().to_ne_bytes());
    octets.extend(port.to_be_bytes());
    // The remaining fields of `struct inet_diag_sockid` stay zero.
    octets.resize(56, 0);
    octets
}

/// Whether the socket in `struct inet_diag_msg` receives packets for this address and port.
fn receives(socket: &[u8], family: AddressFamily, at: SocketAddr) -> bool {
    let read = || {
        let [state] = array(socket, 1)?;
        let port = u16::from_be_bytes(array(socket, 4)?);
        let peer_port = u16::from_be_bytes(array(socket, 6)?);
        let bound = if family == AddressFamily::INET {
            IpAddr::from(array::<4>(socket, 8)?)
        } else {
            IpAddr::from(array::<16>(socket, 8)?)
        };
        let v6_only = find(socket.get(ATTRIBUTES..)?, V6_ONLY).is_some_and(|value| value.first() == Some(&1));
        let is_open = state != CONNECTED && peer_port == 0 && port == at.port();
        Some(is_open && covers(bound, v6_only, at.ip()))
    };
    read().unwrap_or(false)
}

fn covers(bound: IpAddr, v6_only: bool, address: IpAddr) -> bool {
    match (bound, address) {
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(_)) => !v6_only,
        (IpAddr::V6(bound), IpAddr::V4(address)) => bound.to_ipv4_mapped() == Some(address),
        (bound, address) => {
            bound == address || (bound.is_unspecified() && bound.is_ipv4() == address.is_ipv4())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn encodes_a_request() {
        let expected =
            [vec![2, 17, 0, 0], u32::MAX.to_ne_bytes().to_vec(), vec![0, 53], vec![0; 46]].concat();
        assert_eq!(body(AddressFamily::INET, 53, Protocol::Udp), expected);
        let expected =
            [vec![10, 6, 0, 0], 0x400_u32.to_ne_bytes().to_vec(), vec![20, 0xe9], vec![0; 46]].concat();
        assert_eq!(body(AddressFamily::INET6, 5353, Protocol::Tcp), expected);
    }

    #[test]
    fn decodes_a_socket() {
        let socket = |state: u8, port: u16, peer: u16, address: &str| {
            let mut octets = vec![2, state, 0, 0];
            octets.extend(port.to_be_bytes());
            octets.extend(peer.to_be_bytes());
            match address.parse().unwrap() {
                IpAddr::V4(address) => octets.extend(address.octets()),
                IpAddr::V6(address) => octets.extend(address.octets()),
            }
            octets.resize(ATTRIBUTES, 0);
            octets
        };
        let at = "192.0.2.53:53".parse().unwrap();
        let v4 = |octets: &[u8]| receives(octets, AddressFamily::INET, at);
        assert!(v4(&socket(7, 53, 0, "192.0.2.53")));
        assert!(v4(&socket(7, 53, 0, "0.0.0.0")));
        assert!(!v4(&socket(7, 53, 0, "192.0.2.54")));
        assert!(!v4(&socket(7, 54, 0, "192.0.2.53")));
        assert!(!v4(&socket(1, 53, 4000, "192.0.2.53")), "connected");
        assert!(!v4(&socket(7, 53, 0, "192.0.2.53")[..ATTRIBUTES - 1]), "cut short");
        let dual = socket(7, 53, 0, "::");
        let only = [dual.clone(), super::super::message::attribute(V6_ONLY, &[1])].concat();
        assert!(receives(&dual, AddressFamily::INET6, at));
        assert!(!receives(&only, AddressFamily::INET6, at));
        assert!(receives(&only, AddressFamily::INET6, "[2001:db8::53]:53".parse().unwrap()));
        assert!(receives(&socket(7, 53, 0, "::ffff:192.0.2.53"), AddressFamily::INET6, at));
    }

    #[test]
    fn finds_open_udp_ports() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        assert!(listener(at, Protocol::Udp).unwrap());
        assert!(!listener(at, Protocol::Tcp).unwrap());
        let beside = SocketAddr::new("127.0.0.2".parse().unwrap(), at.port());
        assert!(!listener(beside, Protocol::Udp).unwrap());
        // A connected socket receives only packets of its peer.
        socket.connect("127.0.0.1:9").unwrap();
        assert!(!listener(at, Protocol::Udp).unwrap());
        drop(socket);
        assert!(!listener(at, Protocol::Udp).unwrap());
    }

    #[test]
    fn a_wildcard_socket_receives_for_all_addresses() {
        for wildcard in ["0.0.0.0:0", "[::]:0"] {
            let socket = UdpSocket::bind(wildcard).unwrap();
            let at = SocketAddr::new("127.0.0.53".parse().unwrap(), socket.local_addr().unwrap().port());
            assert!(listener(at, Protocol::Udp).unwrap(), "{wildcard}");
        }
    }

    #[test]
    fn finds_open_tcp_ports() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        let _connection = TcpStream::connect(at).unwrap();
        assert!(listener(at, Protocol::Tcp).unwrap());
        assert!(!listener(at, Protocol::Udp).unwrap());
        drop(socket);
        assert!(!listener(at, Protocol::Tcp).unwrap());
    }
}
