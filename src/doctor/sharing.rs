//! The check for two servers at one address and port.
//!
//! The kernel shares out the queries of a port between its sockets (`SO_REUSEPORT`). A server has several, one for each
//! thread or process; a second server by mistake gets a part of the queries, too.

use std::collections::BTreeMap;

use super::facts::{Facts, HolderFact, Known, SharedFact, known};
use super::finding::{Examined, Id};
use crate::text::{foreign, joined};

/// The init process, parent of every daemon.
const INIT: i32 = 1;

/// Programs whose instances share a port on purpose.
const SHARERS: [&str; 1] = ["kresd"];

pub(super) fn servers(facts: &Facts) -> Known<Examined> {
    let mut examined = Examined::default();
    // The places of the same servers.
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for shared in known(&facts.shared)? {
        let servers = apart(shared);
        let place = format!("{} over {}", shared.at, shared.protocol.to_string().to_uppercase());
        if servers.len() > 1 {
            let named = servers.iter().map(|pid_and_name| {
                let (pid, name) = pid_and_name;
                format!("process {pid} ({})", foreign(name))
            });
            found.entry(joined(named, " and ")).or_default().push(place);
        } else if shared.unseen > 0 {
            examined.skip("only root sees the processes of the sockets that share a port; run this as root");
        }
    }
    for (servers, places) in found {
        examined.find(
            Id::TwoServers,
            format!("several servers share {}: {servers}; each gets a part of the queries", joined(places, ", ")),
            "end the one that should not run (`dnsherald backend status` names the process of the backend), or let each \
             listen at its own addresses",
        );
    }
    Ok(examined)
}

/// The first process of each server.
fn apart(shared: &SharedFact) -> Vec<(i32, &str)> {
    let mut servers: Vec<Vec<&HolderFact>> = vec![];
    for holder in &shared.holders {
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

/// Whether two processes are of one server.
fn are_one(one: &HolderFact, other: &HolderFact) -> bool {
    let is_parent =
        |parent: &HolderFact, child: &HolderFact| parent.pid != INIT && child.parent == parent.pid;
    let is_unit = one.unit.is_some() && one.unit == other.unit;
    is_unit
        || is_parent(one, other)
        || is_parent(other, one)
        || one.inodes.iter().any(|inode| other.inodes.contains(inode))
        || (one.name == other.name && SHARERS.contains(&one.name.as_str()))
}
