//! The operator's word: the disable-file, and drains.

use super::Service;
use crate::engine::action::Action;
use crate::engine::drain::{Holder, Lift, Order};
use crate::engine::moment::Moment;
use crate::engine::notice::{DrainEnd, Notice};

/// What is known of the operator's file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Disabled {
    /// It is not there.
    No,
    /// It was there before the restart, or the reload, and nobody has looked since.
    Remembered,
    /// It was found.
    Found,
}

impl Service {
    /// The operator's file has appeared or gone, or is still there after a restart.
    pub fn disable(&mut self, now: Moment, disabled: bool, out: &mut Vec<Action>) {
        if self.is_disabled() != disabled {
            out.push(Action::Save);
        }
        if self.habits.is_some() && self.is_disabled() && !disabled {
            self.check_anew(now);
        }
        self.disabled = if disabled { Disabled::Found } else { Disabled::No };
    }

    /// Somebody wants it drained.
    pub fn drain(&mut self, now: Moment, order: Order, out: &mut Vec<Action>) {
        out.push(
            Notice::Drained {
                service: self.name.clone(),
                holder: order.holder.clone(),
                reason: order.reason.clone(),
                lasts: order.lasts,
                uid: order.uid,
            }
            .into(),
        );
        self.drains.begin(now, order);
        out.push(Action::Save);
    }

    /// Somebody wants drains to end, at once or when the checks have passed anew.
    pub fn undrain(&mut self, now: Moment, lift: &Lift, out: &mut Vec<Action>) {
        // The checks of one that is not enabled never pass: nothing is waited for.
        if !lift.once_healthy || !self.enabled {
            let lifted = self.drains.lift(lift);
            return self.note_ends(lifted, DrainEnd::Lifted, out);
        }
        if self.drains.let_return(lift) {
            // What they found of the server before says nothing of the one that is there now.
            self.check_anew(now);
            out.push(Notice::Returning { service: self.name.clone() }.into());
            out.push(Action::Save);
        }
    }

    pub(super) fn check_anew(&mut self, now: Moment) {
        for check in &mut self.checks {
            check.begin_anew(now);
        }
        self.health = None;
        self.served_before = false;
        self.sight.begin_anew(now);
    }

    pub(super) fn note_ends(&self, holders: Vec<Holder>, end: DrainEnd, out: &mut Vec<Action>) {
        for holder in holders {
            out.push(Notice::DrainOver { service: self.name.clone(), holder, end }.into());
            out.push(Action::Save);
        }
    }

    /// Whether restarts of ours drain it, and nothing else: what its checks find is then expected.
    pub(in crate::engine) fn is_planned(&self) -> bool {
        !self.is_disabled() && self.drains.are_for_restarts()
    }

    pub(super) fn is_drained(&self) -> bool {
        self.is_disabled() || !self.drains.is_empty()
    }
}
