//! The resolved configuration: every value is present and valid.
//!
//! [`mod@file`] defines the syntax, `survey` parses the file and finds every invalid value, [`resolve`] builds the
//! configuration and checks rules between values, and [`cite`] shows each error at its place in the file. Code that
//! uses a [`Config`] needs no further checks. [`salvage`] and [`healthcheck`](crate::healthcheck) build smaller
//! configurations without management addresses; a salvaged one has no checks either.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::cite::ConfigError;
use self::cite::Source;
use self::since::Since;
use crate::backend::targets::{ServiceTargets, Target, Targets};
use crate::backend::{Backend, Role};
use crate::engine::check::{OnFail, Timing};
use crate::engine::compat::Compat;
use crate::engine::dampening::Policy;
use crate::engine::event::CheckId;
use crate::engine::ladder::Ladder;
use crate::engine::plan::ExaBgp;
use crate::engine::service::StartPolicy;
use crate::exabgp::Route;
use crate::metrics::Outlets;
use crate::probe::Probe;
use crate::probe::dns::Query;
use crate::probe::locality::Locality;
use crate::probe::lookup::LookupProbe;
use crate::text::ordered;

mod address;
mod backend;
mod bounds;
pub(crate) mod cite;
mod command;
mod counters;
pub(crate) mod defaults;
pub(crate) mod describe;
pub(crate) mod dns;
pub(crate) mod file;
mod freshness;
mod listener;
mod lookup;
mod misplaced;
mod outlets;
mod paste;
mod periods;
mod plan;
mod process_check;
mod questions;
pub(crate) mod reference;
pub(crate) mod resolve;
mod role;
mod route;
mod routes;
pub(crate) mod salvage;
mod since;
mod survey;
mod tree;
pub(crate) mod value;

/// The default path of the configuration.
pub(crate) const DEFAULT_PATH: &str = "/etc/dnsherald/dnsherald.toml";

/// The default directory for state that survives a restart.
pub(crate) const DEFAULT_STATE: &str = "/var/lib/dnsherald";

/// A resolved configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// This host.
    pub(crate) node: Node,
    /// How to communicate with ExaBGP.
    pub(crate) exabgp: ExaBgp,
    /// The directory for state that survives a restart.
    pub(crate) state: PathBuf,
    /// The directory of the status and control sockets.
    pub(crate) control: PathBuf,
    /// Where metrics are published.
    pub(crate) metrics: Outlets,
    /// Bytes of events that the flight recorder keeps; 0 for no recorder.
    pub(crate) recorder: usize,
    /// The DNS servers of this host, with unique names.
    pub(crate) backends: Vec<Arc<Backend>>,
    /// The services, at least one, with unique names and disjoint prefixes.
    pub(crate) services: Vec<Service>,
    /// The version of dnsherald that the file was written for.
    pub(crate) since: Since,
    /// Where the helper behaves as `exabgp healthcheck` does.
    pub(crate) compat: Compat,
    /// The file it was read from; `None` if it was built otherwise.
    pub(crate) origin: Option<Arc<Origin>>,
}

/// The file of a configuration.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Origin {
    /// Its absolute path as given. Symlinks are not resolved.
    pub(crate) file: PathBuf,
    /// Its text.
    pub(crate) text: String,
}

impl fmt::Debug for Origin {
    /// Omits the text, which is long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("file", &self.file).finish_non_exhaustive()
    }
}

/// This host.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The name in messages; it also spreads refreshes over time.
    pub(crate) name: String,
    /// The addresses that only this host has, at least one.
    pub(crate) management: Vec<IpAddr>,
}

/// Prefixes, the checks that decide whether they are announced, and their attributes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Service {
    /// Unique, and one word without `/`.
    pub name: String,
    /// Whether it is probed and announced. A disabled service is withdrawn.
    pub enabled: bool,
    /// The routes, at least one. Services do not share prefixes. A prefix has several routes if its neighbors receive
    /// different attributes.
    pub(crate) routes: Vec<Route>,
    /// The advertisements of each state, for each route in order.
    pub(crate) ladders: Vec<Ladder>,
    /// The backend, one of [`Config::backends`].
    pub(crate) backend: Option<Arc<Backend>>,
    /// The role that the file names.
    pub(crate) role: Option<Role>,
    /// A SOA query for each zone that the server must serve.
    pub(crate) zones: Vec<Query>,
    /// The checks, at least one, with unique names.
    pub checks: Vec<Check>,
    /// The addresses that must be on this host; `None` if they are elsewhere (`address = false`).
    pub(crate) addresses: Option<Vec<IpAddr>>,
    /// How long checks may be unknown before the service no longer waits for them; at least 1 s.
    pub(crate) unknown_after: Duration,
    /// How long it is degraded on its way back to `up`; zero for never.
    pub(crate) recovery: Duration,
    /// The names to ask for before it returns from a withdraw, if any.
    pub(crate) warm_up: Option<LookupProbe>,
    /// What to advertise before the first verdict.
    pub(crate) start: StartPolicy,
    /// The service is drained while this file exists. An absolute path.
    pub(crate) disable_file: Option<PathBuf>,
    /// A program and its arguments, run at every change of state with `STATE`, `SERVICE` and `REASON` in its
    /// environment; empty for none.
    pub(crate) on_change: Vec<String>,
    /// Dampening of repeated falls.
    pub dampening: Policy,
}

