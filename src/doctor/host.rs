//! Checks of the host: permissions, addresses, ways back to clients, reverse path filter, clock.

use std::collections::BTreeMap;

use super::facts::{Facts, HelperFact, Known, WayFact, known};
use super::finding::{Examined, Id};
use crate::outcome::{Cause, Outcome};
use crate::text::joined;

pub(super) fn access(facts: &Facts) -> Known<Examined> {
    let access = known(&facts.access)?;
    let mut examined = Examined::default();
    let user = &access.user;
    for denied in &access.denied {
        let path = denied.path.display();
        let restart = "restart ExaBGP when the host may be drained: a process keeps the groups that its user had at its start";
        match &denied.backend {
            None => examined.find(
                Id::DirectoryAccess,
                format!("user `{user}`, which runs the helper, cannot write to {path}"),
                if denied.is_granted {
                    restart
                } else {
                    "systemd-tmpfiles --create dnsherald.conf; for another user than `exabgp`, put a changed copy of \
                     /usr/lib/tmpfiles.d/dnsherald.conf into /etc/tmpfiles.d"
                },
            ),
            Some(backend) => {
                let remedy = match &denied.group {
                    _ if denied.is_granted => restart.to_owned(),
                    Some(group) => format!(
                        "in /etc/systemd/system/exabgp.service.d/dnsherald-{group}.conf: [Service] \
                         SupplementaryGroups={group}; then systemctl daemon-reload, and restart ExaBGP when the host may be \
                         drained"
                    ),
                    None => format!("let a group of `{user}` use {path}"),
                };
                examined.find(
                    Id::ControlAccess,
                    format!(
                        "user `{user}`, which runs the helper, cannot use {path}: the helper sees no counters of backend \
                         {backend}, and cannot reload or restart it"
                    ),
                    remedy,
                );
            }
        }
    }
    Ok(examined)
}

pub(super) fn addresses(facts: &Facts) -> Known<Examined> {
    facts.config_of_this_network()?;
    let mut examined = Examined::default();
    for address in &facts.addresses {
        match (&address.missing, &address.service) {
            (Ok(None), _) => {}
            (Err(why), _) => examined.skip(why.clone()),
            (Ok(Some(why)), Some(service)) => examined.find(
                Id::AddressMissing,
                format!("service {service}: {why}"),
                "`ip address add ADDRESS/32 dev lo` (/128 for IPv6), and the same in the configuration of the network; or \
                 `address = false` in the service if the server is in another network namespace",
            ),
            (Ok(Some(why)), None) => examined.find(
                Id::ManagementMissing,
                format!("{why}; no probe can be sent from there"),
                format!("correct `management` under [node] in {}", facts.config_path.display()),
            ),
        }
    }
    Ok(examined)
}

pub(super) fn ways(facts: &Facts) -> Known<Examined> {
    facts.config_of_this_network()?;
    let mut examined = Examined::default();
    // Services with the same fault share a finding.
    let mut found: BTreeMap<(&str, bool), Vec<String>> = BTreeMap::new();
    for way in &facts.ways {
        match &way.outcome {
            Outcome::Fail(failure) if matches!(failure.cause, Cause::NoRoute | Cause::LinkDown) => {
                let counts = !way.once_up || was_up(facts, way);
                found.entry((failure.detail.as_str(), counts)).or_default().push(way.service.clone());
            }
            Outcome::Unknown(failure) => examined.skip(failure.detail.clone()),
            // Other checks find the other causes.
            Outcome::Fail(_) | Outcome::Pass { .. } => {}
        }
    }
    for ((detail, counts), mut services) in found {
        services.dedup();
        let services = format!("service {}: {detail}", joined(services, ", "));
        if counts {
            examined.find(
                Id::NoRoute,
                format!("{services}: clients get no answer from here"),
                "`ip route` and `ip link` show what is missing: set the link up, or add the route (`ip route add default via \
                 ROUTER`), and the same in the configuration of the network",
            );
        } else {
            examined.find(
                Id::NoDefaultRoute,
                format!("{services}: clients beyond the routes of this host get no answer"),
                "`ip route add default via ROUTER`, and the same in the configuration of the network; if every client is in a \
                 network with a route of its own, name one in a `route` check of the service",
            );
        }
    }
    Ok(examined)
}

/// Whether the helper has seen this check pass since its start.
fn was_up(facts: &Facts, way: &WayFact) -> bool {
    let (Ok(HelperFact::Answers(document)), Some(name)) = (&facts.helper, &way.check) else { return false };
    let service = document.services.iter().find(|service| service.name == way.service);
    let check = service.and_then(|service| service.checks.iter().find(|check| check.name == *name));
    check.is_some_and(|check| check.severity.is_some() && !check.unproven)
}

pub(super) fn reverse_path(facts: &Facts) -> Known<Examined> {
    known(&facts.network)?;
    let mut examined = Examined::default();
    if let Some(why) = known(&facts.reverse_path)? {
        examined.find(
            Id::RpFilter,
            why.clone(),
            "sysctl -w net.ipv4.conf.INTERFACE.rp_filter=2, and the same in /etc/sysctl.d",
        );
    }
    Ok(examined)
}

pub(super) fn clock(facts: &Facts) -> Known<Examined> {
    let mut examined = Examined::default();
    if !*known(&facts.clock)? {
        examined.find(
            Id::Clock,
            "the clock is not synchronized: signatures seem expired (DNSSEC), and times in logs of several hosts do not \
             compare",
            "install chrony, or `timedatectl set-ntp true`; `timedatectl` shows the state",
        );
    }
    Ok(examined)
}
