//! The BGP sessions of the neighbors, as far as ExaBGP reports them.
//!
//! ExaBGP reports a session only to a process whose `api` section of that neighbor has `neighbor-changes`, and only
//! when it changes: a helper that starts while a session is up gets no report of it. Therefore a neighbor without an
//! entry is not known, and counts neither as up nor as down.
//!
//! ```text
//!                  connected, down                 up
//!   (not known) ──────────────────────► Down ◄──────────► Up
//!        └──────────────── up ──────────────── down ───────┘
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::moment::Moment;
use crate::exabgp::Route;

/// Maximum number of neighbors. ExaBGP may be configured with a range of neighbors; those beyond this number are
/// ignored.
const MOST: usize = 256;

/// The reason of a session that has never been up.
const CONNECTING: &str = "TCP is connected, the BGP session is not established";

/// The state of one BGP session.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum BgpState {
    /// Established.
    Up,
    /// Not established, with the reason of the loss, and that of the last attempt where it is another.
    Down(String),
}

/// One BGP session.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct BgpSession {
    /// Its state.
    pub state: BgpState,
    /// Since when it has been up, or down. A failed attempt to connect does not change it.
    pub since: Moment,
    /// How long it had been so when this engine began, whose process had another one before.
    #[serde(default)]
    pub(crate) earlier: Duration,
    /// Whether it has been up since this helper started.
    has_been_up: bool,
    /// Its first report was no loss: it was not up when this helper started.
    #[serde(default)]
    began_down: bool,
    /// Why it was lost; empty if it is up, or was never.
    lost: String,
}

/// The report of ExaBGP about a session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// TCP is connected.
    Connected,
    /// The session is established.
    Up,
    /// The session, or an attempt to establish it, has ended for this reason.
    Down(String),
}

/// The sessions by the address of the neighbor.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Neighbors(BTreeMap<IpAddr, BgpSession>);

impl Neighbors {
    /// Each neighbor that ExaBGP has reported, in the order of the addresses.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&IpAddr, &BgpSession)> {
        self.0.iter()
    }

    /// Handles a report of ExaBGP about the session with `neighbor` at `now`. A name that is no address is ignored.
    pub(super) fn on_report(&mut self, now: Moment, neighbor: &str, change: Change) {
        let Ok(address) = neighbor.parse() else { return };
        let before = self.0.get(&address);
        if before.is_none() && self.0.len() >= MOST {
            return;
        }
        let began_down = before.map_or(!matches!(change, Change::Down(_)), |session| session.began_down);
        let mut lost = before.map_or_else(String::new, |session| session.lost.clone());
        let state = match (before.map(|session| &session.state), change) {
            (_, Change::Up) => {
                lost.clear();
                BgpState::Up
            }
            // Of a session without an earlier report, the first one tells of its loss: it may have been up before this helper.
            (Some(BgpState::Up) | None, Change::Down(reason)) => {
                lost.clone_from(&reason);
                BgpState::Down(reason)
            }
            (_, Change::Down(reason)) if lost.is_empty() || lost == reason => BgpState::Down(reason),
            (_, Change::Down(reason)) => BgpState::Down(format!("{lost}; last attempt: {reason}")),
            (None, Change::Connected) => BgpState::Down(CONNECTING.to_owned()),
            (Some(_), Change::Connected) => return,
        };
        let is_up = matches!(state, BgpState::Up);
        let lasts = before.filter(|session| session.is_up() == is_up);
        let (since, earlier) =
            lasts.map_or((now, Duration::ZERO), |session| (session.since, session.earlier));
        let has_been_up = is_up || before.is_some_and(|session| session.has_been_up);
        self.0.insert(address, BgpSession { state, since, earlier, has_been_up, began_down, lost });
    }

    /// The same for the next engine of this process, which begins at `now` of this one.
    pub(in crate::engine) fn at_next_start(&self, now: Moment) -> Self {
        let carried = |session: &BgpSession| BgpSession {
            earlier: session.lasts(now),
            since: Moment::START,
            ..session.clone()
        };
        Self(self.0.iter().map(|(neighbor, session)| (*neighbor, carried(session))).collect())
    }

    /// Whether the session with `neighbor` is known to be down: then a report of an end concerns an attempt to
    /// establish it.
    pub(super) fn is_down(&self, neighbor: &str) -> bool {
        self.find(neighbor).is_some_and(|session| !session.is_up())
    }

    /// Whether the session with `neighbor` has been up since this helper started.
    pub(super) fn has_been_up(&self, neighbor: &str) -> bool {
        self.find(neighbor).is_some_and(|session| session.has_been_up)
    }

    /// Whether ExaBGP has reported this neighbor, or may have: the number is limited.
    pub(super) fn knows(&self, neighbor: &IpAddr) -> bool {
        self.0.contains_key(neighbor) || self.0.len() >= MOST
    }

    /// Since when all sessions that are up have been up. `None` if none is, or if the first report of one was a loss: it may
    /// have been up before this helper, and others may be up without a report.
    pub(super) fn all_up_since(&self) -> Option<Moment> {
        let is_complete = self.0.values().all(|session| session.began_down);
        let up = self.0.values().filter(|session| session.is_up()).map(|session| session.since);
        up.max().filter(|_| is_complete)
    }

    /// Whether a route is for named neighbors, and the session with none of them is known to be up.
    pub(super) fn know_none_up(&self, route: &Route) -> bool {
        let is_up = |neighbor: &IpAddr| self.0.get(neighbor).is_some_and(BgpSession::is_up);
        !route.neighbors.is_empty() && !route.neighbors.iter().any(is_up)
    }

    fn find(&self, neighbor: &str) -> Option<&BgpSession> {
        neighbor.parse().ok().and_then(|address: IpAddr| self.0.get(&address))
    }
}

