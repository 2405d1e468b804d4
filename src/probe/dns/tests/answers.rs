//! Servers with good and bad answers.

use std::time::Duration;

use super::{BOTH, PATIENT, V4, V6, ask, assert_fails, broken, failure_of, probe};
use crate::outcome::{Cause, Outcome};
use crate::probe::dns::{Expectation, Rcode, Transport, record_data};
use crate::responder::{Fault, Responder};

#[tokio::test]
async fn a_sound_server_passes_on_both_families_and_transports() {
    for ip in [V4, V6] {
        let responder = Responder::bind(ip).await.unwrap();
        for transport in BOTH {
            let finding = ask(&responder, transport, PATIENT).await;
            let Outcome::Pass { latency, .. } = finding.outcome else {
                panic!("{:?}", finding.outcome);
            };
            assert!(latency > Duration::ZERO && latency < PATIENT);
            assert_eq!(responder.count(transport), 1, "one query, whatever the transport");
        }
    }
}

#[tokio::test]
async fn errors_are_reported_by_their_codes_even_in_a_bare_header() {
    let cases = [
        (Fault::Refuse, Cause::Refused, "answered REFUSED, expected NOERROR"),
        (Fault::HeaderOnly(Rcode::REFUSED), Cause::Refused, "answered REFUSED, expected NOERROR"),
        (Fault::Servfail, Cause::Servfail, "answered SERVFAIL, expected NOERROR"),
        (Fault::Nxdomain, Cause::Rcode, "answered NXDOMAIN, expected NOERROR"),
        (Fault::HeaderOnly("FORMERR".parse().unwrap()), Cause::Rcode, "answered FORMERR, expected NOERROR"),
        (Fault::HeaderOnly(Rcode::NOERROR), Cause::Malformed, "malformed answer: NOERROR without a question"),
    ];
    for (fault, cause, sentence) in cases {
        let responder = broken(fault).await;
        for transport in BOTH {
            let finding = ask(&responder, transport, PATIENT).await;
            assert_fails(&finding, &responder, transport, cause, sentence);
        }
    }
}

#[tokio::test]
async fn a_mangled_answer_fails_at_once() {
    let responder = broken(Fault::CutShort).await;
    for transport in BOTH {
        let failure = failure_of(ask(&responder, transport, PATIENT).await);
        assert_eq!(failure.cause, Cause::Malformed);
    }
}

#[tokio::test]
async fn an_answer_of_64_kilobytes_is_too_much_for_udp_but_not_for_tcp() {
    let responder = broken(Fault::Oversized).await;
    let failure = failure_of(ask(&responder, Transport::Udp, PATIENT).await);
    assert_eq!(failure.cause, Cause::Malformed);
    assert!(failure.detail.ends_with("octets, expected at most 512"), "{failure}");
    assert!(ask(&responder, Transport::Tcp, PATIENT).await.outcome.passed());
}

#[tokio::test]
async fn truncation_fails_where_it_hides_the_answer() {
    let responder = broken(Fault::Truncate).await;
    assert!(ask(&responder, Transport::Udp, PATIENT).await.outcome.passed());
    let one_answer = Expectation { min_answers: 1, ..Expectation::default() };
    let finding = probe(&responder, Transport::Udp, PATIENT, one_answer).ask().await;
    let sentence = "answered 0 A records, expected at least 1 (truncated)";
    assert_fails(&finding, &responder, Transport::Udp, Cause::Truncated, sentence);
}

#[tokio::test]
async fn records_flags_and_identifier_are_compared() {
    let responder = broken(Fault::None).await;
    responder.identify_as("fra1");
    let expect = Expectation {
        flags: ["aa", "ra", "ad", "!tc"].map(|flag| flag.parse().unwrap()).into(),
        all_of: vec![record_data("A".parse().unwrap(), "127.0.0.1").unwrap()],
        nsid: Some("fra1".to_owned()),
        ..Expectation::default()
    };
    for transport in BOTH {
        let finding = probe(&responder, transport, PATIENT, expect.clone()).ask().await;
        assert!(finding.outcome.passed(), "{:?}", finding.outcome);
        assert_eq!(finding.nsid().as_deref(), Some("fra1"));
    }

    responder.set(Fault::NoAuthority).await;
    let finding = probe(&responder, Transport::Udp, PATIENT, expect.clone()).ask().await;
    let sentence = "answered with flags ra ad, expected aa";
    assert_fails(&finding, &responder, Transport::Udp, Cause::Flags, sentence);

    responder.set(Fault::None).await;
    responder.answer_with(vec![record_data("A".parse().unwrap(), "192.0.2.9").unwrap()]);
    let finding = probe(&responder, Transport::Udp, PATIENT, expect).ask().await;
    let sentence = "answered 192.0.2.9, expected 127.0.0.1";
    assert_fails(&finding, &responder, Transport::Udp, Cause::WrongAnswer, sentence);
}

#[tokio::test]
async fn a_late_answer_is_slow_before_it_is_a_timeout() {
    let responder = broken(Fault::Late(Duration::from_millis(60))).await;
    let expect = Expectation { max_latency: Some(Duration::from_millis(50)), ..Expectation::default() };
    for transport in BOTH {
        let Outcome::Fail(failure) =
            probe(&responder, transport, PATIENT, expect.clone()).ask().await.outcome
        else {
            panic!("not late enough");
        };
        assert_eq!(failure.cause, Cause::Slow);
    }
}
