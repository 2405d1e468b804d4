//! The state machine of the conversation with ExaBGP: two enums, [`State`] and [`Input`], and one function,
//! [`transition`].
//!
//! ```text
//!              reply or 500 ms                             no late replies       done, error
//!   Greeting ──────────────────► Resynchronizing ────────────────► Ready ◄───────────── Sending
//!                                  ▲  Asked ──► Answered ──► Settling │ ──────────────────► │
//!                                  └──────────── ack-timeout, or an overtaking withdraw ────┘
//! ```

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::exabgp::Advertisement;
use crate::exabgp::command::Family;

/// The state of the conversation.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) enum State {
    /// Nothing has been sent.
    Silent,
    /// The greeting has been sent.
    Greeting,
    /// The version has been asked for. Once it has arrived and late replies are discarded, each reply belongs to the command
    /// in flight.
    Resynchronizing(Stage),
    /// Nothing is in flight.
    Ready,
    /// This command is in flight.
    Sending(Command),
}

/// The stage of a resynchronization.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Stage {
    /// The question for the version has been sent.
    Asked,
    /// The version has arrived, its `done` has not.
    Answered,
    /// Late replies are discarded until none has arrived for [`SETTLE`](super::SETTLE).
    Settling,
}

/// A command that awaits a reply, with its line.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) enum Command {
    /// The advertisement of the route at this place.
    Route(usize, Advertisement, String),
    /// That of a route whose neighbors a reload has changed: nothing depends on its reply, since the session states anew
    /// what has become of the route.
    Replaced(String),
    /// The end of the first routes.
    EndOfRib(Mark, String),
}

impl Command {
    pub(super) fn line(&self) -> &str {
        let (Self::Route(_, _, line) | Self::Replaced(line) | Self::EndOfRib(_, line)) = self;
        line
    }
}

/// An end-of-RIB marker: for a family, to the neighbors that get its routes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Mark {
    pub(super) family: Family,
    pub(super) neighbors: Vec<IpAddr>,
}

/// The inputs of the state machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Input {
    /// `done` or `error` arrived.
    Reply,
    /// The version arrived.
    Version,
    /// The state has lasted too long.
    Timeout,
    /// Withdraws were sent out of turn, so the next replies may be theirs.
    Overtake,
}

/// The facts, besides the state, on which the transition depends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// Replies to commands that were given up, sent out of turn, or sent without awaiting a reply may still arrive.
    pub(super) late_replies: bool,
    /// ExaBGP answers commands.
    pub(super) answers: bool,
    /// A version that arrived without its `done` is tolerated: the `done` may be lost.
    pub(super) tolerates_missing_done: bool,
    /// Withdraws were sent after the question for the version.
    pub(super) ask_once_more: bool,
}

/// The step of the session upon an input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Nothing.
    Stay,
    /// Asks for the version.
    AskVersion,
    /// Counts the reply to the greeting as late and asks for the version.
    GiveUpGreeting,
    /// Sends the command in flight again later and asks for the version.
    GiveUpCommand,
    /// Goes on without the version.
    GiveUpVersion,
    /// Waits for the `done` of the version.
    AwaitDone,
    /// Counts the `done` of the version as late and discards late replies.
    MissDone,
    /// Concludes that ExaBGP answers no commands.
    StopAwaiting,
    /// Discards late replies, then becomes ready.
    Settle,
    /// Counts one late reply less: the reply belongs to a command that was given up, sent out of turn, or sent without awaiting a
    /// reply, and acknowledges nothing.
    Discard,
    /// The same while settling, whose time begins anew.
    DiscardAndSettle,
    /// Expects no more late replies and becomes ready.
    ForgetLate,
    /// Sends what is due.
    BecomeReady,
    /// The reply belongs to the command in flight.
    Complete,
    /// Nothing awaited this reply: the pairing was wrong.
    Stray,
    /// Notes that withdraws were sent after the question for the version, whose reply says nothing about them. If the late
    /// replies do not arrive in time, the version is asked for once more.
    AskOnceMore,
}

