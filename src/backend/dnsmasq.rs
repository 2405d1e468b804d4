//! dnsmasq.
//!
//! It has no control program. CHAOS queries to its addresses return version and counters, and serve as its
//! status. SIGHUP reads hosts and servers again, but not dnsmasq.conf: it has no reload.

use super::rate_limit::Source;
use super::{Access, Ask, Driver, Facts, Role};

#[derive(Debug)]
pub(super) struct Dnsmasq;

const FACTS: Facts = Facts {
    name: "dnsmasq",
    package: "dnsmasq-base",
    unit: Some("dnsmasq.service"),
    config_file: Some("/etc/dnsmasq.conf"),
    // No `directories`: other packages have files in /etc/dnsmasq.d.
    pid_file: Some("/run/dnsmasq/dnsmasq.pid"),
    roles: &[Role::Resolver],
    // As Debian starts it: the operator's files are in that directory.
    check: &[
        "dnsmasq",
        "--test",
        "-C",
        "{config-file}",
        "-7",
        "{config-directory}/dnsmasq.d,.dpkg-dist,.dpkg-old,.dpkg-new",
    ],
    unseen: "missing addn-hosts files, addresses that are not on this host",
    no_reload: "dnsmasq reads dnsmasq.conf at start only; SIGHUP reads its hosts files again",
    status: Ask::Chaos(&["version.bind."]),
    version: Ask::Chaos(&["version.bind."]),
    // Answered locally, forwarded, answered authoritatively.
    counters: Ask::Chaos(&["hits.bind.", "misses.bind.", "auth.bind."]),
    rate_limit: Source::Unlimited("dnsmasq has no limit for each client"),
    access: Access { group: None, what: "", for_owner: false, enable: "" },
    ..Facts::UNKNOWN
};

impl Driver for Dnsmasq {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn read_version(&self, text: &str) -> Option<String> {
        text.trim().strip_prefix("dnsmasq-").map(str::to_owned)
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        text.lines().map(|line| line.parse::<u64>().ok()).sum()
    }
}
