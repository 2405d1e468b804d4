//! Asks the helper, the kernel for the ways back to clients, and `/proc` for the processes of shared sockets.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use nix::unistd::Pid;

use super::NO_CONFIGURATION;
use super::server::{devices, enabled, probes};
use crate::backend::listeners::on_port;
use crate::backend::sharing;
use crate::config::{Config, Service, absolute};
use crate::control::client::Client;
use crate::doctor::facts::{HelperFact, Known, SharedFact, WayFact};
use crate::outcome::Cause;
use crate::probe::Probe;
use crate::probe::route::RouteProbe;

/// Clients far away; nothing is sent to them: `a.root-servers.net`.
const CLIENTS: [&str; 2] = ["198.41.0.4", "2001:503:ba3e::2:30"];

/// Asks the helper with this file for its status.
pub(super) async fn helper(config: Result<&Config, &String>, path: &Path) -> Known<HelperFact> {
    let config = config.map_err(|_| NO_CONFIGURATION.to_owned())?;
    if config.origin.is_none() {
        return Err("`dnsherald healthcheck` has no sockets to ask at".to_owned());
    }
    let client = Client::new(&config.control);
    match client.look().await {
        Ok(document) if is_same(&document.configuration, path) => Ok(HelperFact::Answers(Box::new(document))),
        Ok(document) => {
            let (directory, other) = (config.control.display(), document.configuration.display());
            Ok(HelperFact::Silent(format!("the helper at the sockets in {directory} runs with {other}")))
        }
        Err(error) => {
            if client.process().await.is_some() {
                return Ok(HelperFact::Unresponsive(format!("{error:#}")));
            }
            let is_denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
            let may_look = !fs::symlink_metadata(&config.control).is_err_and(|error| is_denied(&error));
            let why = format!("{error:#}");
            if may_look { Ok(HelperFact::Silent(why)) } else { Err(why) }
        }
    }
}

/// The process of a helper that has answered. Its own number is another one in a container.
pub(super) async fn process(helper: &Known<HelperFact>, config: Result<&Config, &String>) -> Option<Pid> {
    let (Ok(HelperFact::Answers(document)), Ok(config)) = (helper, config) else { return None };
    let seen = Client::new(&config.control).process().await;
    seen.or_else(|| i32::try_from(document.pid).ok()).map(Pid::from_raw)
}

/// Whether two names are of one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| absolute(path));
    real(one) == real(other)
}

/// Looks up the ways back to clients: as the `route` checks do, else to a client far away.
pub(super) fn ways(config: &Config) -> Vec<WayFact> {
    // Other checks find the other causes.
    let ask = |probe: &RouteProbe| probe.ask(|cause| matches!(cause, Cause::NoRoute | Cause::LinkDown));
    let mut facts = vec![];
    for service in enabled(config) {
        let before = facts.len();
        for check in &service.checks {
            let Probe::Route(probe) = &check.probe else { continue };
            facts.push(WayFact {
                service: service.name.clone(),
                check: Some(check.name.clone()),
                once_up: check.on_fail.once_up,
                outcome: ask(probe),
            });
        }
        if facts.len() == before {
            let (service_name, probes) = (&service.name, usual_ways(service));
            facts.extend(probes.map(|probe| WayFact {
                service: service_name.clone(),
                check: None,
                once_up: true,
                outcome: ask(&probe),
            }));
        }
    }
    facts
}

/// The ways to a client far away, one for each family of the service addresses.
fn usual_ways(service: &Service) -> impl Iterator<Item = RouteProbe> {
    let own: Vec<_> = service.addresses.iter().flatten().filter(|own| !own.is_loopback()).copied().collect();
    let device = devices(service).next().map(str::to_owned);
    let clients = CLIENTS.iter().filter_map(|client| client.parse::<IpAddr>().ok());
    clients.filter_map(move |client| {
        let from: Vec<_> = own.iter().filter(|own| own.is_ipv4() == client.is_ipv4()).copied().collect();
        let (to, device) = (vec![client], device.clone());
        let probe = RouteProbe { from, to, neighbors: vec![], interfaces: vec![], device };
        (!probe.from.is_empty()).then_some(probe)
    })
}

/// Looks for addresses of the server with several sockets, and for the processes that hold them.
pub(super) fn shared(config: &Config) -> Vec<SharedFact> {
    let mut places: Vec<SocketAddr> =
        enabled(config).flat_map(|service| probes(service).map(|probe| probe.server)).collect();
    places.sort_unstable();
    places.dedup();
    let mut ports: Vec<_> = places.iter().map(SocketAddr::port).collect();
    ports.sort_unstable();
    ports.dedup();
    let is_asked =
        |at: SocketAddr| at.ip().is_unspecified() || places.iter().any(|place| place.ip() == at.ip());
    let mut listeners: Vec<_> = ports.into_iter().flat_map(on_port).collect();
    listeners.retain(|listener| is_asked(listener.address));
    sharing::shared(listeners)
}
