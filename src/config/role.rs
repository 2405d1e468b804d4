//! The default checks of a service that lists none, depending on its role and backend.
//!
//! | check | probes | over | a failure |
//! | `answers`, `zones`, `alive` | every service address | UDP | brings the service down |
//! | the same with `-tcp` | every service address | TCP | degrades the service |
//! | `management` | the management addresses | both | is shown and moves no route |
//!
//! A service address is a host prefix of the service or an address of its key `address`. If a family has prefixes but
//! no such address, the management address of that family decides instead.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use toml::Spanned;

use super::address::service_addresses;
use super::dns::pace;
use super::resolve::{Refused, Resolver, Result};
use super::{Check, file, process_check};
use crate::backend::{Backend, Role};
use crate::engine::check::{OnFail, Severity, Timing};
use crate::probe::Probe;
use crate::probe::dns::{DnsProbe, Expectation, Flag, Query, Question, Rcode, Rcodes, Transport};
use crate::probe::locality::Locality;
use crate::probe::set::ProbeSet;

/// The DNS port.
const PORT: u16 = 53;

const LIFE_ONLY: &str = "any answer except SERVFAIL passes, which shows only that the server runs; set role = \"resolver\", or \
                         role = \"authoritative\" with zones, or list your own checks";
const OVER_TCP: &str =
    "the same over TCP, which idle connections can exhaust; a failure only degrades the service";
const MANAGEMENT: &str = "the server may not listen on the management address, so a failure moves no route";

/// The questions of a role.
struct Asked {
    /// The name of the check over UDP.
    name: &'static str,
    /// Why the check exists.
    why: &'static str,
    questions: Vec<Arc<Question>>,
}

