//! From options to a configuration: the same engine, the same link, with the habits of the original.

use super::advertising::Advertised;
use super::options::{Check, Options};
use crate::config::{self, Config, DEFAULT_STATE, ExaBgp, Node, defaults};
use crate::engine::check::{OnFail, Severity, Timing};
use crate::engine::dampening::Policy;
use crate::engine::habits::{Habits, Repeat};
use crate::engine::ladder::Ladder;
use crate::engine::service::StartPolicy;
use crate::probe::inquiry::Inquiry;

/// The one check has this name where people see it.
const CHECK: &str = "check";

impl Options {
    /// What the log and the hooks call it.
    #[must_use]
    pub fn service_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| "healthcheck".to_owned())
    }

    /// The whole configuration, for what is `advertised`, on the host of this name.
    #[must_use]
    pub fn configuration(&self, advertised: &Advertised, host: &str) -> Config {
        Config {
            node: Node { name: host.to_owned(), management: vec![] },
            exabgp: ExaBgp {
                dialect: self.dialect,
                ack_timeout: defaults::ACK_TIMEOUT,
                refresh: self.refresh(),
                end_of_rib: false,
            },
            state: DEFAULT_STATE.into(),
            services: vec![config::Service {
                name: self.service_name(),
                routes: advertised.routes.clone(),
                backend: None,
                zones: vec![],
                checks: vec![self.one_check()],
                ladder: Ladder {
                    up: advertised.up.clone(),
                    degraded: advertised.up.clone(),
                    down: advertised.down.clone(),
                    drained: advertised.disabled.clone(),
                },
                start: StartPolicy::Probe,
                disable_file: self.disable_file.clone(),
                on_change: vec![],
                dampening: Policy::off(),
            }],
            backends: vec![],
            habits: Some(Habits {
                repeat: if self.debounce { Repeat::EachVerdict } else { Repeat::EachRound },
                once: self.interval.is_none(),
                answers: self.acknowledged,
            }),
        }
    }

    /// What is said in every round needs no refreshing; with `--debounce` something has to heal what went wrong.
    const fn refresh(&self) -> std::time::Duration {
        if self.debounce { defaults::REFRESH } else { std::time::Duration::ZERO }
    }

    fn one_check(&self) -> config::Check {
        let inquiry = match &self.check {
            Check::Nothing => Inquiry::Nothing,
            Check::Command(command) => Inquiry::Command(command.clone()),
            Check::Dns(round) => Inquiry::Dns(round.clone()),
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
            inquiry,
            default: None,
        }
    }
}
