//! Which servers answer some queries and fail others.

use std::collections::BTreeSet;
use std::net::SocketAddr;

/// The servers of a round with a probe that passed, and those with one that failed.
#[derive(Debug, Default)]
pub(super) struct Split {
    passed: BTreeSet<SocketAddr>,
    failed: BTreeSet<SocketAddr>,
}

impl Split {
    /// Counts a probe to `server` that passed or failed.
    pub(super) fn count(&mut self, server: SocketAddr, passed: bool) {
        let of_kind = if passed { &mut self.passed } else { &mut self.failed };
        of_kind.insert(server);
    }

    /// Whether there is a failure, and every server with one also passed.
    pub(super) fn is_partial(&self) -> bool {
        !self.failed.is_empty() && self.failed.is_subset(&self.passed)
    }
}
