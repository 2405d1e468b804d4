//! Drains: an operator, a restart or a unit requires that a service attracts no traffic.
//!
//! Each drain has a holder: the operator, a restart of the DNS server, or a unit that is about to stop. A service is
//! drained as long as it has a drain.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub(crate) use super::order::RESTARTS;
pub use super::order::{Holder, Lasts, Lift, Order, Reason};

/// The end of a failed restart by dnsherald.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartEnd {
    /// The server did not recover, and its services stay drained.
    LeftDrained,
    /// The server recovered with the configuration before.
    RolledBack,
    /// A reload without a drain failed, or it, or a restart without an operator, has left the server worse than before; or either
    /// was refused for the configuration of the server.
    #[serde(rename = "reloaded")]
    ReloadFailed,
}

/// How an operation failed that was refused because of the configuration on disk, after its name.
pub(crate) const UNTOUCHED: &str = "failed: the server was not touched: ";

/// What decides whether a service is announced after an operation on its server that failed without a drain of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DecidedBy {
    Checks,
    /// The checks, after dampening.
    Dampening,
    Drain,
    Hold,
}

impl DecidedBy {
    /// As the end of the log line; `ends` tells when the drain ends.
    pub(crate) fn words(self, ends: &str) -> String {
        match self {
            Self::Checks => "not drained: the checks decide what is announced".to_owned(),
            Self::Dampening => {
                "not drained: the checks decide what is announced, once dampening releases it".to_owned()
            }
            Self::Drain => format!("it stays drained{ends}"),
            Self::Hold => "it is held, whatever its checks say".to_owned(),
        }
    }
}

/// A zone in lower case, and the address that answers queries for it.
pub type ZoneAt = (String, SocketAddr);

/// A failed restart by dnsherald, as its command reports it for the log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FailedRestart {
    /// The holder of its drain.
    pub(crate) holder: Holder,
    /// How it ended.
    pub(crate) end: RestartEnd,
    /// The failed step, and why it failed.
    pub(crate) why: Reason,
    /// The zones that the server has lost; `None` if it was not compared with the server before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<Vec<ZoneAt>>,
    /// Whether it ran without an operator, so that it proves no repair.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unattended: bool,
}
