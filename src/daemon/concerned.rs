//! The checks that are told, between two rounds, that what they hold on to has gone.

use tokio::sync::mpsc::UnboundedSender;

use crate::engine::event::{CheckId, Event};
use crate::outcome::{Cause, Failure};

/// Who is told of a loss, as [`Event::Gone`], and how.
#[derive(Debug)]
pub(super) struct Concerned {
    pub(super) checks: Vec<CheckId>,
    pub(super) cause: Cause,
    pub(super) events: UnboundedSender<Event>,
}

impl Concerned {
    /// Tells each check why.
    pub(super) fn hear(&self, why: &str) {
        for check in &self.checks {
            // The loop has ended where nothing receives.
            let _ = self.events.send(Event::Gone(*check, Failure::new(self.cause, why)));
        }
    }
}
