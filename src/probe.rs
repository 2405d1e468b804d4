//! Probes of each check kind, and their outcomes.
//!
//! A check asks a [set of DNS probes](set), each on a fresh socket, runs a [command](mod@command), watches a
//! [process](mod@process), an [`address`] or the sockets of a [`listener`], compares [zones](freshness) with reference
//! servers, reads the [`counters`] of the server, looks up the [`route`] to clients, or resolves names as a client does
//! ([`lookup`]). Each folds what it found into one [`Outcome`]. The engine learns nothing else about the network.

use std::fmt;
use std::time::Duration;

use self::address::AddressProbe;
use self::command::CommandProbe;
use self::counters::CountersProbe;
use self::dns::{DnsProbe, Finding};
use self::freshness::FreshnessProbe;
use self::listener::ListenerProbe;
use self::lookup::LookupProbe;
use self::process::ProcessProbe;
use self::route::RouteProbe;
use self::set::ProbeSet;
use crate::engine::moment::Moment;
use crate::outcome::{Cause, Outcome};
use crate::sys::clock::since_boot;

pub(crate) mod address;
pub(crate) mod command;
pub(crate) mod counters;
mod deadline;
pub mod dns;
pub(crate) mod freshness;
pub(crate) mod identity;
pub(crate) mod listener;
pub(crate) mod locality;
pub(crate) mod lookup;
pub(crate) mod own;
pub(crate) mod process;
pub(crate) mod route;
pub(crate) mod set;

/// The probe of a check.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Probe {
    /// Queries to DNS servers.
    Dns(ProbeSet),
    /// A shell command.
    Command(CommandProbe),
    /// Whether a process runs.
    Process(ProcessProbe),
    /// Whether addresses are on this host.
    Address(AddressProbe),
    /// Whether zones are as new as those of reference servers.
    Freshness(FreshnessProbe),
    /// Whether the server listens, and reads what comes.
    Listener(ListenerProbe),
    /// The counters of a server.
    Counters(CountersProbe),
    /// Whether this host can answer its clients.
    Route(RouteProbe),
    /// Whether names are resolved as a client does it.
    Lookup(LookupProbe),
    /// No probe: it always passes.
    Nothing,
}

impl Probe {
    /// Probes once and returns one outcome. Of several failures `severity` chooses the cause, and `weigh` may change the
    /// outcome of each DNS probe, see [`ProbeSet::ask`].
    pub(crate) async fn ask<K: Ord>(
        &self,
        severity: impl Fn(Cause) -> K,
        weigh: impl Fn(&DnsProbe, Finding) -> Outcome,
    ) -> Outcome {
        match self {
            Self::Dns(set) => set.ask(severity, weigh).await,
            Self::Command(command) => command.ask().await,
            Self::Process(process) => process.ask().await.1,
            Self::Address(address) => address.ask().await,
            Self::Freshness(freshness) => freshness.ask(severity).await,
            Self::Listener(listener) => listener.ask(),
            Self::Counters(counters) => counters.ask().await,
            Self::Route(route) => route.ask(severity),
            Self::Lookup(lookup) => lookup.ask(severity).await,
            Self::Nothing => Outcome::pass(Duration::ZERO),
        }
    }

    /// As [`ProbeSet::unseen`].
    pub(crate) fn unseen(&self) -> Option<Vec<String>> {
        if let Self::Dns(set) = self { set.unseen() } else { None }
    }

    /// Probes once, waits for all results, and returns each with its label.
    pub(crate) async fn ask_all(&self) -> Vec<(String, Finding)> {
        let found = match self {
            Self::Dns(set) => return set.ask_all().await,
            Self::Command(command) => vec![(command.to_string(), command.ask().await)],
            Self::Process(process) => vec![process.ask().await],
            Self::Address(address) => vec![(address.to_string(), address.ask().await)],
            Self::Freshness(freshness) => vec![freshness.ask_all().await],
            Self::Listener(listener) => listener.ask_all(),
            Self::Counters(counters) => vec![(counters.to_string(), counters.ask().await)],
            Self::Route(route) => vec![(route.to_string(), route.ask(|_| 0))],
            Self::Lookup(lookup) => lookup.ask_all().await,
            Self::Nothing => vec![(self.to_string(), Outcome::pass(Duration::ZERO))],
        };
        let finding =
            |outcome| Finding { outcome, strays: 0, lost: 0, passes_from_itself: false, response: None };
        found.into_iter().map(|(label, outcome)| (label, finding(outcome))).collect()
    }

    /// The number of results that have to pass.
    pub(crate) const fn need(&self) -> usize {
        match self {
            Self::Dns(set) => set.need(),
            Self::Lookup(lookup) => lookup.names.len(),
            // A listener has a result for each address, and one pass is enough: an address without a socket proves nothing.
            // The other kinds have one result.
            _ => 1,
        }
    }
}

/// The present, by a clock that counts while the host is suspended.
fn now() -> Moment {
    Moment::after_start(since_boot())
}

/// A short description for the log.
impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(set) => write!(f, "{} probes", set.probes().len()),
            Self::Command(command) => command.fmt(f),
            Self::Process(process) => process.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Freshness(freshness) => freshness.fmt(f),
            Self::Listener(listener) => listener.fmt(f),
            Self::Counters(counters) => counters.fmt(f),
            Self::Route(route) => route.fmt(f),
            Self::Lookup(lookup) => lookup.fmt(f),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}
