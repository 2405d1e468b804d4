//! The probes of each check, by its place in the configuration.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::Config;
use crate::engine::check::OnFail;
use crate::engine::event::{CheckId, ServiceId};
use crate::probe::Probe;
use crate::probe::counters::CountersProbe;

/// The probe of each check, and the effects of its failures.
pub(super) type Probes = HashMap<CheckId, (Arc<Probe>, Arc<OnFail>)>;

/// Collects the probes of all enabled services.
pub(super) fn probes(config: &Config) -> Probes {
    let services = config.services.iter().enumerate().filter(|(_, plan)| plan.enabled);
    services
        .flat_map(|(service, plan)| {
            let has_one_address = config.has_one_address(plan);
            plan.checks.iter().enumerate().map(move |(check, plan)| {
                let id = CheckId { service: ServiceId(service), check };
                let mut probe = plan.probe.clone();
                if let Probe::Counters(counters) = &mut probe {
                    counters.has_one_address = has_one_address;
                }
                (id, (Arc::new(probe), Arc::new(plan.on_fail.clone())))
            })
        })
        .collect()
}

/// The counters of the server of this service, if a check reads them and they tell of its address alone.
pub(super) fn counters_of(probes: &Probes, service: ServiceId) -> Option<CountersProbe> {
    let of_service = (0..).map_while(|check| probes.get(&CheckId { service, check }));
    of_service.into_iter().find_map(|(probe, _)| match &**probe {
        Probe::Counters(counters) if counters.has_one_address => Some(counters.clone()),
        _ => None,
    })
}

/// A check whose probe a reload does not change keeps it, with the state that it remembers.
pub(super) fn keep_memory(former: &Probes, present: &mut Probes, same_probes: &HashMap<CheckId, CheckId>) {
    for (before, now) in same_probes {
        if let (Some((had, _)), Some((has, _))) = (former.get(before), present.get_mut(now))
            && had == has
        {
            *has = Arc::clone(had);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(names: &str) -> Probes {
        let text = format!(
            "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\"]\naddress = false\n{names}\
             [[service.check]]\nname = \"works\"\ncommand = \"true\"\n"
        );
        probes(&Config::parse(Path::new("a.toml"), &text, "host").unwrap())
    }

    fn check(name: &str, query: &str) -> String {
        format!("[[service.check]]\nname = \"{name}\"\ndns = {{ query = \"{query}\", once-seen = true }}\n")
    }

    const fn id(check: usize) -> CheckId {
        CheckId { service: ServiceId(0), check }
    }

    #[test]
    fn counters_tell_of_a_server_with_one_address_only() {
        let counted = |prefixes: &str| {
            let text = format!(
                "[node]\nmanagement = [\"10.1.0.2\"]\n[backend.unbound]\n[[service]]\nname = \"a\"\nprefixes = [{prefixes}]\n\
                 address = false\nbackend = \"unbound\"\nrole = \"resolver\"\n[[service.check]]\nname = \"counters\"\n\
                 counters = {{}}\n"
            );
            counters_of(&probes(&Config::parse(Path::new("a.toml"), &text, "host").unwrap()), ServiceId(0))
                .is_some()
        };
        assert!(counted("\"192.0.2.53/32\""));
        assert!(!counted("\"192.0.2.53/32\", \"192.0.2.54/32\""));
    }

    #[test]
    fn a_check_that_a_reload_moves_keeps_what_its_probes_remember() {
        let former = read(&(check("a", "a. A") + &check("b", "b. A") + &check("c", "c. A")));
        let mut present = read(&(check("b", "b. A") + &check("a", "a. A") + &check("c", "changed. A")));
        let kept = HashMap::from([(id(0), id(1)), (id(1), id(0)), (id(2), id(2))]);
        keep_memory(&former, &mut present, &kept);
        let is_kept = |before, now| Arc::ptr_eq(&former[&id(before)].0, &present[&id(now)].0);
        assert!(is_kept(0, 1) && is_kept(1, 0), "moved");
        assert!(!is_kept(2, 2), "changed");
        let mut new = read(&check("a", "a. A"));
        keep_memory(&former, &mut new, &HashMap::new());
        assert!(!Arc::ptr_eq(&former[&id(0)].0, &new[&id(0)].0), "the engine began it anew");
    }
}
