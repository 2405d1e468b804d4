//! The checks of the file and their `dns` tables.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;

use super::Check;
use super::file;
use super::resolve::{Refused, Resolver, Result, addresses};
use super::value::{OneOrMany, Text, WordOr};
use crate::backend::Backend;
use crate::config::defaults::TIMING;
use crate::engine::check::{OnFail, Severity, Timing};
use crate::exabgp::command::Family;
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::dns::{DnsProbe, Transport};
use crate::probe::locality::Locality;
use crate::probe::set::{Pace, ProbeSet};
use crate::text::period::LONGEST;

impl Resolver<'_> {
    /// The checks of a service: those of its role, and those of the file. A service that lists checks has those of a
    /// role only if it names the role. A check of the file takes the place of the role's check of the same name.
    pub(super) fn checks(
        &self,
        service: &file::Service,
        backend: Option<&Backend>,
        defaults: &file::Timing,
    ) -> Result<Vec<Check>> {
        let has_role_checks = service.check.is_empty() || service.role.is_some();
        let supplied = if has_role_checks {
            self.role_checks(service, backend, defaults)
        } else {
            self.keys_without_role(service).map(|()| vec![])
        };
        let (mut checks, mut names) = (vec![], vec![]);
        for written in &service.check {
            let name = &written.get_ref().name;
            let mut own = self.name(name, "check");
            if names.contains(&name.get_ref()) {
                let message = format!(
                    "another check of this service is called `{}`, expected a unique name",
                    name.get_ref()
                );
                own = Err(self.value_error(&name.span(), message));
            }
            names.push(name.get_ref());
            let check = self.check(written.get_ref(), &written.span(), service, backend, defaults);
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

    fn check(
        &self,
        written: &file::Check,
        place: &Range<usize>,
        service: &file::Service,
        backend: Option<&Backend>,
        defaults: &file::Timing,
    ) -> Result<Check> {
        let own = file::Timing {
            interval: written.interval.clone(),
            fast_interval: written.fast_interval.clone(),
            timeout: written.timeout.clone(),
            rise: written.rise,
            fall: written.fall.clone(),
        };
        let timing = self.timing(&own, defaults);
        // Read the probes even if the timing is invalid, so that all errors are reported.
        let within = timing.unwrap_or(Timing { timeout: LONGEST, ..TIMING });
        let probe = self.probe(written, place, service, backend, within);
        let has_window =
            written.dns.is_some() || own.fall.as_ref().is_some_and(|fall| fall.get_ref().window.is_some());
        let timing = timing.map(|timing| if has_window { timing } else { timing.without_window() });
        Ok(Check {
            name: written.name.get_ref().clone(),
            timing: timing?,
            on_fail: on_fail(written),
            probe: probe?,
            default: None,
        })
    }

    fn probe(
        &self,
        written: &file::Check,
        place: &Range<usize>,
        service: &file::Service,
        backend: Option<&Backend>,
        timing: Timing,
    ) -> Result<Probe> {
        let name = written.name.get_ref();
        let single = self.single_kind(written);
        // Read each kind before failing, so that all errors are reported.
        let dns = written.dns.as_ref().map(|dns| {
            let locality = self.locality(service, &written.device);
            self.probe_set(dns, timing, &locality).map(Probe::Dns)
        });
        let command = written
            .command
            .as_ref()
            .map(|command| self.command(command, &written.plugin, timing.timeout).map(Probe::Command));
        let process = written
            .process
            .as_ref()
            .map(|process| self.process(process, name, service, backend, timing.timeout).map(Probe::Process));
        let address = written
            .address
            .as_ref()
            .map(|address| self.address_probe(address, service, &written.device).map(Probe::Address));
        let freshness = written.freshness.as_ref().map(|freshness| {
            self.freshness(freshness, written, service, backend, timing.timeout).map(Probe::Freshness)
        });
        let listener = written
            .listener
            .as_ref()
            .map(|listener| self.listener_probe(listener, service, backend).map(Probe::Listener));
        let counters = written.counters.as_ref().map(|counters| {
            self.counters(counters, written, service, backend, timing.timeout).map(Probe::Counters)
        });
        let route = written
            .route
            .as_ref()
            .map(|route| self.route_probe(route, service, &written.device).map(Probe::Route));
        let lookup = written
            .lookup
            .as_ref()
            .map(|lookup| self.lookup(lookup, written, service, timing.timeout).map(Probe::Lookup));
        let probe = dns
            .or(command)
            .or(process)
            .or(address)
            .or(freshness)
            .or(listener)
            .or(counters)
            .or(route)
            .or(lookup);
        single.and(probe.unwrap_or_else(|| Err(self.no_probe(name, place))))
    }

    fn no_probe(&self, name: &str, place: &Range<usize>) -> Refused {
        let expected = "expected a table `dns = { … }`, a `command = \"…\"`, a table `process = { … }`, a \
                            table `address = {}`, a table `freshness = { … }`, a table `listener = { … }`, a table \
                            `counters = {}`, a table `route = {}` or a table `lookup = { … }`";
        let message = format!("check `{name}` has nothing to probe, {expected}");
        let kinds = &[
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
        self.rule_error(kinds, place, message)
    }

    /// Refuses a check with two kinds of probes, and `plugin` without a command.
    fn single_kind(&self, written: &file::Check) -> Result<()> {
        let kinds = [
            ("dns", written.dns.as_ref().map(Spanned::span)),
            ("command", written.command.as_ref().map(Spanned::span)),
            ("process", written.process.as_ref().map(Spanned::span)),
            ("address", written.address.as_ref().map(Spanned::span)),
            ("freshness", written.freshness.as_ref().map(Spanned::span)),
            ("listener", written.listener.as_ref().map(Spanned::span)),
            ("counters", written.counters.as_ref().map(Spanned::span)),
            ("route", written.route.as_ref().map(Spanned::span)),
            ("lookup", written.lookup.as_ref().map(Spanned::span)),
        ];
        let fits = self.plugin_fits(written);
        let mut kinds = kinds.iter().filter_map(|(kind, span)| span.as_ref().map(|span| (kind, span)));
        if let (Some((first, _)), Some((second_kind, second))) = (kinds.next(), kinds.next()) {
            let message = format!("`{first}` and `{second_kind}` in one check, expected one of them");
            return Err(self.value_error(second, message));
        }
        fits
    }

    /// Builds a probe for every question, server, source and transport.
    fn probe_set(
        &self,
        dns: &Spanned<file::Dns>,
        timing: Timing,
        locality: &Arc<Locality>,
    ) -> Result<ProbeSet> {
        let (span, dns) = (dns.span(), dns.get_ref());
        let nonempty = [
            self.require_nonempty(&dns.server, |servers| servers.0.len(), "server"),
            self.require_nonempty(&dns.source, |sources| sources.0.len(), "source"),
            self.require_nonempty(&dns.transport, |transports| transports.0.len(), "transport"),
        ];
        // Without a port, each transport has its own.
        let servers: Vec<(SocketAddr, bool)> = match &dns.server {
            Some(servers) => servers.get_ref().0.iter().map(|server| (server.0.0, server.0.1)).collect(),
            None => self.management.iter().map(|address| (SocketAddr::new(*address, 53), false)).collect(),
        };
        // Read every question and every source before failing, so that all errors are reported.
        let sources =
            servers.iter().map(|(server, _)| self.sources_of(*server, dns, &span)).collect::<Vec<_>>();
        let questions = self.questions(dns, &span, timing);
        let transports = words(dns.transport.as_ref()).unwrap_or_else(|| vec![Transport::Udp]);
        let fit = self.transports_fit(dns, &transports);
        nonempty.into_iter().collect::<Result<()>>()?;
        fit?;
        let sources = sources.into_iter().collect::<Result<Vec<_>>>()?;
        let mut probes = vec![];
        for question in &questions? {
            for ((server, has_port), source, transport) in servers
                .iter()
                .zip(&sources)
                .flat_map(|(server, sources)| sources.iter().map(move |source| (server, source)))
                .flat_map(|(server, source)| {
                    transports.iter().map(move |transport| (server, source, transport))
                })
            {
                let mut server = *server;
                if !has_port {
                    server.set_port(transport.port());
                }
                probes.push(DnsProbe {
                    question: Arc::clone(question),
                    server,
                    source: Some(*source),
                    transport: *transport,
                    timeout: timing.timeout,
                    locality: Arc::clone(locality),
                });
            }
        }
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
        sources.retain(|source| source.is_ipv4() == server.is_ipv4());
        if !sources.is_empty() {
            sources.truncate(if dns.each_source { sources.len() } else { 1 });
            return Ok(sources);
        }
        let family = Family::of(server.ip()).name();
        let source = dns.source.as_ref().map(Spanned::span);
        let place = source.or_else(|| dns.server.as_ref().map(Spanned::span)).unwrap_or(place.clone());
        let message =
            format!("`{server}` cannot be probed: the sources contain no {family} address; add one to {key}");
        Err(self.rule_error(&["source", "management"], &place, message))
    }

    /// The source address: the one given, else a management address of the server's family.
    pub(super) fn source(&self, server: SocketAddr, given: Option<&[IpAddr]>) -> Option<IpAddr> {
        let sources = given.unwrap_or(&self.management);
        sources.iter().copied().find(|source| source.is_ipv4() == server.is_ipv4())
    }
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
    fn place<T>(key: &'static str, written: Option<&Spanned<T>>) -> Option<(&'static str, Range<usize>)> {
        written.map(|value| (key, value.span()))
    }
    let places = [
        place("critical", service.critical.as_ref()),
        place("sentinel", service.sentinel.as_ref()),
        place("large", service.large.as_ref()),
        place("client-source", service.client_source.as_ref()),
        place("recursion", service.recursion.as_ref()),
        place("validation", service.validation.as_ref()),
    ];
    places.into_iter().flatten()
}

/// The effect of failures and unknown outcomes on the service. By default only failures count. Outdated zones degrade:
/// if they withdrew, a fault of a primary would withdraw every PoP at once.
fn on_fail(written: &file::Check) -> OnFail {
    let degrades = written.freshness.is_some()
        || written.counters.is_some()
        || written.route.is_some()
        || written.lookup.is_some();
    let default = if degrades { Severity::Degraded } else { Severity::Down };
    let (otherwise, by_cause) = match &written.on_fail {
        None => (default, BTreeMap::new()),
        Some(WordOr::Word(severity)) => (*severity, BTreeMap::new()),
        Some(WordOr::Table(table)) => {
            (default, table.iter().map(|(cause, severity)| (cause.0, severity.0)).collect())
        }
    };
    // A late answer is an answer. It counts only if `on-fail` is a word or names the cause.
    let has_limit = written.dns.as_ref().is_some_and(|dns| dns.get_ref().expect.max_latency.is_some());
    let mut by_cause = by_cause;
    if has_limit && !matches!(written.on_fail, Some(WordOr::Word(_))) {
        by_cause.entry(Cause::Slow).or_insert(Severity::Observe);
    }
    // Moving traffic because of overload overloads the next PoP.
    if written.counters.is_some() && !matches!(written.on_fail, Some(WordOr::Word(_))) {
        by_cause.entry(Cause::Overload).or_insert(Severity::Observe);
    }
    OnFail {
        otherwise,
        unknown: written.on_unknown.unwrap_or(Severity::Observe),
        by_cause,
        once_up: written.once_up,
        absorb: false,
    }
}

fn words<T: Clone>(written: Option<&Spanned<OneOrMany<Text<T>>>>) -> Option<Vec<T>> {
    written.map(|written| written.get_ref().0.iter().map(|word| word.0.clone()).collect())
}
