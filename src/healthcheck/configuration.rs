//! Converts the options to a configuration for the same engine, with the behavior of the original.

use super::advertising::Advertised;
use super::options::{Check, Options};
use crate::config::{self, Config, DEFAULT_STATE, Node, defaults};
use crate::engine::check::{OnFail, Severity, Timing};
use crate::engine::compat::Compat;
use crate::engine::dampening::Policy;
use crate::engine::ladder::Ladder;
use crate::engine::plan::ExaBgp;
use crate::engine::service::StartPolicy;
use crate::metrics::Outlets;
use crate::probe::Probe;

/// Name of the only check.
const CHECK: &str = "check";

impl Options {
    /// The service name for the log and the hooks.
    pub(crate) fn service_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| "healthcheck".to_owned())
    }

    /// Builds the configuration that advertises `advertised` on the host of this name.
    pub(crate) fn configuration(&self, advertised: &Advertised, host: &str) -> Config {
        let ladder = Ladder {
            up: advertised.up.clone(),
            degraded: advertised.up.clone(),
            down: advertised.down.clone(),
            drained: advertised.disabled.clone(),
        };
        Config {
            node: Node { name: host.to_owned(), management: vec![] },
            exabgp: ExaBgp {
                dialect: self.dialect,
                ack_timeout: defaults::ACK_TIMEOUT,
                refresh: self.refresh(),
                end_of_rib: false,
            },
            state: DEFAULT_STATE.into(),
            control: crate::control::DEFAULT_DIRECTORY.into(),
            metrics: Outlets::default(),
            recorder: 0,
            services: vec![config::Service {
                name: self.service_name(),
                enabled: true,
                routes: advertised.routes.clone(),
                backend: None,
                role: None,
                zones: vec![],
                checks: vec![self.one_check()],
                addresses: None,
                unknown_after: defaults::UNKNOWN_AFTER,
                recovery: std::time::Duration::ZERO,
                warm_up: None,
                ladders: vec![ladder; advertised.routes.len()],
                start: StartPolicy::Probe,
                disable_file: self.disable_file.clone(),
                on_change: vec![],
                dampening: Policy::off(),
            }],
            backends: vec![],
            origin: None,
            since: Default::default(),
            compat: Compat {
                repeat_each_round: !self.debounce,
                exit_after_decision: self.interval.is_none(),
                await_replies: self.acknowledged,
                ..Compat::HEALTHCHECK
            },
        }
    }

    /// Without `--debounce` every round repeats the commands, and no refresh is needed.
    const fn refresh(&self) -> std::time::Duration {
        if self.debounce { defaults::REFRESH } else { std::time::Duration::ZERO }
    }

    fn one_check(&self) -> config::Check {
        let probe = match &self.check {
            Check::Nothing => Probe::Nothing,
            Check::Command(command) => Probe::Command(command.clone()),
            Check::Dns(set) => Probe::Dns(set.clone()),
        };
        config::Check {
            name: CHECK.to_owned(),
            timing: Timing {
                interval: self.interval.unwrap_or(self.fast_interval),
                fast_interval: self.fast_interval,
                timeout: defaults::TIMING.timeout,
                thresholds: self.thresholds,
            },
            on_fail: OnFail::always(Severity::Down),
            probe,
            default: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{given, line};
    use crate::engine::Engine;
    use crate::engine::action::Action;
    use crate::engine::api_session::Parent;
    use crate::engine::event::{CheckId, Event, ServiceId};
    use crate::engine::memory::Memory;
    use crate::engine::moment::Moment;
    use crate::engine::service::ServiceState;
    use crate::outcome::{Cause, Outcome};

    const CHECK: CheckId = CheckId { service: ServiceId(0), check: 0 };

    fn engine(text: &str) -> Engine {
        let options = line(text).unwrap();
        let config = options.configuration(&given(options.clone()).advertised, "host");
        Engine::new(&config.plan(), Parent::Terminal, Memory::default(), Duration::ZERO)
    }

    /// The commands and probes at this many milliseconds.
    fn effects(engine: &mut Engine, millis: u64, event: Event) -> Vec<String> {
        let actions = engine.handle(Moment::after_start(Duration::from_millis(millis)), event);
        let shown = |action: &Action| match action {
            Action::Print(line) => line.split(" med ").nth(1).map(|metric| format!("med {metric}")),
            Action::Probe(_) => Some("probe".to_owned()),
            _ => None,
        };
        actions.iter().filter_map(shown).collect()
    }

    /// The original announces after `rise` passes, however often it has withdrawn before.
    #[test]
    fn falls_do_not_delay_the_next_announcement() {
        let mut engine = engine("--ip 192.0.2.1 --rise 1 --fall 1 --interval 1");
        effects(&mut engine, 0, Event::Start);
        for round in 0..20 {
            let (passes, at) = (round % 2 == 0, round * 1000);
            let outcome = if passes {
                Outcome::pass(Duration::ZERO)
            } else {
                Outcome::from_cause(Cause::ProcessGone, "")
            };
            effects(&mut engine, at, Event::Outcome(CHECK, outcome));
            let (service, now) = (&engine.services()[0], Moment::after_start(Duration::from_millis(at)));
            assert_eq!(
                service.state(),
                if passes { ServiceState::Up } else { ServiceState::Down },
                "round {round}"
            );
            assert_eq!(service.dampening.record(now), None);
        }
    }

    #[test]
    fn looks_for_the_disable_file_between_two_checks() {
        let mut engine = engine("--ip 192.0.2.1 --rise 1 --interval 0.01");
        let at = |millis| Moment::after_start(Duration::from_millis(millis));
        let file = |present| Event::DisableFile(ServiceId(0), present);
        assert_eq!(effects(&mut engine, 0, Event::Start), ["probe"]);
        assert!(!engine.is_round_due(at(100)), "one is out");
        assert_eq!(
            effects(&mut engine, 100, Event::Outcome(CHECK, Outcome::pass(Duration::ZERO))),
            ["med 100"]
        );
        assert!(engine.is_round_due(at(100)));
        assert_eq!(effects(&mut engine, 100, Event::Received(String::new())), [""; 0]);
        assert_eq!(effects(&mut engine, 100, file(true)), ["med 500"]);
        assert_eq!(effects(&mut engine, 100, Event::Tick), [""; 0]);
        assert!(!engine.is_round_due(at(109)) && engine.is_round_due(at(110)));
        assert_eq!(effects(&mut engine, 110, Event::Received(String::new())), [""; 0]);
        assert_eq!(effects(&mut engine, 110, Event::Tick), ["med 500"]);
        assert!(engine.is_round_due(at(120)));
        assert_eq!(effects(&mut engine, 120, file(false)), [""; 0]);
        assert_eq!(effects(&mut engine, 120, Event::Tick), ["probe"]);
    }
}
