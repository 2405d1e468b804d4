//! A check's round: its probes, folded into one outcome as soon as it is certain.
//!
//! A round with few probes asks all at once. One with more than [`Pace::max_in_flight`] starts them one after the other,
//! spread over the interval of the check, so that its burst exhausts neither the descriptors of this process nor the
//! receive buffer of the server. The probes are polled in the task that asks, so a round leaves nothing behind when it is
//! dropped. `Tally` is the fold: it takes outcomes in whatever order they come and says
//! when no further one can change the verdict.

use std::cmp::Reverse;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::dns::{Finding, Probe};
use crate::outcome::{Cause, Class, Failure, Outcome};

/// How many probes of a round are under way at once, and how their starts are spread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// At most so many are under way at once.
    pub max_in_flight: NonZeroUsize,
    /// The starts of a round that has more probes than that are spread evenly over this time.
    pub spread: Duration,
}

impl Pace {
    /// A burst of so many questions fits into the receive buffer of a server as Linux makes it, and needs few
    /// descriptors.
    pub const MAX_IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

    /// The default limit, and no spreading.
    pub const BURST: Self = Self { max_in_flight: Self::MAX_IN_FLIGHT, spread: Duration::ZERO };

    /// The time from the start of one probe to the start of the next, in a round of `count`.
    fn gap(self, count: usize) -> Duration {
        match u32::try_from(count) {
            Ok(count) if count as usize > self.max_in_flight.get() => self.spread / count,
            _ => Duration::ZERO,
        }
    }
}

/// The probes of a check, of which some or all have to pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    probes: Vec<Probe>,
    need: usize,
    pace: Pace,
}

impl Round {
    /// A round that passes if `need` of `probes` do.
    ///
    /// # Errors
    ///
    /// The sentence that says that `need` is none of `1..=probes.len()`.
    pub fn new(probes: Vec<Probe>, need: usize, pace: Pace) -> Result<Self, String> {
        match probes.len() {
            0 => Err("a round of no probes, expected at least one".to_owned()),
            count if !(1..=count).contains(&need) => {
                Err(format!("{need} of {count} probes are to pass, expected a number from 1 to {count}"))
            }
            _ => Ok(Self { probes, need, pace }),
        }
    }

    /// The probes, in the order of configuration.
    #[must_use]
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// How many of them have to pass.
    #[must_use]
    pub const fn need(&self) -> usize {
        self.need
    }

    /// How many probes are under way at once.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// Asks at its pace and returns when the verdict is certain.
    ///
    /// A pass has the latency of the slowest probe that counted. A failure has the cause that ranks highest by
    /// `severity`, and of those the first in the order of the probes; to know it, a round that has failed already
    /// goes on until a cause of the highest rank there is has been seen, or all probes are done.
    pub async fn ask<K: Ord>(&self, severity: impl Fn(Cause) -> K) -> Outcome {
        if let [probe] = &self.probes[..] {
            return probe.ask().await.outcome;
        }
        let mut tally = Tally::new(self.probes.len(), self.need, severity);
        let mut flight = Flight::new(&self.probes, self.pace);
        while let Some((place, finding)) = flight.next(Probe::ask).await {
            if let Some(verdict) = tally.count(place, finding.outcome) {
                return verdict;
            }
        }
        tally.fail()
    }

    /// Asks, waits for all, and returns what each found behind its label, in the order of the probes.
    pub async fn ask_all(&self) -> Vec<(String, Finding)> {
        let mut flight = Flight::new(&self.probes, Pace { spread: Duration::ZERO, ..self.pace });
        let mut findings = Vec::with_capacity(self.probes.len());
        while let Some((place, finding)) = flight.next(Probe::ask).await {
            findings.push((place, finding));
        }
        findings.sort_by_key(|(place, _)| *place);
        findings.into_iter().map(|(place, finding)| (self.probes[place].to_string(), finding)).collect()
    }
}

/// Outcomes as they come in, and the verdict that they make certain.
#[derive(Debug)]
struct Tally<S> {
    of: usize,
    need: usize,
    passed: usize,
    slowest: Duration,
    failures: Vec<(usize, Failure)>,
    /// How many of the failures are unknown outcomes.
    unknown: usize,
    severity: S,
}

