//! Reads the listeners on a port from `/proc/self/net` of this network namespace, which every user can read.
//!
//! `/proc/net` does not show the process of a socket: only the server's user and root can see it. Several sockets on one
//! address are a group that shares the port, or two servers by mistake.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use nix::unistd::Pid;
use serde::Serialize;

use crate::netlink::proc_net;
use crate::netlink::sockets::{Protocol, Socket};
use crate::sys::procfs::all_pids;
use crate::text::ordered;

/// The port of DNS.
pub(crate) const PORT: u16 = 53;

/// The sockets of one address and transport.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Listener {
    /// The address; unspecified for all addresses of a family. `::` may be for IPv4 as well, which is not known here.
    pub(crate) address: SocketAddr,
    /// UDP or TCP.
    pub(crate) transport: Protocol,
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
pub(crate) fn on_port(port: u16) -> Vec<Listener> {
    let read = |transport| {
        let mut sockets = vec![];
        // A table that cannot be read shows no listeners.
        let _ = proc_net::sockets(port, transport, |socket| sockets.push(socket));
        grouped(&sockets, transport, port)
    };
    let mut listeners: Vec<_> = [Protocol::Udp, Protocol::Tcp].into_iter().flat_map(read).collect();
    listeners.sort_by_key(|listener| (listener.address, listener.transport == Protocol::Tcp));
    listeners
}

/// The processes with any of these sockets that this user may see: root sees all, other users their own.
pub(crate) fn holders(inodes: &[u64]) -> Vec<i32> {
    held(inodes).into_iter().map(|(pid, _)| pid).collect()
}

/// The same, each with the sockets that it holds.
pub(crate) fn held(inodes: &[u64]) -> Vec<(i32, Vec<u64>)> {
    let links: HashMap<_, _> =
        inodes.iter().map(|inode| (PathBuf::from(format!("socket:[{inode}]")), *inode)).collect();
    let of_process = |pid: Pid| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let own = descriptors.filter_map(|entry| links.get(&fs::read_link(entry.path()).ok()?).copied());
        let own: BTreeSet<_> = ordered(own);
        (!own.is_empty()).then(|| (pid.as_raw(), own.into_iter().collect()))
    };
    all_pids().into_iter().filter_map(of_process).collect()
}

/// The sockets by their address.
fn grouped(sockets: &[Socket], transport: Protocol, port: u16) -> Vec<Listener> {
    let mut found: BTreeMap<SocketAddr, Listener> = BTreeMap::new();
    for socket in sockets {
        let address = SocketAddr::new(socket.address, port);
        let none = Listener { address, transport, sockets: 0, waiting: 0, drops: 0, inodes: vec![] };
        let listener = found.entry(address).or_insert(none);
        listener.sockets += 1;
        listener.waiting += u64::from(socket.queue);
        listener.drops += u64::from(socket.drops);
        listener.inodes.push(socket.inode);
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_share_an_address_are_counted() {
        let socket = |address: &str, queue, drops, inode| Socket {
            backlog: None,
            address: address.parse().unwrap(),
            v6_only: false,
            inode,
            cookie: 0,
            queue,
            drops,
        };
        let sockets =
            [socket("127.0.5.1", 0, 0, 1), socket("127.0.5.4", 0x34000, 3, 2), socket("127.0.5.4", 0, 2, 3)];
        let all = grouped(&sockets, Protocol::Udp, PORT);
        let shown: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.5.1:53 udp", "127.0.5.4:53 udp ×2, 5 dropped"]);
        assert_eq!((all[1].waiting, &all[1].inodes), (0x34000, &vec![2, 3]));
        let wildcard = grouped(&[socket("::", 0, 0, 4)], Protocol::Tcp, PORT);
        assert_eq!(wildcard[0].to_string(), "[::]:53 tcp");
    }
}
