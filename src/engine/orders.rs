//! Orders of operators, restarts and units.

use super::Engine;
use super::action::Action;
use super::event::Event;
use super::moment::Moment;

impl Engine {
    /// Carries out an order. Other events, and orders for a service that does not exist, do nothing.
    pub(super) fn handle_order(&mut self, now: Moment, event: Event, out: &mut Vec<Action>) {
        let id = match &event {
            Event::DrainAll(order) => return self.drain_all(now, order, out),
            Event::UndrainAll(lift) => return self.undrain_all(now, lift, out),
            Event::Drain(id, _)
            | Event::Undrain(id, _)
            | Event::Hold(id, _)
            | Event::Unhold(id, _)
            | Event::Undampen(id) => *id,
            _ => return,
        };
        let Some(service) = self.services.get_mut(id.0) else { return };
        match event {
            Event::Drain(_, order) => service.drain(now, order, out),
            Event::Undrain(_, lift) => service.undrain(now, &lift, out),
            Event::Hold(_, order) => service.hold(now, order, out),
            Event::Unhold(_, whose) => service.unhold(whose.as_ref(), out),
            Event::Undampen(_) => service.undampen(now, out),
            _ => {}
        }
    }
}
