//! Gathers the facts: reads files and `/proc`, asks systemd, the kernel and the server. Writes nothing.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use futures_util::future::join_all;
use nix::unistd::Pid;

use self::exabgp::ExaBgp;
pub(crate) use self::server::addresses;
use super::facts::{BackendFact, Facts, Known, configuration_of};
use crate::backend::Backend;
use crate::backend::hooks::longest_drain;
use crate::config::{Config, DEFAULT_PATH, absolute};
use crate::exabgp_conf::{Conf, Process};
use crate::healthcheck;
use crate::healthcheck::options::Addresses;
use crate::netlink::route::look_up;
use crate::program::{Program, run};
use crate::sys::procfs::{all_pids, is_in_our_network};
use crate::systemd;
use crate::text::{foreign, joined};

mod access;
mod exabgp;
mod network;
mod running;
mod server;
mod unit;

/// Why facts about the services are not known; the check of the configuration has the full reason.
pub(super) const NO_CONFIGURATION: &str = "the configuration of dnsherald cannot be used";

/// Where to look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// The file of dnsherald; by default that of the helper in the files of ExaBGP.
    pub(crate) config: Option<PathBuf>,
    /// The files of ExaBGP; by default those of the running one, else the usual one.
    pub(crate) confs: Vec<PathBuf>,
    /// The name of this host.
    pub(crate) host: String,
}

/// Gathers everything at once, so that several programs and servers that hang cost one timeout.
pub(crate) async fn facts(places: &Places) -> Facts {
    // Files and processes.
    let exabgp = ExaBgp::find(&places.confs);
    let confs = exabgp.confs();
    let readable: Vec<_> = confs.iter().flatten().filter_map(|file| file.conf.as_ref().ok()).collect();
    let (config_path, config, config_is_faulty) = configuration(places, &readable);
    let neighbors = server::neighbors(&readable);
    // Programs and servers.
    let unit_name = exabgp.unit();
    let asked = async {
        let helper = running::helper(config.as_ref(), &config_path).await;
        let pid = running::process(&helper, config.as_ref()).await;
        let network = network::is_seen(pid, &exabgp.pids());
        // A probe from another network namespace says nothing.
        let seen = config.as_ref().ok().filter(|_| network.is_ok());
        (helper, network, server::answers(seen).await)
    };
    let (version, exabgp_unit, backends, clock, (helper, network, answers)) = tokio::join!(
        exabgp.version(),
        unit::show(&unit_name),
        backends(config.as_ref().ok()),
        clock(),
        asked,
    );
    // What depends on the answers, and on the kernel only.
    let environment = exabgp_unit.as_ref().map_or("", |unit| unit.environment.as_str());
    let settings = exabgp.settings(environment);
    let access = access::look(config.as_ref(), &config_path, exabgp.user(exabgp_unit.as_ref().ok()));
    Facts {
        version,
        settings,
        is_exabgp_running: exabgp.is_running(),
        exabgp_twice: exabgp.twice(),
        helper,
        elsewhere: network::helpers_elsewhere(),
        has_bfd: runs_here("bfdd"),
        access,
        links: network::links(),
        addresses: config.as_ref().map(|config| addresses(config, look_up)).unwrap_or_default(),
        listeners: config.as_ref().map(server::listeners).unwrap_or_default(),
        answers,
        shared: config.as_ref().map(running::shared).map_err(|_| NO_CONFIGURATION.to_owned()),
        ways: config.as_ref().map(running::ways).unwrap_or_default(),
        reverse_path: match &config {
            Ok(config) => server::reverse_path(config, &neighbors),
            Err(_) => Err(NO_CONFIGURATION.to_owned()),
        },
        exabgp_unit,
        backends,
        clock,
        config_path,
        config,
        // The file may be in a container.
        config_is_faulty: config_is_faulty && network.is_ok(),
        confs,
        network,
    }
}

