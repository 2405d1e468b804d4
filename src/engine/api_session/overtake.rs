//! Withdraws that do not wait for the reply to another command.

use super::conversation::{Input, State};
use super::route_entry::{RouteEntry, Urgency};
use super::{ApiSession, WITHDRAW_WAIT};
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::exabgp::Advertisement;

impl ApiSession {
    /// When the due withdraws stop waiting: [`WITHDRAW_WAIT`] after the first became due, or at once if ExaBGP has
    /// answered nothing for as long.
    pub(super) fn overtake_at(&self) -> Option<Moment> {
        if self.full || matches!(self.state, State::Silent | State::Ready) {
            return None;
        }
        let urgent = self.entries.iter().filter(|entry| entry.is_urgent());
        let due = urgent.filter_map(|entry| entry.due).min()?.max(self.unblocked_at);
        let unresponsive = self.unanswered_since.map(|since| (since + WITHDRAW_WAIT).max(due));
        Some(unresponsive.map_or(due + WITHDRAW_WAIT, |at| at.min(due + WITHDRAW_WAIT)))
    }

    /// Sends every due withdraw out of turn. The command in flight is given up; its reply and those to the withdraws
    /// become late replies.
    pub(super) fn overtake(&mut self, now: Moment, out: &mut Vec<Action>) {
        let place = out.len();
        let mut withdraws = 0;
        for route in 0..self.entries.len() {
            let entry = &mut self.entries[route];
            if entry.is_urgent() && entry.due.is_some_and(|due| due <= now) {
                entry.mark_sent_out_of_turn(now);
                out.push(Action::Print(self.words(&self.entries[route], &Advertisement::Withdraw)));
                withdraws += 1;
            }
        }
        self.late_replies += withdraws;
        self.note_trouble(now);
        let is_silent = self.unanswered_since.is_some_and(|since| since + WITHDRAW_WAIT <= now);
        out.insert(place, Notice::Overtaken { withdraws, is_silent }.into());
        self.unanswered_since.get_or_insert(now);
        let step = self.step(Input::Overtake);
        self.apply(now, step, out);
    }
}

impl RouteEntry {
    /// A withdraw that has not been sent yet, of a route that ExaBGP may announce.
    pub(super) fn is_urgent(&self) -> bool {
        self.urgency() == Urgency::Withdraw && self.sent != Some(Advertisement::Withdraw)
    }
}
