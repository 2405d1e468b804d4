//! Sockets that receive packets for an address and port: `sock_diag` (`linux/inet_diag.h`).
//!
//! It lists the sockets of this network namespace, of all users. `/proc/net/udp` has the same content, but reading it
//! takes the kernel tens of milliseconds if a resolver has thousands of sockets.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use rustix::net::{AddressFamily, netlink};
use serde::{Deserialize, Serialize};

use super::connection::{Connection, Wanted};
use super::message::{DUMP, array, find};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;

/// `TCP_ESTABLISHED`, which is also the state of a connected UDP socket.
const CONNECTED: u8 = 1;

/// `TCP_LISTEN`.
const LISTEN: u8 = 10;

/// The same, as a bit in a set of states.
const LISTENING: u32 = 1 << LISTEN;

/// `INET_DIAG_SKMEMINFO`: nine numbers of the memory of a socket.
const MEMORY: u16 = 7;

/// Index of the dropped datagrams among them (`SK_MEMINFO_DROPS`).
const DROPS: usize = 8;

/// `INET_DIAG_SKV6ONLY`: whether an IPv6 socket takes no IPv4.
const V6_ONLY: u16 = 11;

/// Size of `struct inet_diag_msg`, which attributes follow.
const ATTRIBUTES: usize = 72;

/// How often an interrupted dump is tried.
const ATTEMPTS: usize = 3;

/// The protocol of a socket.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
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

impl FromStr for Protocol {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "udp" => Ok(Self::Udp),
            "tcp" => Ok(Self::Tcp),
            _ => Err(format!("`{word}` is not a protocol of sockets, expected udp or tcp")),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

/// A UDP socket without a peer, or a TCP socket that listens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Socket {
    /// Unspecified for all addresses of its family.
    pub(crate) address: IpAddr,
    /// Whether a socket for all IPv6 addresses takes no IPv4.
    pub(crate) v6_only: bool,
    /// Its inode, by which `/proc/PID/fd` names it.
    pub(crate) inode: u64,
    /// A number that no other socket gets before the next boot; 0 if it is not known.
    pub(crate) cookie: u64,
    /// The unread data: octets over UDP, with the memory that the kernel counts for them; connections over TCP.
    pub(crate) queue: u32,
    /// The number of connections that may wait over TCP (`listen(2)`); `None` over UDP.
    pub(crate) backlog: Option<u32>,
    /// Datagrams or connections dropped since it was opened. Wraps. The kernel counts each SYN that it does not answer, for
    /// lack of room or, for example, of a route to the client.
    pub(crate) drops: u32,
}

