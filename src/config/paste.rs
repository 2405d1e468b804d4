//! Formats the default checks of a service as tables that an operator can paste into the file.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::defaults::{PORT, TIMING};
use super::{Check, Service, listener, lookup, route};
use crate::engine::check::{OnFail, Severity, Timing};
use crate::engine::hysteresis::WindowRule;
use crate::probe::Probe;
use crate::probe::command::Statuses;
use crate::probe::counters::window::Limits;
use crate::probe::dns::{DnsProbe, EdnsUse, Expectation};
use crate::probe::freshness::FreshnessProbe;
use crate::probe::freshness::ask::Server;
use crate::probe::freshness::list::ZoneSource;
use crate::probe::set::ProbeSet;
use crate::text::period::Period;
use crate::text::{toml_string, toml_strings};

/// The checks of a service as `[[service.check]]` tables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables<'a>(pub(super) &'a Service);

impl fmt::Display for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address check is a default even beside checks of the file.
        let mut written = self.0.checks.iter().filter(|check| !matches!(check.probe, Probe::Address(_)));
        written.try_for_each(|check| table(f, check))
    }
}

fn table(f: &mut fmt::Formatter<'_>, check: &Check) -> fmt::Result {
    writeln!(f)?;
    if let Some(from) = check.default.and_then(|default| default.counts_from) {
        writeln!(
            f,
            "# only observed, as `since` is older than {from}: raise it first for the usual `on-fail`"
        )?;
    }
    writeln!(f, "[[service.check]]\nname = {}", toml_string(&check.name))?;
    on_fail(f, &check.on_fail)?;
    timing(f, &check.timing, matches!(check.probe, Probe::Dns(_)))?;
    match &check.probe {
        Probe::Dns(set) => dns(f, set),
        // The backend defines the process.
        Probe::Process(_) => writeln!(f, "process = {{}}"),
        Probe::Command(command) => {
            let plugin = if command.statuses == Statuses::Plugin { "plugin = true\n" } else { "" };
            write!(f, "command = {}\n{plugin}", command.line.in_toml())
        }
        Probe::Address(_) => writeln!(f, "address = {{}}"),
        Probe::Freshness(probe) => freshness(f, probe),
        Probe::Listener(probe) => writeln!(f, "listener = {}", listener::table(probe)),
        Probe::Counters(probe) => counters(f, &probe.limits),
        Probe::Route(probe) => writeln!(f, "route = {}", route::table(probe)),
        Probe::Lookup(probe) => writeln!(f, "lookup = {}", lookup::table(probe)),
        Probe::Nothing => writeln!(f, "command = \"true\""),
    }
}

/// A word, or a table by cause if causes differ. The table has `down` for the causes that it does not name.
fn on_fail(f: &mut fmt::Formatter<'_>, on_fail: &OnFail) -> fmt::Result {
    let causes: Vec<_> = on_fail
        .by_cause
        .iter()
        .map(|(cause, severity)| format!("{cause} = \"{}\"", severity.word()))
        .collect();
    match on_fail.otherwise {
        Severity::Down if !causes.is_empty() => writeln!(f, "on-fail = {{ {} }}", causes.join(", "))?,
        otherwise => writeln!(f, "on-fail = \"{}\"", otherwise.word())?,
    }
    if on_fail.once_up {
        writeln!(f, "once-up = true")?;
    }
    Ok(())
}

/// The values that differ from the defaults. A `dns` check has a window by default.
fn timing(f: &mut fmt::Formatter<'_>, timing: &Timing, has_window: bool) -> fmt::Result {
    for (key, period, default) in [
        ("interval", timing.interval, TIMING.interval),
        ("fast-interval", timing.fast_interval, TIMING.fast_interval),
        ("timeout", timing.timeout, TIMING.timeout),
    ] {
        if period != default {
            writeln!(f, "{key} = \"{}\"", Period(period))?;
        }
    }
    let (own, default) = (timing.thresholds, TIMING.thresholds);
    if own.rise != default.rise {
        writeln!(f, "rise = {}", own.rise)?;
    }
    let fall = own.fall;
    match own.window {
        Some(WindowRule { failures, of }) if own.window != default.window => {
            writeln!(f, "fall = {{ consecutive = {fall}, failures = {failures}, of = {of} }}")
        }
        None if has_window => writeln!(f, "fall = {{ consecutive = {fall}, of = 0 }}"),
        _ if fall != default.fall => writeln!(f, "fall = {fall}"),
        _ => Ok(()),
    }
}

