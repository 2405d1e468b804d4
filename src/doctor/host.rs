//! Checks of the host: permissions, addresses, reverse path filter, clock.

use super::facts::{Facts, Known, known};
use super::finding::{Examined, Id};

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
    facts.usable_config()?;
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

pub(super) fn reverse_path(facts: &Facts) -> Known<Examined> {
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
