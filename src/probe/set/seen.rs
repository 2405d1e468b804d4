//! Which probes of a set have passed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::outcome::Outcome;

/// A mark for each probe of a set. Copies of the set share them; they are no part of the configuration and always equal.
#[derive(Clone, Debug)]
pub(super) struct Seen(Arc<[AtomicBool]>);

impl PartialEq for Seen {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Seen {
    /// No mark for `count` probes.
    pub(super) fn none_of(count: usize) -> Self {
        Self((0..count).map(|_| AtomicBool::new(false)).collect())
    }

    /// Whether the probe at `place` has passed.
    pub(super) fn has(&self, place: usize) -> bool {
        self.0.get(place).is_some_and(|mark| mark.load(Ordering::Relaxed))
    }

    /// Marks the probe at `place` if it passed. A failure of one without a mark counts as passed.
    pub(super) fn judge(&self, place: usize, outcome: Outcome) -> Outcome {
        let Some(mark) = self.0.get(place) else { return outcome };
        match outcome {
            Outcome::Pass { .. } => mark.store(true, Ordering::Relaxed),
            Outcome::Fail(_) if !mark.load(Ordering::Relaxed) => return Outcome::pass(Duration::ZERO),
            Outcome::Fail(_) | Outcome::Unknown(_) => {}
        }
        outcome
    }
}
