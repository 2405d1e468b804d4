//! Responses made by hand, and the verdict on each.

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use hickory_resolver::proto::op::{Edns, Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::NULL;
use hickory_resolver::proto::rr::rdata::opt::{EdnsOption, NSIDPayload};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use crate::outcome::{Cause, Outcome};
use crate::probe::dns::response::Response;
use crate::probe::dns::{Bounds, Expectation, Question, Rcode, Rcodes, record_data};

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
    question.judge(&received(response), Duration::from_millis(20))
}

/// A message as it is received on 2026-01-01.
fn received(message: Message) -> Response {
    let octets = message.to_vec().unwrap().len();
    Response {
        message: Box::new(message),
        octets,
        at: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.into()),
    }
}

/// 2026-01-01T00:00:00Z
const NOW: u32 = 1_767_225_600;

#[track_caller]
fn assert_fails(outcome: &Outcome, cause: Cause, detail: &str) {
    assert_eq!(outcome, &Outcome::from_cause(cause, detail));
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

/// An answer without records but these name servers of `zone`.
fn referral(zone: &'static str) -> impl FnOnce(&mut Message) {
    move |answer| {
        answer.answers.clear();
        let servers = record_data(RecordType::NS, "a.root-servers.net").unwrap();
        answer.add_authority(Record::from_rdata(zone.parse().unwrap(), 0, servers));
    }
}

#[test]
fn an_empty_answer_fails_where_records_are_expected() {
    let some = |expect: &mut Expectation| expect.not_empty = true;
    let empty = |answer: &mut Message| answer.answers.clear();
    assert!(judged(some, |_| ()).passed());
    let detail = "answered NOERROR with no record, expected records";
    assert_fails(&judged(some, empty), Cause::TooFewAnswers, detail);
    let or_none = |expect: &mut Expectation| {
        some(expect);
        expect.rcodes = Rcodes::one_of([Rcode::NOERROR, Rcode::NXDOMAIN]);
        expect.flags = vec!["ra".parse().unwrap()];
    };
    let detail = "answered NOERROR with no record, expected records or NXDOMAIN";
    assert_fails(&judged(or_none, empty), Cause::TooFewAnswers, detail);
    let detail = "answered NOERROR with an upward referral to the root servers, expected records or NXDOMAIN";
    assert_fails(&judged(or_none, referral(".")), Cause::TooFewAnswers, detail);
    let none = judged(or_none, |answer| {
        answer.answers.clear();
        answer.metadata.response_code = ResponseCode::NXDomain;
        answer.metadata.recursion_available = true;
    });
    assert!(none.passed());
}

#[test]
fn a_referral_in_place_of_an_answer_is_named() {
    let authoritative = |expect: &mut Expectation| expect.flags = vec!["aa".parse().unwrap()];
    let detail = "answered with an upward referral to the root servers, no flags, expected aa";
    assert_fails(&judged(authoritative, referral(".")), Cause::Flags, detail);
    let detail = "answered with a referral to the servers of org., no flags, expected aa";
    assert_fails(&judged(authoritative, referral("org.")), Cause::Flags, detail);
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

#[test]
fn exactly_these_records_in_any_order() {
    let exactly = |texts: &'static [&'static str]| {
        move |expect: &mut Expectation| expect.exactly = Some(texts.iter().map(|text| a(text)).collect())
    };
    assert!(judged(exactly(&["192.0.2.2", "192.0.2.1"]), |_| ()).passed());
    assert!(judged(exactly(&[]), |answer| answer.answers.clear()).passed());
    assert_fails(
        &judged(exactly(&["192.0.2.1"]), |_| ()),
        Cause::WrongAnswer,
        "answered 192.0.2.1, 192.0.2.2, expected exactly 192.0.2.1",
    );
    assert!(!judged(exactly(&["192.0.2.1", "192.0.2.2", "192.0.2.3"]), |_| ()).passed());
}

#[test]
fn one_record_matches_the_expression() {
    let matches =
        |text: &'static str| move |expect: &mut Expectation| expect.matches = Some(text.parse().unwrap());
    assert!(judged(matches(r"^192\.0\.2\.[12]$"), |_| ()).passed());
    assert_fails(
        &judged(matches("^10[.]"), |_| ()),
        Cause::WrongAnswer,
        "answered 192.0.2.1, 192.0.2.2, expected one that matches `^10[.]`",
    );
}

#[test]
fn each_section_has_as_many_records_as_expected() {
    let most = |number| move |expect: &mut Expectation| expect.max_answers = Some(number);
    assert!(judged(most(2), |_| ()).passed());
    assert_fails(&judged(most(1), |_| ()), Cause::WrongAnswer, "answered 2 A records, expected at most 1");
    let authority = |min, max| move |expect: &mut Expectation| expect.authority = Bounds { min, max };
    let referral = |answer: &mut Message| answer.authorities = std::mem::take(&mut answer.answers);
    assert!(judged(authority(Some(2), Some(2)), referral).passed());
    assert_fails(
        &judged(authority(Some(1), None), |_| ()),
        Cause::TooFewAnswers,
        "answered 0 records in the authority section, expected at least 1",
    );
    assert_fails(
        &judged(authority(None, Some(1)), referral),
        Cause::WrongAnswer,
        "answered 2 records in the authority section, expected at most 1",
    );
    let additional = |expect: &mut Expectation| expect.additional = Bounds { min: None, max: Some(0) };
    assert!(
        judged(additional, |answer| {
            answer.set_edns(Edns::new());
        })
        .passed()
    );
    assert!(!judged(additional, |answer| answer.additionals = answer.answers.clone()).passed());
}

#[test]
fn every_answer_lives_as_long_as_expected() {
    let ttl = |min, max| move |expect: &mut Expectation| expect.ttl = Bounds { min, max };
    let aged = |answer: &mut Message| answer.answers[1].ttl = 30;
    assert!(judged(ttl(None, Some(30)), aged).passed());
    assert_fails(
        &judged(ttl(Some(1), None), aged),
        Cause::Ttl,
        "answered . with a TTL of 0 s, expected at least 1 s",
    );
    assert!(!judged(ttl(None, Some(29)), aged).passed());
}

#[test]
fn an_alias_is_refused_where_none_is_expected() {
    let alias = |answer: &mut Message| {
        let data = record_data(RecordType::CNAME, "elsewhere.example.org").unwrap();
        answer.answers.insert(0, Record::from_rdata(Name::root(), 0, data));
    };
    let none = |expect: &mut Expectation| expect.no_cname = true;
    assert!(judged(none, |_| ()).passed() && judged(|_| (), alias).passed());
    assert_fails(
        &judged(none, alias),
        Cause::WrongAnswer,
        "answered CNAME elsewhere.example.org., expected no CNAME",
    );
}

#[test]
fn the_size_of_the_answer_is_within_its_bounds() {
    let size = |min, max| move |expect: &mut Expectation| expect.size = Bounds { min, max };
    assert!(judged(size(Some(42), Some(42)), |_| ()).passed());
    assert_fails(
        &judged(size(Some(500), None), |_| ()),
        Cause::Size,
        "answered with 42 octets, expected at least 500",
    );
    assert!(!judged(size(None, Some(41)), |_| ()).passed());
}

/// An RRSIG of `owner` that covers `covered`, and the seconds from now until it begins and ends.
fn rrsig(owner: &str, covered: RecordType, begins: i32, ends: i32) -> Record {
    let mut octets = u16::from(covered).to_be_bytes().to_vec();
    octets.extend([13, 2, 0, 0, 0, 60]);
    octets.extend(NOW.wrapping_add_signed(ends).to_be_bytes());
    octets.extend(NOW.wrapping_add_signed(begins).to_be_bytes());
    octets.extend([0, 1, 0]);
    let data = RData::Unknown { code: RecordType::RRSIG, rdata: NULL::with(octets) };
    Record::from_rdata(owner.parse().unwrap(), 60, data)
}

const DAY: i32 = 86_400;

#[test]
fn a_signature_is_valid_now_and_for_as_long_as_expected() {
    let left = |expect: &mut Expectation| expect.signature_left = Some(Duration::from_secs(3 * 86_400));
    let signed = |begins, ends| {
        judged(left, move |answer| answer.answers.push(rrsig(".", RecordType::A, begins, ends)))
    };
    assert!(signed(-DAY, 3 * DAY).passed());
    let end = "expected a signature for at least 3days";
    assert_fails(&judged(left, |_| ()), Cause::Signature, &format!(". A has no signature, {end}"));
    let expires = format!("the signature of . A expires in 2days 23h, {end}");
    assert_fails(&signed(-DAY, 3 * DAY - 1), Cause::Signature, &expires);
    assert_fails(
        &signed(-DAY, -60),
        Cause::Signature,
        &format!("the signature of . A expired 1m ago, {end}"),
    );
    assert_fails(
        &signed(60, 9 * DAY),
        Cause::Signature,
        &format!("the signature of . A begins in 1m, {end}"),
    );
}

#[test]
fn the_best_signature_of_each_record_set_counts() {
    let left = |expect: &mut Expectation| expect.signature_left = Some(Duration::from_secs(3600));
    let with = |signatures: Vec<Record>| judged(left, move |answer| answer.answers.extend(signatures));
    let good = || rrsig(".", RecordType::A, -DAY, DAY);
    assert!(
        with(vec![rrsig(".", RecordType::A, -DAY, -1), good(), rrsig(".", RecordType::A, 1, 9 * DAY)])
            .passed()
    );
    assert!(
        !with(vec![rrsig(".", RecordType::AAAA, -DAY, DAY), rrsig("a.", RecordType::A, -DAY, DAY)]).passed()
    );
    // A second set without a signature; a negative answer; a delegation, whose NS are not signed.
    let other = || Record::from_rdata("www.example.org.".parse().unwrap(), 60, a("192.0.2.1"));
    assert!(!with(vec![good(), other()]).passed());
    assert!(with(vec![good(), other(), rrsig("WWW.example.org.", RecordType::A, -DAY, DAY)]).passed());
    let negative = |records: Vec<Record>| {
        judged(left, move |answer| {
            answer.answers.clear();
            answer.authorities = records;
        })
    };
    let soa = || {
        let data = record_data(RecordType::SOA, "ns. root. 1 2 3 4 5").unwrap();
        Record::from_rdata(Name::root(), 60, data)
    };
    assert!(!negative(vec![soa()]).passed());
    assert!(negative(vec![soa(), rrsig(".", RecordType::SOA, -DAY, DAY)]).passed());
    assert!(!negative(vec![]).passed());
}

/// Times of signatures are serial numbers: they go on after 2106 (RFC 4034 §3.1.5).
#[test]
fn the_times_of_a_signature_wrap_around() {
    let left = |expect: &mut Expectation| expect.signature_left = Some(Duration::from_secs(3600));
    let mut expectation = Expectation::default();
    left(&mut expectation);
    let question = Question::new("example.org. A".parse().unwrap(), true, expectation).unwrap();
    let mut message = Message::response(0, OpCode::Query);
    message.add_answer(Record::from_rdata(Name::root(), 0, a("192.0.2.1")));
    let to_wrap = (1_u64 << 32) - u64::from(NOW);
    message.add_answer(rrsig(
        ".",
        RecordType::A,
        to_wrap.cast_signed() as i32 - DAY,
        to_wrap.cast_signed() as i32 + DAY,
    ));
    let mut response = received(message);
    response.at = SystemTime::UNIX_EPOCH + Duration::from_secs((1 << 32) + 60);
    assert!(question.judge(&response, Duration::ZERO).passed());
    response.at += Duration::from_secs(86_400);
    assert!(!question.judge(&response, Duration::ZERO).passed());
}
