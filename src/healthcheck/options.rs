//! The resolved options: every value is present and valid.
//!
//! [`super::resolve`] builds [`Options`] from the arguments. Code that uses them needs no further checks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::advertising::{Advertised, Advertising};
use super::arguments::{Hooks, RunAs};
use super::network::Interface;
use crate::engine::hysteresis::Thresholds;
use crate::exabgp::Dialect;
use crate::logging::facility::Facility;
use crate::probe::command::CommandProbe;
use crate::probe::set::ProbeSet;

/// All options of a command line.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The name in the log.
    pub(crate) name: Option<String>,
    /// Destination of the log.
    pub(crate) log: Log,
    /// File for the process ID.
    pub(crate) pid_file: Option<PathBuf>,
    /// The user and group to switch to once addresses are set up.
    pub(crate) identity: RunAs,
    /// The check.
    pub(crate) check: Check,
    /// Interval between checks; `None` to exit after the first decision.
    pub(crate) interval: Option<Duration>,
    /// Interval while rising or falling.
    pub(crate) fast_interval: Duration,
    /// Consecutive results needed for a change.
    pub(crate) thresholds: Thresholds,
    /// The service is disabled while this file exists.
    pub(crate) disable_file: Option<PathBuf>,
    /// The addresses to advertise.
    pub(crate) addresses: Addresses,
    /// How to advertise them.
    pub(crate) advertising: Advertising,
    /// How to set up addresses that an interface lacks.
    pub(crate) setup: Setup,
    /// Commands to run when the state changes.
    pub(crate) hooks: Hooks,
    /// Whether to send commands only when the state changes.
    pub(crate) debounce: bool,
    /// Whether ExaBGP acknowledges commands.
    pub(crate) acknowledged: bool,
    /// The dialect; `None` to detect it.
    pub(crate) dialect: Option<Dialect>,
    /// Whether to print a configuration and exit.
    pub(crate) print_config: bool,
    /// Whether to wait before an error ends the process.
    pub(crate) wait: bool,
}

/// Destination of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Log {
    /// Whether to log debug messages.
    pub(crate) debug: bool,
    /// Whether to log to standard error.
    pub(crate) console: bool,
    /// The syslog facility, if the log goes to syslog.
    pub(crate) syslog: Option<Facility>,
}

/// The check.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    /// No check: the service is up unless disabled.
    Nothing,
    /// A shell command.
    Command(CommandProbe),
    /// A DNS query to one or more servers.
    Dns(ProbeSet),
}

/// The addresses to advertise.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Addresses {
    /// The addresses of `--ip`.
    Given(Box<Given>),
    /// The addresses of the loopback interface, only those with this label if one is given. Pass them to
    /// [`Advertising::advertise`].
    OfInterface(Option<Label>),
}

/// Addresses and networks of `--ip`, at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Given {
    /// The networks as given. Their addresses are set up.
    pub(crate) networks: Vec<IpNet>,
    /// Interfaces other than the loopback interface.
    pub(crate) interfaces: BTreeMap<IpNet, Interface>,
    /// Their routes and advertisements.
    pub(crate) advertised: Advertised,
}

/// The label to look for, after the name of the interface and a colon. Never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Label {
    /// The label or its prefix.
    pub(crate) text: String,
    /// Whether `text` is the complete label.
    pub(crate) exact: bool,
}

/// How to set up addresses that an interface lacks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Setup {
    /// Add them at start.
    pub(crate) at_start: bool,
    /// Add them when the service comes up, remove them when it leaves that state.
    pub(crate) dynamic: bool,
    /// Use sudo.
    pub(crate) sudo: bool,
    /// The label of added addresses.
    pub(crate) label: Option<Label>,
}
