//! The server's systemd unit: how it is restarted, and what to do where systemd refuses.
//!
//! `systemctl restart` is "stop, then start", and at the start limit it leaves the server stopped, with every later
//! start refused. So `reset-failed` goes first; how often one restarts is then a matter of whoever asks for it.

use std::time::Duration;

use super::run::{End, Ended, run};
use super::{Program, Trouble, privilege};
use crate::systemd::{Unit, ask, is_booted};

/// What a restart may take: the longest time to stop, and to start, of the units that Debian ships, but for Knot DNS
/// with its five minutes.
pub(crate) const RESTART_LIMIT: Duration = Duration::from_secs(200);

/// systemd answers in milliseconds, if it is not itself in trouble.
const LIMIT: Duration = Duration::from_secs(5);

/// Of what restarting a unit consists, as polkit is told.
pub(crate) const RESTART_VERBS: [&str; 2] = ["reset-failed", "restart"];

/// The state of a unit.
///
/// # Errors
/// Without systemd, and when it does not answer. A unit that does not exist is no error, but has a state of its own.
pub(crate) async fn show(unit: &str) -> Result<Unit, Trouble> {
    booted(unit)?;
    ask(unit, LIMIT).await.map_err(|ended| refused(unit, "shown", &ended))
}

/// Restarts a unit and waits until it is up. Whatever comes of it, look at the state: after `limit` the restart goes
/// on without us.
///
/// # Errors
/// With the reason, and the remedy where a privilege is missing.
pub(crate) async fn restart(unit: &str, limit: Duration) -> Result<(), Trouble> {
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
pub(crate) fn restart_program(unit: &str) -> Program {
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
