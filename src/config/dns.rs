//! The checks of the file and their `dns` tables.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::Check;
use super::address::same_family;
use super::defaults::TIMING;
use super::file::{self, Placed, place};
use super::resolve::{CheckScope, Refused, Resolver, Result, Scope, addresses};
use super::value::{Server, WordOr};
use crate::engine::check::{OnFail, Severity, Timing};
use crate::exabgp::command::Family;
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::dns::{DnsProbe, Question, Transport};
use crate::probe::locality::Locality;
use crate::probe::set::{Pace, ProbeSet};
use crate::text::ordered;
use crate::text::period::LONGEST;

/// A kind of probes that a check has: its key, the place of its value, and what reads the value.
type Kind<'r> = (&'static str, Range<usize>, Box<dyn Fn() -> Result<Probe> + 'r>);

fn kind<'r, T, P: 'r>(
    key: &'static str,
    written: &'r Placed<T>,
    probe: fn(P) -> Probe,
    read: impl Fn(&'r Spanned<T>) -> Result<P> + 'r,
) -> Option<Kind<'r>> {
    let value = written.as_ref()?;
    Some((key, value.span(), Box::new(move || read(value).map(probe))))
}

impl Resolver<'_> {
    /// The checks of a service: those of its role, and those of the file. A service that lists checks has those of a
    /// role only if it names the role. A check of the file takes the place of the role's check of the same name.
    pub(super) fn checks(&self, of: Scope<'_>) -> Result<Vec<Check>> {
        let service = of.service;
        let supplied = if service.check.is_empty() || service.role.is_some() {
            self.role_checks(of)
        } else {
            self.keys_without_role(service).map(|()| vec![])
        };
        let (mut checks, mut names) = (vec![], vec![]);
        for written in &service.check {
            let (place, name) = (written.get_ref().name.span(), written.get_ref().name.get_ref());
            let mut own = self.name(&written.get_ref().name, "check");
            if names.contains(&name) {
                let message =
                    format!("another check of this service is called `{name}`, expected a unique name");
                own = Err(self.value_error(&place, message));
            }
            names.push(name);
            let check = self.check(written, of);
            checks.push(own.and(check));
        }
        let own = checks.into_iter().collect::<Result<Vec<_>>>();
        let mut all = supplied?;
        all.retain(|check| !names.contains(&&check.name));
        all.extend(own?);
        Ok(all)
    }

    /// Refuses the keys of a role in a service that has checks of its own and no role.
    fn keys_without_role(&self, service: &file::Service) -> Result<()> {
        let mut refused = Ok(());
        for (key, place) in keys_of_role_checks(service) {
            let message = format!(
                "{key} belongs to the checks of a role, but this service lists its own checks; add role = \"…\" to have both"
            );
            refused = Err(self.rule_error(&["role"], &place, message));
        }
        let is_compared = service.check.iter().any(|check| check.get_ref().freshness.is_some());
        if let (Some(zones), None, false) = (&service.zones, &service.backend, is_compared) {
            let message = "zones need a backend or the checks of a role, and this service has no backend and lists its own checks";
            refused = Err(self.rule_error(&["backend"], &zones.span(), message));
        }
        refused
    }

    fn check(&self, written: &Spanned<file::Check>, of: Scope<'_>) -> Result<Check> {
        let (place, written) = (written.span(), written.get_ref());
        let own = file::Timing {
            since: None,
            interval: written.interval.clone(),
            fast_interval: written.fast_interval.clone(),
            timeout: written.timeout.clone(),
            rise: written.rise,
            fall: written.fall.clone(),
        };
        let timing = self.timing(&own, of.defaults);
        // Read the probes even if the timing is invalid, so that all errors are reported.
        let within = timing.unwrap_or(Timing { timeout: LONGEST, ..TIMING });
        let (name, locality) = (written.name.get_ref(), self.locality(of.service, &written.device));
        let probe = self.probe(written, &place, &CheckScope { of, name, timing: within, locality });
        let has_window =
            written.dns.is_some() || own.fall.as_ref().is_some_and(|fall| fall.get_ref().has_window());
        let timing = timing.map(|timing| if has_window { timing } else { timing.without_window() });
        Ok(Check {
            name: written.name.get_ref().clone(),
            timing: timing?,
            on_fail: on_fail(written),
            probe: probe?,
            default: None,
        })
    }

    /// Builds the probe of a check. Refuses a check with two kinds of probes, and `plugin` without a command.
    fn probe(&self, written: &file::Check, place: &Range<usize>, check: &CheckScope<'_>) -> Result<Probe> {
        let kinds = self.kinds(written, check);
        let plugin_fits = self.plugin_fits(written);
        let single = match &kinds[..] {
            [] => Err(self.no_probe(check.name, place)),
            [_] => plugin_fits,
            [(first, ..), (second, place, _), ..] => {
                let message = format!("`{first}` and `{second}` in one check, expected one of them");
                Err(self.value_error(place, message))
            }
        };
        // Read each kind before failing, so that all errors are reported.
        let probes: Vec<_> = kinds.iter().map(|(.., read)| read()).collect();
        single?;
        probes.into_iter().next().unwrap_or(Err(Refused))
    }

    /// The kinds of probes that a check has; one in a valid file.
    fn kinds<'r>(&'r self, written: &'r file::Check, check: &'r CheckScope<'_>) -> Vec<Kind<'r>> {
        let (plugin, timeout) = (&written.plugin, check.timing.timeout);
        let kinds = [
            kind("dns", &written.dns, Probe::Dns, |dns| self.probe_set(dns, check)),
            kind("command", &written.command, Probe::Command, move |line| {
                self.command(line, plugin, timeout)
            }),
            kind("process", &written.process, Probe::Process, |table| self.process(table, check)),
            kind("address", &written.address, Probe::Address, |table| self.address_probe(table, check)),
            kind("freshness", &written.freshness, Probe::Freshness, |table| self.freshness(table, check)),
            kind("listener", &written.listener, Probe::Listener, |table| self.listener_probe(table, check)),
            kind("counters", &written.counters, Probe::Counters, |table| self.counters(table, check)),
            kind("route", &written.route, Probe::Route, |table| self.route_probe(table, check)),
            kind("lookup", &written.lookup, Probe::Lookup, |table| self.lookup(table, check)),
        ];
        kinds.into_iter().flatten().collect()
    }

    fn no_probe(&self, name: &str, place: &Range<usize>) -> Refused {
        let message = format!(
            "check `{name}` has nothing to probe, expected a table `dns = {{ … }}`, a `command = \"…\"`, a table `process = {{ … \
             }}`, a table `address = {{}}`, a table `freshness = {{ … }}`, a table `listener = {{ … }}`, a table `counters = \
             {{}}`, a table `route = {{}}` or a table `lookup = {{ … }}`"
        );
        const KEYS: &[&str] = &[
            "dns",
            "command",
            "process",
            "address",
            "freshness",
            "listener",
            "counters",
            "route",
            "lookup",
            "name",
        ];
        self.rule_error(KEYS, place, message)
    }

    /// Builds a probe for every question, server, source and transport.
    fn probe_set(&self, dns: &Spanned<file::Dns>, check: &CheckScope<'_>) -> Result<ProbeSet> {
        let timing = check.timing;
        let (span, dns) = (dns.span(), dns.get_ref());
        let nonempty = [
            self.require_nonempty(&dns.server, "server"),
            self.require_nonempty(&dns.source, "source"),
            self.require_nonempty(&dns.transport, "transport"),
        ];
        let servers: Vec<Server> = match &dns.server {
            Some(servers) => servers.get_ref().values(),
            None => self.management.iter().copied().map(Server::without_port).collect(),
        };
        // Read every question and every source before failing, so that all errors are reported.
        let with_sources = |server: &Server| Ok((*server, self.sources_of(server.0, dns, &span)?));
        let servers: Vec<_> = servers.iter().map(with_sources).collect();
        let questions = self.questions(dns, &span, timing);
        let written = dns.transport.as_ref();
        let transports = written.map_or_else(|| vec![Transport::Udp], |written| written.get_ref().values());
        let fit = self.transports_fit(dns, &transports);
        nonempty.into_iter().collect::<Result<()>>()?;
        fit?;
        let servers = servers.into_iter().collect::<Result<Vec<_>>>()?;
        let probes = probes(&questions?, &servers, &transports, timing.timeout, &check.locality);
        let need = dns.pass.as_ref().map_or(probes.len(), |pass| *pass.get_ref());
        let place = dns.pass.as_ref().map_or(span, Spanned::span);
        let pace = pace(timing, dns.max_in_flight);
        let keys = &["query", "queries", "server", "source", "transport"];
        let set = ProbeSet::new(probes, need, pace);
        let set = set.map_err(|message| self.rule_error(keys, &place, message))?;
        Ok(set.partial(dns.partial).once_seen(dns.once_seen))
    }

    /// Refuses keys that have no effect without a certain transport.
    fn transports_fit(&self, dns: &file::Dns, transports: &[Transport]) -> Result<()> {
        let follows = match &dns.follow_truncation {
            Some(follow) if !transports.contains(&Transport::Udp) => {
                let message =
                    "follow-truncation has no effect without the transport udp, expected transport = \"udp\"";
                Err(self.rule_error(&["transport"], &follow.span(), message))
            }
            _ => Ok(()),
        };
        let encrypts = match &dns.tls {
            Some(tls) if !transports.iter().any(|transport| transport.is_encrypted()) => {
                let message =
                    "tls has no effect without the transport tls or https, expected transport = \"tls\"";
                Err(self.rule_error(&["transport"], &tls.span(), message))
            }
            _ => Ok(()),
        };
        follows.and(encrypts)
    }

    /// The source addresses for a server: the first of its family, with `each-source` all of it.
    /// `place` is that of the `dns` table.
    fn sources_of(&self, server: SocketAddr, dns: &file::Dns, place: &Range<usize>) -> Result<Vec<IpAddr>> {
        let given = dns.source.as_ref().map(|sources| addresses(&sources.get_ref().0));
        if given.as_ref().is_some_and(Vec::is_empty) {
            // The empty list is reported.
            return Err(Refused);
        }
        let key = if given.is_some() { "`source`" } else { "node.management" };
        let mut sources = given.unwrap_or_else(|| self.source(server, None).into_iter().collect());
        sources.retain(|source| same_family(*source, server.ip()));
        if !sources.is_empty() {
            sources.truncate(if dns.each_source { sources.len() } else { 1 });
            return Ok(sources);
        }
        let family = Family::from_address(server.ip()).name();
        let place =
            file::place(&dns.source).or_else(|| file::place(&dns.server)).unwrap_or_else(|| place.clone());
        let message =
            format!("`{server}` cannot be probed: the sources contain no {family} address; add one to {key}");
        Err(self.rule_error(&["source", "management"], &place, message))
    }

    /// The source address: the one given, else a management address of the server's family.
    pub(super) fn source(&self, server: SocketAddr, given: Option<&[IpAddr]>) -> Option<IpAddr> {
        let sources = given.unwrap_or(&self.management);
        sources.iter().copied().find(|source| same_family(*source, server.ip()))
    }
}

