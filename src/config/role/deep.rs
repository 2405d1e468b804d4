//! Checks of answers that need other servers, or complete zones. They degrade at most, and only once they have passed:
//! a host without a path to the Internet, or a zone that is not signed, is no fault.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::{CommonParts, Outline, questions};
use crate::backend::Role;
use crate::config::address::{same_family, service_addresses};
use crate::config::resolve::{Resolver, Result};
use crate::config::route::CLIENTS;
use crate::config::value::WordOr;
use crate::config::{Check, file};
use crate::engine::check::{OnFail, Severity, Timing};
use crate::engine::hysteresis::Thresholds;
use crate::probe::Probe;
use crate::probe::dns::{EdnsUse, Expectation, Options, Query, Question, Rcode, Rcodes, Transport};
use crate::probe::route::RouteProbe;

/// Fresh names that no cache can answer, below top-level domains of two operators. Both have NSEC3 with opt-out (RFC
/// 5155 §6), from which no resolver concludes that a name does not exist (RFC 8198 §5.2): NXDOMAIN needs a query to an
/// authoritative server. Below a name with NSEC the cache would answer even while the upstream is dead.
const RECURSION: [&str; 2] = ["dnsherald-{nonce}.com. A", "dnsherald-{nonce}.org. A"];

/// Signed names with a time to live of minutes.
const VALIDATION: [&str; 2] = ["com. SOA", "org. SOA"];

const RECURSES: &str =
    "names of which no cache has an answer; one is enough, and no failure counts until one was answered";
const VALIDATES: &str =
    "signed names, answered with AD; one is enough, and no failure counts until one was answered so";
const COMPLETE: &str = "NS and DNSKEY of each zone, each once it was seen";
const SIGNED: &str = "signatures that are valid now on the SOA of each zone, each once it was seen signed";
/// The largest answer that every resolver that validates has in its cache.
const LARGE: [&str; 1] = [". DNSKEY"];

const LARGE_ARRIVES: &str = "large answers, as one datagram of up to 4096 octets or, where the server truncates, over TCP; each once it was seen";
const OVER_TLS: &str =
    "the same over TLS on port 853, with a certificate that is valid now, once it was seen";
const IDENTITY: &str =
    "the name server identifier (NSID) is the name of this node, once it was seen; shown, moves no route";
/// The checks of the routes to [`CLIENTS`], in their order.
const WAYS_BACK: [&str; 2] = ["way-back", "way-back-ipv6"];
const ROUTED: &str =
    "a route from the service addresses to clients; without one their queries arrive and no answer leaves";

/// A long interval, since the questions reach servers of others.
const INTERVAL: Duration = Duration::from_secs(10);
const FAST_INTERVAL: Duration = Duration::from_secs(1);
/// A resolver asks several servers before it answers.
const TIMEOUT: Duration = Duration::from_millis(1500);
/// Octets offered for a large answer, as the resolvers of clients do that raise their limit.
const LARGEST: NonZeroU16 = NonZeroU16::new(4096).expect("not zero");
const RISE: NonZeroU32 = NonZeroU32::new(2).expect("not zero");

/// The flags and the size of validating resolvers. A DNSKEY answer may be longer than a datagram.
fn options() -> Options {
    Options { dnssec_ok: true, follow_truncation: true, ..Options::default() }
}

/// The timing of deep checks of a service whose other checks have `timing`.
fn patient(timing: Timing) -> Timing {
    Timing {
        interval: timing.interval.max(INTERVAL),
        fast_interval: timing.fast_interval.max(FAST_INTERVAL),
        timeout: timing.timeout.max(TIMEOUT),
        thresholds: Thresholds { rise: RISE, ..timing.thresholds },
    }
}

/// It does not delay the first verdict of the service.
fn once_up(severity: Severity) -> OnFail {
    OnFail { once_up: true, ..OnFail::always(severity) }
}

impl CommonParts<'_> {
    /// A check of the first deciding address, of which no failure counts before it has passed.
    fn deep_outline<'a>(
        &'a self,
        name: &'a str,
        why: &'static str,
        severity: Severity,
        questions: &'a [Arc<Question>],
    ) -> Outline<'a> {
        let servers = &self.deciding[..self.deciding.len().min(1)];
        let outline = self.outline(name, why, once_up(severity), questions);
        Outline { servers, timing: patient(self.timing), once_seen: true, ..outline }
    }
}

