//! Holds: the operator keeps the service announced against its checks.

use super::{Service, ServiceState};
use crate::engine::action::Action;
use crate::engine::check::{Check, Severity};
use crate::engine::hold::HoldOrder;
use crate::engine::moment::Moment;
use crate::engine::notice::{Notice, OrderEnd};
use crate::engine::order::{Holder, Kind};

impl Service {
    /// Begins a hold.
    pub(crate) fn hold(&mut self, now: Moment, hold: HoldOrder, out: &mut Vec<Action>) {
        let HoldOrder { holder, reason, lasts, uid } = hold.clone();
        let (service, lasts) = (self.name.clone(), lasts.into());
        let withdrawn = self.is_beyond_holds().then(|| self.explain());
        out.push(Notice::HoldBegun { service, holder, reason, lasts, uid, withdrawn }.into());
        self.holds.begin(now, hold.into());
        out.push(Action::Save);
    }

    /// Ends the holds of this holder, or all.
    pub(crate) fn unhold(&mut self, whose: Option<&Holder>, out: &mut Vec<Action>) {
        let ended = self.holds.lift(whose);
        self.note_ends(Kind::Hold, ended, OrderEnd::Lifted, out);
    }

    /// Whether a hold announces it, regardless of its checks and its falls: nothing overrides the hold, and every check that
    /// decides has reported once, so a missing address would be known.
    pub(crate) fn is_pinned(&self) -> bool {
        self.is_held() && self.has_looked()
    }

    /// Whether it has a hold that nothing overrides: it is enabled and not drained, and its addresses are not known to be
    /// missing.
    pub(in crate::engine) fn is_held(&self) -> bool {
        !self.holds.is_empty() && !self.is_beyond_holds()
    }

    /// Whether a hold announces it once it is not drained.
    pub(super) fn will_be_held(&self) -> bool {
        !self.holds.is_empty() && self.enabled && !self.lacks_address()
    }

    /// Its first drain begins: notes which checks would take it down without its hold.
    pub(super) fn note_overridden(&mut self) {
        if self.is_drained() {
            return;
        }
        let takes_down = |check: &&Check| check.decides() && check.verdict() == Some(Severity::Down);
        let overridden = self.checks.iter().filter(takes_down).filter(|_| self.is_pinned());
        self.overridden = overridden.map(|check| check.name().to_owned()).collect();
    }

    /// Whether this check keeps a drain that waits for the checks.
    pub(super) fn keeps_drains(&self, check: &Check) -> bool {
        !(self.will_be_held() && self.overridden.iter().any(|name| name == check.name()))
    }

    /// Whether a hold announces it once it is not drained, and by new verdicts none of its checks takes it down but those that
    /// the hold overrode before. Their verdicts are awaited, too: at the end of the hold the checks decide.
    pub(super) fn passes_beside_hold(&self) -> bool {
        if !self.will_be_held() || !self.has_looked() {
            return false;
        }
        let keeps = |check: &Check| self.keeps_drains(check);
        let deciding = || self.checks.iter().filter(|check| check.decides());
        let mut overridden = deciding().filter(|check| !keeps(check)).peekable();
        overridden.peek().is_some()
            && overridden.all(|check| check.verdict().is_some() || check.unknown.is_some())
            && (!deciding().any(keeps)
                || self.worst_verdict_of(keeps).is_some_and(|worst| worst < Severity::Down))
    }

    /// Whether it is withdrawn for a reason that no hold overrides.
    fn is_beyond_holds(&self) -> bool {
        !self.enabled || self.is_drained() || self.lacks_address()
    }

    /// The state that its checks and its falls would give it without the hold, unless that is `up`.
    pub(crate) fn without_hold(&self) -> Option<ServiceState> {
        Some(self.by_checks())
            .filter(|state| self.is_pinned() && !self.revalidating && *state != ServiceState::Up)
    }

    /// Whether an address that withdraws the service is missing on this host.
    pub(super) fn lacks_address(&self) -> bool {
        self.checks.iter().any(|check| check.lacks_address)
    }

    pub(super) fn has_looked(&self) -> bool {
        self.checks.iter().filter(|check| check.decides()).all(|check| check.last.is_some())
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
    pub(crate) fn explain_holds(&self) -> String {
        let holds = self.holds.reasons("holds it announced");
        match self.without_hold() {
            None => holds,
            Some(state) => format!("{holds}; without the hold {state}: {}", self.explain_state(state)),
        }
    }
}
