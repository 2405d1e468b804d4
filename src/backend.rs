//! Checks, reloads, restarts and queries the stock DNS server of this host.
//!
//! ```text
//! [backend.NAME] ──► Backend: unit, commands, limits ──► program: a control program, with a deadline
//!                      ▲ defaults                    ├──► channel: a socket, HTTP, CHAOS
//!                    Kind ──► Driver: Facts, and      └──► systemd: unit state, restart
//!                             how to read replies ◄── Reply
//! ```
//!
//! A [`Driver`] knows one server. Most of it is data, its [`Facts`]: Debian's unit and files, the commands, the group
//! of the control socket. Code only reads what the tools print. A [`Backend`] is a driver with what the configuration
//! overrides; every action goes through it. Rules for every driver:
//!
//! * **A control channel never proves that a service works.** It has its own deadline and informs the operator. Two
//!   checks read from it: `counters` judges the counters, and `freshness` may take its zones from the list.
//!   `nsd-control zonestatus` reports a zone as fine that never loaded; only an answer to a query proves anything.
//! * **Every tool can hang** when the server does, most for a minute or for ever. No answer in time is
//!   [`State::Hung`].
//! * **Control tools read the server's own configuration.** If the file is broken they fail although the server works:
//!   the state is [`State::Unknown`] with the reason, and systemd or the pid file decide.
//! * **A tool that cannot read the configuration continues without it**, contacts the default address, and reports the
//!   server as stopped, or the configuration as valid. If this user cannot read the file, its output does not count.
//! * **A reload never sends a signal.** SIGHUP makes Unbound drop its cache, and exit if the file does not parse. If a
//!   server cannot reload its whole configuration, the driver says so instead of reloading a part.
//! * **A check has blind spots.** No tool sees a missing address or a port in use, some do not read zone files:
//!   [`Facts::unseen`] names what a passed check does not prove.
//! * **The process is found as the `process` check finds it**, by [`crate::process`]. It decides the state only if the
//!   control channel reports a stopped server or no state, and there is no unit or systemd does not answer.
//! * **Every refusal has a remedy**: the smallest privilege that suffices, in [`Trouble::remedy`].
//! * **Several addresses are queried.** The server need not listen at the management address, so [`targets`] also has
//!   the service addresses.

pub(crate) mod answers;
mod channel;
pub(crate) mod hooks;
mod kind;
pub(crate) mod listeners;
pub(crate) mod privilege;
pub(crate) mod quiet;
pub(crate) mod rate_limit;
pub(crate) mod served;
mod server;
pub(crate) mod sharing;
pub(crate) mod systemd;
pub(crate) mod targets;

mod bind;
mod dnsdist;
mod dnsmasq;
mod generic;
mod knot;
mod knot_resolver;
mod nsd;
mod powerdns;
mod powerdns_recursor;
mod unbound;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::probe::counters::window::Reading;
use crate::program::{Ended, Program};
use crate::text::foreign;
use crate::text::words::words;

pub(crate) use self::channel::Request;
pub(crate) use self::kind::{Kind, Role};
pub(crate) use self::rate_limit::RateLimit;
pub(crate) use self::server::{Backend, Checked, Heal, Quiet, Restart, Step};

/// The facts about a server on Debian that are known without asking it.
///
/// In commands, `{config-file}`, `{config-directory}` and `{instance}` stand for those of the backend, and
/// `{config-name}` for the part of the file's name after a hyphen, by which PowerDNS names its instances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) name: &'static str,
    /// The package with its tools.
    pub(crate) package: &'static str,
    /// The canonical name of its systemd unit, which polkit rules need.
    pub(crate) unit: Option<&'static str>,
    /// The main configuration file.
    pub(crate) config_file: Option<&'static str>,
    /// The directories that only it uses. They may also contain zones, keys and certificates.
    pub(crate) directories: &'static [&'static str],
    /// The names of the configuration files there; `*` stands for any text.
    pub(crate) names: Words,
    /// Its pid file, if it writes one.
    pub(crate) pid_file: Option<&'static str>,
    /// Its possible roles.
    pub(crate) roles: &'static [Role],
    /// Its control program, with the arguments of every request.
    pub(crate) control: Words,
    /// The command that checks the configuration without touching the server; empty if there is none.
    pub(crate) check: Words,
    /// What a passed check does not prove.
    pub(crate) unseen: &'static str,
    /// The steps that reload the whole configuration, in order; empty if the server has no reload.
    pub(crate) reload: &'static [Reload],
    /// What the server has instead of a reload, for messages.
    pub(crate) no_reload: &'static str,
    /// A request that succeeds if the server answers.
    pub(crate) status: Ask,
    /// A request for the version of the running server.
    pub(crate) version: Ask,
    /// A request for the number of queries since the start; resets no counter.
    pub(crate) counters: Ask,
    /// A request for the configured zones, served or not.
    pub(crate) zone_list: Ask,
    /// The source of its rate limit for clients.
    pub(crate) rate_limit: rate_limit::Source,
    /// The remedy if there are no counters.
    pub(crate) no_counters: &'static str,
    /// The exit statuses of its control program for a stopped server.
    pub(crate) stopped: &'static [i32],
    /// Whether the control channel cannot be switched off, so a missing socket means a stopped server.
    pub(crate) always_on: bool,
    /// How a user other than root gets access.
    pub(crate) access: Access,
}

