//! NSD.
//!
//! `nsd-checkconf` exits with 2, sees syntax only, and even accepts the address 127.0.5.300. A reload takes two steps:
//! `reconfig` reads the configuration, `reload` the zone files. Both exit with 0 whatever they find; what went wrong is
//! in the text. When only a child of the server hangs, `status` still answers, but `stats_noreset` does not.

use super::{Access, Ask, Driver, Ended, Facts, Reload, Role, number_of};

/// The driver.
#[derive(Debug)]
pub(super) struct Nsd;

const FACTS: Facts = Facts {
    name: "NSD",
    package: "nsd",
    unit: Some("nsd.service"),
    config_file: Some("/etc/nsd/nsd.conf"),
    folders: &["/etc/nsd"],
    names: &["*.conf"],
    // Debian starts it with `-P ""`: it writes none.
    pid_file: None,
    roles: &[Role::Authoritative],
    check: &["nsd-checkconf", "{config-file}"],
    unseen: "zone files (nsd-checkzone ZONE FILE), impossible addresses, missing folders: it checks syntax only",
    reload: &[
        Reload { first: &["nsd-control", "-c", "{config-file}", "reconfig"], otherwise: &[] },
        Reload { first: &["nsd-control", "-c", "{config-file}", "reload"], otherwise: &[] },
    ],
    no_reload: "",
    status: Ask::Program(&["nsd-control", "-c", "{config-file}", "status"]),
    version: Ask::Program(&["nsd-control", "-c", "{config-file}", "status"]),
    counters: Ask::Program(&["nsd-control", "-c", "{config-file}", "stats_noreset"]),
    zone_list: Ask::Program(&["nsd-control", "-c", "{config-file}", "zonestatus"]),
    no_counters: "",
    stopped: &[3],
    always_on: false,
    access: Access {
        group: Some("nsd"),
        what: "the control socket and the keys /etc/nsd/nsd_*.key",
        for_owner: false,
        enable: "remote-control:\n    control-enable: yes\n    control-interface: /run/nsd/nsd.ctl",
    },
};

impl Driver for Nsd {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn is_reloaded(&self, ended: &Ended) -> bool {
        ended.succeeded() && !ended.says("error") && !ended.says("could not")
    }

    fn read_zones(&self, text: &str) -> Vec<String> {
        let names = text.lines().filter_map(|line| line.strip_prefix("zone:"));
        names.map(|name| name.trim().to_owned()).collect()
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        number_of(text, "num.queries")
    }
}