/// A named set of probes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Check {
    /// Unique in its service, and one word without `/`.
    pub(crate) name: String,
    /// Intervals, timeout and thresholds.
    pub(crate) timing: Timing,
    /// What a failure does to the service.
    pub(crate) on_fail: OnFail,
    /// What the check probes.
    pub(crate) probe: Probe,
    /// `None` if the file lists it.
    pub(crate) default: Option<DefaultCheck>,
}

/// What is known of a check that dnsherald supplies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DefaultCheck {
    /// Its explanation.
    pub(crate) why: &'static str,
    /// If it is observed because the file is older, the version from which it counts.
    counts_from: Option<Since>,
}

impl Check {
    /// Whether each of its probes counts only once it has passed.
    pub(crate) fn counts_once_seen(&self) -> bool {
        matches!(&self.probe, Probe::Dns(set) if set.needs_seen())
    }

    /// A check that dnsherald supplies for this reason.
    fn supplied(
        name: impl Into<String>,
        why: &'static str,
        timing: Timing,
        on_fail: OnFail,
        probe: Probe,
    ) -> Self {
        let default = Some(DefaultCheck { why, counts_from: None });
        Self { name: name.into(), timing, on_fail, probe, default }
    }
}

impl Service {
    /// The routes with their advertisements in each state.
    pub(crate) fn announcements(&self) -> impl Iterator<Item = (&Route, &Ladder)> {
        self.routes.iter().zip(&self.ladders)
    }

    /// Whether a check watches the process of its server.
    pub(crate) fn watches_process(&self) -> bool {
        self.checks.iter().any(|check| matches!(check.probe, Probe::Process(_)))
    }

    /// Whether this backend serves it.
    pub(crate) fn is_of(&self, backend: &Backend) -> bool {
        self.backend.as_ref().is_some_and(|own| own.name == backend.name)
    }
}

impl Config {
    /// The check of this ID.
    ///
    /// # Panics
    /// Panics if the ID is of another configuration.
    pub(crate) fn check(&self, id: CheckId) -> &Check {
        &self.services[id.service.0].checks[id.check]
    }

    /// The services that this backend serves.
    pub(crate) fn services_of<'a>(&'a self, backend: &'a Backend) -> impl Iterator<Item = &'a Service> {
        self.services.iter().filter(|service| service.is_of(backend))
    }

    /// Whether the backend of this service serves one prefix only.
    pub(crate) fn has_one_address(&self, service: &Service) -> bool {
        let Some(backend) = &service.backend else { return false };
        let prefixes: BTreeSet<_> =
            ordered(self.services_of(backend).flat_map(|service| &service.routes).map(|route| route.prefix));
        prefixes.len() == 1
    }

    /// The addresses to query this backend at, and the zones that its services need.
    pub(crate) fn targets_of(&self, backend: &Backend) -> Targets {
        let own: Vec<_> =
            self.services.iter().filter_map(|service| service.addresses.clone()).flatten().collect();
        let services = self.services_of(backend).map(|service| {
            let device = service.checks.iter().find_map(|check| match &check.probe {
                Probe::Address(probe) => probe.device.clone(),
                _ => None,
            });
            let management = self.node.management.clone();
            let locality = Arc::new(Locality { service: own.clone(), management, device });
            let addresses = service.addresses.iter().flatten();
            let addresses = addresses.map(|address| Target::service(*address, &locality)).collect();
            ServiceTargets { zones: service.zones.clone(), addresses }
        });
        let management = self.node.management.iter().copied().map(Target::management).collect();
        Targets { management, services: services.collect() }
    }

    /// Whether no service is enabled. Then nothing is probed or announced.
    pub(crate) fn is_idle(&self) -> bool {
        !self.services.iter().any(|service| service.enabled)
    }

    /// Reads and resolves a file. `host` is the node name if the file sets none. An error has its place in the file.
    pub(crate) fn load(path: &Path, host: &str) -> Result<Self, ConfigError> {
        Self::from_bytes(path, std::fs::read(path), host)
    }

    /// Like [`Self::load`], but refuses everything except a regular file, because opening a pipe without a writer
    /// blocks.
    pub(crate) fn load_file(path: &Path, host: &str) -> Result<Self, ConfigError> {
        Self::from_bytes(path, bytes_of_file(path), host)
    }

    fn from_bytes(path: &Path, bytes: io::Result<Vec<u8>>, host: &str) -> Result<Self, ConfigError> {
        let bytes = bytes.map_err(|error| ConfigError::unreadable(path, &error))?;
        let text = String::from_utf8(bytes).map_err(|error| ConfigError::not_text(path, &error))?;
        Self::parse(path, &text, host)
    }

    /// Resolves the text of a file called `path`.
    ///
    /// # Errors
    /// Returns errors with their places in the text.
    pub fn parse(path: &Path, text: &str, host: &str) -> Result<Self, ConfigError> {
        let origin = Origin { file: absolute(path), text: text.to_owned() };
        let config = Self::resolve(Source { path, text }, host)?;
        Ok(Self { origin: Some(Arc::new(origin)), ..config })
    }

    /// Like [`Self::parse`] for a text that is not the content of its file. The result has no [`Origin`].
    pub(crate) fn resolve(source: Source<'_>, host: &str) -> Result<Self, ConfigError> {
        resolve::Resolver::config(source, host)
    }
}

/// Makes a path absolute without resolving symlinks, because their targets may change or disappear at any time.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Reads a regular file. Refuses pipes, which may block for ever.
fn bytes_of_file(path: &Path) -> io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.is_file() {
        std::fs::read(path)
    } else {
        Err(io::Error::other("not a regular file"))
    }
}