impl<K: Ord, S: Fn(Cause) -> K> Tally<S> {
    const fn new(of: usize, need: usize, severity: S) -> Self {
        Self { of, need, passed: 0, slowest: Duration::ZERO, failures: Vec::new(), unknown: 0, severity }
    }

    /// Counts the outcome of the probe at `place`; the verdict, if no further outcome can change it.
    fn count(&mut self, place: usize, outcome: Outcome) -> Option<Outcome> {
        match outcome {
            Outcome::Pass { latency } => {
                self.passed += 1;
                self.slowest = self.slowest.max(latency);
                (self.passed == self.need).then(|| Outcome::pass(self.slowest))
            }
            Outcome::Fail(failure) => {
                self.failures.push((place, failure));
                (self.is_lost() && self.has_seen_the_worst()).then(|| self.fail())
            }
            Outcome::Unknown(failure) => {
                self.failures.push((place, failure));
                self.unknown += 1;
                None
            }
        }
    }

    /// Whether too few probes are left that can pass, even if those that are unknown would have.
    fn is_lost(&self) -> bool {
        self.failures.len() - self.unknown > self.of - self.need
    }

    fn has_seen_the_worst(&self) -> bool {
        let worst = Cause::ALL.iter().map(|cause| (self.severity)(*cause)).max();
        self.failures.iter().any(|(_, failure)| Some((self.severity)(failure.cause)) == worst)
    }

    /// The round did not pass. It failed if too many probes did, or all that found out anything, and else is unknown. The cause is the worst of its
    /// probes', told with how many more did not pass. Those that were not waited for are not counted.
    fn fail(&self) -> Outcome {
        let known = self.failures.len() - self.unknown;
        let is_unknown = !self.is_lost() && (self.passed > 0 || known == 0);
        let worst = self
            .failures
            .iter()
            .filter(|(_, failure)| (failure.cause.class() == Class::Unknown) == is_unknown)
            .min_by_key(|(place, failure)| (Reverse((self.severity)(failure.cause)), *place));
        match (worst, self.failures.len()) {
            (None, _) => Outcome::fail(Cause::Local, "no probe came to an end"),
            (Some((_, failure)), 1) => failure.clone().into(),
            (Some((_, failure)), count) => Outcome::fail(
                failure.cause,
                format!("{failure}; and {} more of {} probes", count - 1, self.of),
            ),
        }
    }
}

/// Items that are worked on at a pace: started in their order, and handed over as they are done.
struct Flight<'a, T, F: Future> {
    items: &'a [T],
    pace: Pace,
    began: Instant,
    /// How many have been started.
    started: usize,
    under_way: FuturesUnordered<Placed<F>>,
}

impl<'a, T, F: Future> Flight<'a, T, F> {
    fn new(items: &'a [T], pace: Pace) -> Self {
        Self { items, pace, began: Instant::now(), started: 0, under_way: FuturesUnordered::new() }
    }

