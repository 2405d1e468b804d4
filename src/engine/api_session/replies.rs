//! Replies, missing replies, and the steps upon them.

use super::conversation::{Command, Facts, Input, Stage, State, Step, transition};
use super::route_entry::{Answer, Backoff, RouteEntry};
use super::{ApiSession, HANDSHAKE, SETTLE};
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::exabgp::reply::Version;
use crate::text::joined;

impl ApiSession {
    /// `done` or `error` arrived.
    pub(super) fn on_reply(&mut self, now: Moment, done: bool, out: &mut Vec<Action>) {
        self.no_version_logged = false;
        self.unanswered_since = None;
        let why = self.why.take();
        if !self.settings.compat.await_replies {
            return;
        }
        self.has_answered = true;
        if !self.answers && !matches!(self.state, State::Greeting) {
            // Replies are late or lost. ExaBGP may still answer every command sent meanwhile.
            self.answers = true;
            self.late_replies = self.late_replies.saturating_sub(1);
            out.push(Notice::AnswersAfterAll.into());
            self.note_trouble(now);
            self.ask_again(now, out);
            return self.restate_all(now, out);
        }
        match self.step(Input::Reply) {
            Step::Complete => {
                if let State::Sending(command) = std::mem::replace(&mut self.state, State::Ready) {
                    self.until = None;
                    self.record.latency = Some(now.since(self.said_at));
                    self.complete(now, command, done, why, out);
                    self.proceed(now, out);
                }
            }
            step => self.apply(now, step, out),
        }
    }

    /// The version arrived.
    pub(super) fn on_version(&mut self, now: Moment, version: Version, out: &mut Vec<Action>) {
        let before = self.dialect();
        if self.version.as_ref() != Some(&version) {
            let understood = version.dialect();
            let spoken = self.settings.exabgp.dialect.unwrap_or(understood);
            out.push(Notice::Detected { version: version.to_string(), understood, spoken }.into());
        }
        self.version = Some(version);
        self.unanswered_since = None;
        if self.dialect() != before {
            // ExaBGP may not have understood the commands sent before.
            self.entries.iter_mut().for_each(RouteEntry::forget_sent);
            self.restate_all(now, out);
        }
        let step = self.step(Input::Version);
        self.apply(now, step, out);
    }

    /// The timeout of the state is over.
    pub(super) fn on_timeout(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.until = None;
        if let State::Sending(command) = &self.state {
            let (line, after) = (command.line().to_owned(), self.settings.exabgp.ack_timeout);
            self.record.unanswered += 1;
            out.push(Notice::Unanswered { line, after }.into());
        }
        let step = self.step(Input::Timeout);
        self.apply(now, step, out);
    }

    /// The step upon an input in the present state.
    pub(super) fn step(&self, input: Input) -> Step {
        let facts = Facts {
            late_replies: self.late_replies > 0,
            answers: self.answers,
            tolerates_missing_done: self.has_answered && !self.version_without_done,
            ask_once_more: self.ask_once_more,
        };
        transition(&self.state, input, facts)
    }

    /// Carries out a step.
    pub(super) fn apply(&mut self, now: Moment, step: Step, out: &mut Vec<Action>) {
        match step {
            // `on_reply` carries out `Complete`, since it has the reply.
            Step::Stay | Step::Complete => {}
            Step::AskVersion => self.ask_again(now, out),
            Step::GiveUpGreeting => {
                self.count_late_reply(now);
                self.ask_again(now, out);
            }
            Step::GiveUpCommand => {
                if let State::Sending(command) = std::mem::replace(&mut self.state, State::Ready) {
                    self.requeue(now, command);
                }
                self.ask_again(now, out);
            }
            Step::GiveUpVersion => {
                self.count_late_reply(now);
                if !std::mem::replace(&mut self.no_version_logged, true) {
                    out.push(Notice::NoVersion { spoken: self.dialect() }.into());
                }
                self.become_ready(now, out);
            }
            Step::AwaitDone => {
                self.state = State::Resynchronizing(Stage::Answered);
                self.until = Some(now + HANDSHAKE.min(self.settings.exabgp.ack_timeout));
            }
            Step::MissDone => {
                self.count_late_reply(now);
                self.version_without_done = true;
                self.settle_down(now, out);
            }
            Step::StopAwaiting => {
                self.count_late_reply(now);
                self.answers = false;
                out.push(Notice::AnswersNothing.into());
                self.become_ready(now, out);
            }
            Step::Settle => {
                self.version_without_done = false;
                self.settle_down(now, out);
            }
            Step::Discard => self.late_replies -= 1,
            Step::DiscardAndSettle => {
                self.late_replies -= 1;
                self.settle_down(now, out);
            }
            Step::ForgetLate => {
                self.forget_late(now);
                self.become_ready(now, out);
            }
            Step::BecomeReady => self.become_ready(now, out),
            Step::Stray => {
                out.push(Notice::AnswerTooMany.into());
                self.resync_after_stray(now, out);
            }
            Step::AskOnceMore => self.ask_once_more = true,
        }
    }

    /// Discards late replies until none has arrived for [`SETTLE`]; ends at once if none is expected.
    fn settle_down(&mut self, now: Moment, out: &mut Vec<Action>) {
        if self.late_replies == 0 {
            self.become_ready(now, out);
        } else {
            self.state = State::Resynchronizing(Stage::Settling);
            self.until = Some(now + SETTLE);
        }
    }

    /// ExaBGP carried out or refused the command in flight.
    fn complete(
        &mut self,
        now: Moment,
        command: Command,
        done: bool,
        why: Option<String>,
        out: &mut Vec<Action>,
    ) {
        self.count_reply(now, done);
        match command {
            // A reload has changed the route, or the version its words: the present command is due already.
            Command::Route(route, advertisement, line)
                if done && self.words(&self.entries[route], &advertisement) != line => {}
            Command::Route(route, advertisement, _) if done => {
                self.acknowledge_or_await_proof(now, route, advertisement, out);
                if self.entries[route].stale {
                    self.restate_beside(now, route);
                }
            }
            Command::Route(route, advertisement, line) => {
                let is_sure = self.trouble.is_none();
                let entry = &mut self.entries[route];
                entry.refuse(now, &advertisement, is_sure);
                let retry = entry.retry(now, Answer::Refused(why.clone()));
                self.record.refused += 1;
                if is_sure
                    && retry == Backoff::LONGEST
                    && entry.stale
                    && self.neighbors.know_none_up(&entry.route)
                {
                    let neighbors = joined(&entry.route.neighbors, ", ");
                    if entry.give_up() {
                        out.push(Notice::GivenUp { line, neighbors }.into());
                    }
                } else {
                    out.push(Notice::Refused { line, why, retry }.into());
                }
                // The second refusal in a row may mean that this is another version of ExaBGP than detected.
                if self.version.is_none() || retry > Backoff::FIRST {
                    self.ask_again(now, out);
                }
            }
            Command::Replaced(_) => self.record.refused += u64::from(!done),
            Command::EndOfRib(..) if done => {}
            // No BGP session has this family. The next session that comes up, or the refresh, sends it again.
            Command::EndOfRib(mark, line) => {
                self.refused_marks.push(mark);
                out.push(Notice::EndOfRibRefused { line, why }.into());
            }
        }
        self.acknowledge_proven(now, out);
    }
}
