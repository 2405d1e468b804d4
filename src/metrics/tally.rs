//! Counts what happens in the loop. Pure; it reads no clock.

use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::{CheckId, Event};
use crate::engine::notice::Notice;
use crate::outcome::Outcome;
use crate::status::totals::{CheckTotals, Totals};

/// Counters by name, so that they go on through reloads.
#[derive(Debug, Default)]
pub(crate) struct Tally(Totals);

impl Tally {
    /// Counts an event that the engine is about to handle.
    pub(crate) fn count_event(&mut self, engine: &Engine, event: &Event) {
        match event {
            Event::Outcome(check, outcome) => self.count_outcome(engine, *check, outcome),
            Event::SuddenFailure(check, failure) => {
                self.count_outcome(engine, *check, &failure.clone().into());
            }
            _ => {}
        }
    }

    /// Counts a decision of the engine.
    pub(crate) fn count_action(&mut self, action: &Action) {
        if let Action::Log(Notice::Service { service, from, to, .. }) = action
            && from != to
        {
            let of_service = self.0.transitions.entry(service.clone()).or_default();
            *of_service.entry(*to).or_default() += 1;
        }
    }

    fn count_outcome(&mut self, engine: &Engine, id: CheckId, outcome: &Outcome) {
        let Some(service) = engine.services().get(id.service.0) else { return };
        let Some(check) = service.checks().get(id.check) else { return };
        let check = self.check(service.name(), check.name());
        match outcome {
            Outcome::Pass { latency, .. } => {
                check.passed += 1;
                // A check that measures no time passes after none.
                if !latency.is_zero() {
                    check.seconds += latency.as_secs_f64();
                    let of_service = self.0.durations.entry(service.name().to_owned()).or_default();
                    of_service.count(latency.as_secs_f64());
                }
            }
            Outcome::Fail(failure) => *check.failed.entry(failure.cause.to_string()).or_default() += 1,
            Outcome::Unknown(failure) => *check.unknown.entry(failure.cause.to_string()).or_default() += 1,
        }
    }

    fn check(&mut self, service: &str, check: &str) -> &mut CheckTotals {
        self.0.checks.entry(service.to_owned()).or_default().entry(check.to_owned()).or_default()
    }

    /// Forgets services and checks that a reload has removed.
    pub(crate) fn retain(&mut self, engine: &Engine) {
        let find = |name: &str| engine.services().iter().find(|service| service.name() == name);
        self.0.transitions.retain(|name, _| find(name).is_some());
        self.0.durations.retain(|name, _| find(name).is_some());
        self.0.checks.retain(|name, checks| {
            let Some(service) = find(name) else { return false };
            checks.retain(|name, _| service.checks().iter().any(|check| check.name() == name));
            true
        });
    }

    /// The counters up to now.
    pub(crate) const fn totals(&self) -> &Totals {
        &self.0
    }
}
