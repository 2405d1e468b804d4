//! The plan: the part of a configuration that the engine needs. `config` builds it.
//!
//! The engine decides on outcomes and never probes, so it does not know the questions of a check. At a reload it
//! only compares them, as an [`Opaque`] value.

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{OnFail, Severity, Timing};
use super::compat::Compat;
use super::dampening::Policy;
use super::ladder::Ladder;
use super::service::StartPolicy;
use crate::exabgp::{Dialect, Route};

/// The configuration of one engine.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How to communicate with ExaBGP.
    pub(crate) exabgp: ExaBgp,
    /// Spreads the refreshes of many hosts; the same seed gives the same series.
    pub(crate) seed: u64,
    /// At least one, each with its own name and its own prefixes.
    pub(crate) services: Vec<Service>,
    /// Compatibility with `exabgp healthcheck`.
    pub(crate) compat: Compat,
}

/// How to communicate with ExaBGP.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct ExaBgp {
    /// The dialect; `None` to detect it.
    pub(crate) dialect: Option<Dialect>,
    /// Timeout of an acknowledgment; at least 100 ms.
    pub(crate) ack_timeout: Duration,
    /// Interval at which every route is stated again; zero for never, else at least 1 s.
    pub(crate) refresh: Duration,
    /// Whether to send End-of-RIB after the first routes.
    pub(crate) end_of_rib: bool,
}

/// Prefixes, the checks that decide about them, and their advertisements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Service {
    /// Unique, and one word without `/`.
    pub name: String,
    /// Whether it is probed and announced. A disabled service is withdrawn.
    pub enabled: bool,
    /// At least one; no two services share a prefix. A prefix has several routes if neighbors get different
    /// announcements of it.
    pub(crate) routes: Vec<Route>,
    /// For each route, in order, the advertisement in each state.
    pub(crate) ladders: Vec<Ladder>,
    /// With unique names.
    pub checks: Vec<Check>,
    /// The time after which the service stops waiting for unknown checks; at least 1 s.
    pub(crate) unknown_after: Duration,
    /// How long it is degraded on its way back from a withdraw to `up`; zero for never.
    pub(crate) recovery: Duration,
    /// Whether names are asked before it returns from a withdraw.
    pub(crate) warms_up: bool,
    /// The statement before the first verdict.
    pub(crate) start: StartPolicy,
    /// Drained as long as this file exists; absolute.
    pub(crate) disable_file: Option<PathBuf>,
    /// The penalty and the delay of falls from serving.
    pub dampening: Policy,
    /// The DNS server that answers for it; only shown.
    pub(crate) backend: Option<Backend>,
    /// The rest of the configuration, each value under its key. A reload names the keys whose values differ.
    pub(crate) others: Vec<(&'static str, Opaque)>,
}

/// What the outcome of a check tells about.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum CheckSubject {
    /// The answers of the server itself (a `dns` check).
    #[default]
    Answers,
    /// The server, as observed from outside.
    Server,
    /// The addresses or routes of this host, and nothing of the server.
    Host,
}

/// A set of probes with one outcome.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Check {
    /// Unique in its service, and one word without `/`.
    pub(crate) name: String,
    /// Its intervals, `rise` and `fall`.
    pub(crate) timing: Timing,
    /// The effect of each cause of failure on the service.
    pub(crate) on_fail: OnFail,
    /// What its outcome tells about.
    pub(crate) subject: CheckSubject,
    /// Whether each of its probes counts only once it has passed. A round in which none has is a pass without a latency.
    pub(crate) once_seen: bool,
    /// The questions.
    pub(crate) probe: Opaque,
}

impl Check {
    /// Whether its outcome shows that the server of a service works. The outcome of a check that is only observed
    /// does not: the management address may answer while the service address does not. Nor does the outcome of a check
    /// that may never have passed.
    pub(crate) fn is_witness(&self) -> bool {
        self.subject == CheckSubject::Answers
            && !self.on_fail.once_up
            && !self.once_seen
            && self.on_fail.worst() > Severity::Observe
    }
}

/// The DNS server of a service, for display.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Backend {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// Its systemd unit, if it has one.
    pub(crate) unit: Option<String>,
}

/// A value that can be compared, but not read.
#[derive(Clone)]
pub(crate) struct Opaque(Arc<dyn Comparable>);

trait Comparable: Any + fmt::Debug + Send + Sync {
    fn equals(&self, other: &dyn Any) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<T: Any + PartialEq + fmt::Debug + Send + Sync> Comparable for T {
    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>().is_some_and(|other| self == other)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Opaque {
    /// Wraps a value.
    pub(crate) fn new(value: impl Any + PartialEq + fmt::Debug + Send + Sync) -> Self {
        Self(Arc::new(value))
    }
}

/// Values of different types are different.
impl PartialEq for Opaque {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals((*other.0).as_any())
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_values_are_equal_by_their_type_and_value() {
        let text = |value: &str| Opaque::new(value.to_owned());
        assert_eq!(text("a"), text("a"));
        assert_ne!(text("a"), text("b"));
        assert_ne!(Opaque::new(1_u8), Opaque::new(1_u16));
    }
}