impl Socket {
    /// Whether it receives packets for this address, unless a socket for this very address does.
    pub(crate) fn covers(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(_)) => !self.v6_only,
            (IpAddr::V6(bound), IpAddr::V4(address)) => bound.to_ipv4_mapped() == Some(address),
            (bound, address) => {
                bound == address || (bound.is_unspecified() && bound.is_ipv4() == address.is_ipv4())
            }
        }
    }

    /// Whether it is bound to this very address.
    pub(crate) fn is_bound_to(&self, address: IpAddr) -> bool {
        self.address == address || self.address.to_canonical() == address
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
        let mut found = false;
        dump(&mut None, *family, at.port(), protocol, |socket| {
            found |= socket.covers(at.ip());
            if found { Wanted::NoMore } else { Wanted::More }
        })?;
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the kernel has IPv6.
fn has_v6() -> bool {
    std::path::Path::new("/proc/self/net/if_inet6").exists()
}

/// Passes each socket of this family and local port to `read`, until all are read or it wants no more. An interrupted
/// dump starts again, and `read` may get a socket more than once. Uses the connection in `kept`, and keeps it there
/// if it stays usable. A kernel without IPv6 has no sockets of that family.
///
/// # Errors
/// Returns an error if the kernel cannot be asked, answers with what is no socket, or changes its tables continuously.
pub(super) fn dump(
    kept: &mut Option<Connection>,
    family: AddressFamily,
    port: u16,
    protocol: Protocol,
    mut read: impl FnMut(Socket) -> Wanted,
) -> io::Result<()> {
    let mut attempt = 1;
    loop {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(Some(netlink::SOCK_DIAG))?,
        };
        let mut is_over = false;
        let answered = connection.ask(BY_FAMILY, DUMP, &body(family, port, protocol), |kind, octets| {
            if kind == BY_FAMILY
                && let Some(socket) = decode(octets, family, port)?
            {
                is_over = read(socket) == Wanted::NoMore;
            }
            Ok(if is_over { Wanted::NoMore } else { Wanted::More })
        });
        match answered {
            Ok(()) => {
                *kept = Some(connection).filter(|_| !is_over);
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted && attempt < ATTEMPTS => attempt += 1,
            Err(_) if family == AddressFamily::INET6 && !has_v6() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Builds `struct inet_diag_req_v2`: all sockets of this family and local port, with their memory.
fn body(family: AddressFamily, port: u16, protocol: Protocol) -> Vec<u8> {
    let family = u8::try_from(family.as_raw()).unwrap_or_default();
    let mut octets = vec![family, protocol.number(), 1 << (MEMORY - 1), 0];
    octets.extend(protocol.states().to_ne_bytes());
    octets.extend(port.to_be_bytes());
    // The remaining fields of `struct inet_diag_sockid` stay zero.
    octets.resize(56, 0);
    octets
}

/// Reads a `struct inet_diag_msg` and its attributes; `None` for a socket with a peer, or of another port.
///
/// # Errors
/// `InvalidData` if it is too short.
fn decode(octets: &[u8], family: AddressFamily, port: u16) -> io::Result<Option<Socket>> {
    let read = || {
        let attributes = octets.get(ATTRIBUTES..)?;
        let [state] = array(octets, 1)?;
        let [local, peer] = [u16::from_be_bytes(array(octets, 4)?), u16::from_be_bytes(array(octets, 6)?)];
        if state == CONNECTED || peer != 0 || local != port {
            return Some(None);
        }
        let address = if family == AddressFamily::INET {
            IpAddr::from(array::<4>(octets, 8)?)
        } else {
            IpAddr::from(array::<16>(octets, 8)?)
        };
        let number = |place| array(octets, place).map(u32::from_ne_bytes);
        let memory = find(attributes, MEMORY);
        Some(Some(Socket {
            address,
            v6_only: find(attributes, V6_ONLY).is_some_and(|value| value.first() == Some(&1)),
            inode: number(68)?.into(),
            cookie: u64::from(number(44)?) | u64::from(number(48)?) << 32,
            queue: number(56)?,
            backlog: if state == LISTEN { Some(number(60)?) } else { None },
            drops: memory.and_then(|memory| array(memory, DROPS * 4)).map_or(0, u32::from_ne_bytes),
        }))
    };
    read().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn encodes_a_request() {
        let expected =
            [vec![2, 17, 64, 0], u32::MAX.to_ne_bytes().to_vec(), vec![0, 53], vec![0; 46]].concat();
        assert_eq!(body(AddressFamily::INET, 53, Protocol::Udp), expected);
        let expected =
            [vec![10, 6, 64, 0], 0x400_u32.to_ne_bytes().to_vec(), vec![20, 0xe9], vec![0; 46]].concat();
        assert_eq!(body(AddressFamily::INET6, 5353, Protocol::Tcp), expected);
    }

    /// A `struct inet_diag_msg`.
    fn message(state: u8, port: u16, peer: u16, address: &str) -> Vec<u8> {
        let mut octets = vec![2, state, 0, 0];
        octets.extend(port.to_be_bytes());
        octets.extend(peer.to_be_bytes());
        match address.parse().unwrap() {
            IpAddr::V4(address) => octets.extend(address.octets()),
            IpAddr::V6(address) => octets.extend(address.octets()),
        }
        octets.resize(ATTRIBUTES, 0);
        octets
    }

    #[test]
    fn decodes_a_socket() {
        let at: SocketAddr = "192.0.2.53:53".parse().unwrap();
        let receives = |octets: &[u8], family, at: SocketAddr| {
            decode(octets, family, at.port()).unwrap().is_some_and(|socket| socket.covers(at.ip()))
        };
        let v4 = |octets: &[u8]| receives(octets, AddressFamily::INET, at);
        assert!(v4(&message(7, 53, 0, "192.0.2.53")));
        assert!(v4(&message(7, 53, 0, "0.0.0.0")));
        assert!(!v4(&message(7, 53, 0, "192.0.2.54")));
        assert!(!v4(&message(7, 54, 0, "192.0.2.53")));
        assert!(!v4(&message(1, 53, 4000, "192.0.2.53")), "connected");
        let cut_short = &message(7, 53, 0, "192.0.2.53")[..ATTRIBUTES - 1];
        let error = decode(cut_short, AddressFamily::INET, 53).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let dual = message(7, 53, 0, "::");
        let only = [dual.clone(), super::super::message::attribute(V6_ONLY, &[1])].concat();
        assert!(receives(&dual, AddressFamily::INET6, at));
        assert!(!receives(&only, AddressFamily::INET6, at));
        assert!(receives(&only, AddressFamily::INET6, "[2001:db8::53]:53".parse().unwrap()));
        assert!(receives(&message(7, 53, 0, "::ffff:192.0.2.53"), AddressFamily::INET6, at));
    }

    #[test]
    fn decodes_the_queue_of_a_socket() {
        let mut octets = message(7, 53, 0, "192.0.2.53");
        octets[44..48].copy_from_slice(&5_u32.to_ne_bytes());
        octets[48..52].copy_from_slice(&1_u32.to_ne_bytes());
        octets[56..60].copy_from_slice(&832_u32.to_ne_bytes());
        octets[60..64].copy_from_slice(&256_u32.to_ne_bytes());
        octets[68..72].copy_from_slice(&77_u32.to_ne_bytes());
        let memory: Vec<u8> = (1..=9_u32).flat_map(u32::to_ne_bytes).collect();
        octets.extend(super::super::message::attribute(MEMORY, &memory));
        let socket = decode(&octets, AddressFamily::INET, 53).unwrap().unwrap();
        let numbers = (socket.inode, socket.cookie, socket.queue, socket.drops);
        assert_eq!(numbers, (77, 5 | 1 << 32, 832, 9));
        assert_eq!(socket.backlog, None, "these are octets that wait to be sent");
        octets[1] = LISTEN;
        let socket = decode(&octets, AddressFamily::INET, 53).unwrap().unwrap();
        assert_eq!(socket.backlog, Some(256));
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
