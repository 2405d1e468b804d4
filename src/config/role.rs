//! The supplied checks of a service that lists none or names its role, depending on role and backend.
//!
//! | check | probes | over | a failure |
//! |---|---|---|---|
//! | `answers` | every service address | UDP | brings the service down; missing flags or too few answers only degrade it |
//! | `zones` | every service address | UDP | brings the service down; some zones of a server only degrade it |
//! | `alive` | every service address | UDP | brings the service down |
//! | `answers-tcp`, `zones-tcp`, `alive-tcp` | every service address | TCP | degrades the service |
//! | `critical` | every service address | UDP | brings the service down; absent if every zone is critical, since `zones` does this then |
//! | `sentinel` | every service address | UDP | brings the service down; some names of a server only degrade it |
//! | `recursion`, `validation` | the first service address | UDP | degrades the service, once the check has been up |
//! | `records`, `signatures`, `large` | the first service address | UDP | the same, and each question counts once it has passed |
//! | `tls` | the first service address | TLS | the same |
//! | `identity` | the first service address | UDP | is shown and moves no route |
//! | `way-back`, `way-back-ipv6` | the routing table of the kernel | – | degrades the service, once there was a route |
//! | `management` | the management addresses that do not decide | both | is shown and moves no route |
//! | `from-management` | every service address, where `client-source` asks in place of the management address | UDP | is shown and moves no route |
//!
//! An answer of `answers`, `zones` or `critical` that is only late is shown and moves no route.
//!
//! A service address is a host prefix of the service or an address of its key `address`. If a family has prefixes but
//! no such address, the management address of that family decides instead; if no family has either, all management
//! addresses decide.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use self::deep::way_back_checks;
use self::questions::RoleQuestions;
pub(super) use self::questions::zones;
use super::address::{same_family, service_addresses};
use super::defaults::PORT;
use super::resolve::{Refused, Resolver, Result, Scope, addresses};
use super::value::Server;
use super::{Check, dns, file, process_check};
use crate::backend::Role;
use crate::engine::check::{OnFail, Severity, Timing};
use crate::exabgp::command::Family;
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::dns::{Expectation, Options, Question, Transport};
use crate::probe::locality::Locality;
use crate::probe::set::ProbeSet;
use crate::text::ordered;

mod deep;
mod questions;

const OVER_TCP: &str =
    "the same over TCP, which idle connections can exhaust; a failure only degrades the service";
const MANAGEMENT: &str = "the server may not listen on the management address, so a failure moves no route";
const FROM_MANAGEMENT: &str =
    "the same from the management address, which access lists may refuse while clients are answered";
const SENTINEL: &str = "the names of `sentinel`, with an authoritative answer";
const CRITICAL: &str = "the SOA of each zone of `critical`: without one of them this host shall not serve";

/// The common parts of the default checks of a service.
struct CommonParts<'a> {
    service: &'a file::Service,
    asked: RoleQuestions,
    timing: Timing,
    locality: Arc<Locality>,
    /// The addresses that decide about the service.
    deciding: Vec<IpAddr>,
    /// Addresses of this host that access lists treat as clients.
    clients: Vec<IpAddr>,
}

impl CommonParts<'_> {
    /// A check of these questions at every deciding address over UDP, as clients ask.
    fn outline<'a>(
        &'a self,
        name: &'a str,
        why: &'static str,
        on_fail: OnFail,
        questions: &'a [Arc<Question>],
    ) -> Outline<'a> {
        Outline {
            name,
            why,
            on_fail,
            questions,
            timing: self.timing,
            servers: &self.deciding,
            transports: &[Transport::Udp],
            from: &self.clients,
            one_is_enough: false,
            partial: false,
            once_seen: false,
        }
    }
}

