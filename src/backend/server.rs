//! A backend of this host: what its driver knows, joined with what the configuration says.

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

/// A stock DNS server, with every command that is run for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Backend {
    /// Unique; letters, digits, `.`, `_` and `-` of ASCII, so that it may stand in a path and in a holder.
    pub(crate) name: String,
    /// In whose name its restart drains.
    pub(crate) holder: Holder,
    /// Which server it is.
    pub(crate) kind: Kind,
    /// Its systemd unit; there for every kind but `generic`.
    pub(crate) unit: Option<String>,
    /// Where its process number is written; absolute.
    pub(crate) pid_file: Option<PathBuf>,
    /// Its main configuration file; absolute.
    pub(crate) config_file: Option<PathBuf>,
    /// Checks its configuration.
    pub(crate) config_check: Option<Program>,
    /// Reloads its configuration, one step after the other; empty where there is no such thing.
    pub(crate) reload: Vec<Step>,
    /// How it is restarted.
    pub(crate) restart: Restart,
    /// Asked for its status.
    pub(crate) status: Option<Request>,
    /// Asked for its version.
    pub(crate) version: Option<Request>,
    /// Asked how many queries came since it was started.
    pub(crate) counters: Option<Request>,
    /// Asked which zones it is configured with.
    pub(crate) zone_list: Option<Request>,
    /// Print whether it limits the rate of its answers.
    pub(crate) rate_limit_commands: Commands,
    /// How long a control command may take.
    pub(crate) timeout: Duration,
    /// How long the check of the configuration may take, which may load every zone.
    pub(crate) config_check_timeout: Duration,
    /// When it counts as drained.
    pub(crate) quiet: Quiet,
    /// How long after a restart its process, its listeners, its zones and its first good answer are waited for.
    pub(crate) start_timeout: Duration,
    /// Whether, and how often, it is restarted without being asked.
    pub(crate) heal: Option<Heal>,
}

/// One step of a reload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Step {
    /// What is tried first.
    pub(crate) first: Program,
    /// What is tried where the server does not know the first.
    pub(crate) otherwise: Option<Program>,
}

/// What a check of the configuration proved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Checked {
    /// It is in order, but for what [`super::Facts::unseen`] says.
    Valid,
    /// Nothing can check it.
    Unchecked,
}

/// How a server is restarted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Restart {
    /// By systemd.
    Unit(String),
    /// By a program of the operator's.
    Program(Program),
}

/// When a server counts as drained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quiet {
    /// Fewer queries per second than this, from 1 on.
    pub(crate) below: NonZeroU32,
    /// For so long.
    pub(crate) lasting: Duration,
    /// But waited for no longer than this.
    pub(crate) max_wait: Duration,
    /// Waited where there are no counters.
    pub(crate) settle: Duration,
}

impl Quiet {
    /// The longest it can be waited for, with counters or without.
    #[must_use]
    pub(crate) fn longest(&self) -> Duration {
        self.max_wait.max(self.settle)
    }
}

/// When a server is restarted without being asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heal {
    /// It has been down or hung for so long.
    pub(crate) after: Duration,
    /// And has not been restarted so often.
    pub(crate) at_most: NonZeroU32,
    /// Within this time.
    pub(crate) per: Duration,
}

impl Backend {
    /// What knows it.
    #[must_use]
    pub(crate) fn driver(&self) -> &'static dyn Driver {
        self.kind.driver()
    }

    /// What is known of it without asking.
    #[must_use]
    pub(crate) fn facts(&self) -> &'static Facts {
        self.driver().facts()
    }

    /// Where its main process is to be found; none where neither a pid file nor a unit is known. Without systemd a unit
    /// says nothing, and would only contradict the pid file.
    #[must_use]
    pub(crate) fn process_source(&self) -> Option<ProcessSource> {
        let unit = self.unit.clone().filter(|_| self.pid_file.is_none() || is_booted());
        ProcessSource::new(self.pid_file.clone(), unit).ok()
    }
}
