//! Detects from a drained server's counters when it is quiet.
//!
//! Routers need time to follow a withdraw, and clients to close a TCP connection. So the rate is measured over a whole
//! `quiet-for`, without the queries of our own probes.

use std::collections::VecDeque;
use std::time::Duration;

use super::server::Quiet;

/// Detects quiet in a series of counter values.
#[derive(Clone, Debug)]
pub(crate) struct QuietDetector {
    quiet: Quiet,
    /// Queries per second of our own probes.
    own: f64,
    samples: VecDeque<(Duration, u64)>,
}

/// Whether the server is quiet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quietness {
    /// The rate is not known yet, or too high.
    NotYet(Option<f64>),
    /// The rate is low enough, in queries per second.
    Quiet(f64),
    /// `max-wait` has passed, and the rate is still too high.
    TimedOut(Option<f64>),
}

impl QuietDetector {
    /// Starts at time zero. `own` is the rate of our probes, in queries per second.
    #[must_use]
    pub(crate) fn new(quiet: Quiet, own: f64) -> Self {
        Self { quiet, own, samples: VecDeque::new() }
    }

    /// Adds a sample: the total of queries at this time since the start.
    pub(crate) fn observe(&mut self, at: Duration, total: u64) -> Quietness {
        if self.samples.back().is_some_and(|(_, before)| *before > total) {
            // The server was restarted meanwhile and counts from zero.
            self.samples.clear();
        }
        self.samples.push_back((at, total));
        // The window starts at the newest sample that is old enough.
        while self.samples.get(1).is_some_and(|(next, _)| at.saturating_sub(*next) >= self.quiet.lasting) {
            self.samples.pop_front();
        }
        let rate = self.rate(at, total);
        match rate {
            Some(rate) if rate < f64::from(self.quiet.below.get()) => Quietness::Quiet(rate),
            rate if at >= self.quiet.max_wait => Quietness::TimedOut(rate),
            rate => Quietness::NotYet(rate),
        }
    }

    /// The rate over the whole window; `None` before the window is full.
    fn rate(&self, at: Duration, total: u64) -> Option<f64> {
        let (began, before) = *self.samples.front()?;
        let window = at.saturating_sub(began);
        let is_whole = window >= self.quiet.lasting && !window.is_zero();
        let queries = total.saturating_sub(before) as f64;
        is_whole.then(|| (queries / window.as_secs_f64() - self.own).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn detector(own: f64) -> QuietDetector {
        let quiet = Quiet {
            below: NonZeroU32::new(5).unwrap(),
            lasting: Duration::from_secs(1),
            max_wait: Duration::from_secs(10),
            settle: Duration::from_secs(3),
        };
        QuietDetector::new(quiet, own)
    }

    /// The results for these numbers of queries, one for each tenth of a second.
    fn observe_all(detector: &mut QuietDetector, queries: impl IntoIterator<Item = u64>) -> Vec<Quietness> {
        let mut total = 1_000;
        let times = (0..).map(|tenths| Duration::from_millis(100 * tenths)).zip(queries);
        times
            .map(|(at, more)| {
                total += more;
                detector.observe(at, total)
            })
            .collect()
    }

    #[test]
    fn a_window_without_queries_is_quiet() {
        let said = observe_all(&mut detector(0.0), [50, 50, 20, 5, 1].into_iter().chain([0; 10]));
        assert!(said[..12].iter().all(|hush| matches!(hush, Quietness::NotYet(_))), "{said:?}");
        assert_eq!(said[12], Quietness::NotYet(Some(6.0)));
        assert_eq!(said[13], Quietness::Quiet(1.0));
    }

    #[test]
    fn our_own_probes_do_not_count() {
        let said = observe_all(&mut detector(20.0), [2; 20]);
        assert_eq!(said[10], Quietness::Quiet(0.0));
        assert!(matches!(observe_all(&mut detector(0.0), [2; 20])[10], Quietness::NotYet(Some(_))));
    }

    #[test]
    fn the_wait_ends_at_max_wait() {
        let said = observe_all(&mut detector(0.0), [50; 102]);
        assert!(matches!(said[99], Quietness::NotYet(Some(_))));
        assert_eq!(said[100], Quietness::TimedOut(Some(500.0)));
    }

    #[test]
    fn a_restart_of_the_server_starts_the_window_again() {
        let mut detector = detector(0.0);
        observe_all(&mut detector, [50; 15]);
        assert_eq!(detector.observe(Duration::from_millis(1500), 3), Quietness::NotYet(None));
        assert_eq!(detector.observe(Duration::from_millis(2500), 5), Quietness::Quiet(2.0));
    }
}
