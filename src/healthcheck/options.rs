//! What is meant: every value present, every rule between values kept.
//!
//! [`super::meaning`] makes [`Options`] of what was typed, and nothing behind it needs to ask whether they make sense.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::advertising::{Advertised, Advertising};
use super::facility::Facility;
use super::network::Interface;
use crate::engine::hysteresis::Thresholds;
use crate::exabgp::Dialect;
use crate::probe::command::CommandProbe;
use crate::probe::set::ProbeSet;

/// A whole command line, understood.
#[derive(Clone, Debug)]
pub struct Options {
    /// For the log.
    pub name: Option<String>,
    /// Where the log goes.
    pub log: Log,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
    /// Whom to be once addresses are set up.
    pub identity: Identity,
    /// What is checked.
    pub check: Check,
    /// From one check to the next; `None` to end after the first decision.
    pub interval: Option<Duration>,
    /// The same while rising or falling.
    pub fast_interval: Duration,
    /// Results in a row.
    pub thresholds: Thresholds,
    /// The service is disabled as long as this exists.
    pub disable_file: Option<PathBuf>,
    /// What is advertised.
    pub addresses: Addresses,
    /// How it is advertised.
    pub advertising: Advertising,
    /// What is done about addresses that an interface lacks.
    pub setup: Setup,
    /// What is run when.
    pub hooks: Hooks,
    /// Whether to speak at changes only.
    pub debounce: bool,
    /// Whether ExaBGP answers.
    pub acknowledged: bool,
    /// The dialect, where it is not to be found out.
    pub dialect: Option<Dialect>,
    /// Whether to print a configuration, and no more.
    pub print_config: bool,
    /// Whether to let time pass before an error ends the process.
    pub wait: bool,
}

/// Where the log goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Log {
    /// Whether to say more.
    pub debug: bool,
    /// Whether to log to standard error.
    pub console: bool,
    /// Whether, and as what, to log to syslog.
    pub syslog: Option<Facility>,
}

/// Whom to be; `None` to stay.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The name of a user.
    pub user: Option<String>,
    /// The name of a group.
    pub group: Option<String>,
}

/// What is checked.
#[derive(Clone, Debug)]
pub enum Check {
    /// Nothing: all is well unless disabled.
    Nothing,
    /// A command for the shell.
    Command(CommandProbe),
    /// A question to one server or more.
    Dns(ProbeSet),
}

/// What is advertised.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Addresses {
    /// What `--ip` named.
    Given(Box<Given>),
    /// What is found on the loopback interface, with a label of this kind if one is asked for. To be handed to
    /// [`Advertising::over`].
    OfInterface(Option<Label>),
}

/// Addresses and networks that were named, at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Given {
    /// As they were named. Their addresses are those that are set up.
    pub networks: Vec<IpNet>,
    /// Where that is not the loopback interface.
    pub interfaces: BTreeMap<IpNet, Interface>,
    /// What to say about them.
    pub advertised: Advertised,
}

/// What labels of addresses are compared with, behind the name of the interface and a colon. Never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Label {
    /// All of it, or how it starts.
    pub text: String,
    /// Whether it is all of it.
    pub exact: bool,
}

/// What is done about addresses that an interface lacks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setup {
    /// Add them at the start.
    pub at_start: bool,
    /// Add them when the service is up, remove them when it is not.
    pub dynamic: bool,
    /// By way of sudo.
    pub sudo: bool,
    /// With this label.
    pub label: Option<Label>,
}

/// Commands for the shell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hooks {
    /// When the service comes up.
    pub up: Vec<String>,
    /// When it goes down.
    pub down: Vec<String>,
    /// When it is disabled.
    pub disabled: Vec<String>,
    /// At every change of state, behind the others.
    pub any: Vec<String>,
}
