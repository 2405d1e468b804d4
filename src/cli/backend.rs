//! Options of `backend` and its subcommands.

use std::str::FromStr;

use clap::{Args, Subcommand};

use super::Helper;
use crate::text::period::Period;

/// What to do with a backend.
#[derive(Debug, Subcommand)]
pub enum Backend {
    /// Show the server's process, version, listeners, counters, zones, and what this user may not see
    ///
    /// It is asked through its own control channel, within the time that the configuration gives it, so that a hung
    /// server is seen as such. Run it as the user that ExaBGP runs as: under "needs" it names what that user lacks.
    /// Exit status: 0 if the server runs, 1 if it is stopped or hung or nobody can tell, 78 if our configuration is bad.
    Status(BackendStatus),
    /// Check the server's configuration on disk; the server is not touched
    ///
    /// Exit status: 0 in order, or nothing can check it, 1 broken or not readable, 78 if our own configuration is bad.
    Check(OneBackend),
    /// Check the server's configuration, and if it is in order make the server read it again
    ///
    /// A broken configuration ends it before the server is touched. Exit status: 0 done, 1 not done, not running
    /// afterwards, or a zone is not served: one of the services, or one of the server's own list that was served before.
    /// 78 if our own configuration is bad.
    Reload(BackendReload),
    /// Restart the server without losing a query: check, drain, restart, verify, return
    ///
    /// The configuration is checked first. The services are withdrawn, and the server is left alone until its own
    /// counters say that it is quiet. Once it is back, its process, its listeners, its zones and every check are waited
    /// for before traffic returns. The process before has to have ended. Interrupted at any moment it leaves either the
    /// old state or a drain that expires.
    /// Exit status: 0 restarted and back, 1 not touched, 3 left drained, 4 rolled back, 78 if our own configuration is
    /// bad.
    Restart(BackendRestart),
    /// Print the systemd drop-in that drains before a unit stops, whoever stops it
    ///
    /// With it no `systemctl restart`, upgrade or shutdown stops the server while it attracts traffic, and traffic
    /// returns by itself once the checks pass.
    Hooks(Hooks),
    /// What the drop-in runs before the server stops: drains, waits, and always succeeds
    Stopping(UnitHooks),
    /// What the drop-in runs once the server is up: lets its services return when their checks pass
    Started(UnitHooks),
}

/// Options of `backend reload`.
#[derive(Args, Debug)]
pub struct BackendReload {
    /// Which one.
    #[command(flatten)]
    pub(crate) backend: OneBackend,
    /// A zone that the server need not serve afterwards, since it was removed from its configuration; may be repeated
    #[arg(long, value_name = "ZONE")]
    pub(crate) removed: Vec<String>,
}

/// Options of `backend restart`.
#[derive(Args, Debug)]
pub struct BackendRestart {
    /// Which one.
    #[command(flatten)]
    pub(crate) backend: OneBackend,
    /// Make the server read its configuration again, instead of restarting it
    #[arg(long, conflicts_with = "command")]
    pub(crate) reload: bool,
    /// Run this shell command while drained, instead of restarting: an upgrade, for instance
    ///
    /// It comes to its end, however long it takes, unless `--limit` is given. The drain lasts as long as the command.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) command: Option<String>,
    /// End the command after this time, such as 30m: TERM to its process group, and KILL 10 seconds later
    #[arg(long, value_name = "TIME", requires = "command")]
    pub(crate) limit: Option<Period>,
    /// If the server does not come back well, put the configuration of the last good restart back, and try once more
    #[arg(long)]
    pub(crate) rollback: bool,
    /// A zone that the server need not serve afterwards, since it was removed from its configuration; may be repeated
    #[arg(long, value_name = "ZONE")]
    pub(crate) removed: Vec<String>,
    /// Why, for whoever looks at the status
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Print JSON, once it is over
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `backend hooks`.
#[derive(Args, Debug)]
pub struct Hooks {
    /// Of which unit.
    #[command(flatten)]
    pub(crate) unit: UnitHooks,
    /// Write it to /etc/systemd/system/UNIT.d/dnsherald.conf, and have systemd read it
    ///
    /// A file there that is not ours is not overwritten.
    #[arg(long)]
    pub(crate) install: bool,
}

/// A unit.
#[derive(Args, Debug)]
pub struct UnitHooks {
    /// Which running helper.
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// The unit, such as unbound.service
    pub(crate) unit: Unit,
}

/// The name of a systemd unit, with its type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Unit(pub(crate) String);

impl FromStr for Unit {
    type Err = String;

    /// What has no type is a service, as for `systemctl`. Letters are those of systemd.unit(5).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        if text.is_empty() || text.starts_with('-') || !text.chars().all(is_of_a_name) {
            return Err(format!(
                "`{}` is no unit, expected a name such as unbound.service",
                text.escape_debug()
            ));
        }
        Ok(Self(if text.ends_with(".service") { text.to_owned() } else { format!("{text}.service") }))
    }
}

/// Which backend.
#[derive(Args, Debug)]
pub struct OneBackend {
    /// Which running helper.
    #[command(flatten)]
    pub(crate) helper: Helper,
    /// The backend, if there are several
    pub(crate) name: Option<String>,
}

/// Options of `backend status`.
#[derive(Args, Debug)]
pub struct BackendStatus {
    /// Which one.
    #[command(flatten)]
    pub(crate) backend: OneBackend,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
