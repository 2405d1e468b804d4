//! What is said, and when.

use std::ops::Range;

use super::route_entry::RouteEntry;
use super::{ApiSession, Mark, Parent, Stage, State, Subject};
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::exabgp::command::{ASK_VERSION, Family};

impl ApiSession {
    /// The log tells what is desired for these routes.
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

    /// Sends what is due if nothing is in flight; where no answers are awaited, all of it. Withdraws that have waited
    /// long enough are sent in any case.
    pub(super) fn proceed(&mut self, now: Moment, out: &mut Vec<Action>) {
        while matches!(self.state, State::Ready) && !self.full {
            if let Some(subject) = self.next_subject(now) {
                self.send(now, subject, out);
            } else {
                break;
            }
        }
        if self.overtake_at().is_some_and(|at| at <= now) {
            self.overtake(now, out);
        }
    }

    /// The most urgent entry that is due, and when all have been said the end-of-RIB markers.
    fn next_subject(&mut self, now: Moment) -> Option<Subject> {
        let due = |entry: &RouteEntry| entry.due.filter(|due| *due <= now);
        let waiting = self.entries.iter().enumerate();
        let waiting = waiting.filter_map(|(route, entry)| Some((entry.urgency(), due(entry)?, route)));
        if let Some((_, _, route)) = waiting.min() {
            let wish = self.entries[route].desired.clone()?;
            self.entries[route].said(&wish);
            let line = self.words(&self.entries[route], &wish);
            return Some(Subject::Route(route, wish, line));
        }
        let all_said = self.entries.iter().all(|entry| entry.desired.is_some() && entry.answered);
        let mark = self.unmarked.pop_if(|_| all_said)?;
        let line = self.dialect().end_of_rib(mark.family, &mark.neighbors);
        Some(Subject::EndOfRib(mark, line))
    }

    fn send(&mut self, now: Moment, subject: Subject, out: &mut Vec<Action>) {
        let (Subject::Route(_, _, line) | Subject::EndOfRib(_, line)) = &subject;
        let line = line.clone();
        if self.answers {
            return self.say(now, State::Sending(subject), line, out);
        }
        out.push(Action::Print(line));
        // Should it answer after all, it answers these, too.
        self.late_replies = self.late_replies.saturating_add(1);
        if let Subject::Route(route, ..) = subject {
            self.entries[route].said_for_good(self.settings.parent);
            out.push(Action::Save);
            if self.entries[route].left_behind {
                self.restate_beside(now, route);
            }
        }
    }

    pub(super) fn say(&mut self, now: Moment, state: State, line: String, out: &mut Vec<Action>) {
        self.state = state;
        self.until = Some(now + self.settings.ack_timeout);
        self.said_at = now;
        self.unanswered_since.get_or_insert(now);
        out.push(Action::Print(line));
    }

    /// Each family in use is to be marked, to whoever gets its routes; IPv4 first, since the last is taken first.
    pub(super) fn mark_families(&mut self) {
        self.unmarked = self.marks();
        self.refused_marks.clear();
    }

    pub(super) fn marks(&self) -> Vec<Mark> {
        if !self.settings.end_of_rib {
            return vec![];
        }
        let mark = |entry: &RouteEntry| Mark {
            family: Family::of(entry.route.prefix.addr()),
            neighbors: entry.route.neighbors.clone(),
        };
        let mut marks: Vec<_> = self.entries.iter().filter(|entry| !entry.left_behind).map(mark).collect();
        marks.sort_by_cached_key(|mark| (mark.family == Family::V4, mark.neighbors.clone()));
        marks.dedup();
        marks
    }

    /// Within a tenth of the configured period, so that a fleet does not speak in unison.
    pub(super) fn plan_refresh(&mut self, now: Moment) {
        if self.settings.refresh.is_zero() || self.settings.parent == Parent::Terminal {
            return;
        }
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let tenths_of_percent = u32::try_from(900 + self.random % 201).unwrap_or(1000);
        self.refresh_at = Some(now + self.settings.refresh * tenths_of_percent / 1000);
    }
}
