//! A server that fails for one source, and one that fails for all.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record};
use tokio::net::UdpSocket;

use super::PATIENT;
use crate::outcome::Cause;
use crate::probe::dns::{DnsProbe, Expectation, Finding, Question, Transport};
use crate::probe::locality::Locality;

const SERVICE: &str = "127.0.0.2";
const MANAGEMENT: &str = "127.0.0.3";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What the server does with the `n`th question from this address.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Does {
    Answer,
    Refuse,
    Drop,
}

/// Serves as long as the runtime of the test runs.
async fn server(does: fn(IpAddr, usize) -> Does) -> SocketAddr {
    let socket = UdpSocket::bind((SERVICE, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        for nth in 1.. {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let mut answer = Message::from_vec(&buffer[..length]).unwrap();
            answer.metadata.message_type = MessageType::Response;
            match does(from.ip(), nth) {
                Does::Drop => continue,
                Does::Refuse => answer.metadata.response_code = ResponseCode::Refused,
                Does::Answer => {
                    let name = answer.queries[0].name().clone();
                    answer.add_answer(Record::from_rdata(
                        name,
                        60,
                        RData::A(std::net::Ipv4Addr::LOCALHOST.into()),
                    ));
                }
            }
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

async fn asked(source: &str, does: fn(IpAddr, usize) -> Does) -> Finding {
    let server = server(does).await;
    let expect = Expectation { min_answers: 1, ..Expectation::default() };
    let question = Question::new("localhost. A".parse().unwrap(), true, expect).unwrap();
    let locality = Locality { service: vec![ip(SERVICE)], management: vec![ip(MANAGEMENT)], device: None };
    let probe = DnsProbe {
        question: Arc::new(question),
        server,
        source: Some(ip(source)),
        transport: Transport::Udp,
        timeout: Duration::from_secs(1),
        locality: Arc::new(locality),
    };
    loop {
        let finding = tokio::time::timeout(PATIENT, probe.ask()).await.unwrap();
        // A machine that is too busy to ask in time proves nothing.
        if finding.outcome.failure().map(|failure| failure.cause) != Some(Cause::Local) {
            return finding;
        }
    }
}

fn found(finding: &Finding) -> (Option<Cause>, bool) {
    (finding.outcome.failure().map(|failure| failure.cause), finding.passes_from_itself)
}

#[tokio::test]
async fn a_failure_for_the_management_address_only_is_told() {
    let dropped = asked(MANAGEMENT, |from, _| if from == ip(MANAGEMENT) { Does::Drop } else { Does::Answer });
    assert_eq!(found(&dropped.await), (Some(Cause::Timeout), true));
    let refused =
        asked(MANAGEMENT, |from, _| if from == ip(MANAGEMENT) { Does::Refuse } else { Does::Answer });
    assert_eq!(found(&refused.await), (Some(Cause::Refused), true));
    assert_eq!(found(&asked(MANAGEMENT, |_, _| Does::Answer).await), (None, false));
}

#[tokio::test]
async fn a_failure_for_all_is_not_that_of_the_probe() {
    assert_eq!(found(&asked(MANAGEMENT, |_, _| Does::Refuse).await), (Some(Cause::Refused), false));
    assert_eq!(found(&asked(MANAGEMENT, |_, _| Does::Drop).await), (Some(Cause::Timeout), false));
    // One of its own questions is lost.
    let lossy = |from, nth| if from == ip(MANAGEMENT) || nth % 4 == 0 { Does::Drop } else { Does::Answer };
    assert_eq!(found(&asked(MANAGEMENT, lossy).await), (Some(Cause::Timeout), false));
}

#[tokio::test]
async fn an_address_that_asks_as_a_client_decides() {
    let client =
        asked("127.0.0.4", |from, _| if from == ip("127.0.0.4") { Does::Refuse } else { Does::Answer });
    assert_eq!(found(&client.await), (Some(Cause::Refused), false));
}
