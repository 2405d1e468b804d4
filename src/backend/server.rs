//! A backend of this host: the facts of its driver with the settings of the configuration.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::channel::Request;
use super::rate_limit::Commands;
use super::{Driver, Facts, Kind, Program};
use crate::engine::drain::Holder;
use crate::process::ProcessSource;
use crate::systemd::is_booted;

mod actions;
mod questions;

/// A stock DNS server with its commands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Backend {
    /// Its unique name: ASCII letters, digits, `.`, `_` and `-`: it is part of paths and holders.
    pub(crate) name: String,
    /// The holder of the drain during its restart.
    pub(crate) holder: Holder,
    pub(crate) kind: Kind,
    /// Its systemd unit; present for every kind except `generic`.
    pub(crate) unit: Option<String>,
    /// Its pid file; an absolute path.
    pub(crate) pid_file: Option<PathBuf>,
    /// Its main configuration file; an absolute path.
    pub(crate) config_file: Option<PathBuf>,
    /// The command that checks its configuration.
    pub(crate) config_check: Option<Program>,
    /// The steps that reload its configuration, in order; empty if it has no reload.
    pub(crate) reload: Vec<Step>,
    /// How it is restarted.
    pub(crate) restart: Restart,
    /// The request for its status.
    pub(crate) status: Option<Request>,
    /// The request for its version.
    pub(crate) version: Option<Request>,
    /// The request for the number of queries since its start.
    pub(crate) counters: Option<Request>,
    /// The request for its configured zones.
    pub(crate) zone_list: Option<Request>,
    /// The commands that print its rate limit.
    pub(crate) rate_limit_commands: Commands,
    /// Timeout of a control command.
    pub(crate) timeout: Duration,
    /// Timeout of the configuration check, which may load every zone.
    pub(crate) config_check_timeout: Duration,
    /// When it counts as drained.
    pub(crate) quiet: Quiet,
    /// Timeout after a restart for its process, listeners, zones and first good answer.
    pub(crate) start_timeout: Duration,
    /// Whether and how often the helper restarts it on its own.
    pub(crate) heal: Option<Heal>,
}

/// One step of a reload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Step {
    pub(crate) first: Program,
    /// The command if the server does not know the first one.
    pub(crate) otherwise: Option<Program>,
}

/// The result of a configuration check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Checked {
    /// The configuration is valid, except for the faults in [`super::Facts::unseen`].
    Valid,
    /// No program can check it.
    Unchecked,
}

/// How a server is restarted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Restart {
    /// By systemd.
    Unit(String),
    /// By a program of the operator.
    Program(Program),
}

/// When a server counts as drained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quiet {
    /// Fewer queries per second than this, at least 1.
    pub(crate) below: NonZeroU32,
    /// For this time.
    pub(crate) lasting: Duration,
    /// The longest wait.
    pub(crate) max_wait: Duration,
    /// The wait if there are no counters.
    pub(crate) settle: Duration,
}

impl Quiet {
    /// The longest possible wait, with counters or without.
    pub(crate) fn longest(&self) -> Duration {
        self.max_wait.max(self.settle)
    }
}

/// The limits of restarts by the helper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heal {
    /// The server has been down or hung for this time.
    pub(crate) after: Duration,
    /// Maximum number of restarts within `per`.
    pub(crate) at_most: NonZeroU32,
    /// The time in which restarts are counted.
    pub(crate) per: Duration,
}

impl Backend {
    pub(crate) fn driver(&self) -> &'static dyn Driver {
        self.kind.driver()
    }

    /// The facts that are known without asking the server.
    pub(crate) fn facts(&self) -> &'static Facts {
        self.driver().facts()
    }

    /// Where to find its main process; `None` if neither a pid file nor a unit is known. Without systemd the unit is
    /// ignored: it would contradict the pid file.
    pub(crate) fn process_source(&self) -> Option<ProcessSource> {
        let unit = self.unit.clone().filter(|_| self.pid_file.is_none() || is_booted());
        ProcessSource::new(self.pid_file.clone(), unit).ok()
    }
}
