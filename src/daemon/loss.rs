//! Reports to checks, between two rounds, that a watched process or address is lost.

use tokio::sync::mpsc::UnboundedSender;

use crate::engine::event::{CheckId, Event};
use crate::outcome::{Cause, Failure};

/// The checks that receive an event about a loss.
#[derive(Debug)]
pub(super) struct LossReporter {
    pub(super) checks: Vec<CheckId>,
    pub(super) cause: Cause,
    pub(super) events: UnboundedSender<Event>,
}

impl LossReporter {
    /// Sends each check an event with the reason.
    pub(super) fn report(&self, why: &str) {
        for check in &self.checks {
            // Sending fails only after the loop has ended.
            let _ = self.events.send(Event::SuddenFailure(*check, Failure::new(self.cause, why)));
        }
    }
}
