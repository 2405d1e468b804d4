//! The growth of the server's own count of answered queries: evidence that clients are served while a probe fails.
//!
//! The readings of the check are ten seconds apart by default, too rare for a failure that brings a service down in two.
//! So a failing probe for which this evidence matters lets the counters be read soon, as a task: the next failing probe
//! has the reading. The longer the failures last, the rarer this is. Without readings since the failures began there is
//! no evidence, as with a server that may be asked only once a minute.

use std::time::Duration;

use super::window::Reading;
use super::{CountersProbe, Read};
use crate::engine::moment::Moment;
use crate::engine::probe_only::{Evidence, Failed, Reads};
use crate::probe::dns::ProbePath;
use crate::probe::{now, own};
use crate::sys::lock;

/// The shortest time between two readings: shorter than that between two rounds of a check that is falling.
const SHORTEST: Duration = Duration::from_millis(150);

/// The time between two readings of failures that last: several within the time over which the present rate is measured.
const LONGEST: Duration = Duration::from_secs(2);

/// The time between two readings grows to [`LONGEST`] within this multiple of it.
const GROWS: u32 = 20;

impl CountersProbe {
    /// A probe has passed on this path.
    pub(crate) fn passed(&self, path: ProbePath) {
        lock(&self.memory.0).others.passed(path);
    }

    /// A probe on this path, asked this long `ago`, has failed. Counts of all queries tell nothing of connections, and
    /// nothing of who is refused: some servers count a refusal as an answer.
    pub(crate) fn judge(&self, ago: Duration, path: &ProbePath, how: Failed) -> Evidence {
        if how != Failed::Udp {
            return Evidence::Unknown;
        }
        let now = now();
        let asked = Moment::after_start(now.since_start().saturating_sub(ago));
        lock(&self.memory.0).others.judge(asked, now, path, how)
    }

    /// Reads the counters as a task, unless that is under way or was done recently.
    ///
    /// Call it on a tokio runtime.
    pub(crate) fn read_soon(&self, path: &ProbePath) {
        let mut known = lock(&self.memory.0);
        let now = now();
        let failing_for = known.others.failing_for(now, path).unwrap_or_default();
        // The check has not read them yet.
        let Some(pause) = known.pause else { return };
        let pause = pause.max((failing_for / GROWS).clamp(SHORTEST, LONGEST));
        let is_recent = known.others.last_reading().is_some_and(|last| now.since(last) < pause);
        if known.is_read || is_recent {
            return;
        }
        known.is_read = true;
        let counters = self.clone();
        tokio::spawn(async move {
            counters.read().await;
            lock(&counters.memory.0).is_read = false;
        });
    }

    /// Reads the counters, and keeps the queries of others.
    pub(super) async fn read(&self) -> Read {
        let own = own::questions();
        // A control channel may answer late: the counts are at least as old as the question for them.
        let asked = now();
        let read = self.source.read().await;
        if let Read::Counted(reading) = &read {
            let mut known = lock(&self.memory.0);
            known.others.add_reading(asked, Reads { udp: answered(reading) - own, tcp: 0 });
        }
        read
    }
}

/// Queries with an answer that is no SERVFAIL. Our own questions that never arrived make this less than it is for others.
fn answered(reading: &Reading) -> i64 {
    let Reading { queries, servfail, dropped, pending } = *reading;
    let without = [servfail, dropped, pending].into_iter().flatten().fold(0_u64, u64::saturating_add);
    i64::try_from(queries.saturating_sub(without)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::probe::counters::tests::{counted, probe};
    use crate::probe::dns::Transport;

    fn path() -> ProbePath {
        (SocketAddr::from(([192, 0, 2, 53], 53)), None, Transport::Udp)
    }

    #[test]
    fn an_answer_is_no_servfail_and_was_given() {
        let reading = |queries| Reading { queries, servfail: Some(10), dropped: Some(5), pending: Some(1) };
        assert_eq!(answered(&reading(100)), 84);
        assert_eq!(answered(&reading(3)), 0, "a server need not count what it drops");
        assert_eq!(answered(&Reading { queries: u64::MAX, ..Reading::default() }), i64::MAX);
    }

    /// The first failing probe has them read as a task; the following ones do not read them again at once.
    #[tokio::test]
    async fn a_failing_probe_has_the_counters_read_and_not_too_often() {
        let readings = (0..9).map(|second| counted(1000 * second, 0)).collect();
        let (_responder, source, probe) = probe(readings, Duration::from_secs(30), Duration::ZERO).await;
        probe.read_soon(&path());
        tokio::task::yield_now().await;
        assert_eq!(source.asked.load(Ordering::Relaxed), 0, "the check has not run: it may harm the server");
        assert!(probe.ask().await.passed());
        let last = || lock(&probe.memory.0).others.last_reading();
        let first = last();
        // Reads no sooner than after the shortest pause.
        let began = std::time::Instant::now();
        while last() == first {
            assert!(began.elapsed() < Duration::from_secs(20));
            probe.read_soon(&path());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(source.asked.load(Ordering::Relaxed), 2);
        assert!(last().unwrap().since(first.unwrap()) >= SHORTEST);
        assert!(!lock(&probe.memory.0).is_read);
    }

    #[tokio::test]
    async fn a_server_that_may_be_asked_rarely_is_asked_rarely() {
        let readings = (0..9).map(|second| counted(1000 * second, 0)).collect();
        let (_responder, source, probe) =
            probe(readings, Duration::from_secs(30), Duration::from_secs(60)).await;
        assert!(probe.ask().await.passed());
        tokio::time::sleep(SHORTEST).await;
        probe.read_soon(&path());
        assert!(!lock(&probe.memory.0).is_read);
        assert_eq!(source.asked.load(Ordering::Relaxed), 1);
    }
}
