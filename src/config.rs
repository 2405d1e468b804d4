//! The configuration as it is meant: every value present, every rule between values kept.
//!
//! [`mod@file`] says what may be written, `survey` reads it and finds every value that cannot be read, [`resolve`] turns it
//! into what is meant and keeps the rules between values, and [`cite`] shows each error at its place in the file. So nothing behind a [`Config`] needs to ask whether it makes sense.
//! [`salvage`] and [`healthcheck`](crate::healthcheck) make smaller ones, without management addresses; that of
//! `salvage` has no checks either.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::cite::ConfigError;
use self::cite::Source;
use crate::backend::Backend;
use crate::backend::targets::{ServiceTargets, Target, Targets};
use crate::engine::check::{OnFail, Timing};
use crate::engine::compat::Compat;
use crate::engine::dampening::Policy;
use crate::engine::ladder::Ladder;
use crate::engine::service::StartPolicy;
use crate::exabgp::{Dialect, Route};
use crate::probe::Probe;
use crate::probe::dns::Query;
use crate::probe::locality::Locality;

mod address;
mod backend;
mod bounds;
pub(crate) mod cite;
pub(crate) mod defaults;
pub(crate) mod describe;
pub(crate) mod dns;
pub(crate) mod file;
mod misplaced;
mod paste;
mod plan;
mod process_check;
pub(crate) mod resolve;
mod role;
mod routes;
pub(crate) mod salvage;
mod survey;
mod tree;
pub(crate) mod value;

/// Where the configuration is looked for unless told otherwise.
pub(crate) const DEFAULT_PATH: &str = "/etc/dnsherald/dnsherald.toml";

/// Where what survives a restart is kept unless told otherwise.
pub(crate) const DEFAULT_STATE: &str = "/var/lib/dnsherald";

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// This host.
    pub(crate) node: Node,
    /// How to talk to ExaBGP.
    pub(crate) exabgp: ExaBgp,
    /// The directory for what survives a restart.
    pub(crate) state: PathBuf,
    /// The directory of the sockets for status and requests.
    pub(crate) control: PathBuf,
    /// The stock DNS servers of this host, each with its own name.
    pub(crate) backends: Vec<Arc<Backend>>,
    /// At least one, each with its own name and its own prefixes.
    pub(crate) services: Vec<Service>,
    /// Where the helper behaves as `exabgp healthcheck` does.
    pub(crate) compat: Compat,
    /// The file that it was read from; `None` where it was made otherwise.
    pub(crate) origin: Option<Arc<Origin>>,
}

/// The file behind a configuration.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Origin {
    /// Its absolute path, as it was given: links are not followed.
    pub(crate) file: PathBuf,
    /// All of it.
    pub(crate) text: String,
}

impl fmt::Debug for Origin {
    /// Without the text, which is long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin").field("file", &self.file).finish_non_exhaustive()
    }
}

/// This host.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// For people, and to spread refreshes.
    pub(crate) name: String,
    /// Its own unique addresses, at least one.
    pub(crate) management: Vec<IpAddr>,
}

/// How to talk to ExaBGP.
#[derive(Clone, Debug)]
pub(crate) struct ExaBgp {
    /// The dialect, where it is not to be found out.
    pub(crate) dialect: Option<Dialect>,
    /// The longest wait for an answer; from 100 ms on.
    pub(crate) ack_timeout: Duration,
    /// How often everything is stated again; zero for never, else from 1 s on.
    pub(crate) refresh: Duration,
    /// Whether to mark the end of the first routes.
    pub(crate) end_of_rib: bool,
}

/// Prefixes, the checks that decide about them, and what to advertise.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Service {
    /// Unique, and one word without `/`.
    pub name: String,
    /// Whether it is probed and announced. One that is not enabled is withdrawn.
    pub enabled: bool,
    /// At least one; no two services share a prefix. A prefix has several routes where neighbors are told different
    /// things of it.
    pub(crate) routes: Vec<Route>,
    /// What to advertise in each state, for each of the routes, in their order.
    pub(crate) ladders: Vec<Ladder>,
    /// The server that answers for it, if one is named; one of [`Config::backends`].
    pub(crate) backend: Option<Arc<Backend>>,
    /// A SOA query for each zone that it must answer for.
    pub(crate) zones: Vec<Query>,
    /// At least one, with unique names.
    pub checks: Vec<Check>,
    /// The addresses that have to be on this host; `None` where they are elsewhere (`address = false`).
    pub(crate) addresses: Option<Vec<IpAddr>>,
    /// How long checks may be unknown before the service does not wait for them; at least 1 s.
    pub(crate) unknown_after: Duration,
    /// What to state before the first verdict.
    pub(crate) start: StartPolicy,
    /// Drained as long as this file exists; absolute.
    pub(crate) disable_file: Option<PathBuf>,
    /// A program and its arguments, run at every change of state with `STATE`, `SERVICE` and `REASON` in its
    /// environment; empty for none.
    pub(crate) on_change: Vec<String>,
    /// How falls are punished.
    pub dampening: Policy,
}

