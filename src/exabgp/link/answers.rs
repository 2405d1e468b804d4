//! What comes back, and what does not.

use std::time::Duration;

use super::entry::Backoff;
use super::{HANDSHAKE, Link, SETTLE, State, Subject};
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::exabgp::command::ASK_VERSION;
use crate::exabgp::reply::Version;

/// After so long without an answer too many, the next one is taken as the first. What was acknowledged within this time
/// before one is in doubt.
const CALM: Duration = Duration::from_secs(60);

impl Link {
    pub(super) fn answered(&mut self, now: Moment, done: bool, out: &mut Vec<Action>) {
        self.mute = false;
        let why = self.why.take();
        if self.settings.habits.is_some_and(|habits| !habits.answers) {
            return;
        }
        if !self.answers && !matches!(self.state, State::Greeting) {
            // The answer to the version was merely late.
            self.answers = true;
            out.push(Notice::AnswersAfterAll.into());
            return self.restate_all(now, out);
        }
        if self.owed > 0 && matches!(self.state, State::Sending(_)) {
            // Answers come in the order of commands: this one belongs to a command that was given up. If that was
            // lost for good, the question for the version will sort it out.
            self.owed -= 1;
            return;
        }
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Greeting => self.say(now, State::Asking, ASK_VERSION.to_owned(), out),
            State::Fencing if self.owed == 0 => self.become_ready(now, out),
            State::Fencing => {
                self.state = State::Settling;
                self.until = Some(now + SETTLE);
            }
            State::Sending(subject) => {
                self.until = None;
                self.record.latency = Some(now.since(self.said_at));
                self.settle(now, subject, done, why, out);
                self.proceed(now, out);
            }
            state @ (State::Silent | State::Asking | State::Settling | State::Ready) => {
                let idle = matches!(state, State::Ready);
                self.state = state;
                if self.owed > 0 {
                    self.owed -= 1;
                } else if idle {
                    out.push(Notice::AnswerTooMany.into());
                    self.resync_after_stray(now, out);
                }
            }
        }
    }

    /// Plans to state everything again, ever more slowly while this goes on.
    fn resync_after_stray(&mut self, now: Moment, out: &mut Vec<Action>) {
        if self.stray_at.is_none_or(|stray| now.since(stray) > CALM) {
            self.resync = Backoff::new();
        }
        self.stray_at = Some(now);
        if self.resync_at.is_none() {
            self.resync_at = Some(now + self.resync.pause());
        }
        for entry in &mut self.entries {
            if entry.doubt(now, CALM) {
                out.push(Action::Save);
            }
        }
    }

    /// A command in flight was carried out or refused.
    pub(super) fn settle(
        &mut self,
        now: Moment,
        subject: Subject,
        done: bool,
        why: Option<String>,
        out: &mut Vec<Action>,
    ) {
        match subject {
            Subject::Route(route, advertisement, _) if done => {
                if self.entries[route].acknowledge(now, advertisement) {
                    out.push(Action::Save);
                }
                if self.entries[route].left_behind {
                    self.restate_beside(now, route);
                }
            }
            Subject::Route(route, _, line) => {
                let retry = self.entries[route].retry(now);
                self.record.refused += 1;
                out.push(Notice::Refused { line, why, retry }.into());
                // The second refusal in a row may mean that this is another ExaBGP than it seemed.
                if self.version.is_none() || retry > Backoff::FIRST {
                    self.ask_again(now, out);
                }
            }
            Subject::EndOfRib(..) if done => {}
            // Without a session there is nobody to mark it for; the next one that comes up, or the refresh, brings
            // it back.
            Subject::EndOfRib(mark, line) => {
                self.refused_marks.push(mark);
                out.push(Notice::EndOfRibRefused { line, why }.into());
            }
        }
    }

    pub(super) fn learn(&mut self, now: Moment, version: Version, out: &mut Vec<Action>) {
        let before = self.dialect();
        if self.version.as_ref() != Some(&version) {
            let spoken = self.settings.dialect.unwrap_or(version.dialect());
            out.push(
                Notice::Detected { version: version.to_string(), understood: version.dialect(), spoken }
                    .into(),
            );
        }
        self.version = Some(version);
        if self.dialect() != before {
            self.restate_all(now, out);
        }
        if matches!(self.state, State::Asking) && !self.answers {
            self.become_ready(now, out);
        } else if matches!(self.state, State::Asking) {
            self.state = State::Fencing;
            self.until = Some(now + HANDSHAKE.min(self.settings.ack_timeout));
        }
    }

    /// The present state has lasted too long.
    pub(super) fn give_up(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.until = None;
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Greeting => {
                self.owed += 1;
                self.ask_again(now, out);
            }
            State::Asking => {
                self.owed += 1;
                if !std::mem::replace(&mut self.mute, true) {
                    out.push(Notice::NoVersion { spoken: self.dialect() }.into());
                }
                self.become_ready(now, out);
            }
            State::Fencing => {
                self.answers = false;
                self.owed = 0;
                out.push(Notice::AnswersNothing.into());
                self.become_ready(now, out);
            }
            State::Settling => {
                self.owed = 0;
                self.become_ready(now, out);
            }
            State::Sending(subject) => {
                let line = match subject {
                    Subject::Route(route, _, line) => {
                        self.entries[route].retry(now);
                        line
                    }
                    Subject::EndOfRib(mark, line) => {
                        self.unmarked.push(mark);
                        line
                    }
                };
                let after = self.settings.ack_timeout;
                self.record.unanswered += 1;
                out.push(Notice::Unanswered { line, after }.into());
                self.owed += 1;
                self.ask_again(now, out);
            }
            state @ (State::Silent | State::Ready) => self.state = state,
        }
    }
}
