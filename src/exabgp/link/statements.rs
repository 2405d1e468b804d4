//! What is said, and when.

use super::entry::Entry;
use super::{Link, Parent, State, Subject};
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::exabgp::command::{ASK_VERSION, Family};

impl Link {
    pub(super) fn ask_again(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.say(now, State::Asking, ASK_VERSION.to_owned(), out);
    }

    pub(super) fn become_ready(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.state = State::Ready;
        self.until = None;
        self.proceed(now, out);
    }

    pub(super) fn restate_all(&mut self, now: Moment, out: &mut Vec<Action>) {
        for entry in &mut self.entries {
            entry.restate(now);
        }
        self.proceed(now, out);
    }

    /// Says what is due, if nothing is in flight. Without answers to wait for it says all of it.
    pub(super) fn proceed(&mut self, now: Moment, out: &mut Vec<Action>) {
        while matches!(self.state, State::Ready) && !self.full {
            if let Some(subject) = self.next_subject(now) {
                self.send(now, subject, out);
            } else {
                break;
            }
        }
    }

    /// The entry that has waited longest, and when all have been stated the end-of-RIB markers.
    fn next_subject(&mut self, now: Moment) -> Option<Subject> {
        let dialect = self.dialect();
        let waiting = self.entries.iter().enumerate();
        let waiting =
            waiting.filter_map(|(route, entry)| Some((entry.due.filter(|due| *due <= now)?, route)));
        if let Some((_, route)) = waiting.min() {
            let entry = &mut self.entries[route];
            let wish = entry.desired.clone()?;
            entry.said(&wish);
            let line = dialect.advertise(&entry.route, &wish);
            return Some(Subject::Route(route, wish, line));
        }
        let all_stated = self.entries.iter().all(|entry| entry.desired.is_some() && entry.due.is_none());
        let family = self.unmarked.pop_if(|_| all_stated)?;
        let of_family = |entry: &&Entry| Family::of(entry.route.prefix.addr()) == family;
        let neighbors = self.entries.iter().find(of_family).map_or(&[][..], |entry| &entry.route.neighbors);
        Some(Subject::EndOfRib(dialect.end_of_rib(family, neighbors)))
    }

    fn send(&mut self, now: Moment, subject: Subject, out: &mut Vec<Action>) {
        let (Subject::Route(_, _, line) | Subject::EndOfRib(line)) = &subject;
        let line = line.clone();
        if self.answers {
            self.say(now, State::Sending(subject), line, out);
        } else {
            out.push(Action::Print(line));
            self.settle(now, subject, true, None, out);
        }
    }

    pub(super) fn say(&mut self, now: Moment, state: State, line: String, out: &mut Vec<Action>) {
        self.state = state;
        self.until = Some(now + self.settings.ack_timeout);
        out.push(Action::Print(line));
    }

    pub(super) fn mark_families(&mut self) {
        if self.settings.end_of_rib {
            let families = [Family::V6, Family::V4].into_iter();
            let used = |family: &Family| {
                let mut prefixes = self.entries.iter().map(|entry| entry.route.prefix.addr());
                prefixes.any(|address| Family::of(address) == *family)
            };
            self.unmarked = families.filter(used).collect();
        }
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
