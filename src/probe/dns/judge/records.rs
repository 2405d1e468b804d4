//! The data of the answers.

use hickory_resolver::proto::rr::{RData, RecordType};

use super::super::record_type::type_word;
use super::super::response::Response;
use super::super::text::{list, printable};
use super::Expectation;
use crate::outcome::{Cause, Failure};

/// Compares the answers of the type asked with what is expected of them.
pub(super) fn judge(expect: &Expectation, asked: RecordType, response: &Response) -> Result<(), Failure> {
    let answers: Vec<_> = response
        .answers
        .iter()
        .map(|record| &record.data)
        .filter(|data| asked == RecordType::ANY || data.record_type() == asked)
        .collect();
    number(expect, asked, answers.len())?;
    if expect.no_cname && asked != RecordType::CNAME {
        no_cname(response)?;
    }
    data(expect, &type_word(asked), &answers)
}

fn number(expect: &Expectation, asked: RecordType, found: usize) -> Result<(), Failure> {
    let word = type_word(asked);
    if found < expect.min_answers {
        let least = expect.min_answers;
        let detail = format!("answered {found} {word} records, expected at least {least}");
        return Err(Failure::new(Cause::TooFewAnswers, detail));
    }
    match expect.max_answers {
        Some(most) if found > most => {
            let detail = format!("answered {found} {word} records, expected at most {most}");
            Err(Failure::new(Cause::WrongAnswer, detail))
        }
        _ => Ok(()),
    }
}

fn no_cname(response: &Response) -> Result<(), Failure> {
    let alias = response.answers.iter().find(|record| record.record_type() == RecordType::CNAME);
    alias.map_or(Ok(()), |alias| {
        let target = printable(&alias.data.to_string());
        Err(Failure::new(Cause::WrongAnswer, format!("answered CNAME {target}, expected no CNAME")))
    })
}

fn data(expect: &Expectation, word: &str, answers: &[&RData]) -> Result<(), Failure> {
    let wrong = |expected: String| {
        let found = match answers {
            [] => format!("no {word} record"),
            some => list(some.iter().copied(), ", "),
        };
        Err(Failure::new(Cause::WrongAnswer, format!("answered {found}, expected {expected}")))
    };
    if let Some(missing) = expect.all_of.iter().find(|data| !answers.contains(data)) {
        return wrong(list([missing], ""));
    }
    if !expect.any_of.is_empty() && !expect.any_of.iter().any(|data| answers.contains(&data)) {
        return wrong(list(&expect.any_of, " or "));
    }
    if let Some(exactly) = &expect.exactly {
        let is_lacking = exactly.iter().any(|data| !answers.contains(&data));
        if is_lacking || answers.iter().any(|data| !exactly.contains(data)) {
            return wrong(format!("exactly {}", list(exactly, ", ")));
        }
    }
    match &expect.matches {
        Some(pattern) if !answers.iter().any(|data| pattern.is_found_in(&data.to_string())) => {
            wrong(format!("one that matches `{pattern}`"))
        }
        _ => Ok(()),
    }
}