/// A probe for every question, server with its sources, and transport. A server without a port in the file is asked at that
/// of each transport.
pub(super) fn probes(
    questions: &[Arc<Question>],
    servers: &[(Server, Vec<IpAddr>)],
    transports: &[Transport],
    timeout: Duration,
    locality: &Locality,
) -> Vec<DnsProbe> {
    let mut probes = vec![];
    for question in questions {
        for (Server(server, has_port), sources) in servers {
            for source in sources {
                let locality = locality.part_for([server.ip(), *source]);
                probes.extend(transports.iter().map(|transport| {
                    let mut server = *server;
                    if !has_port {
                        server.set_port(transport.port());
                    }
                    DnsProbe {
                        question: Arc::clone(question),
                        server,
                        source: Some(*source),
                        transport: *transport,
                        timeout,
                        locality: Arc::clone(&locality),
                    }
                }));
            }
        }
    }
    probes
}

/// The concurrency of a check. The starts of further probes are spread so that the last answer is due within the
/// interval.
pub(super) fn pace(timing: Timing, max_in_flight: Option<NonZeroUsize>) -> Pace {
    Pace {
        max_in_flight: max_in_flight.unwrap_or(Pace::MAX_IN_FLIGHT),
        spread: timing.interval.saturating_sub(timing.timeout),
    }
}

