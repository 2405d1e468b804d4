use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::num::NonZeroUsize;

use super::*;
use crate::netlink::sockets::Protocol;
use crate::outcome::{Cause, Failure};
use crate::responder::{Fault, Responder};

async fn responder(fault: Fault) -> Responder {
    let responder = Responder::bind(Ipv4Addr::LOCALHOST.into()).await.unwrap();
    responder.set(fault).await;
    responder
}

fn asking(responder: &Responder, timeout: Duration) -> Asking {
    Asking { server: responder.address(), source: None, timeout }
}

const PATIENT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_node_is_named_by_its_nsid_and_else_by_class_chaos() {
    let responder = responder(Fault::None).await;
    for heard in [asking(&responder, PATIENT).udp().await, asking(&responder, PATIENT).tcp().await] {
        // The responder has one TXT record for every name.
        assert_eq!(heard.name(), Some("dnsherald"));
    }
    responder.identify_as("fra1");
    for heard in [asking(&responder, PATIENT).udp().await, asking(&responder, PATIENT).tcp().await] {
        assert_eq!(heard.name(), Some("fra1"));
        let FlowOutcome::Node { identity, end: None, others, .. } = heard else { panic!("{heard:?}") };
        assert_eq!(identity.version.as_deref(), Some("dnsherald"));
        assert_eq!(others, BTreeSet::new());
    }
}

#[tokio::test]
async fn a_name_cannot_write_to_the_terminal() {
    let responder = responder(Fault::None).await;
    responder.identify_as("fra1\n\u{1b}[2J");
    let heard = asking(&responder, PATIENT).udp().await;
    assert!(heard.name().unwrap().chars().all(|character| character.is_ascii_graphic()), "{heard:?}");
}

#[tokio::test]
async fn a_refusal_is_an_answer_without_a_name() {
    let responder = responder(Fault::Refuse).await;
    let heard = asking(&responder, PATIENT).udp().await;
    assert!(matches!(heard, FlowOutcome::Node { .. }) && heard.name().is_none(), "{heard:?}");
}

#[tokio::test]
async fn a_connection_without_answers_is_distinguished_from_no_connection() {
    let cause = |heard| match heard {
        FlowOutcome::Silent(failure) => ("mute", failure.cause),
        FlowOutcome::Unreachable(failure) => ("nothing", failure.cause),
        FlowOutcome::Node { .. } => panic!("{heard:?}"),
    };
    let silent = responder(Fault::Silent).await;
    assert_eq!(cause(asking(&silent, SHORT).udp().await), ("nothing", Cause::Timeout));
    assert_eq!(cause(asking(&silent, SHORT).tcp().await), ("mute", Cause::Timeout));
    let hanging_up = responder(Fault::HangUp).await;
    assert_eq!(cause(asking(&hanging_up, SHORT).tcp().await), ("mute", Cause::Closed));
    let closed = responder(Fault::Closed).await;
    assert_eq!(cause(asking(&closed, SHORT).tcp().await), ("nothing", Cause::PortClosed));
    let garbage = responder(Fault::Garbage(vec![0xff; 40])).await;
    assert_eq!(cause(asking(&garbage, SHORT).udp().await), ("nothing", Cause::Timeout));
}

#[tokio::test]
async fn each_flow_has_its_own_port_and_is_counted_once() {
    let responder = responder(Fault::None).await;
    responder.identify_as("fra1");
    for transport in [Protocol::Udp, Protocol::Tcp] {
        let done = std::cell::Cell::new(0);
        let flows = NonZeroUsize::new(100).unwrap();
        let split = asking(&responder, PATIENT).split(transport, flows, || done.set(done.get() + 1)).await;
        assert_eq!(split.nodes, BTreeMap::from([("fra1".to_owned(), 100)]));
        assert_eq!((split.flows(), split.broken, done.get()), (100, 0, 100));
        let ports: std::collections::HashSet<_> = responder
            .received()
            .iter()
            .filter(|query| query.transport.protocol() == transport)
            .map(|query| query.from.port())
            .collect();
        assert!(ports.len() > 90, "{} ports for 100 flows", ports.len());
    }
}

