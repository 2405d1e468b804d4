//! Several servers at one address and port by mistake.
//!
//! The kernel shares out the queries of a port between its sockets (`SO_REUSEPORT`). A server has several, one for each
//! thread or process; a second server by mistake gets a part of the queries, too. Only root sees the processes of other
//! users' sockets; what cannot be seen is no second server.

use std::fs;
use std::net::SocketAddr;

use nix::unistd::{Pid, getpid};

use super::listeners::{Listener, held};
use crate::netlink::sockets::Protocol;
use crate::process::cgroup::Membership;
use crate::sys::procfs::ProcStat;
use crate::text::{foreign, joined};

/// The init process, parent of every daemon.
const INIT: i32 = 1;

/// Programs whose instances share a port on purpose.
const SHARERS: [&str; 1] = ["kresd"];

/// A process that holds sockets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Holder {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    /// The name of its program.
    pub(crate) name: String,
    /// The unit that it belongs to, unless this process does, too.
    pub(crate) unit: Option<String>,
    /// Its sockets.
    pub(crate) inodes: Vec<u64>,
}

/// The processes with sockets at one address and port.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) at: SocketAddr,
    pub(crate) protocol: Protocol,
    /// Those that this user can see.
    pub(crate) holders: Vec<Holder>,
    /// The sockets whose process this user cannot see.
    pub(crate) unseen: usize,
}

impl Shared {
    /// The first process of each server, with its name.
    pub(crate) fn servers(&self) -> Vec<(i32, &str)> {
        let mut servers: Vec<Vec<&Holder>> = vec![];
        for holder in &self.holders {
            let (of_one, mut others): (Vec<_>, Vec<_>) = std::mem::take(&mut servers)
                .into_iter()
                .partition(|server| server.iter().any(|other| are_one(holder, other)));
            others.push(of_one.into_iter().flatten().chain([holder]).collect());
            servers = others;
        }
        let mut servers: Vec<_> = servers
            .iter()
            .filter_map(|server| server.iter().min_by_key(|holder| holder.pid))
            .map(|first| (first.pid, first.name.as_str()))
            .collect();
        servers.sort_unstable();
        servers
    }
}

/// Whether two processes are of one server.
fn are_one(one: &Holder, other: &Holder) -> bool {
    let is_parent = |parent: &Holder, child: &Holder| parent.pid != INIT && child.parent == parent.pid;
    let is_unit = one.unit.is_some() && one.unit == other.unit;
    is_unit
        || is_parent(one, other)
        || is_parent(other, one)
        || one.inodes.iter().any(|inode| other.inodes.contains(inode))
        || (one.name == other.name && SHARERS.contains(&one.name.as_str()))
}

/// The addresses among these listeners with several sockets, and the processes that hold them.
pub(crate) fn shared(mut listeners: Vec<Listener>) -> Vec<Shared> {
    listeners.retain(|listener| listener.inodes.len() > 1);
    // One look at all processes.
    let inodes: Vec<_> = listeners.iter().flat_map(|listener| listener.inodes.iter().copied()).collect();
    if inodes.is_empty() {
        return vec![];
    }
    let own_unit = unit_of(getpid().as_raw());
    let holders: Vec<_> =
        held(&inodes).into_iter().map(|(pid, inodes)| holder(pid, inodes, own_unit.as_deref())).collect();
    let of_one = |listener: Listener| {
        let here = |inode: &u64| listener.inodes.contains(inode);
        let of_holder = |holder: &Holder| {
            let inodes: Vec<_> = holder.inodes.iter().copied().filter(here).collect();
            (!inodes.is_empty()).then(|| Holder { inodes, ..holder.clone() })
        };
        let holders: Vec<_> = holders.iter().filter_map(of_holder).collect();
        let is_seen = |inode: &u64| holders.iter().any(|holder| holder.inodes.contains(inode));
        let unseen = listener.inodes.iter().filter(|inode| !is_seen(inode)).count();
        Shared { at: listener.address, protocol: listener.transport, holders, unseen }
    };
    listeners.into_iter().map(of_one).collect()
}

fn holder(pid: i32, inodes: Vec<u64>, own_unit: Option<&str>) -> Holder {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned();
    let parent = ProcStat::read(Pid::from_raw(pid)).map_or(0, |stat| stat.parent.as_raw());
    let unit = unit_of(pid).filter(|unit| Some(unit.as_str()) != own_unit);
    Holder { pid, parent, name, unit, inodes }
}

fn unit_of(pid: i32) -> Option<String> {
    Membership::from_pid(pid).system_service().map(str::to_owned)
}

/// A sentence for each group of servers that share addresses, with those addresses.
pub(crate) fn several_servers<'a>(shared: impl IntoIterator<Item = &'a Shared>) -> Vec<String> {
    // The places of the same servers.
    let mut found: Vec<(String, Vec<String>)> = vec![];
    for shared in shared {
        let servers = shared.servers();
        let place = format!("{} over {}", shared.at, shared.protocol.to_string().to_uppercase());
        if servers.len() > 1 {
            let named = servers.iter().map(|(pid, name)| format!("process {pid} ({})", foreign(name)));
            let servers = joined(named, " and ");
            match found.iter_mut().find(|(known, _)| *known == servers) {
                Some((_, places)) => places.push(place),
                None => found.push((servers, vec![place])),
            }
        }
    }
    let sentence = |(servers, places): (String, Vec<String>)| {
        format!("several servers share {}: {servers}; each gets a part of the queries", joined(places, ", "))
    };
    found.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::backend::listeners::on_port;

    #[test]
    fn a_socket_names_its_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let inodes: Vec<_> = on_port(at.port()).into_iter().flat_map(|listener| listener.inodes).collect();
        let found = held(&inodes);
        assert_eq!(found, [(getpid().as_raw(), inodes.clone())]);
        let fact = holder(getpid().as_raw(), inodes, None);
        assert!(!fact.name.is_empty() && fact.parent > 0, "{fact:?}");
    }
}
