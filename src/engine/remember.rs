//! Collects the memory that survives a restart of the helper.

use std::collections::BTreeSet;

use super::memory::{ALL_SERVICES, Memory, NO_LONGER_CONFIGURED, Remembered};
use super::moment::Moment;
use super::service::ServiceState;
use super::{Engine, Phase};
use crate::text::ordered;

impl Engine {
    /// The memory to save, as of `now`.
    pub(crate) fn remember(&mut self, now: Moment) -> &Memory {
        let mut memory = Memory::default();
        for (place, service) in self.services.iter().enumerate() {
            let earlier = self.memory.services.get(service.name());
            memory.services.insert(service.name().to_owned(), self.remember_service(now, place, earlier));
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
        self.memory = memory;
        &self.memory
    }

    fn remember_service(&self, now: Moment, place: usize, earlier: Option<&Remembered>) -> Remembered {
        let service = &self.services[place];
        let mine = || self.entries_of(place);
        let settled = self.confirmation(place).is_some();
        let earlier = earlier.and_then(|earlier| earlier.acknowledged);
        let announced = mine().filter(|entry| entry.perhaps_announced).map(|entry| entry.route.clone());
        let prefixes: BTreeSet<_> = ordered(self.plans[place].routes.iter().map(|route| route.prefix));
        Remembered {
            penalty: service.dampening.penalty(now),
            suppressed: service.dampening.suppressed,
            served_since: service.dampening.suppressed.then_some(service.dampening.served_since),
            falls: service.dampening.return_time.ages(now).collect(),
            excused_restarts: service.dampening.excused.ages(now).collect(),
            withdrawn_by_fall: service.dampening.return_time.withdrawn_by(),
            restart_pending: service.pending_restart(now),
            acknowledged: match service.state() {
                // It is withdrawn, whatever its state `drained` advertises.
                _ if !service.enabled => None,
                ServiceState::Starting => service.stands_without_verdict.or(earlier),
                // The next helper must not take such a service for one that serves: no acknowledgment is needed.
                state if settled || !state.serves() => Some(state),
                _ => earlier,
            },
            prefixes: prefixes.into_iter().collect(),
            drains: service.drains.remember(now),
            holds: service.holds.remember(now),
            failed_reload: service.failed_reload.clone(),
            disabled: service.is_disabled(),
            announced: announced.collect(),
            stopped: self.phase == Phase::Terminated,
        }
    }
}
