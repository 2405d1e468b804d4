//! What a helper has counted since its start, for monitoring.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::engine::service::ServiceState;

/// Upper bounds of the probe durations, in seconds. A bucket for all others follows.
pub(crate) const BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 2.5];

/// All counters.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Totals {
    /// By service: how often it entered each state.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) transitions: BTreeMap<String, BTreeMap<ServiceState, u64>>,
    /// By service and check.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) checks: BTreeMap<String, BTreeMap<String, CheckTotals>>,
    /// By service: how long its checks took. A check has the sum alone, since a histogram for each would be most of the
    /// metrics.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) durations: BTreeMap<String, Durations>,
    /// The listening sockets that `listener` checks watch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) listeners: Vec<ListenerTotals>,
    /// By result: `succeeded`, `failed`, `dropped`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) hooks: BTreeMap<String, u64>,
    /// Restarts of a server that was down or hung, by backend and result: `succeeded`, `failed`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) heals: BTreeMap<String, BTreeMap<String, u64>>,
    /// By the address of the server: how many queries the helper has sent to it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) questions: BTreeMap<IpAddr, u64>,
    /// Since the last keep-alive message to systemd; `None` where systemd does not watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) watchdog_seconds: Option<f64>,
}

impl Totals {
    /// Whether nothing was counted.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The rounds of one check.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct CheckTotals {
    /// Rounds that passed.
    pub(crate) passed: u64,
    /// Failures by cause, including those that an event reported between two rounds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) failed: BTreeMap<String, u64>,
    /// Rounds that said nothing about the server, by cause.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) unknown: BTreeMap<String, u64>,
    /// The sum of the times of the slowest answers of the rounds that passed; 0 for a check that measures none.
    pub(crate) seconds: f64,
}

/// Rounds that passed, by the time of their slowest answer.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct Durations {
    /// One count for each of [`BOUNDS`], not cumulated, and one for the rest.
    pub(crate) counts: [u64; BOUNDS.len() + 1],
    /// The sum of these times.
    pub(crate) sum_seconds: f64,
}

impl Durations {
    /// Counts a round.
    pub(crate) fn count(&mut self, seconds: f64) {
        self.counts[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        self.sum_seconds += seconds;
    }
}

/// The sockets at one address and protocol.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ListenerTotals {
    /// The address and the port: `192.0.2.53:53`.
    pub(crate) address: String,
    /// `udp`, `tcp`.
    pub(crate) transport: String,
    /// How many sockets there are.
    pub(crate) sockets: u64,
    /// What waits to be read in all of them: octets over UDP, connections over TCP.
    pub(crate) queue: u64,
    /// Datagrams that the kernel dropped since the helper has watched.
    pub(crate) drops: u64,
}
