//! How the session with ExaBGP is held.

use std::time::Duration;

use crate::engine::compat::Compat;
use crate::exabgp::Dialect;

/// Who reads standard output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Parent {
    /// ExaBGP, which is asked for its version and answers commands.
    ExaBgp,
    /// A person: nothing is asked and nothing awaited.
    Terminal,
}

/// How to talk.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The dialect, where configuration pins it.
    pub(crate) dialect: Option<Dialect>,
    /// The longest wait for an answer.
    pub(crate) ack_timeout: Duration,
    /// How often everything is stated again; zero for never.
    pub(crate) refresh: Duration,
    /// Whether to mark the end of the first routes.
    pub(crate) end_of_rib: bool,
    /// Who reads standard output.
    pub(crate) parent: Parent,
    /// Where it behaves as `exabgp healthcheck` does.
    pub(crate) compat: Compat,
    /// Spreads the refreshes of many hosts; the same seed gives the same series.
    pub(crate) seed: u64,
}
