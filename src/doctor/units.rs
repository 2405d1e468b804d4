//! Checks of the units of systemd and their drop-ins.

use std::time::Duration;

use super::facts::{Facts, UnitFact};
use super::finding::{Examined, Id};
use crate::backend::hooks::StopTime;
use crate::text::period::Period;

/// The name of the drop-ins of dnsherald.
const NAME: &str = "/dnsherald.conf";

impl UnitFact {
    fn drop_in(&self) -> Option<&str> {
        self.drop_ins.split_whitespace().find(|path| path.ends_with(NAME))
    }
}

pub(super) fn exabgp(facts: &Facts) -> Examined {
    let unit = match &facts.exabgp_unit {
        Ok(unit) if unit.load_state == "loaded" => unit,
        Ok(unit) => return Examined::not(format!("{} is not loaded", unit.name)),
        Err(why) => return Examined::not(why.clone()),
    };
    let (mut examined, name) = (Examined::default(), &unit.name);
    stale(unit, &mut examined);
    let drains = unit.exec_stop.contains("dnsherald drain");
    let watchdog =
        unit.environment.split_whitespace().find_map(|word| word.strip_prefix("DNSHERALD_WATCHDOG="));
    let Some(path) = unit.drop_in() else {
        if !drains {
            examined.find(
                Id::DropInMissing,
                format!(
                    "{name} has no drop-in of dnsherald: a stop of ExaBGP does not drain first, and no watchdog ends a hung \
                     helper"
                ),
                format!("install systemd/exabgp.service.d/dnsherald.conf in /etc/systemd/system/{name}.d, then systemctl daemon-reload"),
            );
        }
        return examined;
    };
    let mut lost = vec![];
    if !drains {
        lost.push("a stop does not drain first (`ExecStop=`)");
    }
    match watchdog {
        None => lost.push("there is no watchdog (`DNSHERALD_WATCHDOG=`)"),
        Some("0" | "0s") => {}
        Some(_) if unit.notify_access != "all" => {
            lost.push("systemd ignores the watchdog messages of the helper (`NotifyAccess=all`)");
        }
        Some(_) => {}
    }
    let longest = facts.backends.iter().map(|backend| backend.longest_drain).max();
    let limit = longest.filter(|_| drains).and_then(|longest| limit(unit, longest));
    lost.extend(limit.as_deref());
    if !lost.is_empty() {
        examined.find(
            Id::DropInOverridden,
            format!("{name} has {path}, and something overrides it: {}", lost.join("; ")),
            format!("`systemctl cat {name}` shows which file does; remove the lines there, then systemctl daemon-reload"),
        );
    }
    examined
}

/// Says so if the time limit of the commands that stop a unit is shorter than a drain.
fn limit(unit: &UnitFact, longest: Duration) -> Option<String> {
    match StopTime::read(&unit.stop_timeout) {
        Some(StopTime::Within(limit)) if limit < longest => Some(format!(
            "a drain may take {}, and is ended after {} (`TimeoutStopSec=`)",
            Period(longest),
            Period(limit)
        )),
        _ => None,
    }
}

pub(super) fn backends(facts: &Facts) -> Examined {
    let mut examined = Examined::with(facts.usable_config());
    for backend in &facts.backends {
        let unit = match &backend.unit {
            None => continue,
            Some(Ok(unit)) if unit.load_state == "loaded" => unit,
            Some(Ok(unit)) => {
                examined.skip(format!("{} is not loaded", unit.name));
                continue;
            }
            Some(Err(why)) => {
                examined.skip(why.clone());
                continue;
            }
        };
        let name = &unit.name;
        stale(unit, &mut examined);
        let (stops, starts) =
            (unit.exec_stop.contains("backend stopping"), unit.exec_start_post.contains("backend started"));
        let limit = limit(unit, backend.longest_drain);
        match unit.drop_in() {
            _ if stops && starts && limit.is_none() => {}
            None if !stops && !starts => examined.find(
                Id::DropInMissing,
                format!("{name} has no drop-in of dnsherald: a stop or an upgrade of its package does not drain first"),
                format!("`dnsherald backend hooks {name} --install`, or write its output to /etc/systemd/system/{name}.d{NAME}"),
            ),
            _ => {
                let lost = match (stops, starts) {
                    (true, true) => limit.as_deref().unwrap_or_default(),
                    (false, false) => "it neither drains before a stop nor ends the drain after a start",
                    (false, true) => "it does not drain before a stop (`ExecStop=`)",
                    _ => "it does not end the drain after a start (`ExecStartPost=`)",
                };
                examined.find(
                    Id::DropInOverridden,
                    format!("something overrides the drop-in of dnsherald for {name}: {lost}"),
                    format!(
                        "`systemctl cat {name}` shows which file does; remove the lines there, then `dnsherald backend hooks \
                         {name} --install`, or systemctl daemon-reload"
                    ),
                );
            }
        }
    }
    examined
}

fn stale(unit: &UnitFact, examined: &mut Examined) {
    if unit.is_stale {
        examined.find(
            Id::DaemonReload,
            format!("the files of {} changed since systemd read them", unit.name),
            "systemctl daemon-reload",
        );
    }
}