/// The step upon an input in a state.
pub(super) const fn transition(state: &State, input: Input, facts: Facts) -> Step {
    match (state, input) {
        (State::Greeting, Input::Reply) => Step::AskVersion,
        // It follows the version at once, whatever else is late.
        (State::Resynchronizing(Stage::Answered), Input::Reply) => Step::Settle,
        // ExaBGP answers route commands in order. If the reply to one that was given up is lost for good, the question
        // for the version shows it.
        (State::Resynchronizing(Stage::Settling), Input::Reply) if facts.late_replies => {
            Step::DiscardAndSettle
        }
        (_, Input::Reply) if facts.late_replies => Step::Discard,
        (State::Sending(_), Input::Reply) => Step::Complete,
        (State::Ready | State::Resynchronizing(Stage::Asked), Input::Reply) => Step::Stray,
        (State::Resynchronizing(Stage::Asked), Input::Version) if facts.answers => Step::AwaitDone,
        (State::Resynchronizing(Stage::Asked), Input::Version) => Step::BecomeReady,
        (State::Greeting, Input::Timeout | Input::Overtake) => Step::GiveUpGreeting,
        (State::Sending(_), Input::Timeout | Input::Overtake) => Step::GiveUpCommand,
        (State::Resynchronizing(_), Input::Overtake) => Step::AskOnceMore,
        (State::Resynchronizing(Stage::Asked), Input::Timeout) => Step::GiveUpVersion,
        // One lost `done` is tolerated; otherwise ExaBGP answers no commands at all.
        (State::Resynchronizing(Stage::Answered), Input::Timeout) if facts.tolerates_missing_done => {
            Step::MissDone
        }
        (State::Resynchronizing(Stage::Answered), Input::Timeout) => Step::StopAwaiting,
        (State::Resynchronizing(Stage::Settling), Input::Timeout) if facts.ask_once_more => Step::AskVersion,
        (State::Resynchronizing(Stage::Settling), Input::Timeout) => Step::ForgetLate,
        (State::Silent | State::Resynchronizing(Stage::Settling), Input::Reply)
        | (
            State::Silent
            | State::Greeting
            | State::Ready
            | State::Sending(_)
            | State::Resynchronizing(Stage::Answered | Stage::Settling),
            Input::Version,
        )
        | (State::Silent | State::Ready, Input::Timeout | Input::Overtake) => Step::Stay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Facts =
        Facts { late_replies: false, answers: true, tolerates_missing_done: true, ask_once_more: false };
    const LATE: Facts = Facts { late_replies: true, ..CALM };

    fn sending() -> State {
        State::Sending(Command::Route(0, Advertisement::Withdraw, "withdraw route 192.0.2.53/32".to_owned()))
    }

    #[test]
    fn a_reply_belongs_to_the_command_in_flight_only_if_none_is_late() {
        assert_eq!(transition(&sending(), Input::Reply, CALM), Step::Complete);
        assert_eq!(transition(&sending(), Input::Reply, LATE), Step::Discard);
        assert_eq!(transition(&State::Ready, Input::Reply, CALM), Step::Stray);
        assert_eq!(transition(&State::Ready, Input::Reply, LATE), Step::Discard);
        let asked = State::Resynchronizing(Stage::Asked);
        assert_eq!(transition(&asked, Input::Reply, CALM), Step::Stray);
        assert_eq!(transition(&asked, Input::Reply, LATE), Step::Discard);
    }

    #[test]
    fn a_command_that_is_given_up_leads_to_the_question_for_the_version() {
        for input in [Input::Timeout, Input::Overtake] {
            assert_eq!(transition(&sending(), input, CALM), Step::GiveUpCommand);
            assert_eq!(transition(&State::Greeting, input, CALM), Step::GiveUpGreeting);
            assert_eq!(transition(&State::Ready, input, CALM), Step::Stay);
        }
    }

    #[test]
    fn a_resynchronization_ends_ready_whatever_is_missing() {
        let at = |stage, input, facts| transition(&State::Resynchronizing(stage), input, facts);
        assert_eq!(at(Stage::Asked, Input::Version, CALM), Step::AwaitDone);
        assert_eq!(at(Stage::Answered, Input::Reply, LATE), Step::Settle);
        assert_eq!(at(Stage::Settling, Input::Reply, LATE), Step::DiscardAndSettle);
        assert_eq!(at(Stage::Settling, Input::Timeout, LATE), Step::ForgetLate);
        assert_eq!(at(Stage::Asked, Input::Timeout, CALM), Step::GiveUpVersion);
        assert_eq!(at(Stage::Asked, Input::Version, Facts { answers: false, ..CALM }), Step::BecomeReady);
        assert_eq!(at(Stage::Answered, Input::Timeout, CALM), Step::MissDone);
        let strict = Facts { tolerates_missing_done: false, ..CALM };
        assert_eq!(at(Stage::Answered, Input::Timeout, strict), Step::StopAwaiting);
    }

    #[test]
    fn withdraws_behind_the_question_for_the_version_without_replies_need_another_question() {
        for stage in [Stage::Asked, Stage::Answered, Stage::Settling] {
            assert_eq!(transition(&State::Resynchronizing(stage), Input::Overtake, LATE), Step::AskOnceMore);
        }
        let again = Facts { ask_once_more: true, ..LATE };
        let settling = State::Resynchronizing(Stage::Settling);
        assert_eq!(transition(&settling, Input::Timeout, again), Step::AskVersion);
    }
}
