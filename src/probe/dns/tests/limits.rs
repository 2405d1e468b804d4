//! Servers that limit the rate of their answers, and servers that only seem to.

use hickory_resolver::proto::rr::RecordType;

use super::{HASTY, PATIENT, ask, broken, failure_of, probe};
use crate::outcome::{Cause, Outcome};
use crate::probe::dns::{EdnsUse, Expectation, Options, Question, Rcode, Rcodes, Transport, record_data};
use crate::responder::Fault;

#[tokio::test]
async fn a_truncated_answer_that_would_have_fitted_is_a_limited_rate() {
    let responder = broken(Fault::RateLimit(1)).await;
    for expect in [Expectation::default(), Expectation { min_answers: 1, ..Expectation::default() }] {
        let finding = probe(&responder, Transport::Udp, PATIENT, expect).ask().await;
        assert_eq!(finding.response.as_ref().map(|response| response.answers.len()), Some(1), "over TCP");
        let failure = failure_of(finding);
        assert_eq!(failure.cause, Cause::RateLimited, "{failure}");
        assert!(failure.detail.contains("although the whole answer has 43 octets"), "{failure}");
    }
    assert!(ask(&responder, Transport::Tcp, PATIENT).await.outcome.passed());
}

#[tokio::test]
async fn silence_after_a_rate_limited_answer_is_rate_limiting() {
    let responder = broken(Fault::Silent).await;
    let probe = probe(&responder, Transport::Udp, 2 * HASTY, Expectation::default());
    assert_eq!(failure_of(probe.ask().await).cause, Cause::Timeout);
    // Over TCP it answers, over UDP it does not: never seen to limit, it is silent.
    responder.set(Fault::RateLimit(usize::MAX)).await;
    assert_eq!(failure_of(probe.ask().await).cause, Cause::Timeout);
    responder.set(Fault::RateLimit(1)).await;
    assert_eq!(failure_of(probe.ask().await).cause, Cause::RateLimited);
    responder.set(Fault::RateLimit(usize::MAX)).await;
    let failure = failure_of(probe.ask().await);
    assert_eq!(failure.cause, Cause::RateLimited, "{failure}");
    assert!(
        failure.detail.contains("no answer within 300ms, but over TCP, and a truncated one"),
        "{failure}"
    );
    // A server that has exited meanwhile answers over no transport.
    responder.set(Fault::Silent).await;
    assert_eq!(failure_of(probe.ask().await).cause, Cause::Timeout);
}

#[tokio::test]
async fn a_truncated_answer_is_judged_as_received_if_tcp_fails() {
    let expect = || Expectation { min_answers: 1, ..Expectation::default() };
    // Truncated over TCP as well.
    let responder = broken(Fault::Truncate).await;
    let finding = probe(&responder, Transport::Udp, PATIENT, expect()).ask().await;
    assert_eq!(failure_of(finding).cause, Cause::Truncated);
    assert!(ask(&responder, Transport::Udp, PATIENT).await.outcome.passed());
    // Too large for a datagram, so that it had to be truncated.
    let text = "x".repeat(250);
    let many = (0..3).map(|_| record_data(RecordType::TXT, &text).unwrap());
    responder.answer_with(many.collect());
    responder.set(Fault::RateLimit(1)).await;
    let mut large = probe(&responder, Transport::Udp, PATIENT, expect());
    let question = Question::new("localhost. TXT".parse().unwrap(), true, expect()).unwrap();
    large.question = question.into();
    assert_eq!(failure_of(large.ask().await).cause, Cause::Truncated);
    // Not as expected over TCP.
    let refused = Expectation { rcodes: Rcodes::one_of([Rcode::REFUSED]), ..expect() };
    responder.set(Fault::RateLimit(1)).await;
    let finding = probe(&responder, Transport::Udp, PATIENT, refused).ask().await;
    assert!(matches!(finding.outcome, Outcome::Fail(failure) if failure.cause == Cause::Rcode));
}

#[tokio::test]
async fn a_server_that_sends_less_than_is_offered_limits_no_rate() {
    let responder = broken(Fault::RateLimit(1)).await;
    let text = "x".repeat(250);
    responder.answer_with((0..7).map(|_| record_data(RecordType::TXT, &text).unwrap()).collect());
    let edns = EdnsUse::Offer(4096.try_into().unwrap());
    let options = Options { edns, follow_truncation: true, ..Options::default() };
    let expect = Expectation { not_empty: true, ..Expectation::default() };
    let mut large = probe(&responder, Transport::Udp, PATIENT, expect.clone());
    large.question = Question::with("localhost. TXT".parse().unwrap(), options, expect).unwrap().into();
    let finding = large.ask().await;
    assert!(finding.outcome.passed(), "{:?}", finding.outcome);
    assert_eq!(finding.response.map(|response| response.answers.len()), Some(7), "over TCP");
}
