//! Findings about the answers: sentences for the operator, and whether each is a fault.

use super::fleet::Fleet;
use super::report::{Report, Splits};
use crate::probe::identity::{FlowOutcome, Large, Split};
use crate::text::{counted, joined};

/// One sentence about one address.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Finding {
    /// The sentence.
    pub(super) text: String,
    /// Whether it makes the exit status 1.
    pub(super) is_fault: bool,
}

/// All findings, in the order of the addresses.
pub(super) fn in_reports(reports: &[Report], fleet: Option<&Fleet>) -> Vec<Finding> {
    let mut findings = vec![];
    for report in reports {
        let server = report.server.ip();
        let mut add =
            |is_fault, text: String| findings.push(Finding { is_fault, text: format!("{server}: {text}") });
        transports(report, &mut add);
        if let Some(large) = &report.large {
            size(large, &mut add);
        }
        if let Some(splits) = &report.splits {
            flows(splits, &mut add);
        }
        names(report, fleet, &mut add);
    }
    findings
}

/// Whether both transports work, and lead to the same node.
fn transports(report: &Report, add: &mut impl FnMut(bool, String)) {
    match &report.udp {
        FlowOutcome::Unreachable(failure) | FlowOutcome::Silent(failure) => {
            add(true, format!("no answer over UDP: {failure}"));
        }
        FlowOutcome::Node { others, .. } if !others.is_empty() => add(
            true,
            format!(
                "several nodes answered on one flow over UDP ({} besides {}): routers spread the packets of a flow over \
                 nodes, and TCP breaks (split path)",
                joined(others, ", "),
                report.udp.name().unwrap_or_default()
            ),
        ),
        FlowOutcome::Node { .. } => {}
    }
    match &report.tcp {
        FlowOutcome::Unreachable(failure) => add(true, format!("no connection over TCP: {failure}")),
        FlowOutcome::Silent(failure) => add(
            true,
            format!("TCP connection established, then no answer: {failure}; {}", split_path(&report.udp)),
        ),
        FlowOutcome::Node { end: Some(failure), .. } => {
            add(true, format!("TCP connection ended before the last answer: {failure}"));
        }
        FlowOutcome::Node { others, .. } if !others.is_empty() => add(
            false,
            format!(
                "several nodes answered on one TCP connection ({} besides {}): a load balancer answers at this address",
                joined(others, ", "),
                report.tcp.name().unwrap_or_default()
            ),
        ),
        FlowOutcome::Node { .. } => {}
    }
}

/// Whether a large answer reaches a client. One that is only lost over UDP does over TCP, slowly.
fn size(large: &Large, add: &mut impl FnMut(bool, String)) {
    let query = &large.query;
    if let Some(why) = large.broken() {
        add(true, format!("a large answer ({query}) reaches no client: truncated over UDP, and {why}"));
    }
    if let (Err(failure), Some(Ok(tcp))) = (&large.udp, &large.tcp) {
        add(
            false,
            format!(
                "a large answer ({query}, {} octets) arrives over TCP only: {failure}; the path may drop fragments: limit \
                 answers over UDP to 1232 octets (BIND and NSD: max-udp-size, ipv4-edns-size; Unbound: max-udp-size)",
                tcp.octets
            ),
        );
    }
}

/// The likely reasons for a connection without an answer.
fn split_path(udp: &FlowOutcome) -> &'static str {
    match udp {
        FlowOutcome::Node { .. } => {
            "UDP works, so routers may spread the segments of one connection over several nodes (split path), or the \
             server accepts no more clients"
        }
        FlowOutcome::Silent(_) | FlowOutcome::Unreachable(_) => {
            "the server hangs, or a firewall drops its packets"
        }
    }
}

/// The number of nodes behind the address.
fn flows(splits: &Splits, add: &mut impl FnMut(bool, String)) {
    for (split, what) in [(&splits.udp, "flow"), (&splits.tcp, "connection")] {
        let transport = if what == "flow" { "UDP" } else { "TCP" };
        if split.nodes.len() > 1 {
            add(false, format!("{} over {transport}: {}", counted(split.nodes.len(), "node"), shares(split)));
        }
        if split.unanswered > 0 {
            let (unanswered, all) = (split.unanswered, counted(split.flows(), what));
            let why = split.why.as_deref().unwrap_or_default();
            add(true, format!("{unanswered} of {all} over {transport} without an answer: {why}"));
        }
        if split.unnamed > 0 {
            let (unnamed, all) = (split.unnamed, counted(split.flows(), what));
            add(
                false,
                format!(
                    "{unnamed} of {all} over {transport} answered without a name; set the NSID of the servers \
                     (BIND: server-id, Unbound: nsid, NSD and Knot: nsid)"
                ),
            );
        }
    }
    let (broken, all) = (splits.tcp.broken, splits.tcp.flows());
    if broken > 0 && broken < all {
        add(
            true,
            format!(
                "{broken} of {} broke after they were established, the others work: routers may spread the segments of \
                 one connection over several nodes (split path)",
                counted(all, "TCP connection")
            ),
        );
    }
}

/// "fra1 33, ams1 31".
pub(super) fn shares(split: &Split) -> String {
    let mut nodes: Vec<_> = split.nodes.iter().collect();
    nodes.sort_by_key(|(_, flows)| std::cmp::Reverse(**flows));
    joined(nodes.iter().map(|(name, flows)| format!("{name} {flows}")), ", ")
}

/// Whether the nodes may answer, and have names.
fn names(report: &Report, fleet: Option<&Fleet>, add: &mut impl FnMut(bool, String)) {
    let names = report.names();
    if let Some(fleet) = fleet {
        for name in names.iter().filter(|name| !fleet.has(name)) {
            add(true, format!("node `{name}` answers and is not in the file of expected nodes"));
        }
    }
    let answers =
        matches!(report.udp, FlowOutcome::Node { .. }) || matches!(report.tcp, FlowOutcome::Node { .. });
    if answers && names.is_empty() {
        add(
            fleet.is_some(),
            "the node gives no name: NSID, id.server and hostname.bind are off or refused".to_owned(),
        );
    }
}

#[cfg(test)]
mod tests;
