//! Facts about what runs now: the helper, the routes of the kernel, the processes behind sockets.

use crate::outcome::Outcome;
use crate::status::Document;

/// The helper of the configuration.
#[derive(Debug)]
pub(crate) enum HelperFact {
    /// It has answered with its status.
    Answers(Box<Document>),
    /// None answers at its sockets, for this reason.
    Silent(String),
    /// A helper listens, and does not answer; why.
    Unresponsive(String),
}

/// Whether a service can answer its clients.
#[derive(Debug)]
pub(crate) struct WayFact {
    pub(crate) service: String,
    /// The check that asks the same all the time, if there is one.
    pub(crate) check: Option<String>,
    /// Whether its failures count only once it has been up: clients may be in networks with routes of their own.
    pub(crate) once_up: bool,
    pub(crate) outcome: Outcome,
}
