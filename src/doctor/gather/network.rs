//! The links of this host, and which helpers run in other network namespaces (containers, `ip netns`): what `doctor` sees of
//! addresses, ports, routes and servers is not what they see.

use std::io::ErrorKind;

use ipnet::IpNet;
use nix::unistd::{Pid, getpid};

use crate::doctor::facts::Known;
use crate::sys::interfaces::addresses;
use crate::sys::procfs::{all_pids, command_line, is_in_our_network};

/// The place of a process.
#[derive(Debug, Eq, PartialEq)]
enum Place {
    /// In our network namespace, or gone.
    Here,
    /// In another one.
    Elsewhere,
    /// This user may not see it.
    Unseen,
}

fn place(pid: Pid) -> Place {
    match is_in_our_network(pid) {
        Ok(true) => Place::Here,
        Ok(false) => Place::Elsewhere,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Place::Unseen,
        Err(_) => Place::Here,
    }
}

fn elsewhere(what: &str, pid: Pid) -> String {
    format!(
        "{what} (process {pid}) runs in another network namespace: run doctor there: nsenter -t {pid} -n dnsherald doctor"
    )
}

/// Whether we see the network of the helper that answers, else that of an ExaBGP with its file.
pub(super) fn is_seen(helper: Option<Pid>, exabgp: &[Pid]) -> Known<()> {
    match (helper, exabgp) {
        (Some(helper), _) if place(helper) == Place::Elsewhere => Err(elsewhere("helper", helper)),
        (None, [first, ..]) if exabgp.iter().all(|pid| place(*pid) == Place::Elsewhere) => {
            Err(elsewhere("ExaBGP", *first))
        }
        _ => Ok(()),
    }
}

/// A sentence for each helper that does or may run in another network namespace.
pub(super) fn helpers_elsewhere() -> Vec<String> {
    let helpers = all_pids().into_iter().filter(|pid| *pid != getpid() && is_helper(&command_line(*pid)));
    let sentences = helpers.filter_map(|pid| match place(pid) {
        Place::Here => None,
        Place::Elsewhere => Some(elsewhere("helper", pid)),
        Place::Unseen => Some(format!(
            "only root sees whether helper (process {pid}) runs in this network namespace, where doctor looks at addresses, \
             ports and routes; run this as root"
        )),
    });
    sentences.collect()
}

/// Whether this is the command line of a helper, without a wrapper.
fn is_helper(words: &[String]) -> bool {
    let [program, command, ..] = words else { return false };
    let name = program.rsplit('/').next().unwrap_or_default();
    name.starts_with("dnsherald") && ["run", "healthcheck"].contains(&command.as_str())
}

/// The networks of this host's interfaces. An address with the length of a host is in none.
pub(super) fn links() -> Vec<IpNet> {
    let networks = addresses().unwrap_or_default().into_iter().map(|(_, network)| network.trunc());
    networks.filter(|network| network.prefix_len() < network.max_prefix_len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_is_told_from_other_processes() {
        let is_it = |line: &str| is_helper(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(is_it("/usr/bin/dnsherald run -c /etc/d.toml") && is_it("dnsherald-0.2 healthcheck --cmd x"));
        for other in ["dnsherald status", "dnsherald", "sudo dnsherald run", "vi dnsherald run", ""] {
            assert!(!is_it(other), "{other}");
        }
    }

    #[test]
    fn a_process_that_is_gone_is_not_elsewhere() {
        let gone = Pid::from_raw(i32::MAX);
        assert_eq!((place(getpid()), place(gone)), (Place::Here, Place::Here));
        assert_eq!(is_seen(Some(getpid()), &[]), Ok(()));
        assert_eq!(is_seen(None, &[gone]), Ok(()));
    }
}
