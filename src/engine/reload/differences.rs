//! The changes of a service by a reload, for people.

use std::collections::HashSet;

use crate::engine::plan::Service;
use crate::exabgp::Route;

/// The keys and checks in which `plan` differs from `earlier`, and whether the announcements stay the same.
pub(super) fn differences(earlier: &Service, plan: &Service) -> String {
    // With an `announce` of several neighbors a prefix has as many routes.
    let prefixes = |service: &Service| {
        let mut known = HashSet::new();
        let of_each = service.routes.iter().map(|route| route.prefix);
        of_each.filter(|prefix| known.insert(*prefix)).collect::<Vec<_>>()
    };
    let same_prefixes = prefixes(earlier) == prefixes(plan);
    let mut different: Vec<_> = [
        ("name", earlier.name != plan.name),
        ("enabled", earlier.enabled != plan.enabled),
        ("prefixes", !same_prefixes),
        ("next-hop or neighbors", same_prefixes && earlier.routes != plan.routes),
        ("what its states advertise", earlier.ladders != plan.ladders),
        ("unknown-after", earlier.unknown_after != plan.unknown_after),
        ("recovery", earlier.recovery != plan.recovery),
        ("start", earlier.start != plan.start),
        ("disable-file", earlier.disable_file != plan.disable_file),
        ("dampening", earlier.dampening != plan.dampening),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(key, _)| key.to_owned())
    .collect();
    let others = plan.others.iter().filter(|other| !earlier.others.contains(other));
    different.extend(others.map(|(key, _)| (*key).to_owned()));
    different.extend(checks(earlier, plan));
    // Routes that ExaBGP cannot distinguish, with the same advertisement, stay until there is a new verdict.
    let kept = |route: &Route| plan.routes.contains(route);
    let is_kept = plan.enabled && earlier.ladders == plan.ladders && earlier.routes.iter().all(kept);
    let route = if earlier.routes.len() == 1 { "route" } else { "routes" };
    let end = if is_kept { format!("; {route} kept") } else { String::new() };
    format!("{}{end}", different.join(", "))
}

fn checks<'a>(earlier: &'a Service, plan: &'a Service) -> impl Iterator<Item = String> + 'a {
    let find = |service: &'a Service, name: &str| service.checks.iter().find(|check| check.name == name);
    let present = plan.checks.iter().filter_map(move |check| match find(earlier, &check.name) {
        None => Some(format!("new check {}", check.name)),
        Some(before) if before != check => Some(format!("check {}", check.name)),
        Some(_) => None,
    });
    let gone = earlier.checks.iter().filter(move |check| find(plan, &check.name).is_none());
    present.chain(gone.map(|check| format!("no more check {}", check.name)))
}
