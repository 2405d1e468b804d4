//! How much of what the kernel counts on this host is due to the probes of this process, and of the commands that reported
//! their probes to it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};

use crate::engine::probe_only::Reads;
use crate::netlink::snmp::{Counted, counted};
use crate::sys::lock;

/// Datagrams: an answered question, and its answer, are one each. A question to this host without an answer is one, too: its
/// server has probably read it, as a resolver that cannot reach other servers does. If not, others seem to be fewer than they
/// are, so a failure counts. An answer for which a resolver asks other servers costs it [`LOOKUP`] more.
static DATAGRAMS: AtomicI64 = AtomicI64::new(0);

/// The datagrams of other servers that a resolver reads for a name that is not in its cache, while the zones above it are:
/// Unbound and BIND read one or two.
const LOOKUP: i64 = 2;

/// Connections.
static CONNECTIONS: AtomicI64 = AtomicI64::new(0);

/// Questions, answered or not: what a server may have counted as queries.
static QUESTIONS: AtomicI64 = AtomicI64::new(0);

/// The questions of this process alone, by the address of the server.
static BY_SERVER: Mutex<BTreeMap<IpAddr, u64>> = Mutex::new(BTreeMap::new());

/// Questions over UDP that wait for their answers.
static WAITING: AtomicI64 = AtomicI64::new(0);

/// What a process has asked, as the kernel and a server count it. The numbers are negative in a correction that lowers an
/// earlier report.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    datagrams: i64,
    connections: i64,
    questions: i64,
}

impl Asked {
    /// What this process has asked up to now, with the reports that it got.
    pub(crate) fn by_us() -> Self {
        let of = |count: &AtomicI64| count.load(Ordering::Relaxed);
        Self { datagrams: of(&DATAGRAMS), connections: of(&CONNECTIONS), questions: of(&QUESTIONS) }
    }

    /// By how much this is more than `other`.
    pub(crate) const fn beyond(self, other: Self) -> Self {
        Self {
            datagrams: self.datagrams.saturating_sub(other.datagrams),
            connections: self.connections.saturating_sub(other.connections),
            questions: self.questions.saturating_sub(other.questions),
        }
    }

    /// Counts what a command has asked as our own.
    pub(crate) fn count_as_ours(self) {
        DATAGRAMS.fetch_add(self.datagrams, Ordering::Relaxed);
        CONNECTIONS.fetch_add(self.connections, Ordering::Relaxed);
        QUESTIONS.fetch_add(self.questions, Ordering::Relaxed);
    }
}

/// A question over UDP that waits for its answer. The server may have read it.
#[must_use]
pub(super) struct Waiting {
    /// Whether its server is on this host, and nothing has arrived for it yet.
    is_unanswered_here: bool,
}

impl Waiting {
    /// An answer has arrived, or the kernel has reported why there is none.
    pub(super) fn end(mut self) {
        self.is_unanswered_here = false;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        DATAGRAMS.fetch_add(i64::from(self.is_unanswered_here), Ordering::Relaxed);
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

fn count_question(server: IpAddr) {
    QUESTIONS.fetch_add(1, Ordering::Relaxed);
    *lock(&BY_SERVER).entry(server).or_default() += 1;
}

/// A question was sent over UDP to this server, which may be on this host (`is_here`). It waits for its answer as long as the
/// returned value lives.
pub(super) fn note_question(server: IpAddr, is_here: bool) -> Waiting {
    count_question(server);
    WAITING.fetch_add(1, Ordering::Relaxed);
    Waiting { is_unanswered_here: is_here }
}

/// How many questions this process, and the commands that reported theirs, have sent to all servers.
pub(super) fn questions() -> i64 {
    QUESTIONS.load(Ordering::Relaxed)
}

/// How many questions this process has sent to each server.
pub(crate) fn questions_by_server() -> BTreeMap<IpAddr, u64> {
    lock(&BY_SERVER).clone()
}

/// A datagram arrived: it counts, and the question to which it is the answer.
pub(super) fn note_answer() {
    DATAGRAMS.fetch_add(2, Ordering::Relaxed);
}

/// A resolver answered a question for which it has to ask other servers.
pub(super) fn note_lookup() {
    DATAGRAMS.fetch_add(LOOKUP, Ordering::Relaxed);
}

/// A server took a connection, which is for one question.
pub(super) fn note_connection(server: IpAddr) {
    CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    count_question(server);
}

/// What this host has read of others; `None` if the kernel does not report it.
pub(super) fn reads_of_others() -> Option<Reads> {
    let Counted { datagrams, connections } = counted()?;
    Some(Reads {
        udp: datagrams.cast_signed() - DATAGRAMS.load(Ordering::Relaxed) - WAITING.load(Ordering::Relaxed),
        tcp: connections.cast_signed() - CONNECTIONS.load(Ordering::Relaxed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel counts it, and no client has asked it. Other tests count beside this one.
    #[test]
    fn a_question_without_an_answer_is_one_datagram_of_our_own() {
        let server = IpAddr::from([127, 0, 0, 1]);
        let before = Asked::by_us();
        (0..3000).for_each(|_| drop(note_question(server, true)));
        let unanswered = Asked::by_us().beyond(before).datagrams;
        let before = Asked::by_us();
        (0..3000).for_each(|_| note_question(server, true).end());
        (0..3000).for_each(|_| drop(note_question(server, false)));
        let others = Asked::by_us().beyond(before).datagrams;
        assert!(unanswered >= 3000 && others < 3000, "{unanswered} {others}");
    }

    /// Other tests count beside this one.
    #[test]
    fn what_a_command_has_asked_counts_as_our_own() {
        let before = Asked::by_us();
        let asked = Asked { datagrams: 6000, connections: 2000, questions: 5000 };
        asked.count_as_ours();
        let Asked { datagrams, connections, questions } = Asked::by_us().beyond(before);
        assert!(datagrams >= 6000 && connections >= 2000 && questions >= 5000);
        let correction: Asked =
            serde_json::from_str(&serde_json::to_string(&Asked::default().beyond(asked)).unwrap()).unwrap();
        correction.count_as_ours();
        let Asked { datagrams, connections, questions } = Asked::by_us().beyond(before);
        assert!(datagrams < 6000 && connections < 2000 && questions < 5000);
    }
}
