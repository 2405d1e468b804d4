//! The topic and the content of a message.

use crate::engine::hysteresis::CheckState;
use crate::engine::notice::Notice;
use crate::text::foreign;

/// Messages with the same topic and the same content are repetitions.
#[derive(Debug)]
pub(super) struct Topic {
    /// The subject, as the summary begins.
    pub(super) about: String,
    /// The content, in a word; empty if the topic has only one.
    pub(super) says: String,
    /// Whether it reports a failed attempt to leave that state, which changes nothing.
    pub(super) attempt: bool,
    /// Whether it reports a decision of this helper, which is always logged.
    pub(super) decided: bool,
}

/// The topic of a message that ExaBGP or the server can cause any number of times, by their lines or answers. `None`
/// for all others, which are always logged.
pub(super) fn topic(notice: &Notice) -> Option<Topic> {
    let said = |about: String, says: &str| {
        Some(Topic { about, says: says.to_owned(), attempt: false, decided: false })
    };
    let session = |neighbor: &str, says| said(format!("BGP session with {}", foreign(neighbor)), says);
    let check = |service, check, says| said(format!("check {service}/{check}"), says);
    match notice {
        Notice::SessionUp { neighbor, .. } => session(neighbor, "up"),
        Notice::SessionDown { neighbor, lost, .. } => {
            session(neighbor, "down").map(|topic| Topic { attempt: !lost, ..topic })
        }
        Notice::Refused { line, .. } | Notice::EndOfRibRefused { line, .. } => {
            said(format!("`{line}`"), "refused by ExaBGP")
        }
        Notice::Unanswered { line, .. } => said(format!("`{line}`"), "not answered by ExaBGP"),
        Notice::OutputBlocked => said(OUTPUT.to_owned(), "blocked"),
        Notice::OutputUnblocked => said(OUTPUT.to_owned(), "read again"),
        Notice::AnswersNothing => said(ANSWERS.to_owned(), "missing"),
        Notice::AnswersAfterAll => said(ANSWERS.to_owned(), "there"),
        Notice::AnswerTooMany => said("ExaBGP".to_owned(), "answered more than it was told"),
        Notice::Overtaken { .. } => said("ExaBGP".to_owned(), "unresponsive"),
        Notice::Detected { .. } | Notice::OddLine { .. } | Notice::ShutdownAnnounced => {
            said(notice.to_string(), "")
        }
        Notice::Exited { service, .. } => said(format!("service {service}"), "process ended"),
        Notice::CheckUnknown { service, check: name, .. } => check(service, name, "unknown"),
        Notice::CheckKnown { service, check: name, .. } => check(service, name, "no longer unknown"),
        Notice::Check { service, check: name, from, to, .. } => {
            let topic = check(service, name, to.word())?;
            Some(Topic { decided: is_decision(*from, *to), ..topic })
        }
        _ => None,
    }
}

const OUTPUT: &str = "standard output to ExaBGP";

const ANSWERS: &str = "answers of ExaBGP to commands";

/// Whether the verdict changes, as opposed to a row of results that begins or breaks off.
const fn is_decision(from: CheckState, to: CheckState) -> bool {
    let is_streak = matches!(
        (from, to),
        (CheckState::Up | CheckState::Falling(_), CheckState::Up | CheckState::Falling(_))
            | (CheckState::Down | CheckState::Rising(_), CheckState::Down | CheckState::Rising(_))
    );
    !is_streak
}
