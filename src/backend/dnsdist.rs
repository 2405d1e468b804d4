//! dnsdist.
//!
//! Its configuration is a program; `--check-config` runs it without listening. A bad `newServer` prints an error and
//! exits with 0, as do an unreadable configuration and a console without a key, so the output decides as well. There
//! is no reload. The console is off until `controlSocket` and `setKey` are written; its client reads both from the same
//! file.

use super::rate_limit::{RateLimit, Settings, Source};
use super::{Access, Ask, Driver, Ended, Facts, Reading, Role, number_of, sum_of};
use crate::text::foreign;

#[derive(Debug)]
pub(super) struct Dnsdist;

const FACTS: Facts = Facts {
    name: "dnsdist",
    package: "dnsdist",
    unit: Some("dnsdist.service"),
    config_file: Some("/etc/dnsdist/dnsdist.conf"),
    directories: &["/etc/dnsdist"],
    names: &["*.conf", "*.lua"],
    roles: &[Role::Resolver],
    control: &["dnsdist", "-C", "{config-file}", "-e"],
    check: &["dnsdist", "--check-config", "-C", "{config-file}"],
    unseen: "addresses that are not on this host, servers behind it that do not answer",
    no_reload: "dnsdist reads its configuration at start only; its console changes rules and servers while it runs",
    status: Ask::Control(&["showVersion()"]),
    version: Ask::Control(&["showVersion()"]),
    counters: Ask::Control(&["dumpStats()"]),
    rate_limit: Source::Tools {
        commands: &[&["dnsdist", "-C", "{config-file}", "-e", "showRules()"]],
        for_zone: &[],
    },
    access: Access {
        group: Some("_dnsdist"),
        what: "its configuration, which has the key of the console",
        for_owner: false,
        enable: "controlSocket(\"127.0.0.1:5199\")\nsetKey(\"…\")  -- from: head -c 32 /dev/urandom | base64",
    },
    ..Facts::UNKNOWN
};

impl Driver for Dnsdist {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn read_check(&self, ended: &Ended) -> Result<(), String> {
        if ended.succeeded() && !ended.prints("error") && !ended.prints("unable to read") {
            Ok(())
        } else {
            Err(ended.lines().join("\n"))
        }
    }

    fn refusal(&self, text: &str) -> Option<String> {
        let marks = ["Unable to read configuration", "console key is not valid"];
        text.lines()
            .find(|line| marks.iter().any(|mark| line.contains(mark)))
            .map(|line| line.trim().to_owned())
    }

    fn read_rate_limit(&self, settings: &Settings) -> RateLimit {
        let mut rules = settings.printed.iter().flat_map(|text| text.lines());
        RateLimit::not_known(match rules.find(|rule| rule.contains("QPS")) {
            Some(rule) => {
                let rule = foreign(&rule.split_whitespace().collect::<Vec<_>>().join(" "));
                format!("rule `{rule}` may limit the probes, unless a rule before it lets them pass")
            }
            None => "no rule has a rate (QPS), and dynamic blocks are not seen".to_owned(),
        })
    }

    fn read_queries(&self, text: &str) -> Option<u64> {
        number_of(text, "queries")
    }

    /// What rules and access lists drop is as its operator wants it.
    fn read_counters(&self, text: &str) -> Option<Reading> {
        Some(Reading {
            queries: self.read_queries(text)?,
            servfail: number_of(text, "frontend-servfail").or_else(|| number_of(text, "servfail-responses")),
            dropped: sum_of(text, &["downstream-timeouts", "no-policy", "dyn-blocked"]),
            pending: None,
        })
    }
}
