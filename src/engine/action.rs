//! Everything that can leave the engine.

use serde::{Deserialize, Serialize};

use super::event::{CheckId, ServiceId};
use super::notice::Notice;

/// What the edges are to do, in this order.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Write this line, and a line break, to standard output.
    Print(String),
    /// Ask the questions of this check now, and report the outcome.
    Probe(CheckId),
    /// Tell people.
    Log(Notice),
    /// A service has changed its state, which hooks are to be told in `STATE`.
    Enter {
        /// Its name.
        service: String,
        /// `UP`, `DOWN` and so on.
        state: String,
        /// The sentence for `REASON`.
        reason: String,
    },
    /// ExaBGP has acknowledged what the present state of a service says for every one of its prefixes.
    Settled(ServiceId),
    /// The same has been said to an ExaBGP that answers no commands, so that what it made of it is unknown.
    Said(ServiceId),
    /// What should survive a restart has changed.
    Save,
    /// ExaBGP is gone, or the helper was told to stop.
    Exit,
}

impl From<Notice> for Action {
    fn from(notice: Notice) -> Self {
        Self::Log(notice)
    }
}
