//! What survives a restart of the helper: penalties, drains, disable-files, and what ExaBGP has been told.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::drain::{Holder, RememberedDrain};
use super::order::{Kind, RememberedOrder};
use super::service::ServiceState;
use crate::exabgp::Route;

/// What is worth keeping of every service, by name.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Memory {
    /// By the service's name in the configuration.
    pub(crate) services: BTreeMap<String, Remembered>,
}

/// What is worth keeping of one service.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Remembered {
    /// The dampening penalty when this was written.
    pub(crate) penalty: f64,
    /// Whether the penalty held the service down.
    pub(crate) suppressed: bool,
    /// How long ago the service fell, for each fall that lengthens its return.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) falls: Vec<Duration>,
    /// The number of the fall that withdrew it, if its return is still to come; else 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) withdrawn_by_fall: u32,
    /// How long ago each restart was that `restart-grace` has excused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) excused_restarts: Vec<Duration>,
    /// The end of a process that `restart-grace` may yet excuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restart_pending: Option<PendingRestart>,
    /// The last state whose advertisement ExaBGP has acknowledged for every prefix; where it answers no commands, the
    /// last that was said for every prefix.
    pub(crate) acknowledged: Option<ServiceState>,
    /// What ExaBGP may be announcing, so that it can be withdrawn even when the configuration cannot be read.
    pub(crate) announced: Vec<Route>,
    /// Its prefixes, so that drains find them under another name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) prefixes: Vec<IpNet>,
    /// Who wants it drained.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) drains: BTreeMap<Holder, RememberedDrain>,
    /// Who wants it announced against its checks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) holds: BTreeMap<Holder, RememberedOrder>,
    /// Its disable-file was there.
    #[serde(default)]
    pub(crate) disabled: bool,
    /// The helper was told to stop, so that what it finds at its return is no fall.
    #[serde(default)]
    pub(crate) stopped: bool,
}

/// The end of a process of which it is not known whether another takes its place in time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PendingRestart {
    /// How long ago the process ended.
    pub(crate) age: Duration,
    /// The names of the checks that watch it.
    pub(crate) checks: Vec<String>,
}

/// Stands for services that are no longer configured. No service can be called so.
pub(crate) const NO_LONGER_CONFIGURED: &str = "(no longer configured)";

/// Stands for all services together, those added later included: it has only drains. No service can be called so.
pub(crate) const ALL_SERVICES: &str = "(all services)";

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Remembered {
    /// Its orders of one kind.
    #[must_use]
    pub(crate) const fn orders(&self, kind: Kind) -> &BTreeMap<Holder, RememberedOrder> {
        match kind {
            Kind::Drain => &self.drains,
            Kind::Hold => &self.holds,
        }
    }

    /// The same, to be changed.
    pub(crate) const fn orders_mut(&mut self, kind: Kind) -> &mut BTreeMap<Holder, RememberedOrder> {
        match kind {
            Kind::Drain => &mut self.drains,
            Kind::Hold => &mut self.holds,
        }
    }
}

impl Memory {
    /// Drains of all services, those added later included, by holder.
    #[must_use]
    pub(crate) fn drains_of_all(&self) -> &BTreeMap<Holder, RememberedDrain> {
        static NONE: BTreeMap<Holder, RememberedDrain> = BTreeMap::new();
        self.services.get(ALL_SERVICES).map_or(&NONE, |all| &all.drains)
    }

    /// Forgets acknowledged states: after everything was withdrawn there is nothing to adopt, and no fall.
    pub(crate) fn forget_states(&mut self) {
        for service in self.services.values_mut() {
            service.acknowledged = None;
        }
    }

    /// What was to end with an earlier helper ends.
    pub(crate) fn forget_drains_of_that_run(&mut self) {
        for service in self.services.values_mut() {
            service.drains.retain(|_, drain| !drain.until_exit);
        }
    }

    /// Every route that may still be announced.
    pub(crate) fn announced(&self) -> impl Iterator<Item = &Route> {
        self.services.values().flat_map(|service| &service.announced)
    }
}
