//! The answers of each address, and their JSON form.

use std::net::SocketAddr;

use serde::Serialize;

use super::findings::Finding;
use crate::outcome::Failure;
use crate::probe::identity::{Answer, FlowOutcome, Identity, Large, Split};

/// The answers of one address.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) server: SocketAddr,
    pub(super) udp: FlowOutcome,
    pub(super) tcp: FlowOutcome,
    /// A large answer, if the address answers at all.
    pub(super) large: Option<Large>,
    /// With `--flows`.
    pub(super) splits: Option<Splits>,
}

/// How the flows split over nodes.
#[derive(Debug)]
pub(super) struct Splits {
    pub(super) udp: Split,
    pub(super) tcp: Split,
}

impl Report {
    /// The names of all nodes that answered at this address.
    pub(super) fn names(&self) -> Vec<&str> {
        let splits = self.splits.iter().flat_map(|splits| [&splits.udp, &splits.tcp]);
        let mut names: Vec<_> = [&self.udp, &self.tcp].into_iter().filter_map(FlowOutcome::name).collect();
        names.extend(splits.flat_map(|split| split.nodes.keys().map(String::as_str)));
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Document<'a> {
    addresses: Vec<Address<'a>>,
    findings: Vec<&'a str>,
    /// Whether the exit status is 0.
    ok: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Address<'a> {
    address: SocketAddr,
    nodes: Vec<&'a str>,
    udp: Transport<'a>,
    tcp: Transport<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    large: Option<LargeAnswer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<Flows<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Transport<'a> {
    answered: bool,
    /// Over TCP: whether a connection was established.
    connected: bool,
    name: Option<&'a str>,
    #[serde(flatten)]
    identity: Option<&'a Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_seconds: Option<f64>,
    #[serde(flatten)]
    failure: Option<&'a Failure>,
}

#[derive(Debug, Serialize)]
struct LargeAnswer<'a> {
    query: &'a str,
    udp: Carried<'a>,
    /// Absent if the answer over UDP is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<Carried<'a>>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Carried<'a> {
    answered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    octets: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rcode: Option<String>,
    truncated: bool,
    #[serde(flatten)]
    failure: Option<&'a Failure>,
}

#[derive(Debug, Serialize)]
struct Flows<'a> {
    udp: FlowCount<'a>,
    tcp: FlowCount<'a>,
}

#[derive(Debug, Serialize)]
struct FlowCount<'a> {
    asked: usize,
    #[serde(flatten)]
    split: &'a Split,
}

/// The JSON form of all reports.
pub(super) fn document<'a>(reports: &'a [Report], findings: &'a [Finding]) -> Document<'a> {
    Document {
        addresses: reports.iter().map(address).collect(),
        findings: findings.iter().map(|finding| finding.text.as_str()).collect(),
        ok: !findings.iter().any(|finding| finding.is_fault),
    }
}

fn address(report: &Report) -> Address<'_> {
    Address {
        address: report.server,
        nodes: report.names(),
        udp: transport(&report.udp),
        tcp: transport(&report.tcp),
        large: report.large.as_ref().map(large),
        flows: report
            .splits
            .as_ref()
            .map(|splits| Flows { udp: flow_count(&splits.udp), tcp: flow_count(&splits.tcp) }),
    }
}

fn large(large: &Large) -> LargeAnswer<'_> {
    let tcp = large.tcp.as_ref().map(carried);
    LargeAnswer { query: &large.query, udp: carried(&large.udp), tcp }
}

fn carried(answer: &Result<Answer, Failure>) -> Carried<'_> {
    match answer {
        Ok(Answer { octets, rcode, truncated }) => Carried {
            answered: true,
            octets: Some(*octets),
            rcode: Some(rcode.to_string()),
            truncated: *truncated,
            ..Carried::default()
        },
        Err(failure) => Carried { failure: Some(failure), ..Carried::default() },
    }
}

fn flow_count(split: &Split) -> FlowCount<'_> {
    FlowCount { asked: split.flows(), split }
}

fn transport(heard: &FlowOutcome) -> Transport<'_> {
    let (identity, latency, failure) = match heard {
        FlowOutcome::Node { identity, latency, end, .. } => (Some(identity), Some(latency), end.as_ref()),
        FlowOutcome::Silent(failure) | FlowOutcome::Unreachable(failure) => (None, None, Some(failure)),
    };
    Transport {
        answered: identity.is_some(),
        connected: !matches!(heard, FlowOutcome::Unreachable(_)),
        name: heard.name(),
        identity,
        latency_seconds: latency.map(std::time::Duration::as_secs_f64),
        failure,
    }
}
