//! Drains: the word of an operator, a restart or a unit that a service is to attract no traffic.
//!
//! Each drain has a holder: the operator, a restart of the DNS server, the unit that is about to stop. A service is
//! drained as long as there is one.

use serde::{Deserialize, Serialize};

pub(crate) use super::order::RESTARTS;
pub use super::order::{Holder, Lasts, Lift, Order, Reason};

/// One drain.
pub(crate) type Drain = super::order::Standing;

/// A drain as it survives a restart.
pub(crate) type RememberedDrain = super::order::RememberedOrder;

/// The drains of one service, by holder.
pub(crate) type Drains = super::order::Orders;

/// How a restart of ours that failed has ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartEnd {
    /// The server did not recover, and its services stay drained.
    LeftDrained,
    /// The server recovered with the configuration before.
    RolledBack,
}

/// A restart of ours that failed, as its command reports it for the log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FailedRestart {
    /// The holder of its drain.
    pub(crate) holder: Holder,
    /// How it ended.
    pub(crate) end: RestartEnd,
    /// What failed, at which step, and why.
    pub(crate) why: Reason,
}
