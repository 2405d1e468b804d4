//! How much of what the kernel counts on this host is due to the probes of this process.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::engine::probe_only::Reads;
use crate::netlink::snmp::{Counted, counted};

/// Datagrams: an answered question, and its answer, are one each. A question without an answer may not have arrived.
static DATAGRAMS: AtomicI64 = AtomicI64::new(0);

/// Connections.
static CONNECTIONS: AtomicI64 = AtomicI64::new(0);

/// Questions, answered or not: what a server may have counted as queries.
static QUESTIONS: AtomicI64 = AtomicI64::new(0);

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
