//! Everything that can reach the engine.

use serde::{Deserialize, Serialize};

use super::drain::{Holder, Lift, Order};
use super::hold::HoldOrder;
use crate::outcome::{Failure, Outcome};

/// The place of a service in the configuration.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ServiceId(pub usize);

/// The place of a check in the configuration.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct CheckId {
    /// Its service.
    pub(crate) service: ServiceId,
    /// Its place among the checks of that service.
    pub(crate) check: usize,
}

/// An event.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The engine starts.
    Start,
    /// A deadline may have passed; harmless if none has.
    Tick,
    /// A round of probes has ended.
    Outcome(CheckId, Outcome),
    /// A check has failed between two rounds: the process of the DNS server exited, a service address was removed, or
    /// the server does not read its sockets. With the cause and the reason.
    SuddenFailure(CheckId, Failure),
    /// A sign of trouble that only an answer of the server can confirm: the checks of the service are due at once.
    ProbeNow(CheckId),
    /// What a check asks has returned, such as a route: the check is due at once if it fails, and rises at a shorter interval.
    Returned(CheckId),
    /// The names of `warm-up` of a service were asked, with whatever result.
    WarmedUp(ServiceId),
    /// The disable-file of a service has appeared (true) or gone.
    DisableFile(ServiceId, bool),
    /// Drain a service.
    Drain(ServiceId, Order),
    /// End drains of a service.
    Undrain(ServiceId, Lift),
    /// Drain all services, including those that are added later.
    DrainAll(Order),
    /// End drains of all services.
    UndrainAll(Lift),
    /// Drain services that are added later, none of the present ones. Another helper has begun a drain of all; the present
    /// services get events of their own.
    DrainLater(Order),
    /// End the drain of this holder for services that are added later.
    UndrainLater(Holder),
    /// Keep a service announced against its checks.
    Hold(ServiceId, HoldOrder),
    /// End the holds of a service: those of this holder, or all.
    Unhold(ServiceId, Option<Holder>),
    /// Forget the falls of a service.
    Undampen(ServiceId),
    /// ExaBGP has sent a line; without its line break.
    Received(String),
    /// Standard output is blocked; the last line waits.
    OutputBlocked,
    /// Standard output has taken the line that waited.
    OutputUnblocked,
    /// Standard input or output is closed: ExaBGP is gone.
    ParentGone,
    /// The helper got SIGTERM, or another signal to stop.
    Terminate,
}
