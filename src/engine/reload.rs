//! Another configuration while the engine runs: what did not change goes on as if nothing had happened.

use super::action::Action;
use super::moment::Moment;
use super::notice::Notice;
use super::service::Service;
use super::{Engine, Phase, heartbeat, routes, settings};
use crate::config::Config;

impl Engine {
    /// From now on `config` is meant. A service that is configured as before keeps its state and its counters. One
    /// that is configured otherwise keeps its drains and its penalty and begins anew; until it has decided, what was
    /// said of it stands. What is no longer wanted is withdrawn.
    ///
    /// Checks have the places of the new configuration from here on. The outcome of a round that was out does not come
    /// back: it is asked again.
    pub fn reload(&mut self, now: Moment, config: &Config) -> Vec<Action> {
        let mut out = vec![];
        if self.phase != Phase::Running {
            return out;
        }
        let memory = self.remember(now).clone();
        let plans = std::mem::replace(&mut self.plans, config.services.clone());
        let services = std::mem::take(&mut self.services);
        let settled = std::mem::take(&mut self.settled);
        let mut before: Vec<_> = plans.into_iter().zip(services.into_iter().zip(settled)).collect();
        let (mut unchanged, mut changed, mut added) = (0, vec![], vec![]);
        for plan in &config.services {
            let known = before.iter().position(|(earlier, _)| earlier.name == plan.name);
            let (service, settled) = match known.map(|place| before.swap_remove(place)) {
                Some((earlier, (mut service, settled))) if earlier == *plan => {
                    unchanged += 1;
                    service.ask_again(now);
                    (service, settled)
                }
                earlier => {
                    if earlier.is_some() { &mut changed } else { &mut added }.push(plan.name.clone());
                    let remembered =
                        memory.services.get(&plan.name).map(|kept| (kept, std::time::Duration::ZERO));
                    (Service::new(now, plan, config.habits, remembered, &mut vec![]), None)
                }
            };
            self.services.push(service);
            self.settled.push(settled);
        }
        let removed = before.into_iter().map(|(plan, _)| plan.name).collect();
        out.push(Notice::Reloaded { unchanged, changed, added, removed }.into());
        let (owners, routes) = routes(config);
        self.owners = owners;
        self.link.change(now, settings(config, self.parent), routes, &mut out);
        self.heartbeat = heartbeat(config);
        self.heartbeat_at = self.heartbeat.map(|period| now + period);
        out.push(Action::Save);
        self.advance(now, true, &mut out);
        out
    }
}
