//! Unbound.
//!
//! Each reload that the driver uses ends the server if the file does not parse, so `backend reload` checks it first. SIGHUP,
//! which `systemctl reload` sends, also drops the cache. So the driver uses `unbound-control`, first with
//! `reload_keep_cache`, which versions before 1.17.1 do not know. A reload opens no new `interface:`; that takes a restart.
//! It also resets the counters, even if it keeps the cache. The driver reads them with `stats_noreset`, since `stats` would
//! reset them for other readers.

use super::rate_limit::{Limited, RateLimit, Settings, Source};
use super::{Access, Ask, Driver, Facts, Reading, Reload, Role, number_of, sum_of};
use crate::text::foreign;

#[derive(Debug)]
pub(super) struct Unbound;

const FACTS: Facts = Facts {
    name: "Unbound",
    package: "unbound",
    unit: Some("unbound.service"),
    config_file: Some("/etc/unbound/unbound.conf"),
    directories: &["/etc/unbound"],
    names: &["*.conf"],
    // No `pid_file`: Debian starts it with `-p`, so it writes none.
    roles: &[Role::Resolver],
    control: &["unbound-control", "-c", "{config-file}"],
    check: &["unbound-checkconf", "{config-file}"],
    unseen: "addresses that are not on this host, ports in use; a changed `interface:` takes a restart",
    reload: &[Reload { first: &["reload_keep_cache"], otherwise: &["reload"] }],
    status: Ask::Control(&["status"]),
    version: Ask::Control(&["status"]),
    counters: Ask::Control(&["stats_noreset"]),
    zone_list: Ask::Control(&["list_auth_zones"]),
    rate_limit: Source::Tools {
        commands: &[&["unbound-checkconf", "-o", "ip-ratelimit", "{config-file}"]],
        for_zone: &[],
    },
    stopped: &[3],
    access: Access {
        group: Some("unbound"),
        what: "the control socket /run/unbound.ctl",
        for_owner: false,
        enable: "remote-control:\n    control-enable: yes\n    control-interface: /run/unbound.ctl",
    },
    ..Facts::UNKNOWN
};

impl Driver for Unbound {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn read_rate_limit(&self, settings: &Settings) -> RateLimit {
        let rate = settings.printed.first().map_or("", |text| text.trim());
        match rate.parse::<u64>() {
            Ok(0) => RateLimit::new(Limited::NotLimited, "ip-ratelimit 0"),
            Ok(rate) => RateLimit::not_exempt(
                format!("ip-ratelimit {rate} queries per second for each client address"),
                "Unbound exempts no address: set `ip-ratelimit: 0`, and limit clients elsewhere",
            ),
            Err(_) => RateLimit::not_known(format!("ip-ratelimit is `{}`, expected a number", foreign(rate))),
        }
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        number_of(text, "total.num.queries")
    }

    fn read_counters(&self, text: &str) -> Option<Reading> {
        // `num.answer.rcode` needs `extended-statistics: yes`.
        const DROPPED: &[&str] = &[
            "total.requestlist.exceeded",
            "total.requestlist.overwritten",
            "total.num.queries_ip_ratelimited",
            // Since 1.18.
            "total.num.queries_timed_out",
            // Since 1.23.
            "total.num.queries_discard_timeout",
        ];
        Some(Reading {
            queries: self.read_queries(text)?,
            servfail: number_of(text, "num.answer.rcode.SERVFAIL"),
            dropped: sum_of(text, DROPPED),
            pending: number_of(text, "total.requestlist.current.user"),
        })
    }
}
