//! What is known of this host. Plain data; what could not be found out says why.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use crate::backend::RateLimit;
use crate::config::{Config, DEFAULT_PATH};
use crate::exabgp::Dialect;
use crate::exabgp_conf::environment::Settings;
use crate::exabgp_conf::{Conf, Process};
use crate::netlink::sockets::Protocol;
use crate::outcome::Outcome;
use crate::text::foreign;

mod live;

pub(crate) use self::live::{HelperFact, WayFact};
pub(crate) use crate::backend::sharing::Shared as SharedFact;

/// A fact, or the reason why it is not known.
pub(crate) type Known<T> = Result<T, String>;

/// Borrows a fact, or copies the reason.
///
/// # Errors
/// The reason why it is not known.
pub(crate) fn known<T>(fact: &Known<T>) -> Known<&T> {
    fact.as_ref().map_err(Clone::clone)
}

/// All facts.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The file of dnsherald.
    pub(crate) config_path: PathBuf,
    /// Its content; else why it cannot be used.
    pub(crate) config: Known<Config>,
    /// Whether it is a fault if the file cannot be used: not if this user may not read it.
    pub(crate) config_is_faulty: bool,
    /// The version of ExaBGP, from its digits on.
    pub(crate) version: Known<String>,
    /// The files of ExaBGP; at least one.
    pub(crate) confs: Known<Vec<ConfFile>>,
    /// The settings of ExaBGP's environment.
    pub(crate) settings: Known<Settings>,
    /// Whether a process of ExaBGP with one of these files is found.
    pub(crate) is_exabgp_running: bool,
    /// Two processes of ExaBGP in this network namespace with one file, as the beginning of a sentence.
    pub(crate) exabgp_twice: Option<String>,
    /// The helper with this configuration.
    pub(crate) helper: Known<HelperFact>,
    /// Why nothing is concluded from the addresses, ports, routes and servers that `doctor` sees, if the helper runs in another
    /// network namespace.
    pub(crate) network: Known<()>,
    /// Sentences about the helpers that do or may run in another network namespace.
    pub(crate) elsewhere: Vec<String>,
    /// Whether a BFD daemon runs.
    pub(crate) has_bfd: bool,
    /// What the helper's user may use.
    pub(crate) access: Known<Access>,
    /// The networks of this host's interfaces, with more than one address each.
    pub(crate) links: Vec<IpNet>,
    /// The addresses of the configuration.
    pub(crate) addresses: Vec<AddressFact>,
    /// The sockets of the service addresses.
    pub(crate) listeners: Vec<ListenerFact>,
    /// What the server answers.
    pub(crate) answers: Vec<AnswerFact>,
    /// The addresses of the server with several sockets.
    pub(crate) shared: Known<Vec<SharedFact>>,
    /// The ways back to clients.
    pub(crate) ways: Vec<WayFact>,
    /// What the kernel does with packets of clients; `None` if it takes them in.
    pub(crate) reverse_path: Known<Option<String>>,
    /// The unit of ExaBGP.
    pub(crate) exabgp_unit: Known<UnitFact>,
    /// The servers of this host.
    pub(crate) backends: Vec<BackendFact>,
    /// Whether the clock is synchronized.
    pub(crate) clock: Known<bool>,
}

/// A file of ExaBGP.
#[derive(Debug)]
pub(crate) struct ConfFile {
    pub(crate) path: PathBuf,
    pub(crate) conf: Known<Conf>,
}

/// What a user may use.
#[derive(Debug)]
pub(crate) struct Access {
    /// The name of the user.
    pub(crate) user: String,
    /// Whether it may read the configuration file.
    pub(crate) may_read_config: bool,
    /// The things that it needs and may not use.
    pub(crate) denied: Vec<Denied>,
}

/// A thing that the helper's user may not use.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) path: PathBuf,
    /// The backend whose control channel it is; `None` for a directory of the helper.
    pub(crate) backend: Option<String>,
    /// The group that may use it.
    pub(crate) group: Option<String>,
    /// Whether a restart of ExaBGP suffices: its user has the group, but had not when ExaBGP was started.
    pub(crate) is_granted: bool,
}

/// An address that should be on this host.
#[derive(Debug)]
pub(crate) struct AddressFact {
    /// The service; `None` for a management address.
    pub(crate) service: Option<String>,
    /// The sentence that says that it is missing; `None` if it is here.
    pub(crate) missing: Known<Option<String>>,
}

/// A place where the server should listen.
#[derive(Debug)]
pub(crate) struct ListenerFact {
    pub(crate) service: String,
    pub(crate) at: SocketAddr,
    pub(crate) protocol: Protocol,
    pub(crate) is_there: Known<bool>,
}

/// The outcome of one probe to an address of this host.
#[derive(Debug)]
pub(crate) struct AnswerFact {
    /// The probe, as `192.0.2.53:53 udp localhost. A`.
    pub(crate) probe: String,
    /// The source of the probe.
    pub(crate) source: Option<IpAddr>,
    /// The word for the kind of server; empty if it is not known.
    pub(crate) kind: &'static str,
    /// Whether clients ask there.
    pub(crate) is_service: bool,
    pub(crate) outcome: Outcome,
}

