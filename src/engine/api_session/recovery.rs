//! Recovery from a wrong pairing of commands and replies.
//!
//! If a reply is missing, or one arrived that no command awaited, acknowledgments may be wrong from then on. Routes
//! acknowledged meanwhile are stated once more after [`CALM`] without another sign of trouble.

use serde::{Deserialize, Serialize};

use super::conversation::Command;
use super::route_entry::{Answer, Backoff};
use super::{ApiSession, CALM};
use crate::engine::action::Action;
use crate::engine::moment::Moment;

/// Since when the pairing of replies may have been wrong, and when the latest sign of it was seen.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Trouble {
    since: Moment,
    latest: Moment,
}

impl ApiSession {
    /// The reply that is awaited becomes a late one.
    pub(super) fn count_late_reply(&mut self, now: Moment) {
        self.late_replies += 1;
        self.note_trouble(now);
    }

    /// Gives up the command in flight; it is sent again later, unless a reload has replaced it.
    pub(super) fn requeue(&mut self, now: Moment, command: Command) {
        self.count_late_reply(now);
        match command {
            Command::Route(route, ..) => {
                self.entries[route].retry(now, Answer::Missing);
            }
            Command::Replaced(_) => {}
            Command::EndOfRib(mark, _) => self.unmarked.push(mark),
        }
    }

    /// Schedules a restatement of everything, at growing intervals while unexpected replies continue.
    pub(super) fn resync_after_stray(&mut self, now: Moment, out: &mut Vec<Action>) {
        self.count_down_missing();
        self.note_trouble(now);
        if self.stray_at.is_none_or(|stray| now.since(stray) > CALM) {
            self.resync = Backoff::new();
        }
        self.stray_at = Some(now);
        if self.resync_at.is_none() {
            self.resync_at = Some(now + self.resync.pause());
        }
        for entry in &mut self.entries {
            if entry.distrust_acknowledgment(now, CALM) {
                out.push(Action::Save);
            }
        }
    }

    /// A reply is missing or unexpected: from now on acknowledgments may be wrong.
    pub(super) fn note_trouble(&mut self, now: Moment) {
        let since = self.trouble.map_or(now, |trouble| trouble.since);
        self.trouble = Some(Trouble { since, latest: now });
        self.discard_proofs();
    }

    /// When to state once more the routes acknowledged during the trouble.
    pub(super) fn confirm_at(&self) -> Option<Moment> {
        self.trouble.map(|trouble| trouble.latest + CALM)
    }

    /// The trouble is over, and late replies have had time to arrive: states once more the routes acknowledged
    /// meanwhile. If replies seem to be switched off, asks ExaBGP whether they are.
    pub(super) fn confirm(&mut self, now: Moment, out: &mut Vec<Action>) {
        let Some(trouble) = self.trouble.take() else { return };
        if !self.answers {
            self.note_trouble(now);
            return self.ask_again(now, out);
        }
        let doubtful = self.entries.iter_mut().filter(|entry| entry.was_acknowledged_since(trouble.since));
        doubtful.for_each(|entry| entry.restate(now));
    }
}