impl Resolver<'_> {
    /// The deep checks of the role.
    pub(super) fn deep_checks(&self, common: &CommonParts<'_>) -> Result<Vec<Check>> {
        let (service, role) = (common.service, common.asked.role);
        let (outlines, is_resolver) = match role {
            Some(Role::Resolver) => {
                let rcodes = Rcodes::one_of([Rcode::NOERROR, Rcode::NXDOMAIN]);
                let flags = vec![self.flag("ra")?];
                let recurses = Expectation { rcodes, flags, not_empty: true, ..Expectation::default() };
                let flags = vec![self.flag("ad")?];
                let validates =
                    Expectation { flags, not_empty: true, min_answers: 1, ..Expectation::default() };
                let recursion = self.names(&service.recursion, &RECURSION)?;
                let validation = self.names(&service.validation, &VALIDATION)?;
                let recursion = ("recursion", RECURSES, recursion, recurses);
                ([recursion, ("validation", VALIDATES, validation, validates)], true)
            }
            Some(Role::Authoritative) => {
                let aa = Expectation { flags: vec![self.flag("aa")?], ..Expectation::default() };
                let complete = Expectation { min_answers: 1, ..aa.clone() };
                let signed = Expectation { min_answers: 1, signature_left: Some(Duration::ZERO), ..aa };
                let zones = questions::zones(&service.zones);
                let records = self.of_types(&zones, &["NS", "DNSKEY"])?;
                ([("records", COMPLETE, records, complete), ("signatures", SIGNED, zones, signed)], false)
            }
            None => return Ok(vec![]),
        };
        let place = service.name.span();
        let asked = outlines.into_iter().filter(|(_, _, queries, _)| !queries.is_empty());
        let checks = asked.map(|(name, why, queries, expect)| {
            let questions = self.role_questions(&place, &queries, role, &expect, options())?;
            let outline = common.deep_outline(name, why, Severity::Degraded, &questions);
            // One answer from the Internet shows that the resolver asks; each zone must have its own.
            let outline = Outline { one_is_enough: is_resolver, once_seen: !is_resolver, ..outline };
            self.role_check(common, outline)
        });
        checks.collect()
    }

    /// The check of large answers: those of the file, else the keys of the zones or of the root.
    pub(super) fn large_check(&self, common: &CommonParts<'_>) -> Result<Option<Check>> {
        let Some(role) = common.asked.role else { return Ok(None) };
        let service = common.service;
        let queries = match (&service.large, role) {
            (None, Role::Authoritative) => self.of_types(&questions::zones(&service.zones), &["DNSKEY"])?,
            (written, _) => self.names(written, &LARGE)?,
        };
        if queries.is_empty() {
            return Ok(None);
        }
        let expect = Expectation { not_empty: true, ..Expectation::default() };
        let options = Options { edns: EdnsUse::Offer(LARGEST), ..options() };
        let questions = self.role_questions(&service.name.span(), &queries, Some(role), &expect, options)?;
        let outline = common.deep_outline("large", LARGE_ARRIVES, Severity::Degraded, &questions);
        self.role_check(common, outline).map(Some)
    }

    /// The checks of DNS over TLS and of the identifier, with the first question of the role.
    pub(super) fn first_question_checks(&self, common: &CommonParts<'_>) -> Result<Vec<Check>> {
        let asked = &common.asked;
        let (Some(question), Some(_)) = (asked.plain.first(), asked.role) else { return Ok(vec![]) };
        let over_tls =
            common.deep_outline("tls", OVER_TLS, Severity::Degraded, std::slice::from_ref(question));
        let tls = self.role_check(common, Outline { transports: &[Transport::Tls], ..over_tls })?;
        let expect = Expectation { nsid: Some(self.node.clone()), ..question.expect().clone() };
        let queries = [question.query().clone()];
        let place = common.service.name.span();
        let questions = self.role_questions(&place, &queries, asked.role, &expect, options())?;
        let outline = common.deep_outline("identity", IDENTITY, Severity::Observe, &questions);
        Ok(vec![tls, self.role_check(common, outline)?])
    }

    fn names(
        &self,
        written: &file::Placed<WordOr<file::Off, file::CheckNames>>,
        default: &[&str],
    ) -> Result<Vec<Query>> {
        match written.as_ref().map(Spanned::get_ref) {
            None => default.iter().map(|name| self.query(name)).collect(),
            Some(WordOr::Word(file::Off)) => Ok(vec![]),
            Some(WordOr::Table(asked)) if asked.names.get_ref().0.is_empty() => {
                let message = "no names, expected at least one, or \"off\" instead of the table";
                Err(self.value_error(&asked.names.span(), message))
            }
            Some(WordOr::Table(asked)) => Ok(asked.names.get_ref().values()),
        }
    }

    /// The names of the zones, each with these types.
    fn of_types(&self, zones: &[Query], types: &[&str]) -> Result<Vec<Query>> {
        let of_type = |zone: &Query, record_type: &&str| {
            let zone = zone.to_string();
            let name = zone.split_whitespace().next().unwrap_or_default();
            self.query(&format!("{name} {record_type}"))
        };
        zones.iter().flat_map(|zone| types.iter().map(move |kind| of_type(zone, kind))).collect()
    }
}

/// The checks of the routes to clients, one for each family of the service addresses, unless the file has one of another name.
/// They name no BGP neighbor: a PoP with two of them serves its clients over the other one.
pub(super) fn way_back_checks(common: &CommonParts<'_>) -> Vec<Check> {
    let service = common.service;
    let is_other =
        |check: &file::Check| check.route.is_some() && !WAYS_BACK.contains(&&**check.name.get_ref());
    let is_in_file = service.check.iter().any(|check| is_other(check.get_ref()));
    if common.asked.role.is_none() || is_in_file {
        return vec![];
    }
    let from = service_addresses(service).unwrap_or_default();
    let of_families = WAYS_BACK.into_iter().zip(CLIENTS);
    let asked = of_families.filter(|(_, client)| from.iter().any(|address| same_family(*address, *client)));
    let timing = patient(common.timing).without_window();
    let checks = asked.map(|(name, client)| {
        let (from, to, device) = (from.clone(), vec![client], common.locality.device.clone());
        let probe = RouteProbe { from, to, neighbors: vec![], interfaces: vec![], device };
        Check::supplied(name, ROUTED, timing, once_up(Severity::Degraded), Probe::Route(probe))
    });
    checks.collect()
}
