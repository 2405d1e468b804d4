//! Probes in flight: at most so many at once, their starts spread over time.

use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep_until};

/// How many probes of a set are in flight at once, and how their starts are spread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pace {
    /// Most probes in flight at once.
    pub(crate) max_in_flight: NonZeroUsize,
    /// If the set has more probes than that, their starts are spread evenly over this time.
    pub(crate) spread: Duration,
}

impl Pace {
    /// The default limit: a burst that fits into a server's receive buffer as Linux makes it, and takes few descriptors.
    pub(crate) const MAX_IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

    /// The default limit, without spreading.
    pub(crate) const BURST: Self = Self { max_in_flight: Self::MAX_IN_FLIGHT, spread: Duration::ZERO };

    /// Time between the starts of two probes, in a set of `count`.
    pub(super) fn gap(self, count: usize) -> Duration {
        match u32::try_from(count) {
            Ok(count) if count as usize > self.max_in_flight.get() => self.spread / count,
            _ => Duration::ZERO,
        }
    }
}

/// Futures in flight, one for each item: started in the order of the items at a [`Pace`], returned as they complete.
pub(in crate::probe) struct Flight<'a, T, F: Future> {
    items: &'a [T],
    pace: Pace,
    began: Instant,
    /// Number of items started so far.
    started: usize,
    in_flight: FuturesUnordered<BoxFuture<'a, (usize, F::Output)>>,
}

impl<'a, T, F: Future + Send + 'a> Flight<'a, T, F> {
    /// Starts nothing yet. The pace counts from now.
    pub(in crate::probe) fn new(items: &'a [T], pace: Pace) -> Self {
        Self { items, pace, began: Instant::now(), started: 0, in_flight: FuturesUnordered::new() }
    }

    /// Waits for the next result and returns it with the place of its item, or `None` once all are done. `start` makes
    /// the future of an item.
    pub(in crate::probe) async fn next(&mut self, start: impl Fn(&'a T) -> F) -> Option<(usize, F::Output)> {
        loop {
            let next_start = self.start_due(&start);
            if self.in_flight.is_empty() && next_start.is_none() {
                return None;
            }
            tokio::select! {
                Some(done) = self.in_flight.next() => return Some(done),
                () = sleep_until(next_start.unwrap_or(self.began)), if next_start.is_some() => {}
            }
        }
    }

    /// Starts the items that are due, up to the limit. Returns when the next one is due, unless the limit is reached or
    /// none is left.
    fn start_due(&mut self, start: impl Fn(&'a T) -> F) -> Option<Instant> {
        let gap = self.pace.gap(self.items.len());
        let now = Instant::now();
        while self.in_flight.len() < self.pace.max_in_flight.get() {
            let item = self.items.get(self.started)?;
            let due = self.began + gap * u32::try_from(self.started).unwrap_or(u32::MAX);
            if due > now {
                return Some(due);
            }
            let place = self.started;
            self.in_flight.push(start(item).map(move |output| (place, output)).boxed());
            self.started += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[tokio::test]
    async fn a_large_set_has_few_in_flight_and_is_spread_over_its_time() {
        let items: Vec<u32> = (0..1_000).collect();
        let (in_flight, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let pace = Pace { max_in_flight: Pace::MAX_IN_FLIGHT, spread: Duration::from_millis(200) };
        let work = async |_: &u32| {
            most.fetch_max(in_flight.fetch_add(1, Relaxed) + 1, Relaxed);
            tokio::task::yield_now().await;
            in_flight.fetch_sub(1, Relaxed);
        };
        let began = Instant::now();
        let mut flight = Flight::new(&items, pace);
        let mut places = vec![];
        while let Some((place, ())) = flight.next(&work).await {
            places.push(place);
        }
        places.sort_unstable();
        assert!(places.iter().copied().eq(0..1_000), "each once");
        assert!(most.load(Relaxed) <= 64, "{most:?} at once");
        assert!(began.elapsed() >= pace.gap(1_000) * 999, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn an_unanswered_probe_counts_against_the_limit() {
        let items: Vec<u32> = (0..1_000).collect();
        let started = AtomicUsize::new(0);
        let work = |item: &u32| {
            started.fetch_add(1, Relaxed);
            let is_answered = *item == 0;
            async move {
                if !is_answered {
                    std::future::pending::<()>().await;
                }
            }
        };
        let mut flight = Flight::new(&items, Pace::BURST);
        assert_eq!(flight.next(&work).await, Some((0, ())));
        assert_eq!(started.load(Relaxed), 64);
    }
}
