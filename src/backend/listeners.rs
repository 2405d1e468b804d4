//! Reads the listeners on port 53 from `/proc/net` of this network namespace, which every user can read.
//!
//! `/proc/net` does not show the process of a socket: only the server's user and root can see it. Several sockets on one
//! address are a group that shares the port, or two servers by mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use nix::unistd::Pid;
use serde::Serialize;

use crate::probe::dns::Transport;
use crate::sys::procfs::all_pids;

/// The port of DNS.
pub(crate) const PORT: u16 = 53;

/// The sockets of one address and transport.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Listener {
    /// The address; unspecified for all addresses of a family.
    pub(crate) address: SocketAddr,
    /// UDP or TCP.
    pub(crate) transport: Transport,
    /// The number of sockets with this address.
    pub(crate) sockets: usize,
    /// The receive queue: octets over UDP, connections over TCP. If it stays above zero, the server hangs.
    pub(crate) waiting: u64,
    /// The datagrams dropped since the sockets were opened.
    pub(crate) drops: u64,
    /// The inodes of the sockets, by which `/proc/PID/fd` names them.
    #[serde(skip)]
    pub(crate) inodes: Vec<u64>,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.address, self.transport)?;
        if self.sockets > 1 {
            write!(f, " ×{}", self.sockets)?;
        }
        if self.drops > 0 {
            write!(f, ", {} dropped", self.drops)?;
        }
        Ok(())
    }
}

/// All listeners on this port, by address.
#[must_use]
pub(crate) fn on_port(port: u16) -> Vec<Listener> {
    let tables = [
        ("udp", Transport::Udp),
        ("udp6", Transport::Udp),
        ("tcp", Transport::Tcp),
        ("tcp6", Transport::Tcp),
    ];
    let read = |(name, transport)| {
        parse(&fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default(), transport, port)
    };
    let mut listeners: Vec<_> = tables.into_iter().flat_map(read).collect();
    listeners.sort_by_key(|listener| (listener.address, listener.transport == Transport::Tcp));
    listeners
}

/// The processes with any of these sockets that this user may see: root sees all, other users their own.
#[must_use]
pub(crate) fn holders(inodes: &[u64]) -> Vec<i32> {
    let links: Vec<_> = inodes.iter().map(|inode| PathBuf::from(format!("socket:[{inode}]"))).collect();
    let holds = |pid: &i32| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|link| links.contains(&link))
    };
    all_pids().into_iter().map(Pid::as_raw).filter(holds).collect()
}

/// The listeners in one table: `/proc/net/udp`, `udp6`, `tcp` or `tcp6`.
fn parse(table: &str, transport: Transport, port: u16) -> Vec<Listener> {
    let mut found: BTreeMap<SocketAddr, Listener> = BTreeMap::new();
    for fields in table.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>()) {
        let Some(Socket { address, waiting, drops, inode }) = socket(&fields, transport) else { continue };
        if address.port() != port {
            continue;
        }
        let none = Listener { address, transport, sockets: 0, waiting: 0, drops: 0, inodes: vec![] };
        let listener = found.entry(address).or_insert(none);
        listener.sockets += 1;
        listener.waiting += waiting;
        listener.drops += drops;
        listener.inodes.push(inode);
    }
    found.into_values().collect()
}

/// A listening socket.
struct Socket {
    address: SocketAddr,
    waiting: u64,
    drops: u64,
    inode: u64,
}

/// Parses one line of a table; `None` if the socket does not listen.
fn socket(fields: &[&str], transport: Transport) -> Option<Socket> {
    // TCP_LISTEN, or TCP_CLOSE, which is the state of a UDP socket without a peer.
    let listening = if transport == Transport::Tcp { "0A" } else { "07" };
    if *fields.get(3)? != listening {
        return None;
    }
    let (_, waiting) = fields.get(4)?.split_once(':')?;
    let drops = if transport == Transport::Udp { fields.last()?.parse().ok()? } else { 0 };
    Some(Socket {
        address: address(fields.get(1)?)?,
        waiting: u64::from_str_radix(waiting, 16).ok()?,
        drops,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// `0105007F:0035`: words of 32 bits in host byte order.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if !address.is_ascii() || address.len() % 8 != 0 {
        return None;
    }
    let words = address.as_bytes().chunks(8).map(|word| {
        let word = u32::from_str_radix(str::from_utf8(word).ok()?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let octets = words.collect::<Option<Vec<_>>>()?.concat();
    let address: IpAddr = match octets.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1544: 0105007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7464561 2 00000000998cbefb 0
 1544: 0405007F:0035 00000000:0000 07 00000000:00034000 00:00000000 00000000     0        0 7465457 2 0000000014840102 3
 1544: 0405007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7465456 2 0000000014eed562 2
 5038: 0100007F:CDDB 0105007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 7464856 2 00000000667edd28 0
";
    const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 7464562 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:14E7 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7464563 1 0000000000000000 100 0 0 10 0
";

    #[test]
    fn sockets_that_share_an_address_are_counted() {
        let shown: Vec<_> = parse(UDP, Transport::Udp, PORT).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.5.1:53 udp", "127.0.5.4:53 udp ×2, 5 dropped"]);
        let shared = parse(UDP, Transport::Udp, PORT).remove(1);
        assert_eq!((shared.waiting, shared.inodes), (0x34000, vec![7465457, 7465456]));
    }

    #[test]
    fn who_listens_everywhere_is_seen_too() {
        let listeners = parse(TCP6, Transport::Tcp, PORT);
        assert_eq!((listeners.len(), listeners[0].waiting), (1, 2));
        assert_eq!(listeners[0].to_string(), "[::]:53 tcp");
        assert_eq!(parse(TCP6, Transport::Tcp, 5351)[0].address.to_string(), "[::1]:5351");
    }

    #[test]
    fn nonsense_is_no_listener() {
        for line in ["", "x", "0: 0105007F 0 07 0:0", "0: é105007F:0035 0 07 0:0 0", "0: 01:0035 0 0A 0:0"] {
            assert_eq!(parse(&format!("head\n{line}\n"), Transport::Tcp, PORT), []);
        }
    }
}
