//! Checks of the units of systemd and their drop-ins.

use std::time::Duration;

use super::facts::{Facts, Known, UnitFact, known};
use super::finding::{Examined, Id};
use crate::backend::hooks::StopTime;
use crate::text::period::Period;

/// The name of the drop-ins of dnsherald.
const NAME: &str = "/dnsherald.conf";

impl UnitFact {
    fn drop_in(&self) -> Option<&str> {
        self.drop_ins.split_whitespace().find(|path| path.ends_with(NAME))
    }

    /// The drop-ins that systemd reads after that of dnsherald.
    fn later(&self) -> Vec<&str> {
        self.drop_ins.split_whitespace().skip_while(|path| !path.ends_with(NAME)).skip(1).collect()
    }

    /// Tells what is `lost` of the drop-in of dnsherald. `install` writes it anew.
    fn overridden(&self, lost: &str, install: &str, examined: &mut Examined) {
        let (name, later) = (&self.name, self.later());
        let (who, remedy) = match self.drop_in() {
            Some(path) if !later.is_empty() => (
                format!("another drop-in of {name} ({}) overrides {path}", later.join(", ")),
                format!(
                    "remove the lines that override it, which `systemctl cat {name}` shows, then systemctl daemon-reload"
                ),
            ),
            Some(path) => (format!("{path} lacks lines of the drop-in of dnsherald"), install.to_owned()),
            None => (format!("{name} lacks lines of the drop-in of dnsherald"), install.to_owned()),
        };
        examined.find(Id::DropInOverridden, format!("{who}: {lost}"), remedy);
    }

    /// Finds a time limit of the commands that stop it that is shorter than this drain.
    fn short_stop(&self, longest: Duration, remedy: impl FnOnce(String) -> String, examined: &mut Examined) {
        if let Some(stop @ StopTime::Within(limit)) = StopTime::read(&self.stop_timeout)
            && limit < longest
        {
            let (name, drain, limit) = (&self.name, Period(longest), Period(limit));
            let what = format!(
                "{name}: a drain may take {drain}, and systemd ends it after {limit} (`TimeoutStopSec=`)"
            );
            examined.find(
                Id::StopTimeout,
                what,
                remedy(format!("TimeoutStopSec={}", stop.at_least(longest))),
            );
        }
    }
}

pub(super) fn exabgp(facts: &Facts) -> Known<Examined> {
    let unit = loaded(&facts.exabgp_unit)?;
    let (mut examined, name) = (Examined::default(), &unit.name);
    stale(unit, &mut examined);
    let drains = unit.exec_stop.contains("dnsherald drain");
    let watchdog =
        unit.environment.split_whitespace().find_map(|word| word.strip_prefix("DNSHERALD_WATCHDOG="));
    // The drop-in of dnsherald sets no time limit: the default of systemd suffices unless a `max-wait` is longer.
    if let Some(longest) = facts.backends.iter().map(|backend| backend.longest_drain).max().filter(|_| drains)
    {
        let remedy = |line| {
            format!("write `{line}` in a drop-in of {name} (`systemctl edit {name}`, below `[Service]`)")
        };
        unit.short_stop(longest, remedy, &mut examined);
    }
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
        return Ok(examined);
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
    if !lost.is_empty() {
        let install = format!(
            "install systemd/exabgp.service.d/dnsherald.conf as {path}, then systemctl daemon-reload"
        );
        unit.overridden(&lost.join("; "), &install, &mut examined);
    }
    Ok(examined)
}

pub(super) fn backends(facts: &Facts) -> Known<Examined> {
    facts.usable_config()?;
    let mut examined = Examined::default();
    for backend in &facts.backends {
        let unit = match backend.unit.as_ref().map(loaded) {
            None => continue,
            Some(Ok(unit)) => unit,
            Some(Err(why)) => {
                examined.skip(why);
                continue;
            }
        };
        let name = &unit.name;
        stale(unit, &mut examined);
        let (stops, starts) =
            (unit.exec_stop.contains("backend stopping"), unit.exec_start_post.contains("backend started"));
        let install = format!("`dnsherald backend hooks {name} --install`");
        if stops {
            let remedy = |line| match unit.later().as_slice() {
                [] => format!("{install} writes `{line}`"),
                later => format!(
                    "remove `TimeoutStopSec=` from {}, then {install} writes `{line}`",
                    later.join(", ")
                ),
            };
            unit.short_stop(backend.longest_drain, remedy, &mut examined);
        }
        match unit.drop_in() {
            _ if stops && starts => {}
            None if !stops && !starts => examined.find(
                Id::DropInMissing,
                format!("{name} has no drop-in of dnsherald: a stop or an upgrade of its package does not drain first"),
                format!("{install}, or write its output to /etc/systemd/system/{name}.d{NAME}"),
            ),
            _ => {
                let lost = match (stops, starts) {
                    (false, false) => "it neither drains before a stop nor ends the drain after a start",
                    (false, true) => "it does not drain before a stop (`ExecStop=`)",
                    _ => "it does not end the drain after a start (`ExecStartPost=`)",
                };
                unit.overridden(lost, &install, &mut examined);
            }
        }
    }
    Ok(examined)
}

/// The unit, if systemd has loaded it; else the reason why it is not judged.
fn loaded(unit: &Known<UnitFact>) -> Known<&UnitFact> {
    let unit = known(unit)?;
    if unit.load_state == "loaded" { Ok(unit) } else { Err(format!("{} is not loaded", unit.name)) }
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
