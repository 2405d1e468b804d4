//! How much of what the kernel counts on this host is due to the probes of this process, and of commands that have told it
//! of theirs.

use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};

use crate::engine::probe_only::Reads;
use crate::netlink::snmp::{Counted, counted};

/// Datagrams: an answered question, and its answer, are one each. A question without an answer may not have arrived.
static DATAGRAMS: AtomicI64 = AtomicI64::new(0);

/// Connections.
static CONNECTIONS: AtomicI64 = AtomicI64::new(0);

/// Questions, answered or not: what a server may have counted as queries.
static QUESTIONS: AtomicI64 = AtomicI64::new(0);

/// What a process has asked, as the kernel and a server count it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    datagrams: u32,
    connections: u32,
    questions: u32,
}

impl Asked {
    /// What this process has asked up to now.
    pub(crate) fn by_us() -> Self {
        let of = |count: &AtomicI64| count.load(Ordering::Relaxed).try_into().unwrap_or(u32::MAX);
        Self { datagrams: of(&DATAGRAMS), connections: of(&CONNECTIONS), questions: of(&QUESTIONS) }
    }

    /// What was asked since `earlier`.
    pub(crate) const fn since(self, earlier: Self) -> Self {
        Self {
            datagrams: self.datagrams.saturating_sub(earlier.datagrams),
            connections: self.connections.saturating_sub(earlier.connections),
            questions: self.questions.saturating_sub(earlier.questions),
        }
    }

    /// Counts what a command has asked as our own.
    pub(crate) fn count_as_ours(self) {
        DATAGRAMS.fetch_add(self.datagrams.into(), Ordering::Relaxed);
        CONNECTIONS.fetch_add(self.connections.into(), Ordering::Relaxed);
        QUESTIONS.fetch_add(self.questions.into(), Ordering::Relaxed);
    }
}

/// A question was sent over UDP.
pub(super) fn note_question() {
    QUESTIONS.fetch_add(1, Ordering::Relaxed);
}

/// How many questions this process has sent to all servers.
pub(super) fn questions() -> i64 {
    QUESTIONS.load(Ordering::Relaxed)
}

/// A question was answered over UDP.
pub(super) fn note_answer() {
    DATAGRAMS.fetch_add(2, Ordering::Relaxed);
}

/// A server took a connection, which is for one question.
pub(super) fn note_connection() {
    CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    QUESTIONS.fetch_add(1, Ordering::Relaxed);
}

/// What this host has read of others; `None` if the kernel does not report it.
pub(super) fn reads_of_others() -> Option<Reads> {
    let Counted { datagrams, connections } = counted()?;
    Some(Reads {
        udp: datagrams.cast_signed() - DATAGRAMS.load(Ordering::Relaxed),
        tcp: connections.cast_signed() - CONNECTIONS.load(Ordering::Relaxed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other tests count beside this one.
    #[test]
    fn what_a_command_has_asked_counts_as_our_own() {
        let before = Asked::by_us();
        Asked { datagrams: 6, connections: 2, questions: 5 }.count_as_ours();
        let Asked { datagrams, connections, questions } = Asked::by_us().since(before);
        assert!(datagrams >= 6 && connections >= 2 && questions >= 5);
    }
}