/// The file of dnsherald, its content, and whether it is a fault if there is none. The options of `dnsherald healthcheck`
/// are as good as a file.
fn configuration(places: &Places, confs: &[&Conf]) -> (PathBuf, Known<Config>, bool) {
    let ours = || confs.iter().flat_map(|conf| &conf.processes).filter(|process| process.is_ours());
    let named = || ours().find_map(configuration_of);
    let path = places.config.clone().or_else(named).unwrap_or_else(|| DEFAULT_PATH.into());
    // Of two names of one file that of the process counts.
    let real = |path: &PathBuf| fs::canonicalize(path).ok();
    let is_same = |other: &PathBuf| real(other).is_some_and(|other| Some(other) == real(&path));
    let path = ours().filter_map(configuration_of).find(is_same).unwrap_or_else(|| absolute(&path));
    if let (None, None, Some(process)) = (&places.config, named(), ours().next()) {
        return (path, options(process, &places.host), false);
    }
    match Config::load_file(&path, &places.host) {
        Ok(config) => (path, Ok(config), false),
        // A missing permission is no fault of the file.
        Err(error) => (path, Err(error.summary()), !error.is_denied()),
    }
}

/// The configuration that the options of `dnsherald healthcheck` stand for.
pub(super) fn options(process: &Process, host: &str) -> Known<Config> {
    let words =
        process.command().unwrap_or_default().iter().skip_while(|word| *word != "healthcheck").skip(1);
    let options = healthcheck::parse(words.map(OsString::from)).map_err(|refusal| {
        let why = refusal.to_string();
        format!("the options of `dnsherald healthcheck`: {}", foreign(why.lines().next().unwrap_or_default()))
    })?;
    match &options.addresses {
        Addresses::Given(given) => Ok(options.configuration(&given.advertised, host)),
        Addresses::OfInterface(_) => {
            Err("the options of `dnsherald healthcheck` name no address (--ip)".to_owned())
        }
    }
}

/// The rate limits and the units of all servers.
async fn backends(config: Option<&Config>) -> Vec<BackendFact> {
    let Some(config) = config else { return vec![] };
    let backends = config.backends.iter().map(async |backend| {
        let zones = config.targets_of(backend).zone_names();
        let show = async || match &backend.unit {
            Some(unit) => Some(unit::show(unit).await),
            None => None,
        };
        let limit = backend.rate_limit(&zones, config.node.management.clone());
        let (rate_limit, unit, broken) = tokio::join!(limit, show(), broken(backend));
        let longest_drain = longest_drain(backend.quiet.longest());
        BackendFact { name: backend.name.clone(), rate_limit, broken, longest_drain, unit }
    });
    join_all(backends).await
}

/// Why the configuration of a server is broken, in one line.
async fn broken(backend: &Backend) -> Known<Option<String>> {
    match backend.judge_configuration().await {
        Ok(Ok(_)) => Ok(None),
        Ok(Err(why)) => Ok(Some(joined(why.lines().map(str::trim), " "))),
        Err(trouble) => Err(joined([Some(trouble.why), trouble.remedy].into_iter().flatten(), "; ")),
    }
}

/// Whether the clock is synchronized, as systemd tells it (`NTPSynchronized`): it asks the kernel for the largest error, and
/// ignores `STA_UNSYNC` of adjtimex(2), which may only keep the kernel from writing the RTC.
async fn clock() -> Known<bool> {
    if !systemd::is_booted() {
        return Err(
            "systemd, which tells whether the clock is synchronized, does not run this host".to_owned()
        );
    }
    let program = Program::new("timedatectl", &["show", "-p", "NTPSynchronized", "--value"]);
    let ended = run(&program, systemd::LIMIT).await;
    match ended.out.trim() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("{program}: {ended}")),
    }
}

/// Whether a process of this name runs in this network namespace, or in one that this user may not see.
fn runs_here(name: &str) -> bool {
    let has_name = |pid: Pid| {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        comm.trim_end() == name
    };
    all_pids().into_iter().any(|pid| has_name(pid) && is_in_our_network(pid).unwrap_or(true))
}
