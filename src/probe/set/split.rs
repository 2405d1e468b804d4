//! Which servers answer some queries and fail others.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The outcomes of a round by server.
#[derive(Debug, Default)]
pub(super) struct Split(BTreeMap<SocketAddr, Counts>);

#[derive(Debug, Default)]
struct Counts {
    passed: bool,
    failed: bool,
}

impl Split {
    /// Counts a probe to `server` that passed or failed.
    pub(super) fn count(&mut self, server: SocketAddr, passed: bool) {
        let counts = self.0.entry(server).or_default();
        counts.passed |= passed;
        counts.failed |= !passed;
    }

    /// Whether every server with a failure also passed.
    pub(super) fn is_partial(&self) -> bool {
        self.0.values().all(|counts| counts.passed || !counts.failed)
    }
}
