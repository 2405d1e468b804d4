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
pub(crate) struct Options {
    /// For the log.
    pub(crate) name: Option<String>,
    /// Where the log goes.
    pub(crate) log: Log,
    /// Where to write the process id.
    pub(crate) pid_file: Option<PathBuf>,
    /// Whom to be once addresses are set up.
    pub(crate) identity: Identity,
    /// What is checked.
    pub(crate) check: Check,
    /// From one check to the next; `None` to end after the first decision.
    pub(crate) interval: Option<Duration>,
    /// The same while rising or falling.
    pub(crate) fast_interval: Duration,
    /// Results in a row.
    pub(crate) thresholds: Thresholds,
    /// The service is disabled as long as this exists.
    pub(crate) disable_file: Option<PathBuf>,
    /// What is advertised.
    pub(crate) addresses: Addresses,
    /// How it is advertised.
    pub(crate) advertising: Advertising,
    /// What is done about addresses that an interface lacks.
    pub(crate) setup: Setup,
    /// What is run when.
    pub(crate) hooks: Hooks,
    /// Whether to speak at changes only.
    pub(crate) debounce: bool,
    /// Whether ExaBGP answers.
    pub(crate) acknowledged: bool,
    /// The dialect, where it is not to be found out.
    pub(crate) dialect: Option<Dialect>,
    /// Whether to print a configuration, and no more.
    pub(crate) print_config: bool,
    /// Whether to let time pass before an error ends the process.
    pub(crate) wait: bool,
}

/// Where the log goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Log {
    /// Whether to say more.
    pub(crate) debug: bool,
    /// Whether to log to standard error.
    pub(crate) console: bool,
    /// Whether, and as what, to log to syslog.
    pub(crate) syslog: Option<Facility>,
}

/// Whom to be; `None` to stay.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Identity {
    /// The name of a user.
    pub(crate) user: Option<String>,
    /// The name of a group.
    pub(crate) group: Option<String>,
}

/// What is checked.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    /// Nothing: all is well unless disabled.
    Nothing,
    /// A command for the shell.
    Command(CommandProbe),
    /// A question to one server or more.
    Dns(ProbeSet),
}

/// What is advertised.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Addresses {
    /// What `--ip` named.
    Given(Box<Given>),
    /// What is found on the loopback interface, with a label of this kind if one is asked for. To be handed to
    /// [`Advertising::over`].
    OfInterface(Option<Label>),
}

/// Addresses and networks that were named, at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Given {
    /// As they were named. Their addresses are those that are set up.
    pub(crate) networks: Vec<IpNet>,
    /// Where that is not the loopback interface.
    pub(crate) interfaces: BTreeMap<IpNet, Interface>,
    /// What to say about them.
    pub(crate) advertised: Advertised,
}

/// What labels of addresses are compared with, behind the name of the interface and a colon. Never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Label {
    /// All of it, or how it starts.
    pub(crate) text: String,
    /// Whether it is all of it.
    pub(crate) exact: bool,
}

/// What is done about addresses that an interface lacks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Setup {
    /// Add them at the start.
    pub(crate) at_start: bool,
    /// Add them when the service is up, remove them when it is not.
    pub(crate) dynamic: bool,
    /// By way of sudo.
    pub(crate) sudo: bool,
    /// With this label.
    pub(crate) label: Option<Label>,
}

/// Commands for the shell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Hooks {
    /// When the service comes up.
    pub(crate) up: Vec<String>,
    /// When it goes down.
    pub(crate) down: Vec<String>,
    /// When it is disabled.
    pub(crate) disabled: Vec<String>,
    /// At every change of state, behind the others.
    pub(crate) any: Vec<String>,
}
