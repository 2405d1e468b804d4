//! Settings of the API session.

use serde::{Deserialize, Serialize};

use crate::engine::compat::Compat;
use crate::engine::plan::ExaBgp;

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
    #[serde(flatten)]
    pub(crate) exabgp: ExaBgp,
    /// The reader of standard output.
    pub(crate) parent: Parent,
    /// Compatibility with `exabgp healthcheck`.
    pub(crate) compat: Compat,
    /// Spreads the refreshes of many hosts; the same seed gives the same series.
    pub(crate) seed: u64,
}
