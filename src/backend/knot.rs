//! Knot DNS.
//!
//! `knotc conf-check` does not read zone files, and `knotc reload` exits with 0 when a zone among them is broken.
//! Queries are counted by `mod-stats` only, which has to be loaded. `knotc` waits a minute for a hung server.

use super::{Access, Ask, Driver, Facts, Reload, Role, number_of};

/// The driver.
#[derive(Debug)]
pub(super) struct Knot;

const FACTS: Facts = Facts {
    name: "Knot DNS",
    package: "knot",
    unit: Some("knot.service"),
    config_file: Some("/etc/knot/knot.conf"),
    folders: &["/etc/knot"],
    names: &["*.conf"],
    pid_file: None,
    roles: &[Role::Authoritative],
    check: &["knotc", "-c", "{config-file}", "conf-check"],
    unseen: "zone files (knotc zone-check), addresses that are not on this host",
    reload: &[Reload { first: &["knotc", "-c", "{config-file}", "reload"], otherwise: &[] }],
    no_reload: "",
    status: Ask::Program(&["knotc", "-c", "{config-file}", "status"]),
    version: Ask::Program(&["knotc", "-c", "{config-file}", "status", "version"]),
    counters: Ask::Program(&["knotc", "-c", "{config-file}", "stats", "mod-stats.server-operation"]),
    zone_list: Ask::Program(&["knotc", "-c", "{config-file}", "zone-status"]),
    no_counters: "let knotd count, in knot.conf, the first before `template`:\n\
                  mod-stats:\n  - id: custom\n    server-operation: on\n\
                  template:\n  - id: default\n    global-module: mod-stats/custom",
    stopped: &[],
    always_on: true,
    access: Access {
        group: Some("knot"),
        what: "the control socket /run/knot/knot.sock",
        for_owner: false,
        enable: "",
    },
};

impl Driver for Knot {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn read_zones(&self, text: &str) -> Vec<String> {
        let names = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once(']'));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        number_of(text, "mod-stats.server-operation[query]")
    }
}
