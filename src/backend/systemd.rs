//! The server's systemd unit: restarts it, and names the remedy if systemd refuses.
//!
//! `systemctl restart` stops, then starts. At the start limit it leaves the server stopped and refuses every later
//! start. So `reset-failed` runs first; the caller limits how often it restarts.

use std::time::Duration;

use super::{Trouble, privilege};
use crate::program::{End, Ended, Program, run};
use crate::systemd::{LIMIT, Unit, ask, is_booted};

/// Timeout of a restart: the longest stop and start times of Debian's units, except the five minutes of Knot DNS.
pub(crate) const RESTART_LIMIT: Duration = Duration::from_secs(200);

/// The verbs of a restart, as polkit knows them.
pub(crate) const RESTART_VERBS: [&str; 2] = ["reset-failed", "restart"];

/// What `systemctl` prints if the user may not do it.
const DENIED: [&str; 4] =
    ["interactive authentication required", "access denied", "not authorized", "permission denied"];

/// The state of a unit.
///
/// # Errors
/// If systemd does not run this host or does not answer. A unit that does not exist is no error; its state says so.
pub(crate) async fn show(unit: &str) -> Result<Unit, Trouble> {
    booted(unit)?;
    ask(unit, LIMIT).await.map_err(|ended| refused(unit, "shown", &ended))
}

/// Restarts a unit and waits until it is up, for at most `limit`; after that the restart goes on without us. Look at
/// the state of the unit in either case.
///
/// # Errors
/// Returns the reason, and the remedy if a privilege is missing.
pub(crate) async fn restart(unit: &str, limit: Duration) -> Result<(), Trouble> {
    booted(unit)?;
    // This fails if the unit has never failed, or if it is not permitted. The restart reports the latter.
    run(&Program::new("systemctl", &["reset-failed", "--no-ask-password", "--", unit]), LIMIT).await;
    let ended = run(&restart_program(unit), limit).await;
    if ended.succeeded() {
        return Ok(());
    }
    let id = show(unit).await.map(|shown| shown.id).unwrap_or_default();
    Err(refused(if id.is_empty() { unit } else { &id }, "restarted", &ended))
}

/// The command that restarts a unit.
pub(crate) fn restart_program(unit: &str) -> Program {
    Program::new("systemctl", &["restart", "--no-ask-password", "--", unit])
}

/// # Errors
/// If systemd does not run this host.
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

/// The error that `systemctl` reported, with its remedy.
fn refused(unit: &str, done: &str, ended: &Ended) -> Trouble {
    let trouble =
        |why: &str, remedy: String| Trouble::with(format!("unit {unit} cannot be {done}: {why}"), remedy);
    if ended.is_late() {
        let remedy = format!(
            "systemd is still at it; see: systemctl status {unit}; for a server that hangs: systemctl kill -s KILL {unit}"
        );
        return trouble(&ended.to_string(), remedy);
    }
    let prints = |words: &[&str]| words.iter().any(|words| ended.prints(words));
    let (why, remedy) = if ended.end == End::Missing {
        ("there is no systemctl", String::new())
    } else if prints(&DENIED) {
        ("not permitted", privilege::polkit(unit, &RESTART_VERBS))
    } else if prints(&["is masked"]) {
        let remedy = format!("name the unit that runs here with `unit`, or: systemctl unmask {unit}");
        ("it is masked", remedy)
    } else if prints(&["not found", "not loaded"]) {
        let remedy = "name the one that runs here with `unit`; see: systemctl list-units --type=service";
        ("there is no such unit", remedy.to_owned())
    } else {
        return trouble(&ended.to_string(), format!("see: journalctl -u {unit} -n 50"));
    };
    trouble(why, remedy).untouched()
}

#[cfg(test)]
mod tests;
