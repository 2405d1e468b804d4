//! Options of `backend` and its subcommands.

use clap::{Args, Subcommand};

use super::{Helper, above_zero};
use crate::text::period::Period;

/// The subcommands of `backend`.
#[derive(Debug, Subcommand)]
pub(crate) enum Backend {
    /// Show the server's process, version, listeners, counters, the `zones` of its services, and the permissions that this
    /// user lacks
    ///
    /// The command asks the server through its own control channel. A server that does not answer within `timeout` of the
    /// backend is shown as hung. Run it as the user that ExaBGP runs as: "needs" lists the permissions that this user
    /// lacks. Exit status: 0 the server runs, 1 it is stopped, hung or in an unknown state, 78 bad configuration of
    /// dnsherald.
    Status(BackendStatus),
    /// Check the server's configuration on disk, without touching the server
    ///
    /// Exit status: 0 valid, or the backend has no command for the check, 1 invalid or not checked, such as without the tool
    /// of the server, 78 bad configuration of dnsherald.
    Check(OneBackend),
    /// Check the server's configuration, and if it is valid make the server read it again
    ///
    /// The command does not touch the server if its configuration is invalid. Exit status: 0 done; 1 not done, the server
    /// is stopped, hung or in an unknown state afterwards, it does not serve a zone of the services or one that it listed
    /// and served before, it serves an older version of one, or a check fails that did not fail before. If the reload before
    /// this one failed, or a restart whose drain stays, also 1 if a zone that the failed operation lost, or left older, is still so, if a
    /// check that the warning of a failed reload in `status` names still fails, or if another check takes a service down,
    /// unless it has `once-up` or only lacks an address. Checks here are the `dns` and `lookup` checks that ask this server.
    /// 78 bad configuration of dnsherald.
    Reload(BackendReload),
    /// Restart the server without losing a query: check, drain, restart, verify, return
    ///
    /// The command checks the configuration, withdraws the services, and waits until the server's own counters are quiet.
    /// After the restart it waits for the new process, the listeners, the zones and the checks before traffic returns: no check
    /// may take a service down, and none that passed before may degrade it. The old process must have exited. Interrupted at
    /// any moment, the command leaves either the old state or a drain: after a failure until `undrain`, after SIGKILL with an
    /// end. Exit status: 0 restarted, and the services are back, except those that dampening or another drain keeps
    /// withdrawn; 1 not touched; 3 left drained; 4 rolled back; 78 bad configuration of dnsherald.
    Restart(BackendRestart),
    /// Print the systemd drop-in that drains before a unit stops
    ///
    /// With the drop-in, `systemctl restart`, an upgrade or a shutdown drains the server before it stops. Traffic returns
    /// by itself once the checks pass.
    Hooks(Hooks),
    /// Drain and wait before the server stops; the drop-in runs this, and it always succeeds
    Stopping(UnitHooks),
    /// Let the services return when their checks pass; the drop-in runs this once the server is up
    Started(UnitHooks),
}

/// Options of `backend reload`.
#[derive(Args, Debug)]
pub(crate) struct BackendReload {
    #[command(flatten)]
    pub(crate) backend: OneBackend,
    /// A zone that no service names and that is not compared with before, since it was removed, or is older on purpose; may be
    /// repeated
    #[arg(long, value_name = "ZONE")]
    pub(crate) removed: Vec<String>,
}

/// Options of `backend restart`.
#[derive(Args, Debug)]
pub(crate) struct BackendRestart {
    #[command(flatten)]
    pub(crate) backend: OneBackend,
    /// Make the server read its configuration again, drained and verified as for a restart; `backend reload` does it without
    /// a drain
    #[arg(long, conflicts_with = "command")]
    pub(crate) reload: bool,
    /// Run this shell command while drained, such as an upgrade, instead of restarting
    ///
    /// The command runs to its end, however long it takes, unless `--limit` is given. The drain lasts as long as the
    /// command.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) command: Option<String>,
    /// End the command after this time, such as 30m: TERM to its process group, and KILL 10 seconds later
    #[arg(long, value_name = "TIME", requires = "command", value_parser = limit)]
    pub(crate) limit: Option<Period>,
    /// If the restart, the reload or the command fails, or the server does not recover, restore the configuration of the last
    /// good restart and restart the server once; neither --command nor --reload is repeated
    ///
    /// A check that failed before with the same cause is no reason, unless every service of the server was down before, or an
    /// earlier restart or reload may have broken what it asks.
    #[arg(long)]
    pub(crate) rollback: bool,
    /// A zone that no service names and that is not compared with before, since it was removed, or is older on purpose; may be
    /// repeated
    #[arg(long, value_name = "ZONE")]
    pub(crate) removed: Vec<String>,
    /// The reason, shown by `status`
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// No operator reads the result, as when the helper heals: a service may return as degraded, and a drain that a failure
    /// leaves ends once no check takes the service down
    #[arg(long)]
    pub(crate) unattended: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `backend hooks`.
#[derive(Args, Debug)]
pub(crate) struct Hooks {
    #[command(flatten)]
    pub(crate) unit: UnitHooks,
    /// Write the drop-in to /etc/systemd/system/UNIT.d/dnsherald.conf, and make systemd read it
    ///
    /// The command does not overwrite a file that it has not written.
    #[arg(long)]
    pub(crate) install: bool,
}

/// Options of `backend stopping` and `backend started`.
#[derive(Args, Debug)]
pub(crate) struct UnitHooks {
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// The unit, such as unbound.service
    #[arg(value_parser = unit)]
    pub(crate) unit: String,
}

/// Parses the name of a systemd service, and appends `.service` unless the name ends with it: the drop-in fits no other type.
/// The allowed characters are those of systemd.unit(5).
fn unit(text: &str) -> Result<String, String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    if text.is_empty() || text.starts_with('-') || !text.chars().all(is_allowed) {
        return Err(format!(
            "`{}` is not a unit name, expected a name such as unbound.service",
            text.escape_debug()
        ));
    }
    Ok(if text.ends_with(".service") { text.to_owned() } else { format!("{text}.service") })
}

fn limit(text: &str) -> Result<Period, String> {
    above_zero(text, "a limit of no time would end the command at its start")
}

/// Selects a backend.
#[derive(Args, Debug)]
pub(crate) struct OneBackend {
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// The backend, if there are several
    pub(crate) name: Option<String>,
}

/// Options of `backend status`.
#[derive(Args, Debug)]
pub(crate) struct BackendStatus {
    #[command(flatten)]
    pub(crate) backend: OneBackend,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
