//! The last commands to ExaBGP, its answers, and the state of the BGP sessions.

use super::{Stage, Step};
use crate::status::time::Time;
use crate::status::view::{View, shown};
use crate::status::{AnswerResult, Answered, ExaBgp, Prefix, Service, SessionState};

/// Prefixes of one sentence that are named.
const NAMED: usize = 4;

/// One step for the prefixes with the same sentence, then one for each BGP session.
pub(super) fn steps(exabgp: &ExaBgp, service: &Service, view: &View) -> Vec<Step> {
    let mut sent: Vec<(String, Option<Time>, Vec<&str>)> = vec![];
    for prefix in &service.prefixes {
        let text = last_command(exabgp, prefix, view);
        let at = prefix.answer.as_ref().and_then(|answer| answer.at);
        match sent.iter_mut().find(|(same, ..)| *same == text) {
            Some((.., prefixes)) => prefixes.push(&prefix.prefix),
            None => sent.push((text, at, vec![&prefix.prefix])),
        }
    }
    let sent = sent
        .into_iter()
        .map(|(text, at, prefixes)| Step::new(Stage::Sent, Some(&named(&prefixes)), text, at));
    sent.chain(sessions(exabgp, view)).collect()
}

pub(super) fn named(prefixes: &[&str]) -> String {
    let named = prefixes[..prefixes.len().min(NAMED)].join(", ");
    match prefixes.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn last_command(exabgp: &ExaBgp, prefix: &Prefix, view: &View) -> String {
    let Some(desired) = &prefix.desired else {
        return "nothing was sent to ExaBGP yet".to_owned();
    };
    let again = || {
        let due = prefix.due_in_seconds;
        due.map_or_else(String::new, |due| format!("; sent again in {}", shown(due)))
    };
    let sent = match &prefix.said {
        Some(said) if said == desired => format!("sent ExaBGP `{said}`"),
        Some(said) => format!("wants `{desired}`, which waits for its turn; sent before: `{said}`"),
        None => format!("wants `{desired}`"),
    };
    if !exabgp.answers {
        let why = exabgp.why_silent();
        return format!("{sent}; it answers no commands ({why}): the effect is unknown");
    }
    match &prefix.answer {
        Some(Answered { result: AnswerResult::Done, ago_seconds, .. }) if prefix.is_settled() => {
            let not_known = prefix.not_known();
            let not_known = if not_known.is_empty() { not_known } else { format!("; {not_known}") };
            format!("{sent}; it answered `done` at {}{not_known}", view.time_before(*ago_seconds))
        }
        Some(Answered { result: AnswerResult::Done, ago_seconds, .. })
            if prefix.said == prefix.desired && prefix.due_in_seconds.is_some() =>
        {
            let at = view.time_before(*ago_seconds);
            format!("{sent}; it answered `done` at {at}, perhaps to an earlier command{}", again())
        }
        Some(Answered { result: AnswerResult::Refused, ago_seconds, why, .. }) => {
            let why = why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            format!("{sent}; it refused the command at {}{why}{}", view.time_before(*ago_seconds), again())
        }
        Some(Answered { result: AnswerResult::Unanswered, ago_seconds, .. }) => {
            format!("{sent}; it had not answered by {}{}", view.time_before(*ago_seconds), again())
        }
        _ => format!("{sent}; its answer has not come yet"),
    }
}

fn sessions<'a>(exabgp: &'a ExaBgp, view: &'a View) -> impl Iterator<Item = Step> + 'a {
    let unknown = "is not known (no neighbor-changes from ExaBGP yet)";
    let none = exabgp.bgp_sessions.is_empty();
    let none =
        none.then(|| Step::new(Stage::Session, None, format!("the state of BGP sessions {unknown}"), None));
    let each = exabgp.bgp_sessions.iter().map(move |session| {
        let since = session
            .for_seconds
            .map_or_else(String::new, |seconds| format!(" {}", view.since_phrase(seconds)));
        let text = match session.state {
            SessionState::Up => format!("is up{since}"),
            SessionState::Down => {
                format!("is DOWN{since}: this neighbor has no route from here{}", session.because())
            }
            SessionState::Unknown => unknown.to_owned(),
        };
        Step::new(Stage::Session, Some(&session.neighbor), text, session.since)
    });
    none.into_iter().chain(each)
}
