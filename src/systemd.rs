//! What systemd says about this host and its units.
//!
//! Asking needs no privilege, takes some 10 ms, and can hang. `systemctl show` exits with status 0 for units that do not
//! exist, and prints properties in an order of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::program::{Ended, Program, run};
use crate::text::ordered;

const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Result,MainPID,NRestarts,InvocationID,CanReload,\
                          StateChangeTimestamp,ControlGroup,TimeoutStopUSec";

/// Limit for a question: systemd answers in milliseconds, unless it is itself in trouble.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// A unit, as `systemctl show` prints it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Unit {
    /// Its canonical name, which polkit rules need: `named.service` if asked for `bind9.service`.
    pub(crate) id: String,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub(crate) load_state: String,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`.
    pub(crate) active_state: String,
    /// Finer: `running`, `dead`, `auto-restart`.
    pub(crate) sub_state: String,
    /// Its last result: `success`, `exit-code`, `signal`, `watchdog`, `start-limit-hit`.
    pub(crate) result: String,
    /// The main process, while it runs.
    pub(crate) main_pid: Option<u32>,
    /// Number of automatic restarts.
    pub(crate) n_restarts: u32,
    /// A new one at every start.
    pub(crate) invocation_id: String,
    /// Whether the unit has a reload.
    pub(crate) can_reload: bool,
    /// Time of the last change of state, as systemd writes it.
    pub(crate) since: String,
    /// Its control group, below `/sys/fs/cgroup`.
    pub(crate) control_group: String,
    /// `TimeoutStopSec=`, as systemd writes it: `1min 30s`, `infinity`.
    #[serde(skip)]
    pub(crate) stop_timeout: String,
}

impl Unit {
    /// Reads lines of `Key=value` in any order. A missing property is empty.
    pub(crate) fn parse(text: &str) -> Self {
        let values: BTreeMap<_, _> = ordered(text.lines().filter_map(|line| line.split_once('=')));
        let value = |key| values.get(key).copied().unwrap_or_default().trim().to_owned();
        Self {
            id: value("Id"),
            load_state: value("LoadState"),
            active_state: value("ActiveState"),
            sub_state: value("SubState"),
            result: value("Result"),
            main_pid: value("MainPID").parse().ok().filter(|pid| *pid != 0),
            n_restarts: value("NRestarts").parse().unwrap_or_default(),
            invocation_id: value("InvocationID"),
            can_reload: value("CanReload") == "yes",
            since: value("StateChangeTimestamp"),
            control_group: value("ControlGroup"),
            stop_timeout: value("TimeoutStopUSec"),
        }
    }

    /// Whether systemd sees the server up. A hung server counts as up.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.active_state.as_str(), "active" | "reloading")
    }

    /// Whether it has no process, and is not about to start one.
    pub(crate) fn is_down(&self) -> bool {
        matches!(self.active_state.as_str(), "inactive" | "failed")
    }

    /// The control group of its processes, if it has any. It is correct for an alias of the unit, too.
    pub(crate) fn cgroup(&self) -> Option<&str> {
        Some(self.control_group.as_str()).filter(|path| path.len() > 1)
    }

    /// Whether it certainly does not run. systemd also calls an unknown or masked unit inactive; but then the configured
    /// name may be wrong, and the server be well.
    pub(crate) fn is_certainly_down(&self) -> bool {
        self.main_pid.is_none() && self.load_state == "loaded" && self.is_down()
    }

    /// Why it has no main process, as the end of a sentence that starts with the unit.
    pub(crate) fn without_process(&self) -> String {
        match self.load_state.as_str() {
            "loaded" => format!("is {} and has no main process", self.active_state),
            "not-found" => "is not known to systemd".to_owned(),
            "" => "has no state in the answer of systemctl".to_owned(),
            other => format!("is {other} and has no main process"),
        }
    }

    /// For people: `active (running)`, `failed (start-limit-hit)`, `not found`.
    pub(crate) fn words(&self) -> String {
        match self.load_state.as_str() {
            "not-found" => "not found".to_owned(),
            "masked" => "masked".to_owned(),
            _ if self.active_state == "failed" => format!("failed ({})", self.result),
            _ => format!("{} ({})", self.active_state, self.sub_state),
        }
    }
}

/// Whether systemd runs this host.
pub(crate) fn is_booted() -> bool {
    // As sd_booted(3) has it.
    Path::new("/run/systemd/system").is_dir()
}

/// Asks systemd about a unit. A unit that does not exist is no error, but has a state of its own.
///
/// # Errors
/// The result of `systemctl`, if it did not exit with status 0 within `limit`.
pub(crate) async fn ask(unit: &str, limit: Duration) -> Result<Unit, Ended> {
    properties(unit, PROPERTIES, limit).await.map(|text| Unit::parse(&text))
}

/// Properties of a unit, whose names are separated by commas, as lines of `Key=value`.
///
/// # Errors
/// The result of `systemctl`, if it did not exit with status 0 within `limit`.
pub(crate) async fn properties(unit: &str, names: &str, limit: Duration) -> Result<String, Ended> {
    systemctl(&["show", "-p", names, "--", unit], limit).await
}

/// The file of a unit with its drop-ins, as `systemctl cat` prints them.
///
/// # Errors
/// The result of `systemctl`, if it did not exit with status 0 within [`LIMIT`].
pub(crate) async fn unit_file(unit: &str) -> Result<String, Ended> {
    systemctl(&["cat", "--no-pager", "--", unit], LIMIT).await
}

/// Makes systemd read the files of all units again. That restarts no unit.
///
/// # Errors
/// The result of `systemctl`, if it did not exit with status 0 within [`LIMIT`].
pub(crate) async fn reload_unit_files() -> Result<(), Ended> {
    systemctl(&["daemon-reload"], LIMIT).await.map(drop)
}

/// What `systemctl` prints with these arguments.
async fn systemctl(arguments: &[&str], limit: Duration) -> Result<String, Ended> {
    let ended = run(&Program::new("systemctl", arguments), limit).await;
    if ended.succeeded() { Ok(ended.out) } else { Err(ended) }
}

/// The state of the whole system, as `systemctl is-system-running` prints it; empty if systemd does not answer.
pub(crate) async fn system_state() -> String {
    run(&Program::new("systemctl", &["is-system-running"]), LIMIT).await.out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_read_in_any_order() {
        let text = "MainPID=812\nSubState=running\nNRestarts=2\nTimeoutStopUSec=1min 30s\nControlGroup=/system.slice/unbound.service\n\
                    LoadState=loaded\nActiveState=active\nResult=success\nCanReload=yes\n\
                    InvocationID=5bb0e52e60dc4dd4a8c0e9d0a54b1a4f\nStateChangeTimestamp=Mon 2026-11-23 17:39:12 UTC\n";
        let unit = Unit::parse(text);
        assert_eq!(unit.words(), "active (running)");
        assert_eq!((unit.main_pid, unit.n_restarts, unit.can_reload), (Some(812), 2, true));
        assert_eq!(unit.control_group, "/system.slice/unbound.service");
        assert_eq!(unit.stop_timeout, "1min 30s");
        assert_eq!(unit.since, "Mon 2026-11-23 17:39:12 UTC");
        assert!(unit.is_active() && !unit.is_down());
    }

    #[test]
    fn a_unit_may_be_missing_masked_or_failed() {
        let words = |text| Unit::parse(text).words();
        assert_eq!(words("LoadState=not-found\nActiveState=inactive\nMainPID=0"), "not found");
        assert_eq!(words("LoadState=masked\nActiveState=inactive"), "masked");
        assert_eq!(
            words("LoadState=loaded\nActiveState=failed\nResult=start-limit-hit"),
            "failed (start-limit-hit)"
        );
        assert_eq!(Unit::parse("MainPID=0").main_pid, None);
        assert_eq!(Unit::parse("garbage\n=\nMainPID=x\n"), Unit::default());
    }

    fn unit(load: &str, active: &str, pid: u32) -> Unit {
        Unit::parse(&format!("MainPID={pid}\nActiveState={active}\nLoadState={load}\n"))
    }

    #[test]
    fn only_a_known_unit_is_certainly_down() {
        assert!(
            unit("loaded", "inactive", 0).is_certainly_down()
                && unit("loaded", "failed", 0).is_certainly_down()
        );
        for (load, active, pid) in [
            ("loaded", "active", 0),
            ("loaded", "activating", 0),
            ("loaded", "deactivating", 0),
            ("loaded", "active", 17),
            ("loaded", "failed", 17),
            ("not-found", "inactive", 0),
            ("masked", "inactive", 0),
        ] {
            assert!(!unit(load, active, pid).is_certainly_down(), "{load} {active} {pid}");
        }
        assert_eq!(unit("not-found", "inactive", 0).without_process(), "is not known to systemd");
    }
}