/// A named set of probes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Check {
    /// Unique in its service, and one word without `/`.
    pub(crate) name: String,
    /// When to probe, and how many results in a row to believe.
    pub(crate) timing: Timing,
    /// What a failure does to the service.
    pub(crate) on_fail: OnFail,
    /// What is asked.
    pub(crate) probe: Probe,
    /// Not written but supplied, and then why.
    pub(crate) default: Option<&'static str>,
}

impl Service {
    /// Its routes, each with what to advertise in each state.
    pub(crate) fn announcements(&self) -> impl Iterator<Item = (&Route, &Ladder)> {
        self.routes.iter().zip(&self.ladders)
    }

    /// Whether this backend answers for it.
    #[must_use]
    pub(crate) fn is_of(&self, backend: &Backend) -> bool {
        self.backend.as_ref().is_some_and(|own| own.name == backend.name)
    }
}

impl Config {
    /// The services that this backend answers for.
    pub(crate) fn services_of<'a>(&'a self, backend: &'a Backend) -> impl Iterator<Item = &'a Service> {
        self.services.iter().filter(|service| service.is_of(backend))
    }

    /// The addresses at which this backend is asked, and the zones that its services need.
    #[must_use]
    pub(crate) fn targets_of(&self, backend: &Backend) -> Targets {
        let own: Vec<_> =
            self.services.iter().filter_map(|service| service.addresses.clone()).flatten().collect();
        let services = self.services_of(backend).map(|service| {
            let device = service.checks.iter().find_map(|check| match &check.probe {
                Probe::Address(probe) => probe.device.clone(),
                _ => None,
            });
            let (service_addresses, management) = (own.clone(), self.node.management.clone());
            let locality = Arc::new(Locality { service: service_addresses, management, device });
            let addresses = service.addresses.iter().flatten();
            ServiceTargets {
                zones: service.zones.clone(),
                addresses: addresses.map(|address| Target::service(*address, &locality)).collect(),
            }
        });
        let management = self.node.management.iter().copied().map(Target::management).collect();
        Targets { management, services: services.collect() }
    }

    /// Whether no service is enabled, so that nothing is probed or announced.
    #[must_use]
    pub(crate) fn is_idle(&self) -> bool {
        !self.services.iter().any(|service| service.enabled)
    }

    /// Reads and understands a file. `host` names this host where the file does not.
    ///
    /// # Errors
    /// With the place in the file, where there is one.
    pub(crate) fn load(path: &Path, host: &str) -> Result<Self, ConfigError> {
        Self::of_bytes(path, std::fs::read(path), host)
    }

    /// The same for one who must not wait for ever: a pipe that nobody writes to is refused, as is whatever else is no
    /// regular file.
    ///
    /// # Errors
    /// With the place in the file, where there is one.
    pub(crate) fn load_file(path: &Path, host: &str) -> Result<Self, ConfigError> {
        Self::of_bytes(path, bytes_of_file(path), host)
    }

    fn of_bytes(path: &Path, bytes: io::Result<Vec<u8>>, host: &str) -> Result<Self, ConfigError> {
        let bytes = bytes.map_err(|error| ConfigError::unreadable(path, &error))?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(path, &text, host),
            Err(error) => Err(ConfigError::not_text(path, &error)),
        }
    }

    /// Understands the text of a file called `path`.
    ///
    /// # Errors
    /// With the place in the text.
    pub fn parse(path: &Path, text: &str, host: &str) -> Result<Self, ConfigError> {
        let origin = Origin { file: absolute(path), text: text.to_owned() };
        let config = Self::understand(Source { path, text }, host)?;
        Ok(Self { origin: Some(Arc::new(origin)), ..config })
    }

    /// The same of a text that is not that of its file, and so without an [`Origin`].
    pub(crate) fn understand(source: Source<'_>, host: &str) -> Result<Self, ConfigError> {
        resolve::Resolver::config(source, host)
    }
}

/// The absolute path of a file as it was given. Where links lead is not asked: the same path may lead elsewhere, or
/// nowhere, just when something is looked up by it.
#[must_use]
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What is behind a path, if that is a file: nobody may ever write to a pipe.
fn bytes_of_file(path: &Path) -> io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.is_file() {
        std::fs::read(path)
    } else {
        Err(io::Error::other("it is not a file"))
    }
}
