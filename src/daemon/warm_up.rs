//! Asks for the names of `warm-up` before a service returns.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::Daemon;
use crate::config::{Config, Service};
use crate::engine::event::{Event, ServiceId};
use crate::outcome::Outcome;
use crate::probe::lookup::LookupProbe;
use crate::text::period::Shown;

/// The name of a service, and the names of its `warm-up`.
pub(super) type WarmUp = (String, Arc<LookupProbe>);

/// The names of each service that has any.
pub(super) type WarmUps = HashMap<ServiceId, WarmUp>;

/// Collects the names of all services.
pub(super) fn warm_ups(config: &Config) -> WarmUps {
    let named = |(place, service): (usize, &Service)| {
        let names = service.warm_up.clone()?;
        Some((ServiceId(place), (service.name.clone(), Arc::new(names))))
    };
    config.services.iter().enumerate().filter_map(named).collect()
}

impl Daemon<'_> {
    /// Asks as a task, which reports the end to the loop: also after a reload, which replaces the queue of events.
    pub(super) fn warm_up(&self, id: ServiceId) {
        let ended = self.warmed_up.0.clone();
        let Some((service, names)) = self.warm_ups.get(&id).cloned() else { return };
        tokio::spawn(async move {
            let began = Instant::now();
            let found = names.ask_all().await;
            log::info!("service {service}: {}", told(&found, &Shown(began.elapsed()).to_string()));
            // Sending fails only after the loop has ended.
            let _ = ended.send((service, names));
        });
    }

    /// The event for the end; `None` if a reload has removed the service or changed its names, which are asked anew.
    pub(super) fn on_warmed_up(&self, ended: &WarmUp) -> Option<Event> {
        let (id, _) = self.warm_ups.iter().find(|(_, present)| *present == ended)?;
        Some(Event::WarmedUp(*id))
    }
}

/// The sentence about the names, with the reason of the first that was not answered.
fn told(found: &[(String, Outcome)], took: &str) -> String {
    let failures: Vec<_> = found.iter().filter_map(|(_, outcome)| outcome.failure()).collect();
    let answered = found.len() - failures.len();
    let all = format!("warm-up: {answered} of {} names answered within {took}", found.len());
    match failures.first() {
        Some(first) => format!("{all}; a return does not wait for the others; {first}"),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outcome::Cause;

    #[test]
    fn a_name_that_fails_is_said() {
        let passed = ("lookup a. A".to_owned(), Outcome::pass(Duration::ZERO));
        let failed =
            ("lookup b. A".to_owned(), Outcome::from_cause(Cause::Timeout, "lookup of b. A: no answer"));
        assert_eq!(told(std::slice::from_ref(&passed), "3ms"), "warm-up: 1 of 1 names answered within 3ms");
        let said = "warm-up: 1 of 2 names answered within 2s; a return does not wait for the others; lookup of b. A: no answer";
        assert_eq!(told(&[passed, failed], "2s"), said);
    }
}
