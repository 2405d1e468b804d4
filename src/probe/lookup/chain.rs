//! Where the aliases in an answer lead.

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

/// The end of the chain of aliases in one answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// A record of the type asked for.
    Found,
    /// No record of the name.
    Nothing,
    /// An alias whose target has no record in this answer, or aliases that form a loop.
    Alias(Name),
}

/// Follows the aliases in `answer`, from the name in its question to a record of the type `asked`.
pub(super) fn follow(answer: &Message, asked: RecordType) -> End {
    let Some(question) = answer.queries.first() else { return End::Nothing };
    let mut name = &question.name;
    // Each alias leads to another name, unless they form a loop.
    for step in 0..=answer.answers.len() {
        let mut of_name = answer.answers.iter().filter(|record| record.name == *name);
        if of_name.clone().any(|record| asked == RecordType::ANY || record.record_type() == asked) {
            return End::Found;
        }
        let target = of_name.find_map(|record| match &record.data {
            RData::CNAME(target) => Some(&target.0),
            _ => None,
        });
        match target {
            Some(target) => name = target,
            None if step == 0 => return End::Nothing,
            None => break,
        }
    }
    End::Alias(name.clone())
}
