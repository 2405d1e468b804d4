//! Replies, and their absence.

use super::route_entry::{Backoff, RouteEntry};
use super::{ApiSession, CALM, HANDSHAKE, SETTLE, Stage, State, Subject, Trouble};
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::exabgp::reply::Version;

impl ApiSession {
    pub(super) fn answered(&mut self, now: Moment, done: bool, out: &mut Vec<Action>) {
        self.unresponsive = false;
        self.unanswered_since = None;
        let why = self.why.take();
        if !self.settings.compat.await_replies {
            return;
        }
        self.has_answered = true;
        if !self.answers && !matches!(self.state, State::Greeting) {
            // Answers are merely late, or lost. All that was said meanwhile may still be answered.
            self.answers = true;
            self.late_replies = self.late_replies.saturating_sub(1);
            out.push(Notice::AnswersAfterAll.into());
            self.troubled(now);
            self.ask_again(now, out);
            return self.restate_all(now, out);
        }
        match &self.state {
            State::Greeting => self.ask_again(now, out),
            // It stands right behind the version, whatever else is late.
            State::Resynchronizing(Stage::Answered) => {
                self.version_without_done = false;
                self.settle_down(now, out);
            }
            _ if self.late_replies > 0 => {
                // ExaBGP answers route commands in their order: this one belongs to a command that was given up. If
                // that was lost for good, the question for the version will show it.
                self.late_replies -= 1;
                if matches!(self.state, State::Resynchronizing(Stage::Settling)) {
                    self.settle_down(now, out);
                }
            }
            State::Sending(_) => {
                if let State::Sending(subject) = std::mem::replace(&mut self.state, State::Ready) {
                    self.until = None;
                    self.record.latency = Some(now.since(self.said_at));
                    self.settle(now, subject, done, why, out);
                    self.proceed(now, out);
                }
            }
            State::Ready => {
                out.push(Notice::AnswerTooMany.into());
                self.resync_after_stray(now, out);
            }
            State::Silent | State::Resynchronizing(_) => {}
        }
    }

    /// Discards late replies until none has come for a moment; at once, where none is to come.
    fn settle_down(&mut self, now: Moment, out: &mut Vec<Action>) {
        if self.late_replies == 0 {
            self.become_ready(now, out);
        } else {
            self.state = State::Resynchronizing(Stage::Settling);
            self.until = Some(now + SETTLE);
        }
    }

    /// Plans to state everything again, ever more slowly while this goes on.
    fn resync_after_stray(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.troubled(now);
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

    /// An answer is missing, or came that nothing was waiting for: from now on acknowledgements may be wrong.
    pub(super) fn troubled(&mut self, now: Moment) {
        let since = self.trouble.map_or(now, |trouble| trouble.since);
        self.trouble = Some(Trouble { since, latest: now });
    }

    /// When to state once more what was acknowledged during the trouble.
    pub(super) fn confirm_at(&self) -> Option<Moment> {
        self.trouble.map(|trouble| trouble.latest + CALM)
    }

    /// The trouble is over, and late replies have had their time: what was acknowledged meanwhile is stated once more.
    /// Where answers seem to be switched off, ExaBGP is asked whether they are.
    pub(super) fn confirm(&mut self, now: Moment, out: &mut Vec<Action>) {
        let Some(trouble) = self.trouble.take() else { return };
        if !self.answers {
            self.troubled(now);
            return self.ask_again(now, out);
        }
        let doubtful = self.entries.iter_mut().filter(|entry| entry.was_acknowledged_since(trouble.since));
        doubtful.for_each(|entry| entry.restate(now));
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
                self.entries[route].forget_said();
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
        self.unanswered_since = None;
        if self.dialect() != before {
            // What was said before may not have been understood.
            self.entries.iter_mut().for_each(RouteEntry::forget_said);
            self.restate_all(now, out);
        }
        if !matches!(self.state, State::Resynchronizing(Stage::Asked)) {
            return;
        }
        if self.answers {
            self.state = State::Resynchronizing(Stage::Answered);
            self.until = Some(now + HANDSHAKE.min(self.settings.ack_timeout));
        } else {
            self.become_ready(now, out);
        }
    }

    /// The present state has lasted too long.
    pub(super) fn give_up(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.until = None;
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Greeting => {
                self.late_replies += 1;
                self.troubled(now);
                self.ask_again(now, out);
            }
            State::Resynchronizing(Stage::Asked) => {
                self.late_replies += 1;
                self.troubled(now);
                if !std::mem::replace(&mut self.unresponsive, true) {
                    out.push(Notice::NoVersion { spoken: self.dialect() }.into());
                }
                self.become_ready(now, out);
            }
            State::Resynchronizing(Stage::Answered) => self.version_came_alone(now, out),
            State::Resynchronizing(Stage::Settling) if self.ask_once_more => self.ask_again(now, out),
            State::Resynchronizing(Stage::Settling) => {
                self.late_replies = 0;
                self.become_ready(now, out);
            }
            State::Sending(subject) => {
                let line = self.put_back(now, subject);
                let after = self.settings.ack_timeout;
                self.record.unanswered += 1;
                out.push(Notice::Unanswered { line, after }.into());
                self.ask_again(now, out);
            }
            state @ (State::Silent | State::Ready) => self.state = state,
        }
    }

    /// The version has come and its `done` has not. One may be lost; otherwise ExaBGP answers no commands at all.
    fn version_came_alone(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.late_replies += 1;
        self.troubled(now);
        if self.has_answered && !std::mem::replace(&mut self.version_without_done, true) {
            return self.settle_down(now, out);
        }
        self.answers = false;
        out.push(Notice::AnswersNothing.into());
        self.become_ready(now, out);
    }

    /// The command in flight is no longer waited for, and is sent again later. Returns its line.
    pub(super) fn put_back(&mut self, now: Moment, subject: Subject) -> String {
        self.late_replies += 1;
        self.troubled(now);
        match subject {
            Subject::Route(route, _, line) => {
                self.entries[route].retry(now);
                line
            }
            Subject::EndOfRib(mark, line) => {
                self.unmarked.push(mark);
                line
            }
        }
    }
}
