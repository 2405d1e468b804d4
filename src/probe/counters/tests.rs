use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::engine::probe_only::Reads;
use crate::probe::dns::{Question, Transport};
use crate::responder::{Fault, Responder};

/// Returns these readings one after the other, and counts the calls.
#[derive(Debug)]
pub(super) struct Source {
    readings: Mutex<Vec<Read>>,
    pause: Duration,
    pub(super) asked: AtomicUsize,
}

impl CounterSource for Source {
    fn read(&self) -> BoxFuture<'_, Read> {
        Box::pin(async {
            self.asked.fetch_add(1, Ordering::Relaxed);
            lock(&self.readings).pop().unwrap_or_else(|| Read::Unknown("no more".to_owned()))
        })
    }

    fn pause(&self) -> BoxFuture<'_, Duration> {
        Box::pin(async { self.pause })
    }

    fn name(&self) -> &'static str {
        "nsd"
    }
}

pub(super) async fn probe(
    mut readings: Vec<Read>,
    window: Duration,
    pause: Duration,
) -> (Responder, Arc<Source>, CountersProbe) {
    readings.reverse();
    let source = Arc::new(Source { readings: Mutex::new(readings), pause, asked: AtomicUsize::new(0) });
    let responder = Responder::bind(std::net::Ipv4Addr::LOCALHOST.into()).await.unwrap();
    let kept = Arc::clone(&source);
    let counters = of(source, window, responder.address());
    (responder, kept, counters)
}

fn of(source: Arc<Source>, window: Duration, server: std::net::SocketAddr) -> CountersProbe {
    let witness = DnsProbe {
        question: Arc::new(Question::observing("localhost. A".parse().unwrap()).unwrap()),
        server,
        source: None,
        transport: Transport::Udp,
        timeout: Duration::from_millis(200),
        locality: Arc::default(),
    };
    let limits = Limits {
        window,
        min_queries: NonZeroU32::MIN,
        max_servfail: 0.5,
        max_dropped: 0.5,
        request_list: None,
        max_request_list: 1.0,
    };
    CountersProbe { source, limits, has_one_address: true, witness, memory: Memory::default() }
}

/// Counters of a server that answered others 100 queries a second, until a second ago; since then, this many a second.
/// A probe has passed on this path before.
pub(crate) fn answering(path: ProbePath, then: i64) -> CountersProbe {
    let source =
        Source { readings: Mutex::default(), pause: Duration::from_secs(60), asked: AtomicUsize::new(0) };
    let counters = of(Arc::new(source), Duration::from_secs(30), path.0);
    let before = |millis: u64| Moment::after_start(now().since_start() - Duration::from_millis(millis));
    let mut known = lock(&counters.memory.0);
    known.others.passed(path);
    for (millis, udp) in [(31_000, 0), (1_500, 2_950), (900, 3_000), (100, 3_000 + then * 8 / 10)] {
        known.others.add_reading(before(millis), Reads { udp, tcp: 0 });
    }
    drop(known);
    counters
}

pub(super) fn counted(queries: u64, servfail: u64) -> Read {
    Read::Counted(Reading { queries, servfail: Some(servfail), ..Reading::default() })
}

fn cause(outcome: &Outcome) -> Option<Cause> {
    outcome.failure().map(|failure| failure.cause)
}

#[tokio::test]
async fn the_outcome_stands_until_the_next_reading_is_due() {
    let readings = || vec![counted(0, 0), counted(10, 10)];
    let (_responder, source, probe) =
        probe(readings(), Duration::from_nanos(1), Duration::from_secs(60)).await;
    for _ in 0..5 {
        assert!(probe.ask().await.passed());
    }
    assert_eq!(source.asked.load(Ordering::Relaxed), 1, "once a minute");
}

#[tokio::test]
async fn counters_fail_by_two_readings() {
    let readings = vec![counted(0, 0), counted(10, 10)];
    let (_responder, _, probe) = probe(readings, Duration::from_nanos(1), Duration::ZERO).await;
    assert!(probe.ask().await.passed());
    assert_eq!(cause(&probe.clone().ask().await), Some(Cause::ServfailShare), "a copy remembers the same");
    assert_eq!(cause(&probe.ask().await), Some(Cause::NoCounters));
}

#[tokio::test]
async fn a_hung_control_channel_needs_a_server_that_answers() {
    let hung = || Read::Hung("no answer".to_owned());
    let (responder, _, probe) = probe(vec![hung(); 5], Duration::ZERO, Duration::ZERO).await;
    responder.set(Fault::Refuse).await;
    assert_eq!(cause(&probe.ask().await), Some(Cause::NoCounters), "once");
    assert_eq!(cause(&probe.ask().await), Some(Cause::ControlHung), "twice, and any answer counts");
    responder.set(Fault::Silent).await;
    assert_eq!(cause(&probe.ask().await), Some(Cause::NoCounters), "the server hangs as well");
}