impl BgpSession {
    /// How long it has been up, or down.
    pub(crate) const fn lasts(&self, now: Moment) -> Duration {
        self.earlier.saturating_add(now.since(self.since))
    }

    /// Whether it is established.
    pub(crate) const fn is_up(&self) -> bool {
        matches!(self.state, BgpState::Up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    fn shown(neighbors: &Neighbors) -> Vec<(String, Option<&str>, u64)> {
        let reason = |session: &BgpSession| match &session.state {
            BgpState::Up => None,
            BgpState::Down(reason) => Some(reason.clone().leak() as &str),
        };
        let shown = |(address, session): (&IpAddr, &BgpSession)| {
            (address.to_string(), reason(session), session.since.since_start().as_secs())
        };
        neighbors.iter().map(shown).collect()
    }

    #[test]
    fn a_session_is_down_since_it_was_lost_and_not_since_the_last_attempt() {
        let mut neighbors = Neighbors::default();
        neighbors.on_report(at(1), "10.0.0.1", Change::Connected);
        assert_eq!(shown(&neighbors), [("10.0.0.1".into(), Some(CONNECTING), 1)]);
        neighbors.on_report(at(2), "10.0.0.1", Change::Up);
        neighbors.on_report(at(3), "10.0.0.1", Change::Up);
        assert_eq!(shown(&neighbors), [("10.0.0.1".into(), None, 2)]);
        neighbors.on_report(at(60), "10.0.0.1", Change::Down("peer reset".into()));
        neighbors.on_report(at(65), "10.0.0.1", Change::Connected);
        neighbors.on_report(at(66), "10.0.0.1", Change::Down("closing connection".into()));
        assert_eq!(
            shown(&neighbors),
            [("10.0.0.1".into(), Some("peer reset; last attempt: closing connection"), 60)]
        );
    }

    #[test]
    fn the_next_engine_of_the_process_knows_the_sessions_and_since_when() {
        let mut neighbors = Neighbors::default();
        neighbors.on_report(at(2), "10.0.0.1", Change::Up);
        let mut next = neighbors.at_next_start(at(7));
        assert_eq!(shown(&next), [("10.0.0.1".into(), None, 0)]);
        let lasts = |neighbors: &Neighbors, now| neighbors.iter().next().unwrap().1.lasts(now).as_secs();
        assert_eq!(lasts(&next, at(3)), 5 + 3);
        next.on_report(at(4), "10.0.0.1", Change::Up);
        assert_eq!(lasts(&next, at(4)), 5 + 4, "a second report of the same");
        next.on_report(at(6), "10.0.0.1", Change::Down("peer reset".into()));
        assert_eq!(lasts(&next, at(7)), 1);
    }

    /// It may have been up before this helper, and the next attempts tell only of themselves.
    #[test]
    fn the_reason_of_a_first_report_is_kept() {
        let mut neighbors = Neighbors::default();
        neighbors.on_report(at(1), "10.0.0.1", Change::Down("administrative shutdown".into()));
        neighbors.on_report(at(2), "10.0.0.1", Change::Down("closing connection".into()));
        let both = "administrative shutdown; last attempt: closing connection";
        assert_eq!(shown(&neighbors), [("10.0.0.1".into(), Some(both), 1)]);
    }

    #[test]
    fn a_session_that_is_down_can_fail_to_connect_and_only_one_that_was_not_is_lost() {
        let mut neighbors = Neighbors::default();
        assert!(!neighbors.is_down("10.0.0.1"), "not known");
        neighbors.on_report(at(1), "10.0.0.1", Change::Down("closing connection".into()));
        assert!(neighbors.is_down("10.0.0.1") && !neighbors.has_been_up("10.0.0.1"));
        neighbors.on_report(at(2), "10.0.0.1", Change::Up);
        neighbors.on_report(at(3), "10.0.0.1", Change::Down("peer reset".into()));
        assert!(neighbors.is_down("10.0.0.1") && neighbors.has_been_up("10.0.0.1"));
        assert!(!neighbors.is_down("somewhere"));
    }

    #[test]
    fn addresses_are_kept_in_order_and_other_names_are_not() {
        let mut neighbors = Neighbors::default();
        for name in ["2001:db8::1", "10.0.0.2", "somewhere", "", "10.0.0.1"] {
            neighbors.on_report(at(0), name, Change::Up);
        }
        let addresses: Vec<_> = neighbors.iter().map(|(address, _)| address.to_string()).collect();
        assert_eq!(addresses, ["10.0.0.1", "10.0.0.2", "2001:db8::1"]);
    }

    #[test]
    fn a_bounded_number_is_kept() {
        let mut neighbors = Neighbors::default();
        for nth in 0..2 * MOST {
            neighbors.on_report(at(0), &format!("10.0.{}.{}", nth / 256, nth % 256), Change::Up);
        }
        neighbors.on_report(at(1), "10.0.0.0", Change::Down(String::new()));
        assert_eq!(neighbors.iter().count(), MOST);
        assert!(neighbors.iter().next().is_some_and(|(_, session)| !session.is_up()), "a known one changes");
    }
}
