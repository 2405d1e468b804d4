//! Chooses the next command.

use std::ops::Range;

use super::ApiSession;
use super::conversation::{Command, Stage, State};
use super::route_entry::RouteEntry;
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::exabgp::command::ASK_VERSION;

impl ApiSession {
    /// Notes that the desired state of these routes was logged.
    pub(crate) fn report(&mut self, routes: Range<usize>) {
        self.entries[routes].iter_mut().for_each(RouteEntry::report);
    }

    pub(super) fn ask_again(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.ask_once_more = false;
        self.say(now, State::Resynchronizing(Stage::Asked), ASK_VERSION.to_owned(), out);
    }

    pub(super) fn become_ready(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.state = State::Ready;
        self.until = None;
        self.ask_once_more = false;
        self.proceed(now, out);
    }

    pub(super) fn restate_all(&mut self, now: Moment, out: &mut Vec<Action>) {
        for entry in &mut self.entries {
            entry.restate(now);
        }
        self.proceed(now, out);
    }

    /// Sends what is due if nothing is in flight; if no replies are awaited, all of it. Withdraws that have waited for
    /// [`WITHDRAW_WAIT`](super::WITHDRAW_WAIT) are sent in any case.
    pub(super) fn proceed(&mut self, now: Moment, out: &mut Vec<Action>) {
        while matches!(self.state, State::Ready) && !self.full {
            if let Some(command) = self.next_command(now) {
                self.send(now, command, out);
            } else {
                break;
            }
        }
        if self.overtake_at().is_some_and(|at| at <= now) {
            self.overtake(now, out);
        }
    }

    /// The most urgent entry that is due, and the end-of-RIB markers once all entries have been sent.
    fn next_command(&mut self, now: Moment) -> Option<Command> {
        let due = |entry: &RouteEntry| entry.due.filter(|due| *due <= now);
        let waiting = self.entries.iter().enumerate();
        let waiting = waiting.filter_map(|(route, entry)| Some((entry.urgency(), due(entry)?, route)));
        if let Some((_, _, route)) = waiting.min() {
            let wish = self.entries[route].desired.clone()?;
            self.entries[route].mark_sent(&wish);
            let line = self.words(&self.entries[route], &wish);
            return Some(Command::Route(route, wish, line));
        }
        let all_said = self.entries.iter().all(|entry| entry.desired.is_some() && entry.answered);
        let mark = self.unmarked.pop_if(|_| all_said)?;
        let line = self.dialect().end_of_rib(mark.family, &mark.neighbors);
        Some(Command::EndOfRib(mark, line))
    }

    fn send(&mut self, now: Moment, command: Command, out: &mut Vec<Action>) {
        let line = command.line().to_owned();
        if self.answers {
            return self.say(now, State::Sending(command), line, out);
        }
        out.push(Action::Print(line));
        // A late reply to this command must not be taken for the reply to a later one.
        self.late_replies = self.late_replies.saturating_add(1);
        if let Command::Route(route, ..) = command {
            self.entries[route].settle_unanswered(now, self.settings.parent);
            out.push(Action::Save);
            if self.entries[route].stale {
                self.restate_beside(now, route);
            }
        }
    }

    pub(super) fn say(&mut self, now: Moment, state: State, line: String, out: &mut Vec<Action>) {
        self.state = state;
        self.until = Some(now + self.settings.exabgp.ack_timeout);
        self.said_at = now;
        self.unanswered_since.get_or_insert(now);
        out.push(Action::Print(line));
    }
}