/// The `dns` table of a check, which sends every query to every server over every transport.
fn dns(f: &mut fmt::Formatter<'_>, set: &ProbeSet) -> fmt::Result {
    let probes = set.probes();
    let Some(first) = probes.first() else { return Ok(()) };
    let values = |of: fn(&DnsProbe) -> String| distinct(probes.iter().map(of).collect());
    let queries = values(|probe| probe.question.query().to_string());
    let servers = values(|probe| written_address(probe.server));
    let sources = values(|probe| probe.source.map(|source| source.to_string()).unwrap_or_default());
    let transports = values(|probe| probe.transport.to_string());
    writeln!(f, "[service.check.dns]\nqueries = {}", toml_strings(&queries))?;
    writeln!(f, "server = {}\nsource = {}", toml_strings(&servers), toml_strings(&sources))?;
    writeln!(f, "transport = {}", toml_strings(&transports))?;
    if !first.question.options().recursion_desired {
        writeln!(f, "recursion-desired = false")?;
    }
    if set.need() < probes.len() {
        writeln!(f, "pass = {}", set.need())?;
    }
    let options = first.question.options();
    if let EdnsUse::Offer(octets) = options.edns {
        writeln!(f, "edns = {octets}")?;
    }
    for (key, is_set) in [
        ("each-source", probes.len() > queries.len() * servers.len() * transports.len()),
        ("partial", set.reports_partial()),
        ("once-seen", set.needs_seen()),
        ("dnssec-ok", options.dnssec_ok),
        ("follow-truncation", options.follow_truncation),
    ] {
        if is_set {
            writeln!(f, "{key} = true")?;
        }
    }
    let Expectation { rcodes, flags, not_empty, min_answers, max_latency, signature_left, nsid, .. } =
        first.question.expect();
    let period = |key: &str, period: &Option<Duration>| {
        period.map(|period| format!(", {key} = \"{}\"", Period(period))).unwrap_or_default()
    };
    let nsid = nsid.as_ref().map(|nsid| format!(", nsid = {}", toml_string(nsid)));
    let flags: Vec<_> = flags.iter().map(ToString::to_string).collect();
    writeln!(
        f,
        "expect = {{ rcode = {}, flags = {}, min-answers = {min_answers}{}{}{}{} }}",
        toml_strings(&rcodes.words()),
        toml_strings(&flags),
        if *not_empty { ", not-empty = true" } else { "" },
        period("max-latency", max_latency),
        period("signature-left", signature_left),
        nsid.unwrap_or_default()
    )
}

/// The `counters` table of a check.
fn counters(f: &mut fmt::Formatter<'_>, limits: &Limits) -> fmt::Result {
    writeln!(f, "[service.check.counters]\nwindow = {}", toml_string(&Period(limits.window).in_one_word()))?;
    writeln!(f, "min-queries = {}", limits.min_queries)?;
    writeln!(f, "max-servfail-share = {}", limits.max_servfail)?;
    writeln!(f, "max-dropped-share = {}", limits.max_dropped)?;
    if let Some(size) = limits.request_list {
        writeln!(f, "request-list = {size}")?;
    }
    writeln!(f, "max-request-list-share = {}", limits.max_request_list)
}

/// The `freshness` table of a check.
fn freshness(f: &mut fmt::Formatter<'_>, probe: &FreshnessProbe) -> fmt::Result {
    writeln!(f, "[service.check.freshness]")?;
    match &probe.zones {
        ZoneSource::Named(names) => writeln!(f, "zones = {}", toml_strings(names))?,
        ZoneSource::File(path) => writeln!(f, "zones-file = {}", toml_string(&path.display().to_string()))?,
        ZoneSource::Catalog(name) => writeln!(f, "catalog = {}", toml_string(name))?,
        ZoneSource::Listed(_) => writeln!(f, "zone-list = true")?,
    }
    let written = |server: &Server| written_address(server.address);
    writeln!(f, "server = {}", toml_string(&written(&probe.here)))?;
    let references: Vec<_> = probe.references.servers().iter().map(written).collect();
    writeln!(f, "{} = {}", probe.references.word(), toml_strings(&references))?;
    let period = |period| toml_string(&Period(period).in_one_word());
    writeln!(f, "max-lag = {}", period(probe.limits.max_lag))?;
    writeln!(f, "expire-left = {}", period(probe.limits.expire_left))?;
    writeln!(f, "zone-interval = {}", period(probe.zone_interval))?;
    writeln!(f, "max-queries-per-second = {}", probe.max_queries)
}

/// The address of a server, with its port unless that is the default.
pub(super) fn written_address(server: SocketAddr) -> String {
    match server.port() {
        PORT => server.ip().to_string(),
        _ => server.to_string(),
    }
}

