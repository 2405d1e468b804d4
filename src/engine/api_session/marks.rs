//! End-of-RIB markers: one at the end of the first routes, for each family and set of neighbors.

use super::ApiSession;
use super::conversation::Mark;
use super::route_entry::RouteEntry;
use crate::exabgp::command::Family;

impl ApiSession {
    /// A marker for each family in use, to the neighbors that get its routes; IPv4 is first in the list, since the list
    /// is taken from its end.
    pub(super) fn mark_families(&mut self) {
        self.unmarked = self.marks();
        self.refused_marks.clear();
    }

    pub(super) fn marks(&self) -> Vec<Mark> {
        if !self.settings.exabgp.end_of_rib {
            return vec![];
        }
        let mark = |entry: &RouteEntry| Mark {
            family: Family::from_address(entry.route.prefix.addr()),
            neighbors: entry.route.neighbors.clone(),
        };
        let mut marks: Vec<_> = self.entries.iter().filter(|entry| !entry.stale).map(mark).collect();
        marks.sort_by_cached_key(|mark| (mark.family == Family::V4, mark.neighbors.clone()));
        marks.dedup();
        marks
    }

    /// Adds the markers of new families and sets of neighbors, and drops those that are no longer in use.
    pub(super) fn change_marks(&mut self, before: &[Mark]) {
        let marks = self.marks();
        self.unmarked.retain(|mark| marks.contains(mark));
        self.refused_marks.retain(|mark| marks.contains(mark));
        let new = marks.into_iter().filter(|mark| !before.contains(mark));
        self.unmarked.extend(new);
    }
}