/// A `dns` check of a role.
struct Outline<'a> {
    name: &'a str,
    why: &'static str,
    on_fail: OnFail,
    questions: &'a [Arc<Question>],
    timing: Timing,
    servers: &'a [IpAddr],
    transports: &'a [Transport],
    /// The sources. Each server is asked from those of its family. If there are none, a management address is asked from
    /// itself, any other server from the management address of its family, else from its own address.
    from: &'a [IpAddr],
    /// Whether one probe that passes is enough.
    one_is_enough: bool,
    /// Whether a fault of some questions alone has its own cause.
    partial: bool,
    /// Whether a question can fail only after it has passed.
    once_seen: bool,
}

impl Resolver<'_> {
    /// The default checks of the table above, and the process of the backend.
    pub(super) fn role_checks(&self, of: Scope<'_>) -> Result<Vec<Check>> {
        let Scope { service, backend, .. } = of;
        let timing = self.default_timing(of);
        if service.role.is_none() && backend.is_none() && service.backend.is_some() {
            // The backend is refused, and its kind may name the role.
            return Err(Refused);
        }
        let asked = timing.and_then(|timing| self.asked(service, backend, timing));
        let clients = self.client_sources(service);
        let (timing, asked, clients) = (timing?, asked?, clients?);
        let (deciding, locality) = (self.deciding_addresses(service), self.locality(service, &None));
        let common = CommonParts { service, asked, timing, locality, deciding, clients };
        let process = backend.and_then(|backend| process_check::main_process_check(backend, timing));
        let mut checks: Vec<_> = process.into_iter().collect();
        checks.extend(self.surface_checks(&common)?);
        checks.extend(self.sentinel_check(&common)?);
        checks.extend(self.deep_checks(&common)?);
        checks.extend(self.large_check(&common)?);
        checks.extend(self.first_question_checks(&common)?);
        checks.extend(way_back_checks(&common));
        Ok(checks)
    }

    /// The checks of answers that the server gives by itself.
    fn surface_checks(&self, common: &CommonParts<'_>) -> Result<Vec<Check>> {
        let CommonParts { asked, deciding, .. } = common;
        let down = |by_cause| OnFail { by_cause, ..OnFail::always(Severity::Down) };
        let observed = || OnFail::always(Severity::Observe);
        let first = common.outline(asked.name, asked.why, down(asked.by_cause.clone()), &asked.questions);
        let mut outlines = vec![Outline { partial: asked.partial, ..first }];
        if !asked.critical.is_empty() {
            outlines.push(common.outline(
                "critical",
                CRITICAL,
                down(asked.severity_of_slow()),
                &asked.critical,
            ));
        }
        let tcp = format!("{}-tcp", asked.name);
        let over_tcp = common.outline(&tcp, OVER_TCP, OnFail::always(Severity::Degraded), &asked.plain);
        outlines.push(Outline { transports: &[Transport::Tcp], ..over_tcp });
        let does_not_decide = |address: &&IpAddr| !deciding.contains(address);
        let management: Vec<_> = self.management.iter().filter(does_not_decide).copied().collect();
        if !management.is_empty() {
            let transports = &[Transport::Udp, Transport::Tcp];
            let outline = common.outline("management", MANAGEMENT, observed(), &asked.plain);
            outlines.push(Outline { servers: &management, transports, from: &[], ..outline });
        }
        let by_clients =
            |server: &&IpAddr| common.clients.iter().any(|client| same_family(*client, **server));
        let by_clients: Vec<_> = deciding.iter().filter(by_clients).copied().collect();
        if !by_clients.is_empty() {
            let outline = common.outline("from-management", FROM_MANAGEMENT, observed(), &asked.plain);
            outlines.push(Outline { servers: &by_clients, from: &[], ..outline });
        }
        outlines.into_iter().map(|outline| self.role_check(common, outline)).collect()
    }

    /// The check of names in the zones, where the file has any.
    fn sentinel_check(&self, common: &CommonParts<'_>) -> Result<Option<Check>> {
        let Some(names) = &common.service.sentinel else { return Ok(None) };
        let queries = names.get_ref().values();
        let flags = vec![self.flag("aa")?];
        let expect = Expectation { flags, not_empty: true, ..Expectation::default() };
        let role = Some(Role::Authoritative);
        let questions = self.role_questions(&names.span(), &queries, role, &expect, Options::default())?;
        let partial = queries.len() > 1;
        let by_cause = ordered(partial.then_some((Cause::Partial, Severity::Degraded)));
        let on_fail = OnFail { by_cause, ..OnFail::always(Severity::Down) };
        let outline = common.outline("sentinel", SENTINEL, on_fail, &questions);
        self.role_check(common, Outline { partial, ..outline }).map(Some)
    }

    fn role_check(&self, common: &CommonParts<'_>, outline: Outline<'_>) -> Result<Check> {
        let Outline { name, why, on_fail, timing, partial, once_seen, .. } = outline;
        let with_sources =
            |server: &IpAddr| (Server::without_port(*server), self.sources_for(*server, outline.from));
        let servers: Vec<_> = outline.servers.iter().map(with_sources).collect();
        let probes =
            dns::probes(outline.questions, &servers, outline.transports, timing.timeout, &common.locality);
        let need = if outline.one_is_enough { 1 } else { probes.len() };
        let set = ProbeSet::new(probes, need, dns::pace(timing, None));
        let set = set.map_err(|message| self.error(&common.service.name.span(), message))?;
        let set = set.partial(partial).once_seen(once_seen);
        Ok(Check::supplied(name, why, timing, on_fail, Probe::Dns(set)))
    }

    fn sources_for(&self, server: IpAddr, given: &[IpAddr]) -> Vec<IpAddr> {
        let of_family: Vec<_> = given.iter().copied().filter(|source| same_family(*source, server)).collect();
        if !of_family.is_empty() {
            return of_family;
        }
        if self.management.contains(&server) {
            return vec![server];
        }
        vec![self.source(SocketAddr::new(server, PORT), None).unwrap_or(server)]
    }

    /// The addresses of `client-source`, each of a family that the service has.
    fn client_sources(&self, service: &file::Service) -> Result<Vec<IpAddr>> {
        let Some(written) = &service.client_source else { return Ok(vec![]) };
        self.require_nonempty(&service.client_source, "client-source")?;
        let clients = addresses(&written.get_ref().0);
        let is_of_use =
            |client: &&IpAddr| service.networks().any(|prefix| same_family(prefix.addr(), **client));
        if let Some(client) = clients.iter().find(|client| !is_of_use(client)) {
            let family = Family::from_address(*client).name();
            let message = format!(
                "client-source `{client}` asks nothing: the service has no {family} prefix, expected an address of a family that it has"
            );
            return Err(self.rule_error(&["prefixes"], &written.span(), message));
        }
        if let Some(client) = clients.iter().find(|client| self.management.contains(client)) {
            let message = format!(
                "client-source `{client}` is a management address, expected another address of this host that access lists treat as a client"
            );
            return Err(self.rule_error(&["management"], &written.span(), message));
        }
        Ok(clients)
    }

    /// The service addresses, and the management addresses of families without one.
    pub(super) fn deciding_addresses(&self, service: &file::Service) -> Vec<IpAddr> {
        let hosts = service_addresses(service).unwrap_or_else(|| service.hosts().collect());
        let stands_in = |management: &IpAddr| {
            let is_of_family = |address: IpAddr| same_family(address, *management);
            service.networks().any(|prefix| is_of_family(prefix.addr()))
                && !hosts.iter().copied().any(is_of_family)
        };
        let standing_in: Vec<_> = self.management.iter().copied().filter(stands_in).collect();
        match [hosts, standing_in].concat() {
            // No address in any family of the service: all management addresses decide, since a service needs a check.
            none if none.is_empty() => self.management.clone(),
            deciding => deciding,
        }
    }
}

#[cfg(test)]
mod tests;
