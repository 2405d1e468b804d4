//! The questions of each role that the server answers by itself.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use crate::backend::{Backend, Kind, Role};
use crate::config::file::{self, place, value};
use crate::config::resolve::{Resolver, Result};
use crate::engine::check::{Severity, Timing};
use crate::outcome::Cause;
use crate::probe::dns::{Expectation, Options, Query, Question, Rcode, Rcodes};
use crate::text::ordered;

/// A slower answer is shown as slow.
const MAX_LATENCY: Duration = Duration::from_millis(250);

/// Every resolver answers this query itself: Unbound, Knot Resolver, PowerDNS Recursor and dnsmasq with `localhost.`, BIND
/// with its zone `127.in-addr.arpa`, which Debian's files have and which is otherwise built in and empty. A BIND without
/// Debian's zones asks the root servers for `localhost.`.
const LOOPBACK: &str = "1.0.0.127.in-addr.arpa. PTR";

const LIFE_ONLY: &str = "any answer except SERVFAIL passes, which shows only that the server runs; set role = \"resolver\", or \
                         role = \"authoritative\" with zones, or list your own checks";

/// The questions of a role.
pub(super) struct RoleQuestions {
    pub(super) role: Option<Role>,
    /// The name of the check over UDP.
    pub(super) name: &'static str,
    /// Why the check exists.
    pub(super) why: &'static str,
    /// The questions of the check over UDP.
    pub(super) questions: Vec<Arc<Question>>,
    /// The same without a limit of latency.
    pub(super) plain: Vec<Arc<Question>>,
    /// The critical ones among them: the service is down without their answers.
    pub(super) critical: Vec<Arc<Question>>,
    /// The causes that do not bring the service down.
    pub(super) by_cause: BTreeMap<Cause, Severity>,
    /// Whether a server that answers some of them is treated differently from one that answers none.
    pub(super) partial: bool,
}

impl RoleQuestions {
    /// The severity of a late answer, as a table; empty without a limit of latency.
    pub(super) fn severity_of_slow(&self) -> BTreeMap<Cause, Severity> {
        let slow = self.by_cause.get(&Cause::Slow);
        ordered(slow.into_iter().map(|effect| (Cause::Slow, *effect)))
    }
}

