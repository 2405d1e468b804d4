//! BIND 9.
//!
//! `named-checkconf -z` loads every zone, which takes minutes on a big server, and without `-z` a broken zone is not
//! seen. It prints its errors on standard output. `rndc reload` says "server reload successful" with broken zones: the
//! old ones stay. `rndc` has no counters; they come from the statistics channel. It waits a minute for a hung
//! server, which no option changes; so does `systemctl restart`, whose ExecStop is `rndc stop`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::rate_limit::{RateLimit, Settings, Source};
use super::{Access, Ask, Driver, Ended, Facts, Reading, Reload, Role};

mod rate_limit;

#[derive(Debug)]
pub(super) struct Bind;

const FACTS: Facts = Facts {
    name: "BIND",
    package: "bind9-utils",
    // `bind9.service` is an alias.
    unit: Some("named.service"),
    config_file: Some("/etc/bind/named.conf"),
    directories: &["/etc/bind"],
    names: &["*.conf", "named.conf.*"],
    pid_file: Some("/run/named/named.pid"),
    roles: &[Role::Authoritative, Role::Resolver],
    control: &["rndc"],
    check: &["named-checkconf", "-z", "{config-file}"],
    unseen: "addresses of listen-on that are not on this host",
    reload: &[Reload { first: &["reload"], otherwise: &[] }],
    status: Ask::Control(&["status"]),
    version: Ask::Control(&["status"]),
    counters: Ask::Http { server: "127.0.0.1:8053", path: "/json/v1/server" },
    zone_list: Ask::Http { server: "127.0.0.1:8053", path: "/json/v1/zones" },
    // -x hides secrets.
    rate_limit: Source::Tools {
        commands: &[&["named-checkconf", "-p", "-x", "{config-file}"]],
        for_zone: &[],
    },
    no_counters: "let named count for this host, in named.conf.options:\n\
                  statistics-channels { inet 127.0.0.1 port 8053 allow { 127.0.0.1; }; };",
    access: Access {
        group: Some("bind"),
        what: "the key /etc/bind/rndc.key",
        for_owner: false,
        enable: "rndc-confgen -a; and no empty `controls { };` in named.conf",
    },
    ..Facts::UNKNOWN
};

#[derive(Deserialize)]
struct Statistics {
    opcodes: Opcodes,
    #[serde(default)]
    rcodes: BTreeMap<String, u64>,
    #[serde(default)]
    nsstats: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct ZoneStatistics {
    views: BTreeMap<String, View>,
}

#[derive(Deserialize)]
struct View {
    #[serde(default)]
    zones: Vec<ZoneOfView>,
}

#[derive(Deserialize)]
struct ZoneOfView {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct Opcodes {
    #[serde(rename = "QUERY", default)]
    query: u64,
}

impl Driver for Bind {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn read_check(&self, ended: &Ended) -> Result<(), String> {
        if ended.succeeded() {
            return Ok(());
        }
        // Its output lists valid zones among the broken ones.
        let lines = ended.lines().into_iter().filter(|line| !line.contains(": loaded serial "));
        Err(lines.collect::<Vec<_>>().join("\n"))
    }

    fn read_version(&self, text: &str) -> Option<String> {
        let line = text.lines().find_map(|line| line.strip_prefix("version: BIND "))?;
        line.split_whitespace().next().map(str::to_owned)
    }

    fn read_zones(&self, text: &str) -> Vec<String> {
        let views = serde_json::from_str::<ZoneStatistics>(text).map(|statistics| statistics.views);
        let zones = views.into_iter().flatten().flat_map(|(_, view)| view.zones);
        zones.filter(|zone| zone.kind != "builtin").map(|zone| zone.name).collect()
    }

    fn read_rate_limit(&self, settings: &Settings) -> RateLimit {
        rate_limit::read(settings)
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        serde_json::from_str::<Statistics>(text).ok().map(|statistics| statistics.opcodes.query)
    }

    /// Counters that are zero are absent. `QryDropped` contains what the limit of the rate of answers dropped.
    fn read_counters(&self, text: &str) -> Option<Reading> {
        let Statistics { opcodes, rcodes, nsstats } = serde_json::from_str(text).ok()?;
        let of = |counters: &BTreeMap<String, u64>, key: &str| counters.get(key).copied().unwrap_or_default();
        let dropped = of(&nsstats, "QryDropped").saturating_add(of(&nsstats, "RecLimitDropped"));
        Some(Reading {
            queries: opcodes.query,
            servfail: Some(of(&rcodes, "SERVFAIL")),
            dropped: Some(dropped),
            pending: Some(of(&nsstats, "RecursClients")),
        })
    }
}
