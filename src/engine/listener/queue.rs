//! Follows the receive queue of one socket from sample to sample, to tell a socket that the server does not read from one that
//! is overloaded.

use std::time::Duration;

use super::{SUSPECT, Sample, Work};
use crate::engine::moment::Moment;

/// The shortest time between two samples that count as a step.
pub(crate) const STEP: Duration = Duration::from_millis(15);

/// After so many steps without a decrease a socket is stuck: a stall of 150 ms never has so many, wherever the samples fall.
pub(crate) const STEPS: u32 = 12;

/// Drops and a decrease within this time are signs of overload.
const TOGETHER: Duration = Duration::from_millis(300);

/// One socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    /// The length of the queue in the last sample.
    pub(super) waiting: u32,
    drops: u32,
    is_crowded: bool,
    /// Since when it has been neither empty nor decreasing.
    pub(super) since: Moment,
    /// The last sample that counted as a step.
    stepped_at: Moment,
    pub(super) steps: u32,
    /// It was seen empty, or decreasing: the server may read it.
    pub(super) may_be_read: bool,
    /// When a queue that held something was seen to shrink or to be empty.
    pub(super) read_at: Option<Moment>,
    dropped_at: Option<Moment>,
    /// Drops that [`Self::take_overload`] has not returned.
    dropped: u32,
    /// When the suspicion arose, and what the process had done by then.
    pub(super) work: Option<(Moment, Work)>,
}

impl Queue {
    pub(super) const fn new(now: Moment, sample: &Sample) -> Self {
        Self {
            waiting: sample.queue,
            drops: sample.drops,
            is_crowded: sample.is_crowded,
            since: now,
            stepped_at: now,
            steps: 0,
            may_be_read: sample.queue == 0,
            read_at: None,
            dropped_at: None,
            dropped: 0,
            work: None,
        }
    }

    /// Counts a sample, which may be the one passed to [`Self::new`]. Returns how much was dropped, for lack of room, since the one
    /// before.
    pub(super) fn sample(&mut self, now: Moment, sample: &Sample, work: Option<Work>) -> u32 {
        let before = std::mem::replace(&mut self.waiting, sample.queue);
        let dropped = sample.drops.wrapping_sub(std::mem::replace(&mut self.drops, sample.drops));
        let was_crowded = std::mem::replace(&mut self.is_crowded, sample.is_crowded);
        // A counter that went back was reset.
        let has_dropped = (was_crowded || sample.is_crowded) && (1..=u32::MAX / 2).contains(&dropped);
        if has_dropped {
            self.dropped_at = Some(now);
            self.dropped = self.dropped.saturating_add(dropped);
        }
        if sample.queue == 0 || sample.queue < before {
            // An empty queue that has dropped something was full between the samples.
            if before > 0 || has_dropped {
                self.read_at = Some(now);
            }
            self.may_be_read = true;
            self.restart(now);
        } else if before == 0 {
            self.restart(now);
        } else if now.since(self.stepped_at) >= STEP {
            self.steps = self.steps.saturating_add(1);
            self.stepped_at = now;
            if self.steps >= SUSPECT && self.work.is_none() {
                self.work = work.map(|work| (now, work));
            }
        }
        if has_dropped { dropped } else { 0 }
    }

    /// From now on it has to be stuck anew.
    pub(super) const fn restart(&mut self, now: Moment) {
        self.since = now;
        self.stepped_at = now;
        self.steps = 0;
        self.work = None;
    }

    /// The number of drops that it has not returned yet, if this is overload: the socket was read at about the same time.
    pub(super) fn take_overload(&mut self, now: Moment) -> Option<u32> {
        let is_recent = |at: Option<Moment>| at.is_some_and(|at| now.since(at) <= TOGETHER);
        if !is_recent(self.dropped_at) {
            self.dropped = 0;
            return None;
        }
        let is_read = is_recent(self.read_at);
        is_read.then(|| std::mem::take(&mut self.dropped)).filter(|dropped| *dropped > 0)
    }

    pub(super) const fn is_stuck(&self) -> bool {
        self.steps >= STEPS
    }
}
