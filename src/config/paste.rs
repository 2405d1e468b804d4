//! Formats the supplied checks of a service as tables that an operator can paste into the file.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::defaults::{PORT, TIMING};
use super::{Check, DefaultCheck, Service, listener, route};
use crate::engine::check::{OnFail, Severity, Timing};
use crate::engine::hysteresis::WindowRule;
use crate::probe::Probe;
use crate::probe::dns::{DnsProbe, EdnsUse, Expectation};
use crate::probe::set::ProbeSet;
use crate::text::period::Period;
use crate::text::{toml_string, toml_strings};

/// The supplied checks of a service as `[[service.check]]` tables, but for that of its addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables<'a>(pub(super) &'a Service);

impl fmt::Display for Tables<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut supplied = self.0.checks.iter().filter_map(|check| Some((check, check.default?)));
        supplied.try_for_each(|(check, default)| table(f, check, default))
    }
}

fn table(f: &mut fmt::Formatter<'_>, check: &Check, default: DefaultCheck) -> fmt::Result {
    if matches!(check.probe, Probe::Address(_)) {
        return Ok(());
    }
    writeln!(f)?;
    if let Some(from) = default.counts_from {
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
        Probe::Listener(probe) => writeln!(f, "listener = {}", listener::table(probe)),
        Probe::Route(probe) => writeln!(f, "route = {}", route::table(probe)),
        // The service supplies the check of its addresses beside any others. The rest is never supplied.
        Probe::Address(_)
        | Probe::Command(_)
        | Probe::Freshness(_)
        | Probe::Counters(_)
        | Probe::Lookup(_)
        | Probe::Nothing => Ok(()),
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

/// The address of a server, with its port unless that is the default.
fn written_address(server: SocketAddr) -> String {
    match server.port() {
        PORT => server.ip().to_string(),
        _ => server.to_string(),
    }
}

/// Each text once, in order.
fn distinct(mut texts: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::engine::plan;

    const NODE: &str =
        "[node]\nmanagement = [\"10.1.0.2\", \"2001:db8:1::2\"]\n[backend.unbound]\n[backend.nsd]\n";
    const SERVICE: &str = "[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\", \"192.0.2.54/32\", \"2001:db8:53::/48\"]\n";

    fn service(of_service: &str) -> Service {
        let text = format!("{NODE}{SERVICE}{of_service}");
        let config = Config::parse(Path::new("a.toml"), &text, "host");
        config.unwrap_or_else(|error| panic!("{error}\n{text}")).services.remove(0)
    }

    /// The checks in the order of their names, each as if the file had it.
    fn checks(service: &Service) -> String {
        let mut checks = service.checks.clone();
        checks.iter_mut().for_each(|check| check.default = None);
        checks.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        format!("{checks:#?}")
    }

    /// The checks as a reload compares them, in the order of their names.
    fn planned(service: &Service) -> Vec<plan::Check> {
        let mut checks = service.plan().checks;
        checks.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        checks
    }

    #[test]
    fn a_route_check_can_be_pasted() {
        for keys in [
            "",
            "to = \"198.51.100.1\", interfaces = [\"eth0\"]",
            "to = [\"2001:db8::1\"], interfaces = [\"a\", \"b\"]",
            "neighbors = false",
        ] {
            let check = "prefixes = [\"192.0.2.53/32\", \"2001:db8:53::53/128\"]\n[[service.check]]\nname = \"back\"\n";
            let service = |check: String| {
                let text = format!("{NODE}[[service]]\nname = \"a\"\nneighbors = [\"10.1.0.1\"]\n{check}");
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

    const OWN: &str = "[[service.check]]\nname = \"own\"\non-fail = { servfail = \"degraded\" }\n\
                       dns = { queries = [\"example.org SOA\"], tls = { name = \"a.example\" }, transport = \"tls\" }\n";

    #[test]
    fn pasted_tables_give_the_same_checks() {
        for of_service in [
            "",
            "role = \"resolver\"\n",
            "role = \"authoritative\"\nzones = [\"example.org\", \"example.net\"]\ncritical = [\"example.net\"]\n",
            "backend = \"unbound\"\n",
            "backend = \"nsd\"\nzones = [\"example.org\"]\n",
            "role = \"resolver\"\nclient-source = [\"198.51.100.7\", \"198.51.100.8\", \"2001:db8:1::7\"]\n",
            "neighbors = [\"198.51.100.1\"]\nrole = \"resolver\"\nbackend = \"unbound\"\n",
        ] {
            let supplied = service(of_service);
            assert!(supplied.checks.len() > 2);
            let pasted = service(&format!("{of_service}{}", Tables(&supplied)));
            assert_eq!(checks(&pasted), checks(&supplied));
            assert_eq!(planned(&pasted), planned(&supplied), "a reload would begin them anew");
        }
    }

    #[test]
    fn one_pasted_table_replaces_the_check_of_its_name_and_the_checks_of_the_file_stay() {
        let of_service = format!("role = \"resolver\"\n{OWN}");
        let supplied = service(&of_service);
        let tables = Tables(&supplied).to_string();
        assert!(!tables.contains("name = \"own\""), "{tables}");
        let count = tables.matches("[[service.check]]").count();
        assert_eq!(count + 2, supplied.checks.len(), "all but `own` and `address`");
        for table in tables.split("[[service.check]]").skip(1) {
            let pasted = service(&format!("{of_service}[[service.check]]{table}"));
            assert_eq!(checks(&pasted), checks(&supplied), "{table}");
        }
    }
}
