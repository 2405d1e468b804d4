//! PowerDNS Authoritative Server.
//!
//! `--config=check` sees unknown settings and missing modules, but neither a bad address nor a bad number. There is no
//! reload of the whole configuration: `pdns_control reload` reads changed zone files of the BIND backend only.

use super::rate_limit::Source;
use super::{Access, Ask, Driver, Facts, Reading, Role, number_of, sum_of};

#[derive(Debug)]
pub(super) struct PowerDns;

const FACTS: Facts = Facts {
    name: "PowerDNS Authoritative Server",
    package: "pdns-server",
    unit: Some("pdns.service"),
    config_file: Some("/etc/powerdns/pdns.conf"),
    // The two PowerDNS servers share /etc/powerdns.
    directories: &["/etc/powerdns/pdns.d"],
    names: &["*.conf"],
    // No `pid_file`: Debian starts it with `--write-pid=no`, so it writes none.
    roles: &[Role::Authoritative],
    control: &["pdns_control", "--config-dir={config-directory}", "--config-name={config-name}"],
    check: &[
        "pdns_server",
        "--config-dir={config-directory}",
        "--config-name={config-name}",
        "--config=check",
    ],
    unseen: "bad addresses, bad numbers, zones (pdnsutil check-all-zones)",
    no_reload: "pdns_server reads its configuration at start only; \
                `pdns_control rediscover` and `pdns_control reload` read zones again",
    status: Ask::Control(&["rping"]),
    version: Ask::Control(&["version"]),
    counters: Ask::Control(&["show", "*"]),
    zone_list: Ask::Control(&["list-zones"]),
    rate_limit: Source::Unlimited("PowerDNS Authoritative Server has no limit of its own"),
    always_on: true,
    access: Access {
        group: Some("pdns"),
        what: "the control socket /run/pdns/pdns.controlsocket",
        for_owner: true,
        enable: "",
    },
    ..Facts::UNKNOWN
};

impl Driver for PowerDns {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn read_zones(&self, text: &str) -> Vec<String> {
        // The last line has their number.
        text.lines().map(str::trim).filter(|line| !line.contains(' ')).map(str::to_owned).collect()
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        Some(number_of(text, "udp-queries")? + number_of(text, "tcp-queries")?)
    }

    fn read_counters(&self, text: &str) -> Option<Reading> {
        Some(Reading {
            queries: self.read_queries(text)?,
            servfail: number_of(text, "servfail-packets"),
            dropped: sum_of(text, &["overload-drops", "timedout-packets"]),
            pending: number_of(text, "qsize-q"),
        })
    }
}
