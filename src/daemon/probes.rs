//! The probes of each check, by its place in the configuration.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::Config;
use crate::engine::check::OnFail;
use crate::engine::event::{CheckId, ServiceId};
use crate::probe::Probe;

/// The probe of each check, and the effects of its failures.
pub(super) type Probes = HashMap<CheckId, (Arc<Probe>, Arc<OnFail>)>;

/// Collects the probes of all enabled services.
pub(super) fn probes(config: &Config) -> Probes {
    let services = config.services.iter().enumerate().filter(|(_, plan)| plan.enabled);
    services
        .flat_map(|(service, plan)| {
            plan.checks.iter().enumerate().map(move |(check, plan)| {
                let id = CheckId { service: ServiceId(service), check };
                (id, (Arc::new(plan.probe.clone()), Arc::new(plan.on_fail.clone())))
            })
        })
        .collect()
}

/// A check that a reload does not change keeps its probes, with the state that they remember.
pub(super) fn keep_memory(former: &Probes, present: &mut Probes, kept: &HashMap<CheckId, CheckId>) {
    for (before, now) in kept {
        if let (Some((had, _)), Some((has, _))) = (former.get(before), present.get_mut(now))
            && had == has
        {
            *has = Arc::clone(had);
        }
    }
}
