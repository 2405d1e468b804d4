//! The check for two servers at one address and port.

use super::facts::{Facts, Known, known};
use super::finding::{Examined, Id};
use crate::backend::sharing::several_servers;

pub(super) fn servers(facts: &Facts) -> Known<Examined> {
    known(&facts.network)?;
    let mut examined = Examined::default();
    let shared = known(&facts.shared)?;
    if shared.iter().any(|shared| shared.unseen > 0 && shared.servers().len() < 2) {
        examined.skip("only root sees the processes of the sockets that share a port; run this as root");
    }
    for sentence in several_servers(shared) {
        examined.find(
            Id::TwoServers,
            sentence,
            "end the one that should not run (`dnsherald backend status` names the process of the backend), or let each \
             listen at its own addresses",
        );
    }
    Ok(examined)
}
