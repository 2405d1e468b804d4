//! Recovery from a wrong pairing of commands and replies.
//!
//! If a reply is missing, or one arrived that no command awaited, acknowledgments may be wrong from then on. Routes
//! acknowledged meanwhile are stated once more after [`CALM`] without another sign of trouble.

use std::time::Duration;

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
        let calm = self.calm();
        if self.stray_at.is_none_or(|stray| now.since(stray) > calm) {
            self.resync = Backoff::new();
        }
        self.stray_at = Some(now);
        if self.resync_at.is_none() {
            self.resync_at = Some(now + self.resync.pause());
        }
        for entry in &mut self.entries {
            if entry.distrust_acknowledgment(now, calm) {
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
        self.trouble.map(|trouble| trouble.latest + self.calm())
    }

    /// The pairing of replies is trusted again after this time without trouble: [`CALM`], or more than the longest time
    /// between two commands that ExaBGP does not answer, so that an unresponsive ExaBGP never counts as calm.
    fn calm(&self) -> Duration {
        CALM.max(Backoff::LONGEST + self.settings.exabgp.ack_timeout + Backoff::FIRST)
    }

    /// The trouble is over, and late replies have had time to arrive: states once more the routes acknowledged
    /// meanwhile. If replies seem to be switched off, asks ExaBGP whether they are; with `--no-ack` none would be looked at.
    pub(super) fn confirm(&mut self, now: Moment, out: &mut Vec<Action>) {
        let Some(trouble) = self.trouble.take() else { return };
        if !self.answers {
            if self.settings.compat.await_replies {
                self.note_trouble(now);
                self.ask_again(now, out);
            }
            return;
        }
        let doubtful = self.entries.iter_mut().filter(|entry| entry.was_acknowledged_since(trouble.since));
        doubtful.for_each(|entry| entry.restate(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::api_session::{Parent, Settings};
    use crate::engine::compat::Compat;
    use crate::engine::plan::ExaBgp;

    #[test]
    fn an_exabgp_that_answers_nothing_is_not_calm_between_two_commands() {
        let calm = |ack_timeout| {
            let exabgp = ExaBgp { dialect: None, ack_timeout, refresh: Duration::ZERO, end_of_rib: false };
            let settings = Settings { exabgp, parent: Parent::ExaBgp, compat: Compat::NONE, seed: 1 };
            ApiSession::new(settings, vec![], vec![]).calm()
        };
        assert_eq!(calm(Duration::from_secs(2)), CALM);
        let long = Duration::from_secs(120);
        assert!(calm(long) > Backoff::LONGEST + long);
    }
}