/// Each text once, in order.
pub(super) fn distinct(mut texts: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    const NODE: &str =
        "[node]\nmanagement = [\"10.1.0.2\", \"2001:db8:1::2\"]\n[backend.unbound]\n[backend.nsd]\n";
    const SERVICE: &str = "[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\", \"192.0.2.54/32\", \"2001:db8:53::/48\"]\n";

    fn checks(of_service: &str) -> Service {
        let text = format!("{NODE}{SERVICE}{of_service}");
        let config = Config::parse(Path::new("a.toml"), &text, "host");
        let mut service = config.unwrap_or_else(|error| panic!("{error}\n{text}")).services.remove(0);
        service.checks.iter_mut().for_each(|check| check.default = None);
        service
    }

    #[test]
    fn a_freshness_check_can_be_pasted() {
        for zones in [
            "zones = [\"example.org\"]",
            "zones-file = \"/etc/zones\"",
            "catalog = \"c.example\"",
            "zone-list = true",
        ] {
            let check = format!(
                "backend = \"nsd\"\n[[service.check]]\nname = \"fresh\"\n[service.check.freshness]\n{zones}\n\
                 siblings = [\"10.2.0.2\", \"[2001:db8:2::2]:5353\"]\nmax-lag = \"1h\"\n"
            );
            let written = checks(&check);
            let pasted = checks(&format!("backend = \"nsd\"\n{}", Tables(&written)));
            assert_eq!(pasted.checks[0].probe, written.checks[0].probe, "{}", Tables(&written));
        }
    }

    #[test]
    fn a_counters_check_can_be_pasted() {
        for keys in [
            "",
            "window = \"1m\", min-queries = 7, max-servfail-share = 0.25, max-dropped-share = 1, request-list = 9",
        ] {
            let check =
                format!("backend = \"nsd\"\n[[service.check]]\nname = \"own\"\ncounters = {{ {keys} }}\n");
            let written = checks(&check);
            let pasted = checks(&format!("backend = \"nsd\"\n{}", Tables(&written)));
            assert_eq!(pasted.checks[0].probe, written.checks[0].probe, "{}", Tables(&written));
        }
    }

    #[test]
    fn a_command_check_can_be_pasted() {
        for keys in
            ["command = \"true\"", "command = [\"/bin/x\", \"-w\", \"it's \\\"3\\\"\"]\nplugin = true"]
        {
            let written = checks(&format!("[[service.check]]\nname = \"own\"\n{keys}\n"));
            let pasted = checks(&Tables(&written).to_string());
            assert_eq!(pasted.checks[0].probe, written.checks[0].probe, "{}", Tables(&written));
        }
    }

    #[test]
    fn a_route_check_can_be_pasted() {
        for keys in [
            "",
            "to = \"198.51.100.1\", interfaces = [\"eth0\"]",
            "to = [\"2001:db8::1\"], interfaces = [\"a\", \"b\"]",
        ] {
            let check = "prefixes = [\"192.0.2.53/32\", \"2001:db8:53::53/128\"]\n[[service.check]]\nname = \"back\"\n";
            let service = |check: String| {
                let text = format!("{NODE}[[service]]\nname = \"a\"\n{check}");
                let config = Config::parse(Path::new("a.toml"), &text, "host");
                config.unwrap_or_else(|error| panic!("{error}\n{text}")).services.remove(0)
            };
            let written = service(format!("{check}route = {{ {keys} }}\n"));
            let table = route::table(match &written.checks[0].probe {
                Probe::Route(probe) => probe,
                other => panic!("{other}"),
            });
            let pasted = service(format!("{check}route = {table}\n"));
            assert_eq!(pasted.checks[0].probe, written.checks[0].probe, "{table}");
        }
    }

    #[test]
    fn a_lookup_check_can_be_pasted() {
        for keys in ["", ", server = [\"192.0.2.1:5353\", \"198.51.100.1\"], source = \"10.1.0.3\""] {
            let check = "prefixes = [\"192.0.2.53/32\"]\n[[service.check]]\nname = \"www\"\n";
            let service = |table: String| {
                let text =
                    format!("{NODE}[[service]]\nname = \"a\"\n{check}on-fail = \"down\"\nlookup = {table}\n");
                let config = Config::parse(Path::new("a.toml"), &text, "host");
                config.unwrap_or_else(|error| panic!("{error}\n{text}")).services.remove(0)
            };
            let written = service(format!("{{ names = [\"www.example.org A\", \"example.org MX\"]{keys} }}"));
            let Probe::Lookup(probe) = &written.checks[0].probe else { panic!() };
            let table = lookup::table(probe);
            assert_eq!(service(table.clone()).checks[0].probe, written.checks[0].probe, "{table}");
        }
    }

    #[test]
    fn pasted_tables_give_the_same_checks() {
        for (kept, replaced) in [
            ("", ""),
            ("", "role = \"resolver\"\n"),
            ("", "role = \"authoritative\"\nzones = [\"example.org\", \"example.net\"]\n"),
            ("backend = \"unbound\"\n", ""),
            ("backend = \"nsd\"\nzones = [\"example.org\"]\n", ""),
            (
                "",
                "role = \"resolver\"\nclient-source = [\"198.51.100.7\", \"198.51.100.8\", \"2001:db8:1::7\"]\n",
            ),
        ] {
            let by_role = checks(&format!("{kept}{replaced}"));
            assert!(by_role.checks.len() > 2);
            let pasted = checks(&format!("{kept}{}", Tables(&by_role)));
            assert_eq!(format!("{:#?}", pasted.checks), format!("{:#?}", by_role.checks));
        }
    }
}