#[tokio::test]
async fn flows_without_an_answer_are_counted_with_the_reason() {
    let hanging_up = responder(Fault::HangUp).await;
    let flows = NonZeroUsize::new(3).unwrap();
    let split = asking(&hanging_up, SHORT).split(Protocol::Tcp, flows, || ()).await;
    assert_eq!((split.flows(), split.unanswered, split.broken), (3, 3, 3));
    assert_eq!(split.why.as_deref(), Some("connection closed before the answer"));
}

async fn large(fault: Fault) -> (Responder, Large) {
    let responder = responder(fault).await;
    let question = question(". DNSKEY".parse().unwrap()).unwrap();
    let found = asking(&responder, SHORT).large(&question).await;
    (responder, found)
}

fn sizes(large: &Large) -> (Option<bool>, Option<Option<bool>>) {
    let truncated = |answer: &Result<Answer, Failure>| answer.as_ref().ok().map(|answer| answer.truncated);
    (truncated(&large.udp), large.tcp.as_ref().map(truncated))
}

#[tokio::test]
async fn a_large_answer_is_asked_for_over_tcp_unless_it_is_whole_over_udp() {
    let (asked, found) = large(Fault::None).await;
    assert_eq!((sizes(&found), found.query.as_str()), ((Some(false), None), ". DNSKEY"));
    let edns = asked.received()[0].query.edns.clone().unwrap();
    assert_eq!((edns.max_payload(), edns.flags().dnssec_ok), (4096, true));
    let (_, found) = large(Fault::RateLimit(1)).await;
    assert_eq!((sizes(&found), found.broken()), ((Some(true), Some(Some(false))), None));
    let (_, found) = large(Fault::Oversized).await;
    assert_eq!((sizes(&found), found.broken()), ((None, Some(Some(false))), None));
    assert!(found.tcp.unwrap().unwrap().octets > 60_000);
}

#[tokio::test]
async fn a_truncated_answer_without_a_whole_one_over_tcp_is_broken() {
    let (_, found) = large(Fault::Truncate).await;
    assert_eq!(found.broken().as_deref(), Some("truncated over TCP, too"));
    let (_, found) = large(Fault::Silent).await;
    assert_eq!((sizes(&found), found.broken()), ((None, Some(None)), None), "silence is no truncation");
}

#[tokio::test]
async fn answers_with_other_ids_and_garbage_are_no_answers() {
    for fault in [Fault::WrongId, Fault::WrongQuestion, Fault::NotAResponse, Fault::Garbage(vec![0xff; 600])]
    {
        let (_, found) = large(fault.clone()).await;
        assert_eq!(sizes(&found), (None, Some(None)), "{fault:?}");
        let responder = responder(fault).await;
        assert!(matches!(asking(&responder, SHORT).udp().await, FlowOutcome::Unreachable(_)));
        assert!(matches!(asking(&responder, SHORT).tcp().await, FlowOutcome::Silent(_)));
    }
}

/// The server has a thread of its own and sends without end.
#[tokio::test]
async fn an_endless_stream_ends_with_the_timeout() {
    use std::io::Write;
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = listener.local_addr().unwrap();
    let endless = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            // Responses of a header alone, each with its length before it. Their ID is 0, which a request rarely has.
            let strays = [0, 12, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0].repeat(4096);
            while stream.write_all(&strays).is_ok() {}
        }
    });
    let asking = Asking { server, source: None, timeout: SHORT };
    let question = question(". DNSKEY".parse().unwrap()).unwrap();
    let both = async { (asking.tcp().await, asking.large(&question).await) };
    let (heard, large) = tokio::time::timeout(PATIENT, both).await.expect("endless");
    assert!(matches!(heard, FlowOutcome::Silent(_)), "{heard:?}");
    assert_eq!(sizes(&large), (None, Some(None)), "{large:?}");
    endless.join().unwrap();
}