impl Facts {
    /// A server of which nothing is known but what the configuration says.
    pub(crate) const UNKNOWN: Self = Self {
        name: "server",
        package: "",
        unit: None,
        config_file: None,
        directories: &[],
        names: &[],
        pid_file: None,
        roles: &[],
        control: &[],
        check: &[],
        unseen: "",
        reload: &[],
        no_reload: "no `reload` is configured",
        status: Ask::Nothing,
        version: Ask::Nothing,
        counters: Ask::Nothing,
        zone_list: Ask::Nothing,
        rate_limit: rate_limit::Source::Unreadable("nothing is known of its settings"),
        no_counters: "",
        stopped: &[],
        always_on: false,
        access: Access { group: None, what: "", for_owner: false, enable: "" },
    };
}

/// An argument list.
pub(crate) type Words = &'static [&'static str];

/// One step of a reload: a request to the control program, and another one for a server that does not know the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reload {
    pub(crate) first: Words,
    /// The request if the server does not know the first one; empty for none.
    pub(crate) otherwise: Words,
}

/// How to send a request to the server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Nothing,
    /// With these arguments of the control program.
    Control(Words),
    /// With a line to a Unix socket.
    Socket {
        /// The path of the socket.
        path: &'static str,
        /// The line without its line break.
        line: &'static str,
    },
    /// With an HTTP request to this host.
    Http {
        /// Address and port.
        server: &'static str,
        /// The path, with its first slash.
        path: &'static str,
    },
    /// With TXT queries in class CHAOS, to the management addresses and then to those of the services.
    Chaos(Words),
}

/// Who may use the control channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) group: Option<&'static str>,
    /// The object of the access, for messages.
    pub(crate) what: &'static str,
    /// Whether the operator must first give the group access, since the server opens the socket only for its own user.
    pub(crate) for_owner: bool,
    /// The lines of the server's configuration that switch the channel on.
    pub(crate) enable: &'static str,
}

/// The driver of one server.
pub(crate) trait Driver: fmt::Debug + Sync {
    /// The facts that are known without asking the server.
    fn facts(&self) -> &'static Facts;

    /// The result of its configuration check. By default only exit status 0 means valid.
    fn read_check(&self, ended: &Ended) -> Result<(), String> {
        if ended.succeeded() { Ok(()) } else { Err(ended.lines().join("\n")) }
    }

    /// Whether a step of the reload succeeded. By default the exit status decides.
    fn is_reloaded(&self, ended: &Ended) -> bool {
        ended.succeeded()
    }

    /// The reason why output with exit status 0 is no answer of the server; `None` if it is one.
    fn refusal(&self, _text: &str) -> Option<String> {
        None
    }

    /// The version in the output. By default the first word that begins with a digit and has a dot.
    fn read_version(&self, text: &str) -> Option<String> {
        let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
        let mut words = text.split(|c: char| c.is_whitespace() || "'\"".contains(c));
        words.find(is_version).map(|word| foreign(word.trim_end_matches([',', ';', '.'])))
    }

    /// The names of zones in the output. By default the first word of each line.
    fn read_zones(&self, text: &str) -> Vec<String> {
        text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    }

    /// The rate limit in the output of the tools of [`Facts::rate_limit`].
    fn read_rate_limit(&self, _settings: &rate_limit::Settings) -> RateLimit {
        RateLimit::not_known("its settings are not read here")
    }

    /// The number of queries in the output.
    fn read_queries(&self, text: &str) -> Option<u64>;

    /// The counters of the server's load and errors, in this output. By default only the number of queries.
    fn read_counters(&self, text: &str) -> Option<Reading> {
        Some(Reading { queries: self.read_queries(text)?, ..Reading::default() })
    }

    /// The shortest time between two readings of the counters that does a server of this version no harm; `None` if the
    /// version is not known.
    fn counters_pause(&self, _version: Option<&str>) -> Duration {
        Duration::ZERO
    }
}

words! {
    /// The state of a server, from its control channel or its process.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
    pub(crate) enum State {
        /// The control channel answers, or at least the process runs.
        Running = "running",
        /// No server runs.
        Stopped = "stopped",
        /// The server runs but does not answer.
        Hung = "hung",
        /// The state is not known.
        Unknown = "unknown",
    }
}

/// The state of a server, with its source.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Status {
    pub(crate) state: State,
    /// The reason, as a sentence.
    pub(crate) why: String,
    /// Whether its control channel answered.
    pub(crate) answers: bool,
    /// The remedies that would show more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

/// The reason of a failed operation or request, with its remedy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Trouble {
    /// A sentence that names the object.
    pub(crate) why: String,
    /// Lines with the necessary change; empty if not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
    /// Whether certainly nothing was done.
    #[serde(skip)]
    pub(crate) untouched: bool,
}

impl Trouble {
    /// A trouble without a remedy.
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: None, untouched: false }
    }

    /// Adds a remedy, unless it is empty.
    pub(crate) fn with(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = remedy.into();
        Self { remedy: (!remedy.is_empty()).then_some(remedy), ..Self::new(why) }
    }

    /// Marks that certainly nothing was done.
    #[must_use]
    pub(crate) fn untouched(self) -> Self {
        Self { untouched: true, ..self }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n{remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Trouble {}

/// The number after a key, in lines of `key=value`, `key = value` or `key value`.
fn number_of(text: &str, key: &str) -> Option<u64> {
    let mut words =
        text.split(|c: char| c.is_whitespace() || "=,".contains(c)).filter(|word| !word.is_empty());
    words.find(|word| *word == key)?;
    words.next()?.parse().ok()
}

/// The sum of the numbers behind these keys, of those that are there.
fn sum_of(text: &str, keys: &[&str]) -> Option<u64> {
    let numbers = keys.iter().filter_map(|key| number_of(text, key));
    numbers.reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests;