impl Resolver<'_> {
    /// The questions of the role, or of the only role of the backend.
    pub(super) fn asked(
        &self,
        service: &file::Service,
        backend: Option<&Backend>,
        timing: Timing,
    ) -> Result<RoleQuestions> {
        let role = value(&service.role).or_else(|| backend.and_then(|backend| backend.kind.only_role()));
        self.keys_fit_the_role(service, role)?;
        self.role_is_known(service, backend, role)?;
        let name = service.name.span();
        // With DO the SOA of a zone with many signatures may exceed a datagram; `signatures` asks with DO.
        let surface = Options { dnssec_ok: role == Some(Role::Resolver), ..Options::default() };
        let all = |queries: &[Query], expect: &Expectation| {
            self.role_questions(&name, queries, role, expect, surface)
        };
        // A limit above the timeout would have no effect, and one without a role proves nothing.
        let limit = Some(MAX_LATENCY).filter(|latency| role.is_some() && *latency <= timing.timeout);
        let mut by_cause: BTreeMap<_, _> = ordered(limit.iter().map(|_| (Cause::Slow, Severity::Observe)));
        let (name, why, queries, expect) = match role {
            Some(Role::Resolver) => {
                // Access lists of an existing configuration may answer the probe only without recursion.
                by_cause.insert(Cause::Flags, Severity::Degraded);
                by_cause.insert(Cause::TooFewAnswers, Severity::Degraded);
                let rcodes = Rcodes::one_of([Rcode::NOERROR, Rcode::NXDOMAIN]);
                let flags = vec![self.flag("ra")?];
                let expect = Expectation { rcodes, flags, not_empty: true, ..Expectation::default() };
                ("answers", "every resolver answers this query itself", vec![self.query(LOOPBACK)?], expect)
            }
            Some(Role::Authoritative) => {
                let expect =
                    Expectation { flags: vec![self.flag("aa")?], min_answers: 1, ..Expectation::default() };
                ("zones", "the SOA of each zone, with an authoritative answer", zones(&service.zones), expect)
            }
            None => {
                let rcodes = Rcodes::any_but([Rcode::SERVFAIL]);
                let expect = Expectation { rcodes, ..Expectation::default() };
                ("alive", LIFE_ONLY, vec![self.query("localhost. A")?], expect)
            }
        };
        let critical = zones(&service.critical);
        // If all zones are critical, a fault of one brings the service down.
        let partial = queries.iter().any(|zone| !critical.contains(zone)) && queries.len() > 1;
        if partial {
            by_cause.insert(Cause::Partial, Severity::Degraded);
        }
        let limited = Expectation { max_latency: limit, ..expect.clone() };
        let critical = if partial { all(&critical, &limited)? } else { vec![] };
        let (questions, plain) = (all(&queries, &limited)?, all(&queries, &expect)?);
        Ok(RoleQuestions { role, name, why, questions, plain, critical, by_cause, partial })
    }

    /// Encodes the questions of a role.
    pub(super) fn role_questions(
        &self,
        place: &Range<usize>,
        queries: &[Query],
        role: Option<Role>,
        expect: &Expectation,
        options: Options,
    ) -> Result<Vec<Arc<Question>>> {
        let options = Options { recursion_desired: role != Some(Role::Authoritative), ..options };
        let encode = |query: &Query| {
            let question = Question::with(query.clone(), options, expect.clone());
            question.map(Arc::new).map_err(|message| self.error(place, message))
        };
        queries.iter().map(encode).collect()
    }

    /// Parses a query that is a constant of this program.
    pub(super) fn query(&self, text: &str) -> Result<Query> {
        text.parse().map_err(|message: String| self.error(&(0..0), message))
    }

    /// Parses a flag that is a constant of this program.
    pub(super) fn flag(&self, text: &str) -> Result<crate::probe::dns::Flag> {
        text.parse().map_err(|message: String| self.error(&(0..0), message))
    }

    /// Checks that zones are given only for an authoritative server, and keys of recursion only for a resolver.
    fn keys_fit_the_role(&self, service: &file::Service, role: Option<Role>) -> Result<()> {
        let is_authoritative = role == Some(Role::Authoritative);
        if let (Some(zones), false) = (&service.zones, is_authoritative) {
            let message = "zones need a server that is authoritative, expected role = \"authoritative\"";
            return Err(self.rule_error(&["role", "backend"], &zones.span(), message));
        }
        if is_authoritative && zones(&service.zones).is_empty() {
            let span = place(&service.role).or_else(|| place(&service.backend)).unwrap_or(0..0);
            let message =
                "no zones, expected the zones that this server must serve: zones = [\"example.org\"]";
            return Err(self.rule_error(&["role", "zones", "backend"], &span, message));
        }
        let served = zones(&service.zones);
        if let Some(written) = &service.critical
            && let Some(other) = zones(&service.critical).iter().find(|zone| !served.contains(zone))
        {
            let zone = other.to_string();
            let zone = zone.split_whitespace().next().unwrap_or_default();
            let message = format!("critical zone `{zone}` is none of `zones`, expected it there as well");
            return Err(self.rule_error(&["zones", "role", "backend"], &written.span(), message));
        }
        self.sentinels_fit_the_zones(service, role)?;
        if let (Some(written), None) = (&service.large, role) {
            let message = "large needs a role, expected role = \"resolver\" or role = \"authoritative\"";
            return Err(self.rule_error(&["role", "backend"], &written.span(), message));
        }
        let spans = [("recursion", &service.recursion), ("validation", &service.validation)];
        for (key, written) in spans {
            if let (Some(written), false) = (written, role == Some(Role::Resolver)) {
                let message = format!("{key} needs a resolver, expected role = \"resolver\"");
                return Err(self.rule_error(&["role", "backend"], &written.span(), message));
            }
        }
        Ok(())
    }

    /// A sentinel is a name of a zone.
    fn sentinels_fit_the_zones(&self, service: &file::Service, role: Option<Role>) -> Result<()> {
        let Some(written) = &service.sentinel else { return Ok(()) };
        if role != Some(Role::Authoritative) {
            let message = "sentinel needs a server that is authoritative, expected role = \"authoritative\"";
            return Err(self.rule_error(&["role", "backend"], &written.span(), message));
        }
        self.require_nonempty(&service.sentinel, "sentinel")?;
        let served = zones(&service.zones);
        let is_in = |name: &Query| served.iter().any(|zone| name.is_in(zone));
        match written.get_ref().0.iter().find(|name| !is_in(name)) {
            None => Ok(()),
            Some(name) => {
                let message =
                    format!("sentinel `{}` is in none of `zones`, expected a name below one of them", name);
                Err(self.rule_error(&["zones", "role", "backend"], &written.span(), message))
            }
        }
    }

    /// The answer of a server that can have both roles proves nothing: REFUSED is not health.
    fn role_is_known(
        &self,
        service: &file::Service,
        backend: Option<&Backend>,
        role: Option<Role>,
    ) -> Result<()> {
        let Some(backend) = backend.filter(|backend| role.is_none() && backend.kind != Kind::Generic) else {
            return Ok(());
        };
        let place = place(&service.backend).unwrap_or_else(|| service.name.span());
        let message = format!(
            "{} can be a resolver or an authoritative server, expected role = \"resolver\", or role = \"authoritative\" with \
             zones = [\"example.org\"], or checks of the service's own",
            backend.kind
        );
        Err(self.rule_error(&["role", "zones"], &place, message))
    }
}

/// The SOA queries of the zones, one for each zone.
pub(in crate::config) fn zones(
    written: &file::Placed<Vec<crate::config::value::Text<file::ZoneName>>>,
) -> Vec<Query> {
    let mut zones = vec![];
    for zone in written.iter().flat_map(Spanned::get_ref) {
        if !zones.contains(&zone.0.0) {
            zones.push(zone.0.0.clone());
        }
    }
    zones
}
