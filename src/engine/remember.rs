//! Collects the memory that survives a restart of the helper.

use std::collections::BTreeSet;
use std::time::Duration;

use super::memory::{ALL_SERVICES, Acknowledged, Memory, NO_LONGER_CONFIGURED, Remembered};
use super::moment::Moment;
use super::service::ServiceState;
use super::{Engine, Phase};
use crate::text::ordered;

impl Engine {
    /// The memory to save, as of `now`.
    pub(crate) fn remember(&mut self, now: Moment) -> Memory {
        let mut memory = Memory::default();
        for place in 0..self.services.len() {
            self.services[place].acknowledged = self.acknowledged(now, place);
            let name = self.services[place].name().to_owned();
            memory.services.insert(name, self.remember_service(now, place));
        }
        memory.services.extend(self.removed.remember(now));
        let of_all = self.drains_of_all.remember(now);
        if !of_all.is_empty() {
            let remembered = Remembered { drains: of_all, ..Remembered::default() };
            memory.services.insert(ALL_SERVICES.to_owned(), remembered);
        }
        let stale: Vec<_> = self.stale_routes().map(|entry| entry.route.clone()).collect();
        if !stale.is_empty() {
            let remembered = Remembered { announced: stale, ..Remembered::default() };
            memory.services.insert(NO_LONGER_CONFIGURED.to_owned(), remembered);
        }
        memory
    }

    /// The last state of this service that ExaBGP has acknowledged. Without a verdict that is the one that stands, from the
    /// time at which this helper has stated it anew.
    fn acknowledged(&self, now: Moment, place: usize) -> Option<Acknowledged> {
        let service = &self.services[place];
        // It is withdrawn, whatever its state `drained` advertises.
        if !service.enabled {
            return None;
        }
        let settled = self.confirmation(place).is_some();
        let state = match service.state() {
            ServiceState::Starting => service.stands_without_verdict.filter(|_| settled),
            // The next helper must not take such a service for one that serves: no acknowledgment is needed.
            state => Some(state).filter(|state| settled || !state.serves()),
        };
        let present = state.map(|state| Acknowledged { state, age: Duration::ZERO, noted: now });
        present.or(service.acknowledged)
    }

    fn remember_service(&self, now: Moment, place: usize) -> Remembered {
        let service = &self.services[place];
        let announced =
            self.entries_of(place).filter(|entry| entry.perhaps_announced).map(|entry| entry.route.clone());
        let prefixes: BTreeSet<_> = ordered(self.plans[place].routes.iter().map(|route| route.prefix));
        Remembered {
            penalty: service.dampening.penalty(now),
            suppressed: service.dampening.suppressed,
            served_since: service.dampening.suppressed.then_some(service.dampening.served_since),
            falls: service.dampening.return_time.ages(now).collect(),
            excused_restarts: service.dampening.excused.ages(now).collect(),
            withdrawn_by_fall: service.dampening.return_time.withdrawn_by(),
            restart_pending: service.pending_restart(now),
            acknowledged: service.acknowledged.map(|acknowledged| acknowledged.state),
            acknowledged_age: service
                .acknowledged
                .map(|acknowledged| acknowledged.age(now))
                .unwrap_or_default(),
            prefixes: prefixes.into_iter().collect(),
            drains: service.drains.remember(now),
            holds: service.holds.remember(now),
            overridden: service.overridden.clone(),
            failed_reload: service.failed_reload.clone(),
            lost_zones: service.lost_zones.clone(),
            disabled: service.is_disabled(),
            announced: announced.collect(),
            stopped: self.phase == Phase::Terminated,
        }
    }
}