impl Resolver<'_> {
    /// The default checks of the table above, and the process of the backend.
    pub(super) fn role_checks(
        &self,
        service: &file::Service,
        backend: Option<&Backend>,
        defaults: &file::Timing,
    ) -> Result<Vec<Check>> {
        let timing = self.timing(&file::Timing::default(), defaults);
        if service.role.is_none() && backend.is_none() && service.backend.is_some() {
            // The backend is refused, and its kind may name the role.
            return Err(Refused);
        }
        let asked = self.asked(service, backend);
        let (timing, asked) = (timing?, asked?);
        let deciding = self.deciding_addresses(service);
        let observed: Vec<_> =
            self.management.iter().copied().filter(|address| !deciding.contains(address)).collect();
        let locality = self.locality(service, &None);
        let check = |name: String, why, severity, addresses: &[IpAddr], transports: &[Transport]| {
            let probes = self.role_probes(&asked.questions, addresses, transports, timing, &locality);
            let need = probes.len();
            let set = ProbeSet::new(probes, need, pace(timing, None))
                .map_err(|message| self.error(&service.name.span(), message))?;
            let (on_fail, probe) = (OnFail::always(severity), Probe::Dns(set));
            Ok(Check { name, timing, on_fail, probe, default: Some(why) })
        };
        let mut checks: Vec<_> = backend
            .and_then(|backend| process_check::main_process_check(backend, timing))
            .into_iter()
            .collect();
        let name = asked.name.to_owned();
        checks.push(check(name, asked.why, Severity::Down, &deciding, &[Transport::Udp])?);
        let name = format!("{}-tcp", asked.name);
        checks.push(check(name, OVER_TCP, Severity::Degraded, &deciding, &[Transport::Tcp])?);
        if !observed.is_empty() {
            let both = [Transport::Udp, Transport::Tcp];
            checks.push(check("management".to_owned(), MANAGEMENT, Severity::Observe, &observed, &both)?);
        }
        Ok(checks)
    }

    /// Builds a probe for every question, address and transport. The source is the management address of the family, or
    /// the address itself if there is none.
    fn role_probes(
        &self,
        questions: &[Arc<Question>],
        addresses: &[IpAddr],
        transports: &[Transport],
        timing: Timing,
        locality: &Arc<Locality>,
    ) -> Vec<DnsProbe> {
        let mut probes = vec![];
        for question in questions {
            for address in addresses {
                let own = if self.management.contains(address) { Some(*address) } else { None };
                let server = SocketAddr::new(*address, PORT);
                let source = own.or_else(|| self.source(server, None)).unwrap_or(*address);
                probes.extend(transports.iter().map(|transport| DnsProbe {
                    question: Arc::clone(question),
                    server,
                    source: Some(source),
                    transport: *transport,
                    timeout: timing.timeout,
                    locality: Arc::clone(locality),
                }));
            }
        }
        probes
    }

    /// The service addresses, and the management addresses of families without one.
    pub(super) fn deciding_addresses(&self, service: &file::Service) -> Vec<IpAddr> {
        let prefixes = || service.prefixes.get_ref().iter().map(|prefix| prefix.get_ref().0.0);
        let hosts = || prefixes().filter(|prefix| prefix.prefix_len() == prefix.max_prefix_len());
        let hosts = service_addresses(service).unwrap_or_else(|| hosts().map(|host| host.addr()).collect());
        let stands_in = |management: &IpAddr| {
            let is_of_family = |address: IpAddr| address.is_ipv4() == management.is_ipv4();
            prefixes().any(|prefix| is_of_family(prefix.addr())) && !hosts.iter().copied().any(is_of_family)
        };
        let standing_in: Vec<_> = self.management.iter().copied().filter(stands_in).collect();
        match [hosts, standing_in].concat() {
            none if none.is_empty() => self.management.clone(),
            deciding => deciding,
        }
    }

    /// The questions of the role, or of the only role of the backend.
    fn asked(&self, service: &file::Service, backend: Option<&Backend>) -> Result<Asked> {
        let refused = |message: String| self.error(&service.name.span(), message);
        let written = service.role.as_ref().map(|role| *role.get_ref());
        let role = written.or_else(|| backend.and_then(|backend| backend.kind.only_role()));
        let zones = service.zones.as_ref().map_or(&[][..], |zones| zones.get_ref());
        if let (Some(zones), None | Some(Role::Resolver)) = (&service.zones, role) {
            return Err(self.rule_error(
                &["role", "backend"],
                &zones.span(),
                "zones need a server that is authoritative, expected role = \"authoritative\"",
            ));
        }
        let localhost = || "localhost. A".parse::<Query>().map_err(refused);
        let well = |rcodes| Expectation { rcodes, ..Expectation::default() };
        let (name, why, queries, expect) = match role {
            Some(Role::Resolver) => (
                "answers",
                "every resolver answers this query itself",
                vec![localhost()?],
                well(Rcodes::one_of([Rcode::NOERROR, Rcode::NXDOMAIN])),
            ),
            Some(Role::Authoritative) => {
                if zones.is_empty() {
                    let role = service.role.as_ref().map(Spanned::span);
                    let span = role.or_else(|| service.backend.as_ref().map(Spanned::span)).unwrap_or(0..0);
                    return Err(self.rule_error(
                        &["role", "zones", "backend"],
                        &span,
                        "no zones, expected the zones that this server must serve: zones = [\"example.org\"]",
                    ));
                }
                let aa: Flag = "aa".parse().map_err(refused)?;
                let expect = Expectation { flags: vec![aa], min_answers: 1, ..Expectation::default() };
                let queries = zones.iter().map(|zone| zone.0.0.clone()).collect();
                ("zones", "the SOA of each zone, with an authoritative answer", queries, expect)
            }
            None => ("alive", LIFE_ONLY, vec![localhost()?], well(Rcodes::any_but([Rcode::SERVFAIL]))),
        };
        let recursion_desired = role != Some(Role::Authoritative);
        let question = |query| Question::new(query, recursion_desired, expect.clone()).map(Arc::new);
        let questions: std::result::Result<_, _> = queries.into_iter().map(question).collect();
        Ok(Asked { name, why, questions: questions.map_err(refused)? })
    }
}
