//! The verdict on a response, a pure function of the expectation, the response and its latency.

use std::time::Duration;

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_resolver::proto::rr::{RData, RecordType};

use super::flag;
use super::text::{identifier, list, printable};
use super::{Expectation, Question, Rcode};
use crate::outcome::{Cause, Failure, Outcome};

impl Question {
    /// Judges a response that arrived after `latency`. The first of these that is not as expected is the cause of
    /// failure: response code, flags, number of records, record data (or truncation, where it hides them), identifier,
    /// latency.
    #[must_use]
    pub(crate) fn judge(&self, response: &Message, latency: Duration) -> Outcome {
        let expect = self.expect();
        let verdict = rcode(expect, response)
            .and_then(|()| flags(expect, response))
            .and_then(|()| records(expect, self.query().record_type(), response))
            .and_then(|()| identity(expect, response))
            .and_then(|()| pace(expect, latency));
        match verdict {
            Ok(()) => Outcome::pass(latency),
            Err(failure) => Outcome::Fail(failure),
        }
    }
}

/// The name server identifier of a response (RFC 5001): as text, or as `0x` and hexadecimal digits.
pub(crate) fn nsid(response: &Message) -> Option<String> {
    match response.edns.as_ref()?.option(EdnsCode::NSID)? {
        EdnsOption::NSID(payload) => Some(identifier(payload.as_ref())),
        _ => None,
    }
}

fn rcode(expect: &Expectation, response: &Message) -> Result<(), Failure> {
    let rcode = Rcode::from(response.response_code);
    if expect.rcodes.contains(rcode) {
        return Ok(());
    }
    let cause = match rcode {
        Rcode::REFUSED => Cause::Refused,
        Rcode::SERVFAIL => Cause::Servfail,
        _ => Cause::Rcode,
    };
    Err(Failure::new(cause, format!("answered {rcode}, expected {}", expect.rcodes)))
}

fn flags(expect: &Expectation, response: &Message) -> Result<(), Failure> {
    match expect.flags.iter().find(|flag| !flag.holds(response)) {
        None => Ok(()),
        Some(flag) => Err(Failure::new(
            Cause::Flags,
            format!("answered with {}, expected {flag}", flag::words(response)),
        )),
    }
}

fn records(expect: &Expectation, record_type: RecordType, response: &Message) -> Result<(), Failure> {
    let answers: Vec<_> = response
        .answers
        .iter()
        .map(|record| &record.data)
        .filter(|data| record_type == RecordType::ANY || data.record_type() == record_type)
        .collect();
    content(expect, record_type, &answers).map_err(|failure| {
        if response.truncation {
            Failure::new(Cause::Truncated, format!("{} (truncated)", failure.detail))
        } else {
            failure
        }
    })
}

fn content(expect: &Expectation, record_type: RecordType, answers: &[&RData]) -> Result<(), Failure> {
    if answers.len() < expect.min_answers {
        let (found, least) = (answers.len(), expect.min_answers);
        return Err(Failure::new(
            Cause::TooFewAnswers,
            format!("answered {found} {record_type} records, expected at least {least}"),
        ));
    }
    let found = || match answers {
        [] => format!("no {record_type} record"),
        some => list(some.iter().copied(), ", "),
    };
    if let Some(missing) = expect.all_of.iter().find(|data| !answers.contains(data)) {
        let missing = list([missing], "");
        return Err(Failure::new(Cause::WrongAnswer, format!("answered {}, expected {missing}", found())));
    }
    if !expect.any_of.is_empty() && !expect.any_of.iter().any(|data| answers.contains(&data)) {
        let choice = list(&expect.any_of, " or ");
        return Err(Failure::new(Cause::WrongAnswer, format!("answered {}, expected {choice}", found())));
    }
    Ok(())
}

fn identity(expect: &Expectation, response: &Message) -> Result<(), Failure> {
    let Some(expected) = &expect.nsid else {
        return Ok(());
    };
    let found = match nsid(response) {
        Some(found) if found == *expected => return Ok(()),
        Some(found) => format!("identifier `{}`", printable(&found)),
        None => "no identifier".to_owned(),
    };
    Err(Failure::new(Cause::WrongIdentity, format!("answered with {found}, expected `{expected}`")))
}

fn pace(expect: &Expectation, latency: Duration) -> Result<(), Failure> {
    match expect.max_latency {
        Some(ceiling) if latency > ceiling => Err(Failure::new(
            Cause::Slow,
            format!("answered after {latency:.1?}, expected within {ceiling:?}"),
        )),
        _ => Ok(()),
    }
}
