//! The syntax of the configuration file. [`super::resolve`] checks and resolves the values.
//!
//! Every key is listed here once. Values that take part in rules with other values remember their place.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::ops::Range;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;

use super::since::Since;
use super::value::{
    Address, Api, Device, Fall, Listen, OneOrMany, Prefix, Server, Size, Text, Unscoped, Withdraw, WordOr,
    WrittenAddress, WrittenCommand, WrittenNextHop, WrittenPath,
};
use crate::backend::{Kind, Role};
use crate::engine::check::Severity;
use crate::engine::dampening::Mode;
use crate::exabgp::attributes::{Community, ExtendedCommunity, LargeCommunity, Origin};
use crate::netlink::sockets::Protocol;
use crate::outcome::Cause;
use crate::probe::dns::Query;
use crate::text::period::Period;

mod dns;
mod words;

pub(super) use self::dns::{Dns, Expect, Tls};
pub(super) use self::words::{Off, Warmed, ZoneName};

/// An optional value with its place in the file.
pub(crate) type Placed<T> = Option<Spanned<T>>;

/// The place of a value that the file has.
pub(super) fn place<T>(written: &Placed<T>) -> Option<Range<usize>> {
    written.as_ref().map(Spanned::span)
}

/// The value of a key that the file has.
pub(super) fn value<T: Copy>(written: &Placed<T>) -> Option<T> {
    written.as_ref().map(|written| *written.get_ref())
}

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct File {
    pub(super) node: Option<Spanned<Node>>,
    #[serde(default)]
    pub(super) exabgp: ExaBgp,
    #[serde(default)]
    pub(super) control: Control,
    #[serde(default)]
    pub(super) metrics: Metrics,
    #[serde(default)]
    pub(super) defaults: Timing,
    #[serde(default)]
    pub(super) backend: BTreeMap<Spanned<String>, Spanned<Backend>>,
    #[serde(default)]
    pub(super) service: Vec<Spanned<Service>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Node {
    pub(super) name: Option<String>,
    pub(super) management: Spanned<OneOrMany<Unscoped>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ExaBgp {
    pub(super) api: Api,
    pub(super) neighbors: Vec<Spanned<Text<Address>>>,
    pub(super) ack_timeout: Placed<Period>,
    pub(super) refresh: Placed<Period>,
    pub(super) end_of_rib: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Control {
    pub(super) directory: Placed<PathBuf>,
    pub(super) state: Placed<PathBuf>,
    pub(super) recorder: Placed<Size>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Metrics {
    pub(super) textfile: Placed<PathBuf>,
    pub(super) listen: Placed<Text<Listen>>,
}

/// The table `[defaults]`, and the same keys of a check, which has no `since`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Timing {
    pub(super) since: Option<Text<Since>>,
    pub(super) interval: Placed<Period>,
    pub(super) fast_interval: Placed<Period>,
    pub(super) timeout: Placed<Period>,
    pub(super) rise: Option<NonZeroU32>,
    pub(super) fall: Placed<Fall>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Backend {
    pub(super) kind: Placed<Text<Kind>>,
    pub(super) unit: Placed<String>,
    pub(super) pid_file: Placed<PathBuf>,
    pub(super) config_file: Placed<PathBuf>,
    pub(super) config_check: Placed<Vec<String>>,
    pub(super) reload: Placed<Vec<String>>,
    pub(super) restart: Placed<Vec<String>>,
    pub(super) status: Placed<Vec<String>>,
    pub(super) version: Placed<Vec<String>>,
    pub(super) counters: Placed<Vec<String>>,
    pub(super) zone_list: Placed<Vec<String>>,
    pub(super) timeout: Placed<Period>,
    pub(super) config_check_timeout: Placed<Period>,
    pub(super) quiet_below: Placed<NonZeroU32>,
    pub(super) quiet_for: Placed<Period>,
    pub(super) max_wait: Placed<Period>,
    pub(super) settle: Placed<Period>,
    pub(super) start_timeout: Placed<Period>,
    pub(super) heal: Placed<Heal>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Heal {
    pub(super) after: Placed<Period>,
    pub(super) at_most: Option<NonZeroU32>,
    pub(super) per: Placed<Period>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Service {
    pub(super) name: Spanned<String>,
    pub(super) enabled: Option<bool>,
    pub(super) prefixes: Spanned<Vec<Spanned<Text<Prefix>>>>,
    pub(super) backend: Placed<String>,
    pub(super) role: Placed<Role>,
    pub(super) zones: Placed<Vec<Text<ZoneName>>>,
    pub(super) critical: Placed<Vec<Text<ZoneName>>>,
    pub(super) client_source: Placed<OneOrMany<Unscoped>>,
    pub(super) sentinel: Placed<OneOrMany<Query>>,
    pub(super) large: Placed<WordOr<Off, CheckNames>>,
    pub(super) recursion: Placed<WordOr<Off, CheckNames>>,
    pub(super) validation: Placed<WordOr<Off, CheckNames>>,
    pub(super) next_hop: Placed<OneOrMany<WrittenNextHop>>,
    #[serde(default)]
    pub(super) neighbors: Vec<Spanned<Text<Address>>>,
    pub(super) med_increase: Placed<u32>,
    pub(super) announce: Placed<Vec<Spanned<Terms>>>,
    #[serde(default)]
    pub(super) start: Start,
    pub(super) adopt_max_age: Placed<Period>,
    pub(super) address: Placed<WrittenAddress>,
    pub(super) device: Placed<Text<Device>>,
    pub(super) unknown_after: Placed<Period>,
    #[serde(default)]
    pub(super) absorb: bool,
    pub(super) recovery: Placed<Recovery>,
    pub(super) warm_up: Placed<OneOrMany<Warmed>>,
    pub(super) up: Placed<Rung>,
    pub(super) degraded: Placed<Rung>,
    pub(super) down: Placed<Rung>,
    pub(super) drained: Placed<Rung>,
    pub(super) disable_file: Placed<PathBuf>,
    pub(super) on_change: Placed<Vec<String>>,
    #[serde(default)]
    pub(super) dampening: Dampening,
    #[serde(default)]
    pub(super) check: Vec<Spanned<Check>>,
}

/// The way back to `up`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Recovery {
    pub(super) after: Placed<Period>,
    #[serde(rename = "attributes")]
    pub(super) _attributes: Option<RecoveryState>,
}

/// The state that is advertised meanwhile.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RecoveryState {
    Degraded,
}

/// The attributes for some neighbors: an entry of `announce`, or the keys of the service itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Terms {
    pub(super) neighbors: Vec<Spanned<Text<Address>>>,
    pub(super) next_hop: Placed<OneOrMany<WrittenNextHop>>,
    pub(super) med_increase: Placed<u32>,
    pub(super) up: Placed<Rung>,
    pub(super) degraded: Placed<Rung>,
    pub(super) down: Placed<Rung>,
    pub(super) drained: Placed<Rung>,
}

impl Service {
    /// Its prefixes.
    pub(super) fn networks(&self) -> impl Iterator<Item = IpNet> + Clone {
        self.prefixes.get_ref().iter().map(|prefix| prefix.get_ref().0.0)
    }

    /// The addresses that are a prefix each.
    pub(super) fn hosts(&self) -> impl Iterator<Item = IpAddr> {
        let hosts = self.networks().filter(|prefix| prefix.prefix_len() == prefix.max_prefix_len());
        hosts.map(|host| host.addr())
    }

    /// The terms of the service itself, without `announce`.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            neighbors: self.neighbors.clone(),
            next_hop: self.next_hop.clone(),
            med_increase: self.med_increase.clone(),
            up: self.up.clone(),
            degraded: self.degraded.clone(),
            down: self.down.clone(),
            drained: self.drained.clone(),
        }
    }
}

impl Terms {
    /// All keys that are present, with their places.
    pub(super) fn written(&self) -> Vec<(&'static str, Range<usize>)> {
        let places = [
            ("neighbors", self.neighbors.first().map(Spanned::span)),
            ("next-hop", place(&self.next_hop)),
            ("med-increase", place(&self.med_increase)),
            ("up", place(&self.up)),
            ("degraded", place(&self.degraded)),
            ("down", place(&self.down)),
            ("drained", place(&self.drained)),
        ];
        places.into_iter().filter_map(|(key, place)| Some((key, place?))).collect()
    }
}

/// The names for a check of the role, instead of its default names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CheckNames {
    pub(super) names: Spanned<OneOrMany<Query>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Start {
    #[default]
    Probe,
    Adopt,
    Withdraw,
}

pub(super) type Rung = WordOr<Withdraw, Attributes>;

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Attributes {
    pub(super) med: Option<u32>,
    pub(super) local_preference: Option<u32>,
    pub(super) community: OneOrMany<Community>,
    pub(super) large_community: OneOrMany<LargeCommunity>,
    pub(super) extended_community: OneOrMany<ExtendedCommunity>,
    pub(super) as_path: Option<Vec<u32>>,
    pub(super) origin: Option<Origin>,
    pub(super) path_information: Option<WrittenPath>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Dampening {
    pub(super) mode: Mode,
    pub(super) penalty: Placed<NonZeroU32>,
    pub(super) suppress: Placed<NonZeroU32>,
    pub(super) reuse: Placed<NonZeroU32>,
    pub(super) half_life: Placed<Period>,
    pub(super) max_suppress: Placed<Period>,
    pub(super) max_rise_time: Placed<Period>,
    pub(super) restart_grace: Placed<Period>,
}

/// The effect of each cause that it names.
pub(super) type ByCause = BTreeMap<Text<Cause>, Text<Severity>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Check {
    pub(super) name: Spanned<String>,
    pub(super) interval: Placed<Period>,
    pub(super) fast_interval: Placed<Period>,
    pub(super) timeout: Placed<Period>,
    pub(super) rise: Option<NonZeroU32>,
    pub(super) fall: Placed<Fall>,
    pub(super) on_fail: Option<WordOr<Severity, ByCause>>,
    pub(super) on_unknown: Option<Severity>,
    #[serde(default)]
    pub(super) once_up: bool,
    pub(super) dns: Placed<Dns>,
    pub(super) command: Placed<WrittenCommand>,
    pub(super) plugin: Placed<bool>,
    pub(super) process: Placed<Process>,
    /// An empty table: the addresses come from the service.
    pub(super) address: Placed<toml::Table>,
    pub(super) listener: Placed<Listener>,
    pub(super) device: Placed<Text<Device>>,
    pub(super) freshness: Placed<Freshness>,
    pub(super) counters: Placed<Counters>,
    pub(super) route: Placed<Route>,
    pub(super) lookup: Placed<Lookup>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Lookup {
    pub(super) names: Spanned<OneOrMany<Query>>,
    pub(super) server: Placed<OneOrMany<Server>>,
    pub(super) source: Placed<OneOrMany<Unscoped>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Route {
    pub(super) to: Placed<OneOrMany<Unscoped>>,
    pub(super) neighbors: Option<bool>,
    pub(super) interfaces: OneOrMany<Device>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Counters {
    pub(super) window: Placed<Period>,
    pub(super) min_queries: Option<NonZeroU32>,
    pub(super) max_servfail_share: Placed<f64>,
    pub(super) max_dropped_share: Placed<f64>,
    pub(super) request_list: Option<NonZeroU64>,
    pub(super) max_request_list_share: Placed<f64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Freshness {
    pub(super) zones: Placed<Vec<Text<ZoneName>>>,
    pub(super) zones_file: Placed<PathBuf>,
    pub(super) catalog: Placed<Text<ZoneName>>,
    pub(super) zone_list: Placed<bool>,
    pub(super) server: Placed<Text<Server>>,
    pub(super) source: Placed<OneOrMany<Unscoped>>,
    pub(super) primaries: Placed<OneOrMany<Server>>,
    pub(super) siblings: Placed<OneOrMany<Server>>,
    pub(super) max_lag: Placed<Period>,
    pub(super) expire_left: Placed<Period>,
    pub(super) zone_interval: Placed<Period>,
    pub(super) max_queries_per_second: Option<NonZeroU32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Process {
    pub(super) pid_file: Placed<PathBuf>,
    pub(super) unit: Placed<String>,
}

/// The addresses come from the service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Listener {
    pub(super) transport: Placed<Text<Protocol>>,
    pub(super) port: Option<NonZeroU16>,
    pub(super) stall: Placed<Period>,
}
