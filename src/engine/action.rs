//! Everything that can leave the engine.

use serde::Serialize;

use super::event::{CheckId, ServiceId};
use super::notice::Notice;

/// An action for the edges to perform, in this order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Write this line, and a line break, to standard output.
    Print(String),
    /// Send the probes of this check now, and report the outcome.
    Probe(CheckId),
    /// Ask for the names of `warm-up` of this service now, and report the end.
    WarmUp(ServiceId),
    /// Log this notice.
    Log(Notice),
    /// A service has changed its state: run the hooks with this state (`UP`, `DOWN` and so on) and reason.
    Enter { service: String, state: String, reason: String },
    /// ExaBGP has acknowledged the present state of a service for every prefix.
    Settled(ServiceId),
    /// The present state of a service was sent for every prefix to an ExaBGP that answers no commands, so its
    /// effect is unknown.
    Said(ServiceId),
    /// The memory has changed: save it.
    Save,
    /// ExaBGP is gone, or the helper got a signal to stop: exit.
    Exit,
}

impl From<Notice> for Action {
    fn from(notice: Notice) -> Self {
        Self::Log(notice)
    }
}
