//! The server's systemd unit: what state it is in, and how it is restarted.
//!
//! `systemctl restart` is "stop, then start", and at the start limit it leaves the server stopped, with every later
//! start refused. So `reset-failed` goes first; how often one restarts is then a matter of whoever asks for it.
//! Reading a unit needs no privilege. `systemctl` exits with 0 for units that do not exist, and prints properties in
//! an order of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::run::{End, Ended, run};
use super::{Program, Trouble, privilege};

/// What a restart may take: the longest time to stop, and to start, of the units that Debian ships, but for Knot DNS
/// with its five minutes.
pub const RESTART_LIMIT: Duration = Duration::from_secs(200);

/// systemd answers in milliseconds, if it is not itself in trouble.
const LIMIT: Duration = Duration::from_secs(5);

const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Result,MainPID,NRestarts,InvocationID,CanReload,\
                          StateChangeTimestamp,ControlGroup";

/// Of what restarting a unit consists, as polkit is told.
pub const RESTART_VERBS: [&str; 2] = ["reset-failed", "restart"];

/// A unit, as `systemctl show` has it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Unit {
    /// Its canonical name, which is the one that polkit is told: `named.service`, though asked for `bind9.service`.
    pub id: String,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load_state: String,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`.
    pub active_state: String,
    /// Finer: `running`, `dead`, `auto-restart`.
    pub sub_state: String,
    /// How it ended last: `success`, `exit-code`, `signal`, `watchdog`, `start-limit-hit`.
    pub result: String,
    /// Of the server, while it runs.
    pub main_pid: Option<u32>,
    /// How often systemd has started it again by itself.
    pub n_restarts: u32,
    /// Another one at every start.
    pub invocation_id: String,
    /// Whether `systemctl reload` does anything.
    pub can_reload: bool,
    /// When the state changed last, as systemd writes it.
    pub since: String,
    /// Its control group, below `/sys/fs/cgroup`.
    pub control_group: String,
}

impl Unit {
    /// Reads lines of `Key=value` in any order; what is missing is empty.
    #[must_use]
    pub fn parse(text: &str) -> Self {
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
    pub fn is_active(&self) -> bool {
        matches!(self.active_state.as_str(), "active" | "reloading")
    }

    /// Whether there is no process of it, and none coming.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self.active_state.as_str(), "inactive" | "failed")
    }

    /// As a person would say it: `active (running)`, `failed (start-limit-hit)`, `not found`.
    #[must_use]
    pub fn words(&self) -> String {
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
pub fn is_booted() -> bool {
    // As sd_booted(3) has it.
    Path::new("/run/systemd/system").is_dir()
}

/// The state of a unit.
///
/// # Errors
/// Without systemd, and when it does not answer. A unit that does not exist is no error, but has a state of its own.
pub async fn show(unit: &str) -> Result<Unit, Trouble> {
    booted(unit)?;
    let program = Program::new("systemctl", &["show", "-p", PROPERTIES, "--", unit]);
    let ended = run(&program, LIMIT).await;
    if ended.succeeded() { Ok(Unit::parse(&ended.out)) } else { Err(refused(unit, "shown", &ended)) }
}

/// Restarts a unit and waits until it is up. Whatever comes of it, look at the state: after `limit` the restart goes
/// on without us.
///
/// # Errors
/// With the reason, and the remedy where a privilege is missing.
pub async fn restart(unit: &str, limit: Duration) -> Result<(), Trouble> {
    booted(unit)?;
    // It fails where the unit has never failed, or where it is not permitted; then so does the restart.
    run(&Program::new("systemctl", &["reset-failed", "--no-ask-password", "--", unit]), LIMIT).await;
    let ended = run(&restart_program(unit), limit).await;
    if ended.succeeded() {
        return Ok(());
    }
    let id = show(unit).await.map(|shown| shown.id).unwrap_or_default();
    Err(refused(if id.is_empty() { unit } else { &id }, "restarted", &ended))
}

/// What restarts a unit.
#[must_use]
pub fn restart_program(unit: &str) -> Program {
    Program::new("systemctl", &["restart", "--no-ask-password", "--", unit])
}

/// # Errors
/// Unless systemd runs this host, so that it can be asked about a unit.
pub(super) fn booted(unit: &str) -> Result<(), Trouble> {
    if is_booted() {
        return Ok(());
    }
    Err(Trouble::with(
        format!("unit {unit}: systemd does not run this host"),
        "say how the server is handled here, with `restart`, `status` and `pid-file` in its [backend] table",
    )
    .untouched())
}

/// What `systemctl` complained about.
fn refused(unit: &str, done: &str, ended: &Ended) -> Trouble {
    let why = |what: &str| format!("unit {unit} cannot be {done}: {what}");
    if ended.end == End::Missing {
        return Trouble::new(why("there is no systemctl")).untouched();
    }
    if ended.is_late() {
        return Trouble::with(
            why(&ended.to_string()),
            format!(
                "systemd is still at it; see: systemctl status {unit}; for a server that hangs: systemctl kill -s KILL {unit}"
            ),
        );
    }
    let denied =
        ["interactive authentication required", "access denied", "not authorized", "permission denied"];
    if denied.into_iter().any(|words| ended.says(words)) {
        return Trouble::with(why("not permitted"), privilege::polkit(unit, &RESTART_VERBS)).untouched();
    }
    if ended.says("is masked") {
        return Trouble::with(
            why("it is masked"),
            format!("name the unit that runs here with `unit`, or: systemctl unmask {unit}"),
        )
        .untouched();
    }
    if ended.says("not found") || ended.says("not loaded") {
        return Trouble::with(
            why("there is no such unit"),
            "name the one that runs here with `unit`; see: systemctl list-units --type=service",
        )
        .untouched();
    }
    Trouble::with(why(&ended.to_string()), format!("see: journalctl -u {unit} -n 50"))
}

#[cfg(test)]
mod tests;
