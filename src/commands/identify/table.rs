//! The nodes as a table for people.

use std::fmt::Write as _;

use super::findings::{Finding, shares};
use super::report::Report;
use crate::outcome::Failure;
use crate::probe::identity::{Answer, FlowOutcome, Identity, Large, Split};
use crate::sys::terminal::Size;
use crate::text::period::Shown;
use crate::text::wrap::wrapped;
use crate::text::{counted, foreign};

/// Each address with its transports and flows, then the findings.
pub(super) fn table(reports: &[Report], findings: &[Finding]) -> String {
    let width = Size::from_stdout().columns;
    let mut text = String::new();
    let mut line = |line: &str, indent| {
        for line in wrapped(line, width, indent) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{line}");
        }
    };
    for report in reports {
        line(&report.server.to_string(), 2);
        line(&format!("  udp  {}", heard(&report.udp)), 7);
        line(&format!("  tcp  {}", heard(&report.tcp)), 7);
        if let Some(large) = &report.large {
            line(&format!("  large  {}", answered(large)), 9);
        }
        if let Some(splits) = &report.splits {
            line(&format!("  udp  {}", split(&splits.udp, "flow")), 7);
            line(&format!("  tcp  {}", split(&splits.tcp, "connection")), 7);
        }
    }
    if !findings.is_empty() {
        line("", 0);
    }
    for finding in findings {
        let mark = if finding.is_fault { "FAULT" } else { "note" };
        line(&format!("{mark} {}", finding.text), 4);
    }
    text
}

fn heard(heard: &FlowOutcome) -> String {
    match heard {
        FlowOutcome::Node { identity, latency, .. } => {
            let name = identity.name().unwrap_or("no name");
            let details = details(identity);
            format!("{name} in {}{details}", Shown(*latency))
        }
        FlowOutcome::Silent(failure) => format!("connected, no answer: {}", foreign(&failure.to_string())),
        FlowOutcome::Unreachable(failure) => foreign(&failure.to_string()),
    }
}

/// The large answer: ". DNSKEY: NOERROR, truncated over UDP, 1139 octets over TCP".
fn answered(large: &Large) -> String {
    let arrived = |answer: &Result<Answer, Failure>, transport: &str| match answer {
        Ok(Answer { truncated: true, .. }) => format!("truncated over {transport}"),
        Ok(Answer { octets, rcode, .. }) => format!("{rcode}, {octets} octets over {transport}"),
        Err(failure) => format!("over {transport} {}", foreign(&failure.to_string())),
    };
    let tcp = large.tcp.as_ref().map_or_else(String::new, |tcp| format!("; {}", arrived(tcp, "TCP")));
    format!("{}: {}{tcp}", large.query, arrived(&large.udp, "UDP"))
}

/// How each convention names the node.
fn details(identity: &Identity) -> String {
    let Identity { nsid, id_server, hostname_bind, version } = identity;
    let parts =
        [("NSID", nsid), ("id.server", id_server), ("hostname.bind", hostname_bind), ("version", version)];
    let shown: Vec<_> =
        parts.iter().filter_map(|(what, value)| Some(format!("{what} {}", value.as_ref()?))).collect();
    if shown.is_empty() { String::new() } else { format!(" ({})", shown.join(", ")) }
}

fn split(split: &Split, what: &str) -> String {
    let mut parts = vec![];
    if !split.nodes.is_empty() {
        parts.push(shares(split));
    }
    for (count, what) in [(split.unnamed, "without a name"), (split.unanswered, "without an answer")] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    format!("{}: {}", counted(split.flows(), what), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use super::*;
    use crate::commands::identify::report::Splits;
    use crate::probe::dns::Rcode;

    #[test]
    fn a_report_reads_well_at_80_columns() {
        let identity = Identity {
            nsid: Some("fra1".to_owned()),
            hostname_bind: Some("dns1.fra1.example.net".to_owned()),
            version: Some("unbound 1.17.1".to_owned()),
            ..Identity::default()
        };
        let node = |latency| FlowOutcome::Node {
            identity: identity.clone(),
            latency,
            end: None,
            others: BTreeSet::new(),
        };
        let nodes = BTreeMap::from([("ams1".to_owned(), 31), ("fra1".to_owned(), 33)]);
        let split = Split { nodes, unnamed: 1, ..Split::default() };
        let report = Report {
            server: "[2001:db8::53]:53".parse().unwrap(),
            udp: node(Duration::from_micros(1200)),
            tcp: node(Duration::from_millis(23)),
            large: Some(Large {
                query: ". DNSKEY".to_owned(),
                udp: Ok(Answer { octets: 28, rcode: Rcode::NOERROR, truncated: true }),
                tcp: Some(Ok(Answer { octets: 1139, rcode: Rcode::NOERROR, truncated: false })),
            }),
            splits: Some(Splits { udp: split.clone(), tcp: split }),
        };
        let finding =
            Finding { text: "2001:db8::53: 2 nodes over UDP: fra1 33, ams1 31".to_owned(), is_fault: false };
        let expected = "\
[2001:db8::53]:53
  udp  fra1 in 1.20ms (NSID fra1, hostname.bind dns1.fra1.example.net, version
       unbound 1.17.1)
  tcp  fra1 in 23ms (NSID fra1, hostname.bind dns1.fra1.example.net, version
       unbound 1.17.1)
  large  . DNSKEY: truncated over UDP; NOERROR, 1139 octets over TCP
  udp  65 flows: fra1 33, ams1 31, 1 without a name
  tcp  65 connections: fra1 33, ams1 31, 1 without a name

note 2001:db8::53: 2 nodes over UDP: fra1 33, ams1 31
";
        assert_eq!(table(&[report], &[finding]), expected);
    }
}