    /// The next result and the place of its item, or nothing when all are done. `start` begins the work on an item.
    async fn next(&mut self, start: impl Fn(&'a T) -> F) -> Option<(usize, F::Output)> {
        loop {
            let next_start = self.start_what_is_due(&start);
            if self.under_way.is_empty() && next_start.is_none() {
                return None;
            }
            tokio::select! {
                Some(done) = self.under_way.next() => return Some(done),
                () = sleep_until(next_start.unwrap_or(self.began)), if next_start.is_some() => {}
            }
        }
    }

    /// Starts the items that are due and find a place. Returns when the next one is due, if it has a place.
    fn start_what_is_due(&mut self, start: impl Fn(&'a T) -> F) -> Option<Instant> {
        let gap = self.pace.gap(self.items.len());
        let now = Instant::now();
        while self.under_way.len() < self.pace.max_in_flight.get() {
            let item = self.items.get(self.started)?;
            let due = self.began + gap * u32::try_from(self.started).unwrap_or(u32::MAX);
            if due > now {
                return Some(due);
            }
            self.under_way.push(Placed { place: self.started, future: Box::pin(start(item)) });
            self.started += 1;
        }
        None
    }
}

/// A future with the place of its item.
struct Placed<F> {
    place: usize,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Placed<F> {
    type Output = (usize, F::Output);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let place = self.place;
        self.future.as_mut().poll(context).map(|output| (place, output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::dns::{Expectation, Question, Transport};
    use crate::responder::{Fault, Responder};
    use std::cell::Cell;
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    /// Not to be reached: a dripping answer takes longer than half of it.
    const PATIENT: Duration = Duration::from_secs(5);

    const EQUAL: fn(Cause) -> u8 = |_| 1;

    /// Timeouts are worst.
    const BY_TIMEOUT: fn(Cause) -> u8 = |cause| u8::from(cause == Cause::Timeout);

    fn pass(millis: u64) -> Outcome {
        Outcome::pass(Duration::from_millis(millis))
    }

    fn fail(cause: Cause) -> Outcome {
        Outcome::fail(cause, format!("probe: {cause}"))
    }

    #[test]
    fn a_round_passes_when_enough_have_and_is_as_slow_as_the_slowest_of_these() {
        let mut tally = Tally::new(4, 2, EQUAL);
        assert_eq!(tally.count(3, pass(7)), None);
        assert_eq!(tally.count(0, fail(Cause::Timeout)), None);
        assert_eq!(tally.count(1, pass(5)), Some(pass(7)));
    }

    #[test]
    fn a_round_fails_when_too_few_are_left() {
        let mut tally = Tally::new(4, 3, EQUAL);
        assert_eq!(tally.count(0, pass(1)), None);
        assert_eq!(tally.count(2, fail(Cause::Servfail)), None);
        assert_eq!(
            tally.count(1, fail(Cause::Refused)),
            Some(Outcome::fail(Cause::Refused, "probe: refused; and 1 more of 4 probes")),
        );
    }

    #[test]
    fn a_round_is_unknown_where_what_was_not_found_out_could_have_made_it_pass() {
        let local = || Outcome::fail(Cause::Local, "probe: local");
        let mut tally = Tally::new(3, 2, EQUAL);
        assert_eq!(tally.count(0, local()), None);
        assert_eq!(tally.count(1, fail(Cause::Timeout)), None);
        assert_eq!(tally.count(2, pass(1)), None);
        let unknown = Outcome::fail(Cause::Local, "probe: local; and 1 more of 3 probes");
        assert_eq!(tally.fail(), unknown);
        let mut tally = Tally::new(3, 2, EQUAL);
        assert_eq!(tally.count(0, local()), None);
        assert_eq!(tally.count(1, fail(Cause::Timeout)), None);
        let lost = Outcome::fail(Cause::Timeout, "probe: timeout; and 2 more of 3 probes");
        assert_eq!(tally.count(2, fail(Cause::Servfail)), Some(lost));
    }

    #[test]
    fn a_round_fails_where_every_probe_that_found_out_anything_failed() {
        let mut tally = Tally::new(2, 1, EQUAL);
        assert_eq!(tally.count(0, Outcome::fail(Cause::SourceAddress, "probe: gone")), None);
        assert_eq!(tally.count(1, fail(Cause::Timeout)), None);
        assert!(matches!(tally.fail(), Outcome::Fail(failure) if failure.cause == Cause::Timeout));
    }

    #[test]
    fn a_lost_round_goes_on_while_a_worse_cause_may_come() {
        let mut tally = Tally::new(4, 4, BY_TIMEOUT);
        assert_eq!(tally.count(0, fail(Cause::Servfail)), None);
        assert_eq!(tally.count(1, pass(1)), None);
        let Some(Outcome::Fail(failure)) = tally.count(2, fail(Cause::Timeout)) else {
            panic!("nothing is worse than a timeout, so the round is over");
        };
        assert_eq!(failure.cause, Cause::Timeout);
    }

    #[test]
    fn without_the_worst_the_first_in_probe_order_is_told() {
        let mut tally = Tally::new(2, 1, BY_TIMEOUT);
        assert_eq!(tally.count(1, fail(Cause::Refused)), None);
        assert_eq!(tally.count(0, fail(Cause::Servfail)), None);
        assert_eq!(tally.fail(), Outcome::fail(Cause::Servfail, "probe: servfail; and 1 more of 2 probes"));
    }

    #[test]
    fn a_round_can_be_asked_on_a_task_of_its_own() {
        fn assert_send(_: impl Send) {}
        let round = Round { probes: Vec::new(), need: 1, pace: Pace::BURST };
        assert_send(round.ask(EQUAL));
    }

    #[tokio::test]
    async fn a_large_round_has_few_under_way_and_is_spread_over_its_time() {
        let items: Vec<u32> = (0..1_000).collect();
        let (under_way, most) = (Cell::new(0), Cell::new(0));
        let pace = Pace { max_in_flight: Pace::MAX_IN_FLIGHT, spread: Duration::from_millis(200) };
        let work = async |_: &u32| {
            under_way.set(under_way.get() + 1);
            most.set(most.get().max(under_way.get()));
            tokio::task::yield_now().await;
            under_way.set(under_way.get() - 1);
        };
        let began = Instant::now();
        let mut flight = Flight::new(&items, pace);
        let mut places = vec![];
        while let Some((place, ())) = flight.next(&work).await {
            places.push(place);
        }
        places.sort_unstable();
        assert!(places.iter().copied().eq(0..1_000), "each once");
        assert!(most.get() <= 64, "{} at once", most.get());
        assert!(began.elapsed() >= pace.gap(1_000) * 999, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn what_is_not_answered_keeps_its_place() {
        let items: Vec<u32> = (0..1_000).collect();
        let started = Cell::new(0);
        let work = |item: &u32| {
            started.set(started.get() + 1);
            let is_answered = *item == 0;
            async move {
                if !is_answered {
                    std::future::pending::<()>().await;
                }
            }
        };
        let mut flight = Flight::new(&items, Pace::BURST);
        assert_eq!(flight.next(&work).await, Some((0, ())));
        assert_eq!(started.get(), 64);
    }

    #[test]
    fn a_round_needs_one_to_all_of_its_probes() {
        assert!(Round::new(Vec::new(), 1, Pace::BURST).unwrap_err().contains("no probes"));
    }

    async fn both_transports(fault: Fault, need: usize) -> (Responder, Round) {
        let responder = Responder::bind(Ipv4Addr::LOCALHOST.into()).await.unwrap();
        responder.set(fault).await;
        let query = "localhost. A".parse().unwrap();
        let question = Arc::new(Question::new(query, true, Expectation::default()).unwrap());
        let probes = [Transport::Tcp, Transport::Udp].map(|transport| Probe {
            question: question.clone(),
            server: responder.address(),
            source: None,
            transport,
            timeout: PATIENT,
            locality: Arc::default(),
        });
        (responder, Round::new(probes.into(), need, Pace::BURST).unwrap())
    }

    #[tokio::test]
    async fn a_round_does_not_wait_for_what_it_does_not_need() {
        let (_responder, round) = both_transports(Fault::Drip, 1).await;
        let asked = Instant::now();
        assert!(round.ask(EQUAL).await.passed());
        assert!(asked.elapsed() < PATIENT / 2);
    }

    #[tokio::test]
    async fn all_findings_come_in_probe_order_and_labelled() {
        let (responder, round) = both_transports(Fault::UdpOnly, 2).await;
        assert!(Round::new(round.probes().to_vec(), 3, Pace::BURST).unwrap_err().contains("from 1 to 2"));
        let found = round.ask_all().await;
        let server = responder.address();
        assert_eq!(found[0].0, format!("{server} tcp localhost. A"));
        assert_eq!(found[1].0, format!("{server} udp localhost. A"));
        assert!(!found[0].1.outcome.passed() && found[1].1.outcome.passed());

        let Outcome::Fail(failure) = round.ask(EQUAL).await else {
            panic!("tcp is closed and both are needed");
        };
        assert_eq!(failure.cause, Cause::PortClosed);
        assert_eq!(failure.detail, format!("{server} tcp localhost. A: port closed (connection refused)"));
    }
}
