//! Builds the plan of the engine from a configuration.

use super::{Check, Config, Service};
use crate::engine::plan::{self, CheckSubject, Opaque, Plan};
use crate::probe::Probe;
use crate::text::fnv::fnv64;

impl Config {
    /// The parts of the configuration that the engine needs.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            exabgp: self.exabgp,
            seed: fnv64(self.node.name.as_bytes()),
            services: self.services.iter().map(Service::plan).collect(),
            compat: self.compat,
        }
    }
}

impl Service {
    pub(super) fn plan(&self) -> plan::Service {
        plan::Service {
            name: self.name.clone(),
            enabled: self.enabled,
            routes: self.routes.clone(),
            ladders: self.ladders.clone(),
            checks: self.checks.iter().map(Check::plan).collect(),
            unknown_after: self.unknown_after,
            recovery: self.recovery,
            warms_up: self.warm_up.is_some(),
            start: self.start,
            disable_file: self.disable_file.clone(),
            dampening: self.dampening,
            backend: self
                .backend
                .as_ref()
                .map(|backend| plan::Backend { name: backend.name.clone(), unit: backend.unit.clone() }),
            others: vec![
                ("backend", Opaque::new((self.backend.clone(), self.zones.clone()))),
                ("on-change", Opaque::new(self.on_change.clone())),
                ("warm-up", Opaque::new(self.warm_up.clone())),
            ],
        }
    }
}

impl Check {
    fn plan(&self) -> plan::Check {
        plan::Check {
            name: self.name.clone(),
            timing: self.timing,
            on_fail: self.on_fail.clone(),
            subject: match self.probe {
                Probe::Dns(_) => CheckSubject::Answers,
                Probe::Address(_) | Probe::Route(_) => CheckSubject::Host,
                _ => CheckSubject::Server,
            },
            once_seen: self.counts_once_seen(),
            probe: Opaque::new(self.probe.clone()),
        }
    }
}