/// The keys of a service that change its default checks and nothing else, with their places.
fn keys_of_role_checks(service: &file::Service) -> impl Iterator<Item = (&'static str, Range<usize>)> {
    let places = [
        ("critical", place(&service.critical)),
        ("sentinel", place(&service.sentinel)),
        ("large", place(&service.large)),
        ("client-source", place(&service.client_source)),
        ("recursion", place(&service.recursion)),
        ("validation", place(&service.validation)),
    ];
    places.into_iter().filter_map(|(key, place)| Some((key, place?)))
}

/// The effect of failures and unknown outcomes on the service. By default only failures count. Outdated zones degrade:
/// if they withdrew, a fault of a primary would withdraw every PoP at once.
fn on_fail(written: &file::Check) -> OnFail {
    let degrades = written.freshness.is_some()
        || written.counters.is_some()
        || written.route.is_some()
        || written.lookup.is_some();
    let default = if degrades { Severity::Degraded } else { Severity::Down };
    let (otherwise, mut by_cause) = match &written.on_fail {
        None => (default, BTreeMap::new()),
        Some(WordOr::Word(severity)) => (*severity, BTreeMap::new()),
        Some(WordOr::Table(table)) => {
            (default, ordered(table.iter().map(|(cause, severity)| (cause.0, severity.0))))
        }
    };
    // A late answer is an answer.
    let has_limit = written.dns.as_ref().is_some_and(|dns| dns.get_ref().expect.max_latency.is_some());
    if has_limit && !matches!(written.on_fail, Some(WordOr::Word(_))) {
        by_cause.entry(Cause::Slow).or_insert(Severity::Observe);
    }
    OnFail {
        otherwise,
        unknown: written.on_unknown.unwrap_or(Severity::Observe),
        by_cause,
        once_up: written.once_up,
        absorbs_overload: false,
    }
}
