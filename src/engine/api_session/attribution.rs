//! Attribution of replies while earlier ones may still arrive.
//!
//! The session stops expecting a late reply at some time ([`ApiSession::forget_late`]). If it arrives after that, it
//! looks like the reply to the command in flight, and each later command gets the reply to an earlier one. ExaBGP answers
//! route commands in order: if `missing` replies may still arrive, the reply to a command is the one that looks like its
//! own or one of the `missing` replies behind that. Only when all of these are `done` is the command acknowledged. Until
//! then its route is stated again: at once if few replies are missing, otherwise with growing pauses.
//!
//! That reply may also be lost for good while a late one takes its place. Therefore a withdrawn route still counts as
//! perhaps announced until it is acknowledged again while no reply is missing.

use serde::{Deserialize, Serialize};

use super::route_entry::{Answer, Backoff, RouteEntry};
use super::{ApiSession, CALM};
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::exabgp::Advertisement;

/// If a route lacks no more replies than this, it is stated again at once.
const FEW: u32 = 4;

/// The replies that may still arrive although the session does not expect them, and the replies since.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Attribution {
    /// How many, and since when they are not expected. After [`CALM`] they are lost for good.
    missing: Vec<(Moment, u32)>,
    /// Replies in a row that were `done`.
    done: u32,
}

impl Attribution {
    fn forget_lost(&mut self, now: Moment) {
        self.missing.retain(|(since, replies)| now.since(*since) < CALM && *replies > 0);
    }

    fn missing(&self) -> u32 {
        self.missing.iter().fold(0, |sum, (_, replies)| sum.saturating_add(*replies))
    }
}

impl ApiSession {
    /// Expects no more late replies. They may arrive all the same.
    pub(super) fn forget_late(&mut self, now: Moment) {
        let late = std::mem::take(&mut self.late_replies);
        if late > 0 {
            self.attribution.missing.push((now, late));
            self.note_trouble(now);
        }
    }

    /// A reply arrived that no command awaited: one fewer is missing.
    pub(super) fn count_down_missing(&mut self) {
        if let Some((_, replies)) = self.attribution.missing.iter_mut().find(|(_, replies)| *replies > 0) {
            *replies -= 1;
        }
    }

    /// The replies so far do not show which commands ExaBGP has carried out.
    pub(super) fn discard_proofs(&mut self) {
        self.attribution.done = 0;
        for entry in &mut self.entries {
            if entry.dones_needed.take().is_some() {
                // ExaBGP has answered, so the next pause need not be long.
                entry.backoff = Backoff::new();
            }
        }
    }

    /// Counts the reply that looks like the one to the command in flight.
    pub(super) fn count_reply(&mut self, now: Moment, done: bool) {
        self.attribution.forget_lost(now);
        if done {
            self.attribution.done = self.attribution.done.saturating_add(1);
        } else {
            // It may belong to an earlier command.
            self.discard_proofs();
        }
    }

    /// `done` arrived for the command of this route, or for an earlier one: acknowledges the route, or waits for the replies that
    /// prove it. A route that is already acknowledged with `advertisement` needs no
    /// proof.
    pub(super) fn acknowledge_or_await_proof(
        &mut self,
        now: Moment,
        route: usize,
        advertisement: Advertisement,
        out: &mut Vec<Action>,
    ) {
        let missing = self.attribution.missing();
        let entry = &mut self.entries[route];
        if missing == 0 {
            if entry.acknowledge(now, advertisement) {
                out.push(Action::Save);
            }
        } else if entry.acknowledged.as_ref() != Some(&advertisement) {
            entry.await_proof(self.attribution.done.saturating_add(missing));
        }
    }

    /// Acknowledges each route whose command ExaBGP has carried out according to the replies behind it, and sends the
    /// others again.
    pub(super) fn acknowledge_proven(&mut self, now: Moment, out: &mut Vec<Action>) {
        for entry in &mut self.entries {
            let Some((dones_needed, sent)) = entry.dones_needed.zip(entry.sent.clone()) else { continue };
            if dones_needed <= self.attribution.done {
                let perhaps_announced = entry.perhaps_announced;
                entry.acknowledge(now, sent);
                entry.perhaps_announced |= perhaps_announced;
                out.push(Action::Save);
            } else if entry.due.is_none() {
                // If it lacks few, it is due at once, which `retry` leaves; otherwise after the next pause.
                if dones_needed - self.attribution.done <= FEW {
                    entry.due = Some(now);
                }
                entry.retry(now, Answer::Done);
            }
        }
    }
}

impl RouteEntry {
    /// What was sent is acknowledged once so many replies in a row were `done`.
    fn await_proof(&mut self, replies: u32) {
        if self.dones_needed.is_none() {
            self.backoff = Backoff::new();
        }
        self.dones_needed = Some(self.dones_needed.map_or(replies, |earlier| earlier.min(replies)));
    }
}
