//! The memory, which survives a restart of the helper: penalties, drains, disable-files, and acknowledged states.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::drain::ZoneAt;
use super::moment::Moment;
use super::order::{Holder, Kind, Reason, RememberedOrder};
use super::service::ServiceState;
use crate::exabgp::Route;

/// The saved state of every service, by name.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Memory {
    /// By the service's name in the configuration.
    pub(crate) services: BTreeMap<String, Remembered>,
}

/// The saved state of one service.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Remembered {
    /// The dampening penalty at the time of the save.
    pub(crate) penalty: f64,
    /// Whether the penalty held the service down, or would have in mode `observe`.
    pub(crate) suppressed: bool,
    /// Whether the service has served since the fall that suppressed it, as it does in mode `observe`; `None` if it is not
    /// suppressed, and in a memory of version 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) served_since: Option<bool>,
    /// The age of each fall that lengthens its return.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) falls: Vec<Duration>,
    /// The number of the fall that withdrew it, if it has not returned yet; else 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) withdrawn_by_fall: u32,
    /// The age of each restart that `restart-grace` has excused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) excused_restarts: Vec<Duration>,
    /// The exit of a process that `restart-grace` may still excuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restart_pending: Option<PendingRestart>,
    /// The last state whose advertisement ExaBGP has acknowledged for every prefix; if ExaBGP answers no commands, the
    /// last that was sent for every prefix. A state that does not serve needs no acknowledgment.
    pub(crate) acknowledged: Option<ServiceState>,
    /// How long before the save that was, if the helper that saved it has not stated it anew.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub(crate) acknowledged_age: Duration,
    /// Routes that ExaBGP may announce. They can then be withdrawn even if the configuration cannot be read.
    pub(crate) announced: Vec<Route>,
    /// Its prefixes, so that a service with another name can take over the drains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) prefixes: Vec<IpNet>,
    /// Its drains.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) drains: BTreeMap<Holder, RememberedOrder>,
    /// Its holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) holds: BTreeMap<Holder, RememberedOrder>,
    /// The checks that a hold overrode when its drains began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) overridden: Vec<String>,
    /// Why the last reload of its server failed, until a reload or a restart succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed_reload: Option<Reason>,
    /// The zones that this reload has lost; `None` if it was not compared with the server before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lost_zones: Option<Vec<ZoneAt>>,
    /// Whether its disable-file existed.
    #[serde(default)]
    pub(crate) disabled: bool,
    /// The helper got a signal to stop: a failure at the next start is no fall.
    #[serde(default)]
    pub(crate) stopped: bool,
}

/// A state that ExaBGP has acknowledged.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Acknowledged {
    pub(crate) state: ServiceState,
    /// The age of the acknowledgment at the time `noted`.
    pub(crate) age: Duration,
    pub(crate) noted: Moment,
}

impl Acknowledged {
    /// The age of the acknowledgment at `now`.
    pub(crate) const fn age(&self, now: Moment) -> Duration {
        self.age.saturating_add(now.since(self.noted))
    }
}

/// The exit of a process of which it is not known whether another one replaces it in time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PendingRestart {
    /// The age of the exit.
    pub(crate) age: Duration,
    /// The names of the checks that watch it.
    pub(crate) checks: Vec<String>,
}

/// The entry for routes of services that are no longer configured. No service can have this name.
pub(crate) const NO_LONGER_CONFIGURED: &str = "(no longer configured)";

/// The entry for drains of all services, those added later included. No service can have this name.
pub(crate) const ALL_SERVICES: &str = "(all services)";

const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Remembered {
    /// Whether it has served since its last fall. A memory of version 0.1 does not say so: then its last state does,
    /// unless a hold kept it announced.
    pub(crate) fn served_since_its_fall(&self) -> bool {
        let served = || self.acknowledged.is_some_and(ServiceState::serves) && self.holds.is_empty();
        self.served_since.unwrap_or_else(served)
    }

    /// Its orders of one kind.
    pub(crate) const fn orders(&self, kind: Kind) -> &BTreeMap<Holder, RememberedOrder> {
        match kind {
            Kind::Drain => &self.drains,
            Kind::Hold => &self.holds,
        }
    }

    /// The same, mutable.
    pub(crate) const fn orders_mut(&mut self, kind: Kind) -> &mut BTreeMap<Holder, RememberedOrder> {
        match kind {
            Kind::Drain => &mut self.drains,
            Kind::Hold => &mut self.holds,
        }
    }
}

impl Memory {
    /// Drains of all services, those added later included, by holder.
    pub(crate) fn drains_of_all(&self) -> &BTreeMap<Holder, RememberedOrder> {
        static NONE: BTreeMap<Holder, RememberedOrder> = BTreeMap::new();
        self.services.get(ALL_SERVICES).map_or(&NONE, |all| &all.drains)
    }

    /// Forgets acknowledged states: after everything was withdrawn there is nothing to adopt, and no fall.
    pub(crate) fn forget_states(&mut self) {
        for service in self.services.values_mut() {
            service.acknowledged = None;
        }
    }

    /// A memory with the routes that ExaBGP may announce, and nothing else of their services.
    pub(crate) fn with_routes_only(&self) -> Self {
        let routes = Remembered { announced: self.announced().cloned().collect(), ..Remembered::default() };
        Self { services: BTreeMap::from([(NO_LONGER_CONFIGURED.to_owned(), routes)]) }
    }

    /// Forgets drains that end with the helper that began them.
    pub(crate) fn forget_drains_of_that_run(&mut self) {
        for service in self.services.values_mut() {
            service.drains.retain(|_, drain| !drain.until_exit);
        }
    }

    /// Every route that ExaBGP may announce.
    pub(crate) fn announced(&self) -> impl Iterator<Item = &Route> {
        self.services.values().flat_map(|service| &service.announced)
    }
}
