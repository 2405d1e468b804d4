//! Probes of a scripted server with every kind of fault.
//!
//! `exchanges` tests whether an answer arrives, `answers` its content. `verdicts` and `harm` need no server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use super::{DnsProbe, Expectation, Finding, Question, Transport};
use crate::outcome::{Cause, Failure, Outcome};
use crate::responder::{Fault, Responder};

mod alone;
mod answers;
mod costly;
mod encrypted;
mod exchanges;
mod harm;
mod here;
mod limits;
mod options;
mod verdicts;

const BOTH: [Transport; 2] = [Transport::Udp, Transport::Tcp];
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Long enough for any answer to arrive.
const PATIENT: Duration = Duration::from_secs(5);

/// Long enough to know that no answer arrives.
const HASTY: Duration = Duration::from_millis(150);

async fn broken(fault: Fault) -> Responder {
    let responder = Responder::bind(V4).await.unwrap();
    responder.set(fault).await;
    responder
}

fn probe(responder: &Responder, transport: Transport, timeout: Duration, expect: Expectation) -> DnsProbe {
    let question = Question::new("localhost. A".parse().unwrap(), true, expect).unwrap();
    DnsProbe {
        question: Arc::new(question),
        server: responder.address(),
        source: None,
        transport,
        timeout,
        locality: Arc::default(),
    }
}

async fn ask(responder: &Responder, transport: Transport, timeout: Duration) -> Finding {
    probe(responder, transport, timeout, Expectation::default()).ask().await
}

/// The finding must be a failure with `cause`; its detail must contain the server and the question, then `sentence`.
#[track_caller]
fn assert_fails(
    finding: &Finding,
    responder: &Responder,
    transport: Transport,
    cause: Cause,
    sentence: &str,
) {
    let server = responder.address();
    let expected = Outcome::from_cause(cause, format!("{server} {transport} localhost. A: {sentence}"));
    assert_eq!(finding.outcome, expected);
}

#[track_caller]
fn failure_of(finding: Finding) -> Failure {
    match finding.outcome {
        Outcome::Fail(failure) | Outcome::Unknown(failure) => failure,
        Outcome::Pass { .. } => panic!("passed, although the server is broken"),
    }
}
