//! Servers that do not answer, or not what they were asked; and the addresses, ports and IDs of those who ask.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{BOTH, HASTY, PATIENT, V4, V6, ask, assert_fails, broken, failure_of, probe};
use crate::outcome::Cause;
use crate::probe::dns::{Expectation, Transport};
use crate::responder::{Fault, Responder};

/// Longer than anything takes on the busiest machine. What outlasted the deadline would pass in the end.
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_dead_process_is_seen_at_once_as_a_closed_port() {
    for ip in [V4, V6] {
        let responder = Responder::bind(ip).await.unwrap();
        responder.set(Fault::Closed).await;
        for transport in BOTH {
            let asked = Instant::now();
            let finding = ask(&responder, transport, PATIENT).await;
            let sentence = "port closed (connection refused)";
            assert_fails(&finding, &responder, transport, Cause::PortClosed, sentence);
            assert!(asked.elapsed() < PATIENT / 2);
        }
        responder.set(Fault::None).await;
        for transport in BOTH {
            assert!(ask(&responder, transport, PATIENT).await.outcome.passed());
        }
    }
}

#[tokio::test]
async fn a_hung_process_is_a_timeout_although_it_takes_connections() {
    let responder = broken(Fault::Silent).await;
    for transport in BOTH {
        let finding = ask(&responder, transport, HASTY).await;
        assert_fails(&finding, &responder, transport, Cause::Timeout, "no answer within 150ms");
        assert_eq!(responder.count(transport), 1, "nothing is sent twice");
    }
}

#[tokio::test]
async fn a_lost_datagram_is_a_failed_probe() {
    let responder = broken(Fault::LoseEvery(2)).await;
    assert!(ask(&responder, Transport::Udp, PATIENT).await.outcome.passed());
    let finding = ask(&responder, Transport::Udp, HASTY).await;
    assert_fails(&finding, &responder, Transport::Udp, Cause::Timeout, "no answer within 150ms");
}

#[tokio::test]
async fn a_dripping_server_cannot_outlast_the_deadline() {
    let responder = broken(Fault::Drip).await;
    let asked = Instant::now();
    let finding = ask(&responder, Transport::Tcp, HASTY).await;
    assert_fails(&finding, &responder, Transport::Tcp, Cause::Timeout, "no answer within 150ms");
    assert!(asked.elapsed() < DEADLINE);
}

#[tokio::test]
async fn a_connection_closed_early_is_told_from_silence() {
    let responder = broken(Fault::HangUp).await;
    let finding = ask(&responder, Transport::Tcp, PATIENT).await;
    let sentence = "connection closed before the answer";
    assert_fails(&finding, &responder, Transport::Tcp, Cause::Closed, sentence);
}

#[tokio::test]
async fn one_transport_can_be_dead_alone() {
    let responder = broken(Fault::UdpOnly).await;
    assert!(ask(&responder, Transport::Udp, PATIENT).await.outcome.passed());
    assert!(!ask(&responder, Transport::Tcp, PATIENT).await.outcome.passed());
    responder.set(Fault::TcpOnly).await;
    assert!(!ask(&responder, Transport::Udp, PATIENT).await.outcome.passed());
    assert!(ask(&responder, Transport::Tcp, PATIENT).await.outcome.passed());
}

#[tokio::test]
async fn what_answers_another_question_is_ignored_and_counted() {
    for fault in [Fault::WrongId, Fault::WrongQuestion, Fault::NotAResponse, Fault::Garbage(vec![0xff; 9])] {
        let responder = broken(fault).await;
        let finding = ask(&responder, Transport::Udp, HASTY).await;
        let sentence = "no answer within 150ms (1 stray datagram ignored)";
        assert_fails(&finding, &responder, Transport::Udp, Cause::Timeout, sentence);
        let finding = ask(&responder, Transport::Tcp, HASTY).await;
        let sentence = "no answer within 150ms (1 stray message ignored)";
        assert_fails(&finding, &responder, Transport::Tcp, Cause::Timeout, sentence);
    }
}

#[tokio::test]
async fn the_answer_is_found_behind_strays() {
    let responder = broken(Fault::StrayFirst(3)).await;
    for transport in BOTH {
        let finding = ask(&responder, transport, PATIENT).await;
        assert!(finding.outcome.passed());
        assert_eq!(finding.strays, 3);
    }
}

#[tokio::test]
async fn the_source_address_is_used() {
    let responder = broken(Fault::None).await;
    for transport in BOTH {
        let source = IpAddr::from([127, 0, 0, 2]);
        let mut probe = probe(&responder, transport, PATIENT, Expectation::default());
        probe.source = Some(source);
        assert!(probe.ask().await.outcome.passed());
        assert_eq!(responder.received().last().unwrap().from.ip(), source);

        probe.source = Some(IpAddr::from([192, 0, 2, 1]));
        let sentence = "cannot ask from 192.0.2.1: the address is not on this host";
        assert_fails(&probe.ask().await, &responder, transport, Cause::SourceAddress, sentence);

        probe.source = Some(V6);
        let failure = failure_of(probe.ask().await);
        assert_eq!(failure.cause, Cause::Local, "{failure}");
    }
}

#[tokio::test]
async fn every_probe_has_a_fresh_port_and_a_fresh_id() {
    for transport in BOTH {
        let responder = broken(Fault::None).await;
        for _ in 0..40 {
            assert!(ask(&responder, transport, PATIENT).await.outcome.passed());
        }
        let received = responder.received();
        let ports: HashSet<_> = received.iter().map(|query| query.from.port()).collect();
        let ids: HashSet<_> = received.iter().map(|query| query.query.id).collect();
        // Drawn at random, a few may come twice.
        assert!(ports.len() > 30 && ids.len() > 30, "{} ports, {} IDs", ports.len(), ids.len());
    }
}

#[tokio::test]
async fn a_connection_is_reset_after_the_whole_answer_and_keeps_no_port() {
    for (ip, source) in [(V4, Some(V4)), (V6, Some(V6)), (V4, None)] {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let responder = broken(Fault::None).await;
        let mut probe = probe(&responder, Transport::Tcp, PATIENT, Expectation::default());
        (probe.server, probe.source) = (listener.local_addr().unwrap(), source);
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut message = vec![0; stream.read_u16().await.unwrap().into()];
            stream.read_exact(&mut message).await.unwrap();
            message[2] |= 0x80;
            stream.write_u16(message.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&message).await.unwrap();
            stream.read_u8().await.unwrap_err().kind()
        };
        let (finding, end) = tokio::join!(probe.ask(), serve);
        assert!(finding.outcome.passed());
        assert_eq!(end, ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn a_flood_of_strays_cannot_outlast_the_deadline() {
    let responder = broken(Fault::StrayFirst(200_000)).await;
    let asked = Instant::now();
    let finding = ask(&responder, Transport::Tcp, HASTY).await;
    assert!(!finding.outcome.passed());
    assert!(finding.strays > 0);
    assert!(asked.elapsed() < DEADLINE);
}