/// A unit, as `systemctl show` prints it.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnitFact {
    pub(crate) name: String,
    pub(crate) load_state: String,
    /// The paths of its drop-ins, separated by blanks.
    pub(crate) drop_ins: String,
    pub(crate) exec_stop: String,
    pub(crate) exec_start_post: String,
    pub(crate) notify_access: String,
    /// The time limit of each command that stops it, as systemd writes it.
    pub(crate) stop_timeout: String,
    pub(crate) environment: String,
    pub(crate) user: String,
    pub(crate) groups: String,
    /// Whether its files changed since systemd read them.
    pub(crate) is_stale: bool,
}

/// A server of this host.
#[derive(Debug)]
pub(crate) struct BackendFact {
    pub(crate) name: String,
    pub(crate) rate_limit: RateLimit,
    /// Why its configuration on disk is broken; `None` if it is valid, or nothing can check it.
    pub(crate) broken: Known<Option<String>>,
    /// The longest time that its drain takes.
    pub(crate) longest_drain: Duration,
    /// Its unit; `None` if it has none.
    pub(crate) unit: Option<Known<UnitFact>>,
}

/// The helper in a file of ExaBGP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Helper<'a> {
    pub(crate) path: &'a Path,
    pub(crate) conf: &'a Conf,
    pub(crate) process: &'a Process,
}

/// The place in the file, and the name.
impl fmt::Display for Helper<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, process) = (self.path.display(), self.process);
        write!(f, "{path}:{}: process `{}`", process.line, foreign(&process.name))
    }
}

/// The configuration that a process runs with; `None` if it is not `dnsherald run`. ExaBGP works in `/`.
pub(crate) fn configuration_of(process: &Process) -> Option<PathBuf> {
    let words = process.command()?;
    if !words.iter().any(|word| word == "run") {
        return None;
    }
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let joined = word.strip_prefix("--config=").or_else(|| word.strip_prefix("-c"));
        match (word.as_str(), joined) {
            ("-c" | "--config", _) => return words.next().map(|path| Path::new("/").join(path)),
            (_, Some(path)) => return Some(Path::new("/").join(path)),
            _ => {}
        }
    }
    Some(DEFAULT_PATH.into())
}

impl Facts {
    /// The files of ExaBGP that could be read.
    pub(crate) fn readable(&self) -> impl Iterator<Item = (&Path, &Conf)> {
        let files = self.confs.iter().flatten();
        files.filter_map(|file| Some((file.path.as_path(), file.conf.as_ref().ok()?)))
    }

    /// The processes that run dnsherald: those with this configuration if there are any, else all.
    pub(crate) fn helpers(&self) -> Vec<Helper<'_>> {
        let of_file = |(path, conf): (_, _)| {
            let conf: &Conf = conf;
            conf.processes.iter().filter(|process| process.is_ours()).map(move |process| Helper {
                path,
                conf,
                process,
            })
        };
        let all: Vec<_> = self.readable().flat_map(of_file).collect();
        let these: Vec<_> = all.iter().filter(|helper| self.runs(helper.process)).copied().collect();
        if these.is_empty() { all } else { these }
    }

    /// Whether this process runs dnsherald with this configuration, or with options of its own.
    pub(crate) fn runs(&self, process: &Process) -> bool {
        process.is_ours() && configuration_of(process).is_none_or(|path| path == self.config_path)
    }

    /// Where the settings of the helper are, for remedies.
    pub(crate) fn settings_place(&self) -> String {
        match &self.config {
            Ok(config) if config.origin.is_none() => "the options of `dnsherald healthcheck`".to_owned(),
            _ => self.config_path.display().to_string(),
        }
    }

    /// The configuration.
    ///
    /// # Errors
    /// A short reason, since the check of the configuration has the full one.
    pub(crate) fn usable_config(&self) -> Known<&Config> {
        self.config.as_ref().map_err(|_| super::gather::NO_CONFIGURATION.to_owned())
    }

    /// The configuration, if its helper runs in the network namespace of `doctor`.
    ///
    /// # Errors
    /// The other network namespace, or as [`Self::usable_config`].
    pub(crate) fn config_of_this_network(&self) -> Known<&Config> {
        known(&self.network)?;
        self.usable_config()
    }

    /// Fails with the reason if nothing is known of a helper in the files of ExaBGP.
    pub(crate) fn any_helper(&self) -> Known<()> {
        if !self.helpers().is_empty() {
            return Ok(());
        }
        let unreadable = known(&self.confs)?.iter().find_map(|file| file.conf.as_ref().err());
        Err(unreadable.cloned().unwrap_or_else(|| "no process of ExaBGP runs dnsherald".to_owned()))
    }

    /// The first number of the version of ExaBGP.
    pub(crate) fn major(&self) -> Option<u32> {
        self.version.as_ref().ok()?.split('.').next()?.parse().ok()
    }

    /// The dialect of ExaBGP, if it can be told from its version.
    pub(crate) fn dialect(&self) -> Option<Dialect> {
        let version = self.version.as_ref().ok()?;
        let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
        Dialect::from_api(&version[..end])
    }
}
