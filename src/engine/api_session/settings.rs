//! Settings of the API session.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::compat::Compat;
use crate::exabgp::Dialect;

/// The reader of standard output.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Parent {
    /// ExaBGP: it answers commands, and the question for its version.
    ExaBgp,
    /// A person: the session asks nothing and waits for no reply.
    Terminal,
}

/// How to speak to ExaBGP.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Settings {
    /// The dialect, if the configuration pins it.
    pub(crate) dialect: Option<Dialect>,
    /// Timeout of a reply.
    pub(crate) ack_timeout: Duration,
    /// The interval of refreshes, which state everything again; zero for none.
    pub(crate) refresh: Duration,
    /// Whether to mark the end of the first routes.
    pub(crate) end_of_rib: bool,
    /// The reader of standard output.
    pub(crate) parent: Parent,
    /// Compatibility with `exabgp healthcheck`.
    pub(crate) compat: Compat,
    /// Spreads the refreshes of many hosts; the same seed gives the same series.
    pub(crate) seed: u64,
}
