//! Options of a question that take more than one exchange: cookies, and what follows a truncated answer.

use std::net::UdpSocket;
use std::sync::Arc;
use std::thread;

use hickory_resolver::proto::op::{Edns, Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::{HASTY, PATIENT, V4, broken, failure_of, probe};
use crate::outcome::Cause;
use crate::probe::dns::{Bounds, DnsProbe, Expectation, Options, Question, Transport, record_data};
use crate::responder::{Fault, Responder};

fn following(responder: &Responder, expect: Expectation) -> DnsProbe {
    let options = Options { follow_truncation: true, ..Options::default() };
    let question = Question::with("localhost. TXT".parse().unwrap(), options, expect).unwrap();
    DnsProbe {
        question: question.into(),
        ..probe(responder, Transport::Udp, PATIENT, Expectation::default())
    }
}

/// A server whose answer of 800 octets fits into no datagram without EDNS.
async fn large(fault: Fault) -> Responder {
    let responder = broken(fault).await;
    let text = "x".repeat(250);
    responder.answer_with((0..3).map(|_| record_data(RecordType::TXT, &text).unwrap()).collect());
    responder
}

#[tokio::test]
async fn a_truncated_answer_is_followed_over_tcp() {
    let responder = large(Fault::RateLimit(1)).await;
    let expect = || Expectation {
        min_answers: 3,
        size: Bounds { min: Some(600), max: Some(900) },
        ..Expectation::default()
    };
    let finding = following(&responder, expect()).ask().await;
    assert!(finding.outcome.passed(), "{finding:?}");
    assert_eq!(finding.response.unwrap().answers.len(), 3);
    assert_eq!((responder.count(Transport::Udp), responder.count(Transport::Tcp)), (1, 1));
    // The answer over TCP is judged as any other.
    let four = Expectation { min_answers: 4, ..expect() };
    assert_eq!(failure_of(following(&responder, four).ask().await).cause, Cause::TooFewAnswers);
}

#[tokio::test]
async fn a_truncated_answer_without_tcp_fails() {
    let socket = UdpSocket::bind((V4, 0)).unwrap();
    let server = socket.local_addr().unwrap();
    let truncating = thread::spawn(move || {
        let mut octets = [0; 512];
        let (length, from) = socket.recv_from(&mut octets).unwrap();
        octets[2] |= 0x82;
        socket.send_to(&octets[..length], from).unwrap();
    });
    let responder = broken(Fault::None).await;
    let probe = DnsProbe { server, ..following(&responder, Expectation::default()) };
    let failure = failure_of(probe.ask().await);
    assert_eq!(failure.cause, Cause::PortClosed, "{failure}");
    assert!(failure.detail.contains("truncated, and over TCP: port closed"), "{failure}");
    truncating.join().unwrap();
}

/// Insists on a cookie of its own, as BIND does with `require-server-cookie`. Returns the lengths of the cookies of
/// `queries`.
fn insisting(socket: UdpSocket, queries: usize, stray_first: bool) -> thread::JoinHandle<Vec<usize>> {
    thread::spawn(move || {
        let mut lengths = vec![];
        let mut octets = [0; 512];
        for _ in 0..queries {
            let (length, from) = socket.recv_from(&mut octets).unwrap();
            let mut answer = Message::from_vec(&octets[..length]).unwrap();
            let cookie = match answer.edns.as_ref().unwrap().option(EdnsCode::Cookie) {
                Some(EdnsOption::Unknown(_, cookie)) => cookie.clone(),
                other => panic!("{other:?}"),
            };
            lengths.push(cookie.len());
            answer.metadata.message_type = MessageType::Response;
            if cookie.len() == 8 {
                answer.metadata.response_code = ResponseCode::BADCOOKIE;
            }
            let mut send = |client: &[u8]| {
                let mut edns = Edns::new();
                edns.options_mut().insert(EdnsOption::Unknown(10, [client, &[7; 16]].concat()));
                answer.set_edns(edns);
                socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
            };
            if stray_first {
                send(&[0; 8]);
            }
            send(&cookie[..8]);
        }
        lengths
    })
}

fn with_cookie(socket: &UdpSocket, responder: &Responder) -> DnsProbe {
    let options = Options { cookie: true, ..Options::default() };
    let question = Question::with("localhost. A".parse().unwrap(), options, Expectation::default()).unwrap();
    DnsProbe {
        question: Arc::new(question),
        server: socket.local_addr().unwrap(),
        ..probe(responder, Transport::Udp, PATIENT, Expectation::default())
    }
}

#[tokio::test]
async fn a_server_that_insists_on_cookies_is_asked_again_with_its_own() {
    let responder = broken(Fault::None).await;
    let socket = UdpSocket::bind((V4, 0)).unwrap();
    let probe = with_cookie(&socket, &responder);
    let server = insisting(socket, 3, false);
    for _ in 0..2 {
        let finding = probe.ask().await;
        assert!(finding.outcome.passed(), "{finding:?}");
    }
    assert_eq!(server.join().unwrap(), [8, 24, 24], "the second probe has the cookie of the first");
}

#[tokio::test]
async fn an_answer_with_the_cookie_of_another_client_is_a_stray() {
    let responder = broken(Fault::None).await;
    let socket = UdpSocket::bind((V4, 0)).unwrap();
    let probe = with_cookie(&socket, &responder);
    let server = insisting(socket, 2, true);
    let finding = probe.ask().await;
    assert!(finding.outcome.passed() && finding.strays == 1, "{finding:?}");
    server.join().unwrap();
}

#[tokio::test]
async fn a_server_without_cookies_passes() {
    let responder = broken(Fault::None).await;
    let socket = UdpSocket::bind((V4, 0)).unwrap();
    let probe = DnsProbe { server: responder.address(), ..with_cookie(&socket, &responder) };
    assert!(probe.ask().await.outcome.passed());
    responder.set(Fault::Silent).await;
    let silent = DnsProbe { timeout: HASTY, ..probe };
    assert_eq!(failure_of(silent.ask().await).cause, Cause::Timeout);
}
