//! Neighbors that routes name and of which ExaBGP reports nothing, while it reports others.
//!
//! ExaBGP answers `done` for a group of neighbors of which it has some, and ExaBGP 6 for any neighbor. Only its reports
//! of sessions show that it may not have one. They do not prove it: a router that is off gives no report either.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ApiSession;
use super::neighbors::Change;
use crate::engine::action::Action;
use crate::engine::moment::Moment;
use crate::engine::notice::Notice;
use crate::text::{joined, ordered};

/// For how long the sessions of other neighbors have to be up. A router that is reachable connects within seconds.
const REPORT_TIME: Duration = Duration::from_secs(60);

/// The neighbors that routes name and that ExaBGP has not reported.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Unheard {
    /// Those that may still be reported.
    awaited: BTreeSet<IpAddr>,
    /// Since when the last of them has been named.
    named_at: Moment,
    /// Those that the log has named.
    missing: BTreeSet<IpAddr>,
}

impl ApiSession {
    /// The routes may name other neighbors than before.
    pub(super) fn await_sessions(&mut self, now: Moment) {
        let routes = self.entries.iter().filter(|entry| !entry.stale).map(|entry| &entry.route);
        let named = routes.flat_map(|route| &route.neighbors).copied();
        let unheard: BTreeSet<_> = ordered(named.filter(|neighbor| !self.neighbors.knows(neighbor)));
        let Unheard { awaited, named_at, missing } = &mut self.unheard;
        missing.retain(|neighbor| unheard.contains(neighbor));
        let is_new = |neighbor: &IpAddr| !awaited.contains(neighbor) && !missing.contains(neighbor);
        if unheard.iter().any(is_new) {
            *named_at = now;
        }
        *awaited = &unheard - missing;
    }

    /// ExaBGP has reported a session.
    pub(super) fn hear_of(&mut self, now: Moment, neighbor: &str, change: Change) {
        self.neighbors.on_report(now, neighbor, change);
        if let Ok(address) = neighbor.parse() {
            self.unheard.awaited.remove(&address);
            self.unheard.missing.remove(&address);
        }
    }

    /// When the awaited neighbors count as missing; `None` if no other session shows that ExaBGP reports them.
    pub(super) fn missing_at(&self) -> Option<Moment> {
        if self.unheard.awaited.is_empty() {
            return None;
        }
        Some(self.neighbors.all_up_since()?.max(self.unheard.named_at) + REPORT_TIME)
    }

    /// Logs the awaited neighbors, except those whose routes ExaBGP refuses: the log has that.
    pub(super) fn report_missing(&mut self, out: &mut Vec<Action>) {
        let mut missing = std::mem::take(&mut self.unheard.awaited);
        let is_accepted = |neighbor: &IpAddr| {
            let mut routes = self.entries.iter().filter(|entry| !entry.refused && !entry.stale);
            routes.any(|entry| entry.route.neighbors.contains(neighbor))
        };
        missing.retain(is_accepted);
        if !missing.is_empty() {
            out.push(Notice::NoSession { neighbors: joined(&missing, ", ") }.into());
            self.unheard.missing.append(&mut missing);
        }
    }

    /// Whether ExaBGP reports other neighbors and never this one.
    pub(crate) fn misses(&self, neighbor: &IpAddr) -> bool {
        self.unheard.missing.contains(neighbor)
    }
}
