//! Several servers at one address by mistake: the kernel gives each of them some of the queries.
//!
//! The processes of one server descend from its main process, or from each other. Only root sees the processes of other
//! users' sockets; what cannot be seen is no finding.

use std::collections::BTreeMap;
use std::fs;

use nix::unistd::Pid;

use super::listeners::Listener;
use crate::process::handle::ProcessHandle;
use crate::sys::procfs::{ProcStat, all_pids};
use crate::text::joined;

/// The most generations between the server's main process and its children.
const MAX_GENERATIONS: usize = 8;

/// The first process of the host, or of the container, holds sockets for others.
const INIT: i32 = 1;

/// A sentence for each group of servers that share addresses. `main` is the main process of the backend, if it is known.
#[must_use]
pub(crate) fn several_servers(listeners: &[Listener], main: Option<&ProcessHandle>) -> Vec<String> {
    let shared: Vec<_> = listeners.iter().filter(|listener| listener.sockets > 1).collect();
    let inodes: Vec<_> = shared.iter().flat_map(|listener| &listener.inodes).copied().collect();
    if inodes.is_empty() {
        return vec![];
    }
    let holders = holders_by_inode(&inodes);
    let mut found: BTreeMap<Vec<i32>, Vec<String>> = BTreeMap::new();
    for listener in shared {
        let mut pids: Vec<_> =
            listener.inodes.iter().filter_map(|inode| holders.get(inode)).flatten().copied().collect();
        pids.sort_unstable();
        pids.dedup();
        let servers = servers(&pids, main.map(|main| main.pid), parent);
        if servers.len() > 1 {
            found.entry(servers).or_default().push(format!("{} {}", listener.address, listener.transport));
        }
    }
    found.iter().map(|(servers, addresses)| sentence(servers, addresses)).collect()
}

fn sentence(servers: &[i32], addresses: &[String]) -> String {
    let shown = |pid: &i32| {
        ProcessHandle::open(*pid).map_or_else(|_| format!("process {pid}"), |held| held.to_string())
    };
    format!(
        "{} servers at {}: {}; each gets some of the queries: end the wrong one",
        servers.len(),
        addresses.join(", "),
        joined(servers.iter().map(shown), ", ")
    )
}

/// One process of each server among the holders of sockets: the main process stands for those that descend from it.
fn servers(pids: &[i32], main: Option<i32>, parent: impl Fn(i32) -> Option<i32>) -> Vec<i32> {
    let descends = |pid: i32, from: i32| is_descendant(pid, from, &parent);
    let mut servers: Vec<i32> = vec![];
    for pid in pids.iter().copied().filter(|pid| *pid != INIT) {
        let is_child = pids.iter().any(|other| *other != pid && *other != INIT && descends(pid, *other));
        let server = match main {
            Some(main) if descends(pid, main) => main,
            _ if is_child => continue,
            // Workers of a manager that holds no socket itself.
            _ => parent(pid).filter(|parent| *parent != INIT && main.is_none()).unwrap_or(pid),
        };
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers.sort_unstable();
    servers
}

/// Whether this is the main process or descends from it.
pub(crate) fn is_of(pid: i32, main: &ProcessHandle) -> bool {
    is_descendant(pid, main.pid, &parent)
}

fn is_descendant(pid: i32, of: i32, parent: &impl Fn(i32) -> Option<i32>) -> bool {
    std::iter::successors(Some(pid), |pid| parent(*pid)).take(MAX_GENERATIONS).any(|ancestor| ancestor == of)
}

fn parent(pid: i32) -> Option<i32> {
    ProcStat::read(Pid::from_raw(pid)).map(|process| process.parent.as_raw())
}

/// The processes with each of these sockets, as far as this user may see them.
fn holders_by_inode(inodes: &[u64]) -> BTreeMap<u64, Vec<i32>> {
    let mut holders: BTreeMap<u64, Vec<i32>> = BTreeMap::new();
    for pid in all_pids().into_iter().map(Pid::as_raw) {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        for link in descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()) {
            let inode =
                link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            if let Some(inode) = inode.filter(|inode| inodes.contains(inode)) {
                holders.entry(inode).or_default().push(pid);
            }
        }
    }
    holders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::listeners::on_port;

    /// Two servers, 10 with the workers 11 and 12, and 20; 31 and 32 are workers of the manager 30.
    fn parents(pid: i32) -> Option<i32> {
        match pid {
            11 | 12 => Some(10),
            31 | 32 => Some(30),
            10 | 20 | 30 => Some(INIT),
            _ => None,
        }
    }

    #[test]
    fn the_processes_of_one_server_are_one() {
        let servers = |pids: &[i32], main| servers(pids, main, parents);
        assert_eq!(servers(&[10, 11, 12], None), [10]);
        assert_eq!(servers(&[11, 12], Some(10)), [10]);
        assert_eq!(servers(&[31, 32], None), [30], "the manager holds no socket");
        assert_eq!(servers(&[INIT, 20], None), [20], "systemd holds the socket, too");
        assert_eq!(servers(&[10, 11, 20], None), [10, 20]);
        assert_eq!(servers(&[11, 20], Some(10)), [10, 20]);
        assert_eq!(servers(&[20], Some(10)), [20]);
        assert_eq!(servers(&[], Some(10)), [0; 0]);
    }

    #[test]
    fn the_sentence_names_the_addresses_and_the_processes() {
        let us = i32::try_from(std::process::id()).unwrap();
        let text = sentence(&[us, 0], &["192.0.2.53:53 udp".to_owned(), "192.0.2.53:53 tcp".to_owned()]);
        assert!(
            text.starts_with(&format!("2 servers at 192.0.2.53:53 udp, 192.0.2.53:53 tcp: process {us} (")),
            "{text}"
        );
        assert!(text.ends_with(", process 0; each gets some of the queries: end the wrong one"), "{text}");
    }

    #[test]
    fn sockets_of_one_process_are_no_second_server() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut listeners = on_port(socket.local_addr().unwrap().port());
        let us = i32::try_from(std::process::id()).unwrap();
        assert_eq!(holders_by_inode(&listeners[0].inodes)[&listeners[0].inodes[0]], [us]);
        listeners[0].sockets = 2;
        assert_eq!(several_servers(&listeners, None), [""; 0]);
    }
}
