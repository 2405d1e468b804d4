//! Whether the server limits the rate of its answers to a client, and whether our probes are exempt.
//!
//! A limit counts answers per client network. Queries with forged source addresses in the network of the management
//! address can exhaust its limit, and then the server drops our probes as well. So the management address should be
//! exempt.

use std::fmt;
use std::net::IpAddr;

use futures_util::future::join_all;
use ipnet::IpNet;
use serde::Serialize;

use super::channel::read;
use super::{Backend, Trouble, Words};
use crate::program::{KEPT_OUTPUT, Program, run};

/// Maximum number of the services' zones to examine.
const MOST_ZONES: usize = 16;

/// How a driver reads the limit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The server limits no client, for this reason.
    Unlimited(&'static str),
    /// The limit cannot be read, for this reason.
    Unreadable(&'static str),
    /// The server's own tools print the settings.
    Tools {
        /// Commands that each print a part of the settings.
        commands: &'static [Words],
        /// The command that prints the settings of `{zone}`; empty if zones have no settings.
        for_zone: Words,
    },
}

/// The commands of a [`Source`], ready to be run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Commands {
    /// Commands that each print a part of the settings.
    pub(crate) all: Vec<Program>,
    /// The command that prints the settings of `{zone}`.
    pub(crate) for_zone: Option<Program>,
}

/// What the tools printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The output of each command, in order.
    pub(crate) printed: Vec<String>,
    /// The output of the tool for each zone of the services, or why there is none.
    pub(crate) zones: Vec<(String, Result<String, String>)>,
    /// The source addresses of the probes.
    pub(crate) management: Vec<IpAddr>,
}

/// The state of the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::enum_variant_names, reason = "the names are the words of the JSON document")]
pub(crate) enum Limited {
    /// The server limits no client.
    NotLimited,
    /// It limits clients, and our probes are exempt.
    Exempt,
    /// It limits clients, and our probes as well.
    NotExempt,
    /// The state is not known.
    NotKnown,
}

/// The state of the limit, with the reason.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct RateLimit {
    pub(crate) state: Limited,
    /// The settings that are the reason.
    pub(crate) why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

impl RateLimit {
    pub(super) fn new(state: Limited, why: impl Into<String>) -> Self {
        Self { state, why: why.into(), remedy: None }
    }

    pub(super) fn not_exempt(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(Limited::NotExempt, why) }
    }

    pub(super) fn not_known(why: impl Into<String>) -> Self {
        Self::new(Limited::NotKnown, why)
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            Limited::NotLimited => "not limited",
            Limited::Exempt => "limited, management address exempt",
            Limited::NotExempt => "limited, management address NOT exempt",
            Limited::NotKnown => "not known",
        })?;
        write!(f, ": {}", self.why)?;
        self.remedy.iter().try_for_each(|remedy| write!(f, "\n{remedy}"))
    }
}

impl Backend {
    /// Reads the limit from the server's own tools. `zones` are those that the probes query, `management`
    /// their source addresses.
    pub(crate) async fn rate_limit(&self, zones: &[String], management: Vec<IpAddr>) -> RateLimit {
        let commands = match (self.facts().rate_limit, &self.rate_limit_commands) {
            (Source::Unlimited(why), _) => return RateLimit::new(Limited::NotLimited, why),
            (Source::Unreadable(why), _) => return RateLimit::not_known(why),
            (Source::Tools { .. }, commands) => commands,
        };
        let zones = &zones[..zones.len().min(MOST_ZONES)];
        let zone_commands =
            commands.for_zone.iter().flat_map(|command| zones.iter().map(move |zone| (zone, command)));
        let zone_settings = zone_commands.map(async |(zone, command)| {
            let printed = self.printed(&command.with("{zone}", zone)).await;
            (zone.clone(), printed.map_err(|trouble| trouble.why))
        });
        let (printed, zones) = tokio::join!(
            join_all(commands.all.iter().map(|command| self.printed(command))),
            join_all(zone_settings)
        );
        match printed.into_iter().collect::<Result<_, _>>() {
            Ok(printed) => self.driver().read_rate_limit(&Settings { printed, zones, management }),
            Err(Trouble { why, remedy, .. }) => RateLimit { remedy, ..RateLimit::not_known(why) },
        }
    }

    /// The output of a tool.
    async fn printed(&self, program: &Program) -> Result<String, Trouble> {
        // Some tools continue without a configuration that they cannot read.
        self.readable_for(program)?;
        let ended = run(program, self.timeout).await;
        match ended.succeeded() {
            true => Ok(ended.out),
            false => match read(program, &ended, self.facts()).text() {
                Ok(_) => Err(Trouble::new(format!("{program}: {ended}"))),
                Err(trouble) => Err(trouble),
            },
        }
    }
}

/// Whether this output has reached the size limit and may be cut.
pub(super) fn is_cut(printed: &str) -> bool {
    printed.len() >= KEPT_OUTPUT
}

/// Whether an address is in a list of addresses, networks, and ranges `FIRST-LAST`.
pub(super) fn is_listed(address: IpAddr, list: &str) -> bool {
    let mut words =
        list.split(|c: char| c.is_whitespace() || ",[]\"".contains(c)).filter(|word| !word.is_empty());
    words.any(|word| {
        let is_same = word.parse() == Ok(address);
        let is_within = || word.parse::<IpNet>().is_ok_and(|network| network.contains(&address));
        let is_between = || {
            let ends = word
                .split_once('-')
                .and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
            ends.is_some_and(|(first, last): (IpAddr, IpAddr)| {
                first.is_ipv4() == address.is_ipv4() && (first..=last).contains(&address)
            })
        };
        is_same || is_within() || is_between()
    })
}

#[cfg(test)]
mod tests;
