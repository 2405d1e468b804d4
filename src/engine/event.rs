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
    /// Whose check it is.
    pub(crate) service: ServiceId,
    /// Its place among the checks of that service.
    pub(crate) check: usize,
}

/// What has happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Time to begin.
    Start,
    /// A deadline may have come. Harmless when none has.
    Tick,
    /// A round of probes is over.
    Outcome(CheckId, Outcome),
    /// What a check holds on to has gone, between two rounds: the process of the DNS server, or a service address. With
    /// the cause, and the sentence about it.
    Gone(CheckId, Failure),
    /// The disable-file of a service has appeared (true) or gone.
    DisableFile(ServiceId, bool),
    /// Somebody wants a service drained.
    Drain(ServiceId, Order),
    /// Somebody wants drains of a service to end.
    Undrain(ServiceId, Lift),
    /// Somebody wants all services drained, those added later included.
    DrainAll(Order),
    /// Somebody wants drains of all services to end.
    UndrainAll(Lift),
    /// An operator wants a service announced against its checks.
    Hold(ServiceId, HoldOrder),
    /// An operator wants the holds of a service to end: those of this holder, or all.
    Unhold(ServiceId, Option<Holder>),
    /// An operator wants the falls of a service forgotten.
    Undampen(ServiceId),
    /// ExaBGP has said a line; without its line break.
    Heard(String),
    /// Standard output has stopped taking lines; the last one waits.
    OutputBlocked,
    /// Standard output has taken the line that waited.
    OutputUnblocked,
    /// Standard input has ended, or nobody reads standard output: ExaBGP is gone.
    ParentGone,
    /// SIGTERM and its like.
    Terminate,
}
