//! The verdict on a response, a pure function of the expectation, the response and its latency.

use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::flag;
use super::response::Response;
use super::text::{identifier, printable};
use super::{Expectation, Question, Rcode};
use crate::outcome::{Cause, Failure, Outcome};

mod counts;
mod records;
mod referral;
mod signature;

impl Question {
    /// Judges a response that arrived after `latency`. The first of these that is not as expected is the cause of
    /// failure: response code, emptiness, flags, number of records, record data, times to live, signatures (or truncation,
    /// where it hides them), identifier, size, latency.
    pub(super) fn judge(&self, response: &Response, latency: Duration) -> Outcome {
        let expect = self.expect();
        let verdict = rcode(expect, response)
            .and_then(|()| emptiness(expect, response))
            .and_then(|()| flags(expect, response))
            .and_then(|()| contents(expect, self.query().record_type(), response))
            .and_then(|()| identity(expect, response))
            .and_then(|()| size(expect, response))
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

/// NOERROR without a record is no answer to the question.
fn emptiness(expect: &Expectation, response: &Message) -> Result<(), Failure> {
    let is_empty = response.response_code == ResponseCode::NoError && response.answers.is_empty();
    if !expect.not_empty || !is_empty || response.truncation {
        return Ok(());
    }
    let (found, or) = (
        referral::phrase(response),
        if expect.rcodes.contains(Rcode::NXDOMAIN) { " or NXDOMAIN" } else { "" },
    );
    let found = found.unwrap_or_else(|| "no record".to_owned());
    Err(Failure::new(Cause::TooFewAnswers, format!("answered NOERROR with {found}, expected records{or}")))
}

fn flags(expect: &Expectation, response: &Message) -> Result<(), Failure> {
    let Some(flag) = expect.flags.iter().find(|flag| !flag.holds(response)) else { return Ok(()) };
    let referral = referral::phrase(response).map(|referral| format!("{referral}, ")).unwrap_or_default();
    let detail = format!("answered with {referral}{}, expected {flag}", flag::words(response));
    Err(Failure::new(Cause::Flags, detail))
}

/// The content of the sections, unless truncation hides it.
fn contents(expect: &Expectation, asked: RecordType, response: &Response) -> Result<(), Failure> {
    let found = records::judge(expect, asked, response)
        .and_then(|()| counts::judge(expect, response))
        .and_then(|()| signature::judge(expect, response));
    found.map_err(|failure| {
        if response.truncation {
            Failure::new(Cause::Truncated, format!("{} (truncated)", failure.detail))
        } else {
            failure
        }
    })
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

fn size(expect: &Expectation, response: &Response) -> Result<(), Failure> {
    if expect.size.fit(response.octets) {
        return Ok(());
    }
    let detail = format!("answered with {} octets, expected {}", response.octets, expect.size);
    Err(Failure::new(Cause::Size, detail))
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
