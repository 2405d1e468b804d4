//! NSD.
//!
//! `nsd-checkconf` exits with 2, sees syntax only, and even accepts the address 127.0.5.300. A reload takes two steps:
//! `reconfig` reads the configuration, `reload` the zone files. Both always exit with 0 and print
//! their errors. If only a child of the server hangs, `status` still answers, but `stats_noreset` does not.

use std::time::Duration;

use super::rate_limit::{Limited, RateLimit, Settings, Source};
use super::{Access, Ask, Driver, Ended, Facts, Reading, Reload, Role, number_of};

#[derive(Debug)]
pub(super) struct Nsd;

const FACTS: Facts = Facts {
    name: "NSD",
    package: "nsd",
    unit: Some("nsd.service"),
    config_file: Some("/etc/nsd/nsd.conf"),
    directories: &["/etc/nsd"],
    names: &["*.conf"],
    // No `pid_file`: Debian starts it with `-P ""`, so it writes none.
    roles: &[Role::Authoritative],
    control: &["nsd-control", "-c", "{config-file}"],
    check: &["nsd-checkconf", "{config-file}"],
    unseen: "zone files (nsd-checkzone ZONE FILE), impossible addresses, missing folders: it checks syntax only",
    reload: &[Reload { first: &["reconfig"], otherwise: &[] }, Reload { first: &["reload"], otherwise: &[] }],
    status: Ask::Control(&["status"]),
    version: Ask::Control(&["status"]),
    counters: Ask::Control(&["stats_noreset"]),
    zone_list: Ask::Control(&["zonestatus"]),
    rate_limit: Source::Tools {
        commands: &[
            &["nsd-checkconf", "-o", "rrl-ratelimit", "{config-file}"],
            &["nsd-checkconf", "-o", "rrl-whitelist-ratelimit", "{config-file}"],
        ],
        for_zone: &["nsd-checkconf", "-z", "{zone}", "-o", "rrl-whitelist", "{config-file}"],
    },
    stopped: &[3],
    access: Access {
        group: Some("nsd"),
        what: "the control socket and the keys /etc/nsd/nsd_*.key",
        for_owner: false,
        enable: "remote-control:\n    control-enable: yes\n    control-interface: /run/nsd/nsd.ctl",
    },
    ..Facts::UNKNOWN
};

impl Driver for Nsd {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn is_reloaded(&self, ended: &Ended) -> bool {
        ended.succeeded() && !ended.prints("error") && !ended.prints("could not")
    }

    fn read_zones(&self, text: &str) -> Vec<String> {
        let names = text.lines().filter_map(|line| line.strip_prefix("zone:"));
        names.map(|name| name.trim().to_owned()).collect()
    }

    /// NSD exempts no address, only kinds of answers for each zone; probes get positive answers.
    fn read_rate_limit(&self, settings: &Settings) -> RateLimit {
        let mut rates = settings.printed.iter().map(|text| text.trim().parse::<u64>().ok());
        let (Some(Some(rate)), Some(Some(whitelist_rate))) = (rates.next(), rates.next()) else {
            return RateLimit::not_known("rrl-ratelimit is no number: this NSD may be built without it");
        };
        if rate == 0 && (whitelist_rate == 0 || settings.zones.is_empty()) {
            return RateLimit::new(Limited::NotLimited, "rrl-ratelimit 0");
        }
        let (mut limited, mut unread) = (vec![], None);
        for (zone, printed) in &settings.zones {
            let is_whitelisted =
                |text: &String| text.split_whitespace().any(|kind| ["positive", "all"].contains(&kind));
            match printed.as_ref().map(is_whitelisted) {
                Ok(true) if whitelist_rate == 0 => {}
                Ok(false) if rate == 0 => {}
                Ok(_) => limited.push(zone.trim_end_matches('.')),
                Err(why) => unread = Some(why),
            }
        }
        if !limited.is_empty() || settings.zones.is_empty() {
            let zones = if limited.is_empty() { "every zone".to_owned() } else { limited.join(", ") };
            return RateLimit::not_exempt(
                format!(
                    "rrl-ratelimit {rate}, rrl-whitelist-ratelimit {whitelist_rate} answers per second for {zones}"
                ),
                "NSD exempts no address, but answers: set `rrl-whitelist: positive` for each zone that is probed, and \
                 `rrl-whitelist-ratelimit: 0` in `server:`",
            );
        }
        match unread {
            Some(why) => RateLimit::not_known(why),
            None if rate == 0 => RateLimit::new(Limited::NotLimited, "rrl-ratelimit 0"),
            None => {
                let why = "rrl-whitelist exempts positive answers for the services' zones, rrl-whitelist-ratelimit 0";
                RateLimit::new(Limited::Exempt, why)
            }
        }
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        number_of(text, "num.queries")
    }

    /// `num.dropped` counts queries that are no DNS, and no overload.
    fn read_counters(&self, text: &str) -> Option<Reading> {
        let servfail = number_of(text, "num.rcode.SERVFAIL");
        Some(Reading { queries: self.read_queries(text)?, servfail, ..Reading::default() })
    }

    /// Before 4.8 each reading replaces every child of the server (RELNOTES of 4.8.0).
    fn counters_pause(&self, version: Option<&str>) -> Duration {
        let mut numbers = version.unwrap_or_default().split('.').map(|number| number.parse::<u32>().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(major), Some(minor)) if (major, minor) >= (4, 8) => Duration::ZERO,
            _ => Duration::from_secs(60),
        }
    }
}
