//! Holds: the operator keeps the service announced against its checks.

use super::{Service, ServiceState};
use crate::engine::action::Action;
use crate::engine::check::Check;
use crate::engine::drain::Holder;
use crate::engine::hold::{HoldOrder, Holds};
use crate::engine::moment::Moment;
use crate::engine::notice::{DrainEnd, Notice};

impl Service {
    /// Begins a hold.
    pub(crate) fn hold(&mut self, now: Moment, order: HoldOrder, out: &mut Vec<Action>) {
        out.push(
            Notice::HoldBegun {
                service: self.name.clone(),
                holder: order.holder.clone(),
                reason: order.reason.clone(),
                lasts: order.lasts.into(),
                uid: order.uid,
            }
            .into(),
        );
        self.holds.begin(now, order);
        out.push(Action::Save);
    }

    /// Ends the holds of this holder, or all.
    pub(crate) fn unhold(&mut self, whose: Option<&Holder>, out: &mut Vec<Action>) {
        let ended = self.holds.end(whose);
        self.note_ends_of_holds(ended, DrainEnd::Lifted, out);
    }

    pub(super) fn expire_holds(&mut self, now: Moment, out: &mut Vec<Action>) {
        let expired = self.holds.expire(now);
        self.note_ends_of_holds(expired, DrainEnd::Expired, out);
    }

    fn note_ends_of_holds(&self, holders: Vec<Holder>, end: DrainEnd, out: &mut Vec<Action>) {
        for holder in holders {
            out.push(Notice::HoldOver { service: self.name.clone(), holder, end }.into());
            out.push(Action::Save);
        }
    }

    /// The holds that keep it announced against its checks.
    #[must_use]
    pub(crate) const fn holds(&self) -> &Holds {
        &self.holds
    }

    /// Whether a hold announces it, regardless of its checks and its falls: it is not drained, its addresses are not
    /// known to be missing, and every check that decides has reported once, so a missing address would be known.
    #[must_use]
    pub(crate) fn is_pinned(&self) -> bool {
        !self.holds.orders().is_empty()
            && self.enabled
            && !self.is_drained()
            && !self.lacks_address()
            && self.has_looked()
    }

    /// The state that its checks or its falls would give it without the hold, if that is withdrawn or degraded.
    #[must_use]
    pub(crate) fn without_hold(&self) -> Option<ServiceState> {
        Some(self.by_checks())
            .filter(|state| self.is_pinned() && !self.revalidating && *state != ServiceState::Up)
    }

    /// Whether an address that withdraws the service is missing on this host.
    pub(super) fn lacks_address(&self) -> bool {
        self.checks.iter().any(Check::lacks_address)
    }

    pub(super) fn has_looked(&self) -> bool {
        self.checks.iter().filter(|check| check.decides()).all(|check| check.last().is_some())
    }

    /// Logs that its checks begin to contradict the hold, unless a transition does, which names it.
    pub(super) fn note_without_hold(&mut self, stays: bool, out: &mut Vec<Action>) {
        let without = self.without_hold();
        let before = std::mem::replace(&mut self.logged_without_hold, without);
        if let Some(state) = without.filter(|_| stays && without != before) {
            let why = self.explain_state(state);
            out.push(Notice::HeldOff { service: self.name.clone(), state, why }.into());
        }
    }

    /// The holders, and their reasons.
    #[must_use]
    pub(crate) fn explain_holds(&self) -> String {
        let holds = self.holds.orders().iter();
        let holds: Vec<_> =
            holds.map(|(holder, hold)| format!("{holder} holds it announced: {}", hold.reason)).collect();
        let holds = holds.join("; ");
        match self.without_hold() {
            None => holds,
            Some(state) => format!("{holds}; without the hold {state}: {}", self.explain_state(state)),
        }
    }
}
