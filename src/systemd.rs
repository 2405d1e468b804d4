//! What systemd says of this host and its units.
//!
//! Asking needs no privilege, takes some 10 ms, and can hang. `systemctl show` exits with 0 for units that do not exist,
//! and prints properties in an order of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::backend::Program;
use crate::backend::run::{Ended, run};

const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Result,MainPID,NRestarts,InvocationID,CanReload,\
                          StateChangeTimestamp,ControlGroup";

/// A unit, as `systemctl show` has it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Unit {
    /// Its canonical name, which is the one that polkit is told: `named.service`, though asked for `bind9.service`.
    pub(crate) id: String,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub(crate) load_state: String,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`.
    pub(crate) active_state: String,
    /// Finer: `running`, `dead`, `auto-restart`.
    pub(crate) sub_state: String,
    /// How it ended last: `success`, `exit-code`, `signal`, `watchdog`, `start-limit-hit`.
    pub(crate) result: String,
    /// Of the server, while it runs.
    pub(crate) main_pid: Option<u32>,
    /// How often systemd has started it again by itself.
    pub(crate) n_restarts: u32,
    /// Another one at every start.
    pub(crate) invocation_id: String,
    /// Whether `systemctl reload` does anything.
    pub(crate) can_reload: bool,
    /// When the state changed last, as systemd writes it.
    pub(crate) since: String,
    /// Its control group, below `/sys/fs/cgroup`.
    pub(crate) control_group: String,
}

impl Unit {
    /// Reads lines of `Key=value` in any order; what is missing is empty.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Self {
        let values: BTreeMap<_, _> = text.lines().filter_map(|line| line.split_once('=')).collect();
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
        }
    }

    /// Whether the server is up, as systemd sees it; a hung one is.
    #[must_use]
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.active_state.as_str(), "active" | "reloading")
    }

    /// Whether there is no process of it, and none coming.
    #[must_use]
    pub(crate) fn is_down(&self) -> bool {
        matches!(self.active_state.as_str(), "inactive" | "failed")
    }

    /// Where its processes are, if it has any. Also where the unit was asked for by an alias.
    #[must_use]
    pub(crate) fn cgroup(&self) -> Option<&str> {
        Some(self.control_group.as_str()).filter(|path| path.len() > 1)
    }

    /// Whether it surely does not run. Of a unit that it does not know, or that is masked, systemd says that it is
    /// inactive, too; but then the unit's name may be wrong, and the server be well.
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        self.main_pid.is_none() && self.load_state == "loaded" && self.is_down()
    }

    /// Why it has no main process, as the end of a sentence that begins with the unit.
    #[must_use]
    pub(crate) fn without_process(&self) -> String {
        match self.load_state.as_str() {
            "loaded" => format!("is {} and has no main process", self.active_state),
            "not-found" => "is not known to systemd".to_owned(),
            "" => "is nothing that systemd says anything of".to_owned(),
            other => format!("is {other} and has no main process"),
        }
    }

    /// As a person would say it: `active (running)`, `failed (start-limit-hit)`, `not found`.
    #[must_use]
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
#[must_use]
pub(crate) fn is_booted() -> bool {
    // As sd_booted(3) has it.
    Path::new("/run/systemd/system").is_dir()
}

/// Asks systemd about a unit. One that does not exist is no error, but has a state of its own.
///
/// # Errors
/// What became of `systemctl` where it has not exited with 0 within `limit`.
pub(crate) async fn ask(unit: &str, limit: Duration) -> Result<Unit, Ended> {
    let ended = run(&Program::new("systemctl", &["show", "-p", PROPERTIES, "--", unit]), limit).await;
    if ended.succeeded() { Ok(Unit::parse(&ended.out)) } else { Err(ended) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_read_in_any_order() {
        let text = "MainPID=812\nSubState=running\nNRestarts=2\nControlGroup=/system.slice/unbound.service\n\
                    LoadState=loaded\nActiveState=active\nResult=success\nCanReload=yes\n\
                    InvocationID=5bb0e52e60dc4dd4a8c0e9d0a54b1a4f\nStateChangeTimestamp=Mon 2026-11-23 17:39:12 UTC\n";
        let unit = Unit::parse(text);
        assert_eq!(unit.words(), "active (running)");
        assert_eq!((unit.main_pid, unit.n_restarts, unit.can_reload), (Some(812), 2, true));
        assert_eq!(unit.control_group, "/system.slice/unbound.service");
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
    fn only_a_known_unit_that_does_not_run_is_over() {
        assert!(unit("loaded", "inactive", 0).is_over() && unit("loaded", "failed", 0).is_over());
        for (load, active, pid) in [
            ("loaded", "active", 0),
            ("loaded", "activating", 0),
            ("loaded", "deactivating", 0),
            ("loaded", "active", 17),
            ("loaded", "failed", 17),
            ("not-found", "inactive", 0),
            ("masked", "inactive", 0),
        ] {
            assert!(!unit(load, active, pid).is_over(), "{load} {active} {pid}");
        }
        assert_eq!(unit("not-found", "inactive", 0).without_process(), "is not known to systemd");
    }
}
