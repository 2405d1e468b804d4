//! Servers that do not answer, or answer another question; and the addresses, ports and IDs of the probes.

use std::collections::HashSet;
use std::io::{ErrorKind, Write};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{BOTH, HASTY, PATIENT, V4, V6, ask, assert_fails, broken, failure_of, probe};
use crate::outcome::{Cause, Lost, Outcome};
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
        let asked = if transport == Transport::Udp { 3 } else { 1 };
        assert_eq!(responder.count(transport), asked, "only a datagram is sent again, and twice at most");
    }
}

#[tokio::test]
async fn a_lost_datagram_is_repeated_and_no_failure() {
    let responder = broken(Fault::LoseEvery(2)).await;
    let finding = ask(&responder, Transport::Udp, PATIENT).await;
    assert!(finding.outcome.passed());
    assert_eq!((finding.lost, responder.count(Transport::Udp)), (0, 1));
    // The second datagram is lost; the third one is answered, and the latency counts from the second.
    let finding = ask(&responder, Transport::Udp, 3 * HASTY).await;
    let Outcome::Pass { latency, lost } = finding.outcome else { panic!("{finding:?}") };
    assert!(latency >= HASTY && lost == Lost { lost: 1, of: 1 }, "{latency:?} {lost:?}");
    assert_eq!((finding.lost, responder.count(Transport::Udp)), (1, 3));
    let received = responder.received();
    let (lost, repeated) = (&received[1], &received[2]);
    assert_ne!((lost.from, lost.query.id), (repeated.from, repeated.query.id));
    responder.set(Fault::Silent).await;
    assert_eq!(ask(&responder, Transport::Udp, HASTY).await.lost, 3);
}

/// The ceiling is for the server: an answer to the repeated question is as late as that question.
#[tokio::test]
async fn a_lost_datagram_is_no_slow_answer() {
    let responder = broken(Fault::LoseEvery(1)).await;
    let expect = Expectation { max_latency: Some(PATIENT / 4), ..Expectation::default() };
    let probe = probe(&responder, Transport::Udp, PATIENT, expect);
    let server = async {
        while responder.count(Transport::Udp) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        responder.set(Fault::None).await;
    };
    let (finding, ()) = tokio::join!(probe.ask(), server);
    assert!(finding.outcome.passed(), "{finding:?}");
    assert_eq!(finding.lost, 1);
}

/// What an answer to the first question finds after the second was sent.
#[tokio::test]
async fn a_late_answer_to_the_first_question_passes() {
    let responder = broken(Fault::Late(PATIENT / 2)).await;
    let finding = ask(&responder, Transport::Udp, PATIENT).await;
    assert!(finding.outcome.passed(), "{finding:?}");
    assert_eq!((finding.lost, responder.count(Transport::Udp)), (0, 2));
}

/// The server answers in time, on a thread of its own, while the thread of the probe stands still.
#[tokio::test]
async fn an_answer_that_came_in_time_passes_although_the_loop_is_late() {
    let socket = std::net::UdpSocket::bind((V4, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let (heard, hears) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        let mut message = [0; 512];
        let (length, from) = socket.recv_from(&mut message).unwrap();
        message[2] |= 0x80;
        socket.send_to(&message[..length], from).unwrap();
        heard.send(()).unwrap();
    });
    let responder = broken(Fault::None).await;
    let mut probe = probe(&responder, Transport::Udp, HASTY, Expectation::default());
    probe.server = address;
    let standstill = async {
        hears.recv_timeout(DEADLINE).unwrap();
        std::thread::sleep(4 * HASTY);
    };
    let (finding, ()) = tokio::join!(probe.ask(), standstill);
    server.join().unwrap();
    assert!(finding.outcome.passed(), "{finding:?}");
}

#[tokio::test]
async fn a_timeout_of_a_process_that_did_not_run_is_unknown() {
    let responder = broken(Fault::Silent).await;
    for transport in BOTH {
        let probe = probe(&responder, transport, HASTY, Expectation::default());
        let standstill = async { std::thread::sleep(6 * HASTY) };
        let (finding, ()) = tokio::join!(probe.ask(), standstill);
        let Outcome::Unknown(failure) = &finding.outcome else { panic!("{finding:?}") };
        assert_eq!(failure.cause, Cause::Local);
        assert!(failure.detail.contains("but this process did not run for"), "{failure}");
    }
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
async fn a_connection_closed_early_is_distinguished_from_silence() {
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
async fn an_answer_to_another_question_is_ignored_and_counted() {
    for fault in [Fault::WrongId, Fault::WrongQuestion, Fault::NotAResponse, Fault::Garbage(vec![0xff; 9])] {
        let responder = broken(fault).await;
        let finding = ask(&responder, Transport::Udp, HASTY).await;
        let sentence = "no answer within 150ms (3 stray datagrams ignored)";
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

/// The server has a thread of its own and never stops, so that no delay of this machine lets the probe read to an end.
#[tokio::test]
async fn a_flood_of_strays_cannot_outlast_the_deadline() {
    let listener = std::net::TcpListener::bind((V4, 0)).unwrap();
    let server = listener.local_addr().unwrap();
    let endless = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Responses of a header alone, each with its length before it. Their ID is 0, which a request rarely has.
        let strays = [0, 12, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0].repeat(4096);
        while stream.write_all(&strays).is_ok() {}
    });
    let responder = broken(Fault::None).await;
    let mut probe = probe(&responder, Transport::Tcp, HASTY, Expectation::default());
    probe.server = server;
    let asked = Instant::now();
    let finding = tokio::time::timeout(DEADLINE, probe.ask()).await.expect("the probe outlasts its deadline");
    assert_eq!(finding.outcome.failure().map(|failure| failure.cause), Some(Cause::Timeout));
    assert!(asked.elapsed() < DEADLINE);
    assert!(finding.strays > 0, "{:?}", finding.outcome);
    endless.join().unwrap();
}
