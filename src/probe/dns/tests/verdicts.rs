//! Responses made by hand, and the verdict on each.

use std::net::Ipv4Addr;
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsOption, NSIDPayload};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use crate::outcome::{Cause, Outcome};
use crate::probe::dns::{Expectation, Question, Rcode, Rcodes, record_data};

/// Expects what `expect` is changed to of an answer with 192.0.2.1 and 192.0.2.2 that is changed by `change`.
fn judged(expect: impl FnOnce(&mut Expectation), change: impl FnOnce(&mut Message)) -> Outcome {
    let mut expectation = Expectation::default();
    expect(&mut expectation);
    let question = Question::new("example.org. A".parse().unwrap(), true, expectation).unwrap();
    let mut response = Message::response(0, OpCode::Query);
    for last in [1, 2] {
        let data = RData::from(Ipv4Addr::new(192, 0, 2, last));
        response.add_answer(Record::from_rdata(Name::root(), 0, data));
    }
    change(&mut response);
    question.judge(&response, Duration::from_millis(20))
}

#[track_caller]
fn assert_fails(outcome: &Outcome, cause: Cause, detail: &str) {
    assert_eq!(outcome, &Outcome::fail(cause, detail));
}

fn a(text: &str) -> RData {
    record_data(RecordType::A, text).unwrap()
}

#[test]
fn by_default_any_noerror_passes() {
    assert!(judged(|_| (), |_| ()).passed());
    assert!(judged(|_| (), |answer| answer.answers.clear()).passed());
    assert!(judged(|_| (), |answer| answer.metadata.truncation = true).passed());
}

#[test]
fn an_unexpected_code_fails_by_its_own_cause() {
    let answers = |code| judged(|_| (), move |answer| answer.metadata.response_code = code);
    assert_fails(&answers(ResponseCode::Refused), Cause::Refused, "answered REFUSED, expected NOERROR");
    assert_fails(&answers(ResponseCode::ServFail), Cause::Servfail, "answered SERVFAIL, expected NOERROR");
    assert_fails(&answers(ResponseCode::NXDomain), Cause::Rcode, "answered NXDOMAIN, expected NOERROR");
}

#[test]
fn any_code_but_servfail_can_be_expected() {
    let alive = |expect: &mut Expectation| expect.rcodes = Rcodes::any_but([Rcode::SERVFAIL]);
    assert!(judged(alive, |answer| answer.metadata.response_code = ResponseCode::Refused).passed());
    assert!(!judged(alive, |answer| answer.metadata.response_code = ResponseCode::ServFail).passed());
}

#[test]
fn a_flag_is_expected_set_or_not_set() {
    let expect =
        |word: &'static str| move |expect: &mut Expectation| expect.flags.push(word.parse().unwrap());
    assert_fails(&judged(expect("aa"), |_| ()), Cause::Flags, "answered with no flags, expected aa");
    assert!(judged(expect("!aa"), |_| ()).passed());
    let recursive = |answer: &mut Message| answer.metadata.recursion_available = true;
    assert!(judged(expect("ra"), recursive).passed());
    assert_fails(&judged(expect("!ra"), recursive), Cause::Flags, "answered with flag ra, expected !ra");
}

#[test]
fn every_one_of_all_and_one_of_any_must_be_answered() {
    assert!(judged(|expect| expect.all_of = vec![a("192.0.2.2"), a("192.0.2.1")], |_| ()).passed());
    assert!(judged(|expect| expect.any_of = vec![a("192.0.2.9"), a("192.0.2.1")], |_| ()).passed());
    assert_fails(
        &judged(|expect| expect.all_of = vec![a("192.0.2.1"), a("192.0.2.9")], |_| ()),
        Cause::WrongAnswer,
        "answered 192.0.2.1, 192.0.2.2, expected 192.0.2.9",
    );
    assert_fails(
        &judged(
            |expect| expect.any_of = vec![a("192.0.2.8"), a("192.0.2.9")],
            |answer| answer.answers.clear(),
        ),
        Cause::WrongAnswer,
        "answered no A record, expected 192.0.2.8 or 192.0.2.9",
    );
}

#[test]
fn only_records_of_the_type_asked_are_answers() {
    let alias = |answer: &mut Message| {
        let data = record_data(RecordType::CNAME, "elsewhere.example.org").unwrap();
        answer.answers = vec![Record::from_rdata(Name::root(), 0, data)];
    };
    assert_fails(
        &judged(|expect| expect.min_answers = 1, alias),
        Cause::TooFewAnswers,
        "answered 0 A records, expected at least 1",
    );
}

#[test]
fn truncation_matters_where_it_hides_what_is_expected() {
    let cut = |answer: &mut Message| {
        answer.metadata.truncation = true;
        answer.answers.truncate(1);
    };
    assert!(judged(|expect| expect.min_answers = 1, cut).passed());
    assert_fails(
        &judged(|expect| expect.min_answers = 2, cut),
        Cause::Truncated,
        "answered 1 A records, expected at least 2 (truncated)",
    );
}

#[test]
fn the_identifier_must_be_the_one_expected() {
    let fra1 = |expect: &mut Expectation| expect.nsid = Some("fra1".to_owned());
    let by = |name: &'static str| {
        move |answer: &mut Message| {
            let mut edns = Edns::new();
            edns.options_mut().insert(EdnsOption::NSID(NSIDPayload::new(name).unwrap()));
            answer.set_edns(edns);
        }
    };
    assert!(judged(fra1, by("fra1")).passed());
    assert_fails(
        &judged(fra1, by("fra2")),
        Cause::WrongIdentity,
        "answered with identifier `fra2`, expected `fra1`",
    );
    assert_fails(&judged(fra1, |_| ()), Cause::WrongIdentity, "answered with no identifier, expected `fra1`");
}

#[test]
fn a_late_answer_is_slow() {
    let within =
        |millis| move |expect: &mut Expectation| expect.max_latency = Some(Duration::from_millis(millis));
    assert!(judged(within(20), |_| ()).passed());
    assert_fails(&judged(within(19), |_| ()), Cause::Slow, "answered after 20.0ms, expected within 19ms");
}
