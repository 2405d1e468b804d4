//! Knot DNS.
//!
//! `knotc conf-check` does not read zone files, and `knotc reload` exits with 0 when a zone among them is broken.
//! Only `mod-stats` counts queries, and it has to be loaded. `knotc` waits a minute for a hung server.

use std::net::IpAddr;

use super::rate_limit::{Limited, RateLimit, Settings, Source, is_listed};
use super::{Access, Ask, Driver, Facts, Reading, Reload, Role, number_of, sum_of};
use crate::text::foreign;
use crate::text::joined;

#[derive(Debug)]
pub(super) struct Knot;

const FACTS: Facts = Facts {
    name: "Knot DNS",
    package: "knot",
    unit: Some("knot.service"),
    config_file: Some("/etc/knot/knot.conf"),
    directories: &["/etc/knot"],
    names: &["*.conf"],
    roles: &[Role::Authoritative],
    control: &["knotc", "-c", "{config-file}"],
    check: &["knotc", "-c", "{config-file}", "conf-check"],
    unseen: "zone files (knotc zone-check), addresses that are not on this host",
    reload: &[Reload { first: &["reload"], otherwise: &[] }],
    status: Ask::Control(&["status"]),
    version: Ask::Control(&["status", "version"]),
    counters: Ask::Control(&["stats"]),
    zone_list: Ask::Control(&["zone-status"]),
    rate_limit: Source::Tools {
        commands: &[
            &["knotc", "-c", "{config-file}", "conf-read", "mod-rrl"],
            &["knotc", "-c", "{config-file}", "conf-read", "template"],
        ],
        for_zone: &["knotc", "-c", "{config-file}", "conf-read", "zone[{zone}]"],
    },
    no_counters: "let knotd count, in knot.conf, the first before `template`:\n\
                  mod-stats:\n  - id: custom\n    server-operation: on\n    response-code: on\n\
                  template:\n  - id: default\n    global-module: mod-stats/custom",
    always_on: true,
    access: Access {
        group: Some("knot"),
        what: "the control socket /run/knot/knot.sock",
        for_owner: false,
        enable: "",
    },
    ..Facts::UNKNOWN
};

impl Driver for Knot {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn read_zones(&self, text: &str) -> Vec<String> {
        let names = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once(']'));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    fn read_rate_limit(&self, settings: &Settings) -> RateLimit {
        let [sections, templates] = settings.printed.as_slice() else {
            return RateLimit::not_known("knotc printed no configuration");
        };
        // Modules of the default template apply to all queries; those of a zone or its template apply to that zone.
        let global = value(templates, "template[default].global-module").unwrap_or_default();
        let mut modules: Vec<&str> = global.split_whitespace().collect();
        let mut unread = None;
        for (zone, printed) in &settings.zones {
            let printed = match printed {
                Ok(printed) => printed,
                Err(why) => {
                    unread = Some(why);
                    continue;
                }
            };
            let template = value(printed, &format!("zone[{zone}].template")).unwrap_or("default");
            let of_zone = value(printed, &format!("zone[{zone}].module"));
            let of_zone = of_zone.or_else(|| value(templates, &format!("template[{template}].module")));
            modules.extend(of_zone.unwrap_or_default().split_whitespace());
        }
        // A module without an identifier has the identifier `default`.
        let ids = modules.iter().filter_map(|module| module.strip_prefix("mod-rrl"));
        let ids = ids.map(|id| id.strip_prefix('/').unwrap_or("default"));
        let limiting: Vec<_> =
            ids.filter(|id| value(sections, &format!("mod-rrl[{id}].rate-limit")) != Some("0")).collect();
        for id in &limiting {
            let whitelist = value(sections, &format!("mod-rrl[{id}].whitelist")).unwrap_or_default();
            let is_missed = |address: &&IpAddr| !is_listed(**address, whitelist);
            let missed: Vec<_> = settings.management.iter().filter(is_missed).copied().collect();
            if !missed.is_empty() {
                return RateLimit::not_exempt(
                    format!(
                        "`mod-rrl` {} applies, its `whitelist` has no {}",
                        foreign(id),
                        joined(&missed, ", ")
                    ),
                    format!("set `whitelist: [{}]` in that `mod-rrl`", joined(&missed, ", ")),
                );
            }
        }
        match (unread, limiting.is_empty()) {
            (Some(why), _) => RateLimit::not_known(why),
            (None, true) => RateLimit::new(Limited::NotLimited, "no `mod-rrl` applies"),
            (None, false) => RateLimit::new(Limited::Exempt, "`whitelist` of `mod-rrl`"),
        }
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        number_of(text, "mod-stats.server-operation[query]")
    }

    /// Codes that were never sent are absent, and all codes where `response-code` is off. Slipped answers are limited ones.
    fn read_counters(&self, text: &str) -> Option<Reading> {
        let servfail = number_of(text, "mod-stats.response-code[SERVFAIL]");
        let counts_codes = text.contains("mod-stats.response-code[");
        Some(Reading {
            queries: self.read_queries(text)?,
            servfail: servfail.or_else(|| counts_codes.then_some(0)),
            dropped: sum_of(text, &["mod-rrl.dropped", "mod-rrl.slipped"]),
            pending: None,
        })
    }
}

/// The value after `KEY = ` in lines of `conf-read`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.split_once(" = ").filter(|(name, _)| *name == key))
        .map(|(_, value)| value.trim())
}
