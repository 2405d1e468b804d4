//! Checks of the host: permissions, addresses, reverse path filter, clock.

use super::facts::Facts;
use super::finding::{Examined, Id};

pub(super) fn access(facts: &Facts) -> Examined {
    let access = match &facts.access {
        Ok(access) => access,
        Err(why) => return Examined::not(why.clone()),
    };
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
    examined
}

pub(super) fn addresses(facts: &Facts) -> Examined {
    let mut examined = Examined::with(facts.usable_config());
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
    examined
}

pub(super) fn reverse_path(facts: &Facts) -> Examined {
    let mut examined = Examined::default();
    match &facts.reverse_path {
        Err(why) => examined.skip(why.clone()),
        Ok(None) => {}
        Ok(Some(why)) => examined.find(
            Id::RpFilter,
            why.clone(),
            "sysctl -w net.ipv4.conf.INTERFACE.rp_filter=2, and the same in /etc/sysctl.d",
        ),
    }
    examined
}

pub(super) fn clock(facts: &Facts) -> Examined {
    let mut examined = Examined::default();
    match &facts.clock {
        Err(why) => examined.skip(why.clone()),
        Ok(true) => {}
        Ok(false) => examined.find(
            Id::Clock,
            "the clock is not synchronized: signatures seem expired (DNSSEC), and times in logs of several hosts do not \
             compare",
            "install chrony, or `timedatectl set-ntp true`; `timedatectl` shows the state",
        ),
    }
    examined
}
