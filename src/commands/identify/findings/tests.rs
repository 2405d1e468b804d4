use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::outcome::{Cause, Failure};
use crate::probe::dns::Rcode;
use crate::probe::identity::{Answer, Identity, Large};

fn node(name: Option<&str>) -> FlowOutcome {
    let identity = Identity { nsid: name.map(ToOwned::to_owned), ..Identity::default() };
    FlowOutcome::Node { identity, latency: Duration::from_millis(1), end: None, others: BTreeSet::new() }
}

fn report(udp: FlowOutcome, tcp: FlowOutcome) -> Report {
    Report { server: "192.0.2.53:53".parse().unwrap(), udp, tcp, large: None, splits: None }
}

fn reset() -> Failure {
    Failure::new(Cause::Closed, "connection closed before the answer (connection reset by peer)")
}

fn texts(report: Report, fleet: Option<&Fleet>) -> Vec<(bool, String)> {
    in_reports(&[report], fleet).into_iter().map(|finding| (finding.is_fault, finding.text)).collect()
}

#[test]
fn a_node_that_answers_over_both_transports_has_no_finding() {
    assert_eq!(texts(report(node(Some("fra1")), node(Some("fra1"))), None), []);
}

#[test]
fn a_connection_without_an_answer_names_the_split_path_if_udp_works() {
    let found = texts(report(node(Some("fra1")), FlowOutcome::Silent(reset())), None);
    assert!(found[0].0 && found[0].1.contains("split path"), "{found:?}");
    let silent = Failure::new(Cause::Timeout, "no answer within 2s");
    let found = texts(report(FlowOutcome::Unreachable(silent), FlowOutcome::Silent(reset())), None);
    assert_eq!(found[0], (true, "192.0.2.53: no answer over UDP: no answer within 2s".to_owned()));
    assert!(found[1].1.contains("hangs") && !found[1].1.contains("split path"), "{found:?}");
}

#[test]
fn several_nodes_behind_one_address_are_no_fault() {
    let split = |nodes: [(&str, usize); 2]| Split {
        nodes: BTreeMap::from(nodes.map(|(name, flows)| (name.to_owned(), flows))),
        ..Split::default()
    };
    let splits = Splits { udp: split([("ams1", 30), ("fra1", 34)]), tcp: split([("ams1", 8), ("fra1", 8)]) };
    let found =
        texts(Report { splits: Some(splits), ..report(node(Some("fra1")), node(Some("ams1"))) }, None);
    assert_eq!(found[0], (false, "192.0.2.53: 2 nodes over UDP: fra1 34, ams1 30".to_owned()));
    assert_eq!(found.len(), 2);
}

#[test]
fn some_broken_connections_beside_others_that_work_are_a_split_path() {
    let tcp = Split {
        nodes: BTreeMap::from([("fra1".to_owned(), 9)]),
        unanswered: 7,
        broken: 7,
        why: Some("no answer within 2s".to_owned()),
        ..Split::default()
    };
    let splits = Splits { udp: Split::default(), tcp };
    let found =
        texts(Report { splits: Some(splits), ..report(node(Some("fra1")), node(Some("fra1"))) }, None);
    assert_eq!(found[0].1, "192.0.2.53: 7 of 16 connections over TCP without an answer: no answer within 2s");
    assert!(found[1].1.contains("7 of 16 TCP connections broke"), "{found:?}");
    assert!(found.iter().all(|(is_fault, _)| *is_fault));
}

#[test]
fn a_node_outside_the_fleet_is_a_fault() {
    let fleet = Fleet::from_text("fra1\n");
    let found = texts(report(node(Some("fra1")), node(Some("evil"))), Some(&fleet));
    let text = "192.0.2.53: node `evil` answers and is not in the file of expected nodes".to_owned();
    assert_eq!(found, [(true, text)]);
    let found = texts(report(node(None), node(None)), Some(&fleet));
    assert!(found[0].0 && found[0].1.contains("gives no name"), "{found:?}");
    assert!(!texts(report(node(None), node(None)), None)[0].0);
}

#[test]
fn two_nodes_on_one_flow_are_a_split_path() {
    let FlowOutcome::Node { identity, latency, end, .. } = node(Some("fra1")) else { panic!() };
    let others = BTreeSet::from(["ams1".to_owned()]);
    let found = texts(report(FlowOutcome::Node { identity, latency, end, others }, node(Some("fra1"))), None);
    assert!(found[0].0 && found[0].1.contains("(ams1 besides fra1)"), "{found:?}");
}

#[test]
fn a_large_answer_is_a_fault_only_if_it_is_truncated_and_tcp_has_no_whole_one() {
    let answer = |truncated| Ok(Answer { octets: 1139, rcode: Rcode::NOERROR, truncated });
    let silent = || Err(Failure::new(Cause::Timeout, "no answer within 2s"));
    let found = |udp, tcp| {
        let large = Some(Large { query: ". DNSKEY".to_owned(), udp, tcp });
        texts(Report { large, ..report(node(Some("fra1")), node(Some("fra1"))) }, None)
    };
    assert_eq!(found(answer(false), None), []);
    assert_eq!(found(answer(true), Some(answer(false))), []);
    assert_eq!(found(silent(), Some(silent())), []);
    for (tcp, why) in [(silent(), "over TCP: no answer within 2s"), (answer(true), "truncated over TCP, too")]
    {
        let text =
            format!("192.0.2.53: a large answer (. DNSKEY) reaches no client: truncated over UDP, and {why}");
        assert_eq!(found(answer(true), Some(tcp)), [(true, text)]);
    }
    let lost = found(silent(), Some(answer(false)));
    assert!(!lost[0].0 && lost[0].1.contains("1139 octets) arrives over TCP only"), "{lost:?}");
}
