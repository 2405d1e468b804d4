//! PowerDNS Recursor.
//!
//! In the old syntax `--config=check` sees unknown settings and nothing else, and from 5.2 on not even that the server
//! refuses to start with it without `--enable-old-settings`. There is no reload of the whole configuration.

use super::rate_limit::Source;
use super::{Access, Ask, Driver, Facts, Reading, Role};

#[derive(Debug)]
pub(super) struct PowerDnsRecursor;

const FACTS: Facts = Facts {
    name: "PowerDNS Recursor",
    package: "pdns-recursor",
    unit: Some("pdns-recursor.service"),
    config_file: Some("/etc/powerdns/recursor.conf"),
    // The two PowerDNS servers share /etc/powerdns.
    directories: &["/etc/powerdns/recursor.d"],
    // Since 5.0 it reads the YAML file.
    names: &["*.conf", "*.yml"],
    // No `pid_file`: Debian starts it with `--write-pid=no`, so it writes none.
    roles: &[Role::Resolver],
    control: &["rec_control", "--config-dir={config-directory}", "--config-name={config-name}"],
    check: &[
        "pdns_recursor",
        "--config-dir={config-directory}",
        "--config-name={config-name}",
        "--config=check",
    ],
    unseen: "a missing Lua file; where the file is not YAML, bad addresses, bad numbers and garbage in forward-zones, and \
             that 5.2 or later does not start with it",
    no_reload: "pdns_recursor reads its configuration at start only; \
                `rec_control reload-zones`, `reload-acls` and `reload-lua-config` read parts again",
    status: Ask::Control(&["ping"]),
    version: Ask::Control(&["version"]),
    counters: Ask::Control(&[
        "get",
        // One number a line, in this order.
        "questions",
        "servfail-answers",
        "over-capacity-drops",
        "query-pipe-full-drops",
        "too-old-drops",
        "concurrent-queries",
    ]),
    rate_limit: Source::Unlimited("PowerDNS Recursor has no limit of its own"),
    always_on: true,
    access: Access {
        group: Some("pdns"),
        what: "the control socket /run/pdns-recursor/pdns_recursor.controlsocket",
        for_owner: true,
        enable: "",
    },
    ..Facts::UNKNOWN
};

impl Driver for PowerDnsRecursor {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        text.lines().next()?.trim().parse().ok()
    }

    fn read_counters(&self, text: &str) -> Option<Reading> {
        let numbers: Vec<u64> = text.lines().map_while(|line| line.trim().parse().ok()).collect();
        match numbers.as_slice() {
            [queries, servfail, over_capacity, pipe_full, too_old, concurrent] => Some(Reading {
                queries: *queries,
                servfail: Some(*servfail),
                dropped: Some(over_capacity.saturating_add(*pipe_full).saturating_add(*too_old)),
                pending: Some(*concurrent),
            }),
            [queries] => Some(Reading { queries: *queries, ..Reading::default() }),
            _ => None,
        }
    }
}
