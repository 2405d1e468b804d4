//! The number of records of a section, and how long they may be kept.

use super::super::response::Response;
use super::super::text::printable;
use super::Expectation;
use crate::outcome::{Cause, Failure};

/// Compares the sections beside the answer, and the times to live of the answer.
pub(super) fn judge(expect: &Expectation, response: &Response) -> Result<(), Failure> {
    let sections = [
        ("authority", response.authorities.len(), expect.authority),
        ("additional", response.additionals.len(), expect.additional),
    ];
    for (section, found, bounds) in sections {
        if !bounds.fit(found) {
            let is_short = bounds.min.is_some_and(|min| found < min);
            let cause = if is_short { Cause::TooFewAnswers } else { Cause::WrongAnswer };
            let detail = format!("answered {found} records in the {section} section, expected {bounds}");
            return Err(Failure::new(cause, detail));
        }
    }
    let wrong = response.answers.iter().find(|record| !expect.ttl.fit(record.ttl));
    wrong.map_or(Ok(()), |record| {
        let (name, ttl) = (printable(&record.name.to_string()), record.ttl);
        let detail = format!("answered {name} with a TTL of {ttl} s, expected {} s", expect.ttl);
        Err(Failure::new(Cause::Ttl, detail))
    })
}
