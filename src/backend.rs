//! Checks, reloads, restarts and queries the stock DNS server of this host.
//!
//! ```text
//! [backend.NAME] ──► Backend: unit, commands, limits ──► program: a control program, with a deadline
//!                      ▲ defaults                    ├──► channel: a socket, HTTP, CHAOS
//!                    Kind ──► Driver: Facts, and      └──► systemd: unit state, restart
//!                             how to read replies ◄── Reply
//! ```
//!
//! A [`Driver`] knows one server. Most of it is data, its [`Facts`]: Debian's unit and files, the commands, the group of
//! the control socket. Code only reads what the tools print. A [`Backend`] is a driver with what the configuration
//! overrides; every action goes through it. Rules for every driver:
//!
//! * **A control channel is never a probe.** It informs the operator, with its own deadline, and moves no route.
//!   `nsd-control zonestatus` reports a zone as fine that never loaded; only an answer to a query proves anything.
//! * **Every tool can hang** when the server does, most for a minute or for ever. No answer in time is
//!   [`State::Hung`].
//! * **Control tools read the server's own configuration.** If the file is broken they fail although the server works:
//!   the state is [`State::Unknown`] with the reason, and systemd or the pid file decide.
//! * **A tool that cannot read the configuration goes on without it**, contacts the default address, and reports the
//!   server as stopped, or the configuration as in order. If this user cannot read the file, its word does not count.
//! * **A reload never sends a signal.** SIGHUP makes Unbound drop its cache, and exit if the file does not parse. If a
//!   server cannot reload its whole configuration, the driver says so instead of reloading a part.
//! * **A check has blind spots.** No tool sees a missing address or a port in use, some do not read zone files:
//!   [`Facts::unseen`] names what a passed check does not prove.
//! * **The process is found as the `process` check finds it**, by [`crate::process`]. It counts only if the control
//!   channel tells nothing.
//! * **Every refusal has a remedy**: the smallest privilege that suffices, in [`Trouble::remedy`].
//! * **No address is asked alone.** The server need not listen at the management address: [`targets`] has the service
//!   addresses, too.

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

use serde::Serialize;

use crate::program::{Ended, Program};
use crate::text::foreign;

pub(crate) use self::channel::Request;
pub(crate) use self::kind::{Kind, Role};
pub(crate) use self::rate_limit::RateLimit;
pub(crate) use self::server::{Backend, Checked, Heal, Quiet, Restart, Step};

/// What is known of a server without asking it, on Debian.
///
/// In words of commands `{config-file}`, `{config-directory}` and `{instance}` stand for those of the backend, and
/// `{config-name}` for what the file's name has behind a hyphen, as PowerDNS counts its instances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Its name, for people.
    pub(crate) name: &'static str,
    /// The package that brings its tools.
    pub(crate) package: &'static str,
    /// The systemd unit, by its canonical name, which is the one that polkit is told.
    pub(crate) unit: Option<&'static str>,
    /// The main configuration file.
    pub(crate) config_file: Option<&'static str>,
    /// The folders that are its own. Zones, keys and certificates may lie there, too.
    pub(crate) folders: &'static [&'static str],
    /// Which files there are its configuration, by their names, where `*` stands for anything.
    pub(crate) names: Words,
    /// Where its process number is written, if it is.
    pub(crate) pid_file: Option<&'static str>,
    /// What it can be.
    pub(crate) roles: &'static [Role],
    /// Checks the configuration without touching the server; empty if nothing can.
    pub(crate) check: Words,
    /// What a passed check does not prove.
    pub(crate) unseen: &'static str,
    /// Reloads the whole configuration, one step after the other; empty if there is no such thing.
    pub(crate) reload: &'static [Reload],
    /// Where there is no reload: what there is instead.
    pub(crate) no_reload: &'static str,
    /// Succeeds if the server answers.
    pub(crate) status: Ask,
    /// Tells the version of the server that runs.
    pub(crate) version: Ask,
    /// Tells how many queries came since it was started, and does not reset anything.
    pub(crate) counters: Ask,
    /// Lists the zones that it is configured with, whether or not they are served.
    pub(crate) zone_list: Ask,
    /// Tells whether it limits the rate of its answers to a client.
    pub(crate) rate_limit: rate_limit::Source,
    /// What to do where there are no counters.
    pub(crate) no_counters: &'static str,
    /// The exit statuses of its control program that mean that the server is stopped.
    pub(crate) stopped: &'static [i32],
    /// Whether the control channel cannot be switched off, so that a missing socket means a stopped server.
    pub(crate) always_on: bool,
    /// What gives a user other than root access.
    pub(crate) access: Access,
}

/// An argument list.
pub(crate) type Words = &'static [&'static str];

/// One step of a reload: a command, and another where a server is too old to know the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reload {
    /// What is tried first.
    pub(crate) first: Words,
    /// What is tried where the first is not understood; empty for nothing.
    pub(crate) otherwise: Words,
}

/// How something is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    /// Not at all.
    Nothing,
    /// By a control program.
    Program(Words),
    /// By a line to a Unix socket.
    Socket {
        /// Of the socket.
        path: &'static str,
        /// Without its end.
        line: &'static str,
    },
    /// By HTTP, of this host.
    Http {
        /// Address and port.
        server: &'static str,
        /// With its first slash.
        path: &'static str,
    },
    /// By TXT queries in class CHAOS to the management addresses.
    Chaos(Words),
}

/// Who may use the control channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// The group that is let in.
    pub(crate) group: Option<&'static str>,
    /// What it is let into, for people.
    pub(crate) what: &'static str,
    /// Whether the group has to be let in first, since the server opens the socket for its own user alone.
    pub(crate) for_owner: bool,
    /// What to write into the server's configuration where there is no channel.
    pub(crate) enable: &'static str,
}

/// Knows one server.
pub(crate) trait Driver: fmt::Debug + Sync {
    /// What is known of it without asking.
    fn facts(&self) -> &'static Facts;

    /// What its check of the configuration found. By default status 0, and nothing else, means valid.
    fn read_check(&self, ended: &Ended) -> Result<(), String> {
        if ended.succeeded() { Ok(()) } else { Err(ended.lines().join("\n")) }
    }

    /// Whether a step of the reload was done. By default the exit status tells.
    fn is_reloaded(&self, ended: &Ended) -> bool {
        ended.succeeded()
    }

    /// Why what was printed with exit status 0 is no answer of the server, if it is none.
    fn refusal(&self, _text: &str) -> Option<String> {
        None
    }

    /// The version in what was printed. By default the first word that begins with a digit and has a dot.
    fn read_version(&self, text: &str) -> Option<String> {
        let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
        let mut words = text.split(|c: char| c.is_whitespace() || "'\"".contains(c));
        words.find(is_version).map(|word| foreign(word.trim_end_matches([',', ';', '.'])))
    }

    /// The names of zones in what was printed. By default the first word of each line.
    fn read_zones(&self, text: &str) -> Vec<String> {
        text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    }

    /// The limit of the rate of answers in what the tools of [`Facts::rate_limit`] printed.
    fn read_rate_limit(&self, _settings: &rate_limit::Settings) -> RateLimit {
        RateLimit::not_known("its settings are not read here")
    }

    /// The number of queries in what was printed.
    fn read_queries(&self, text: &str) -> Option<u64>;
}

/// How a server is, as far as its control channel or its process tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// It answers its control channel, or at least its process is there.
    Running,
    /// There is none.
    Stopped,
    /// It is there and does not answer.
    Hung,
    /// Neither is known.
    Unknown,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Hung => "hung",
            Self::Unknown => "unknown",
        })
    }
}

/// How a server is, and how that is known.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Status {
    /// In a word.
    pub(crate) state: State,
    /// In a sentence.
    pub(crate) why: String,
    /// Whether its control channel answered.
    pub(crate) answers: bool,
    /// What would let more be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

/// Why something could not be done or learned, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Trouble {
    /// A sentence that names the object.
    pub(crate) why: String,
    /// Lines that say what to change, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
    /// Nothing was done: whatever it is about is as it was.
    #[serde(skip)]
    pub(crate) untouched: bool,
}

impl Trouble {
    /// Without a remedy.
    #[must_use]
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: None, untouched: false }
    }

    /// With a remedy, unless it is empty.
    #[must_use]
    pub(crate) fn with(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = remedy.into();
        Self { remedy: (!remedy.is_empty()).then_some(remedy), ..Self::new(why) }
    }

    /// The same, where it is certain that nothing was done.
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

/// The number behind a key, in lines of `key=value` or `key = value`, or in columns of `key value`.
fn number_of(text: &str, key: &str) -> Option<u64> {
    let mut words =
        text.split(|c: char| c.is_whitespace() || "=,".contains(c)).filter(|word| !word.is_empty());
    words.find(|word| *word == key)?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests;
