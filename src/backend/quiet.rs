//! Detects from a drained server's counters when it is quiet.
//!
//! Routers need time to follow a withdraw, and clients to close a TCP connection. So the rate is measured over a whole
//! `quiet-for`, without the queries of our own probes. A probe that fails asks several times, so the helper counts its
//! queries. They are estimated without a helper, and at addresses that may be those of another server.

use std::collections::VecDeque;
use std::time::Duration;

use super::server::Quiet;

/// Detects quiet in a series of counter values.
#[derive(Clone, Debug)]
pub(crate) struct QuietDetector {
    quiet: Quiet,
    own: ProbeRates,
    samples: VecDeque<Sample>,
}

/// The queries per second of our probes to this server while they pass.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ProbeRates {
    pub(crate) all: f64,
    /// Those at addresses that the helper's count for this server leaves out.
    pub(crate) uncounted: f64,
}

/// What was counted at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Since the start.
    pub(crate) at: Duration,
    /// By the server: all queries.
    pub(crate) total: u64,
    /// By the helper: its own queries to this server, right before and right after `total` was read; `None` if it has not said.
    pub(crate) asked: Option<(u64, u64)>,
}

/// Whether the server is quiet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quietness {
    /// The rate is not known yet, or too high.
    NotYet(Option<f64>),
    /// The rate is low enough, in queries per second.
    Quiet(f64),
    /// `max-wait` has passed, and the rate is still not known, or too high.
    TimedOut(Option<f64>),
}

impl QuietDetector {
    /// Starts at time zero.
    pub(crate) fn new(quiet: Quiet, own: ProbeRates) -> Self {
        Self { quiet, own, samples: VecDeque::new() }
    }

    /// Adds a sample.
    pub(crate) fn observe(&mut self, sample: Sample) -> Quietness {
        if self.samples.back().is_some_and(|before| before.total > sample.total) {
            // The server was restarted meanwhile and counts from zero.
            self.samples.clear();
        }
        self.samples.push_back(sample);
        // The window starts at the newest sample that is old enough.
        let is_old = |one: &Sample| sample.at.saturating_sub(one.at) >= self.quiet.lasting;
        while self.samples.get(1).is_some_and(is_old) {
            self.samples.pop_front();
        }
        let rate = self.rate(sample);
        match rate {
            Some(rate) if rate < f64::from(self.quiet.below.get()) => Quietness::Quiet(rate),
            rate if sample.at >= self.quiet.max_wait => Quietness::TimedOut(rate),
            rate => Quietness::NotYet(rate),
        }
    }

    /// The rate over the whole window; `None` before the window is full.
    fn rate(&self, now: Sample) -> Option<f64> {
        let first = *self.samples.front()?;
        let window = now.at.saturating_sub(first.at);
        let is_whole = window >= self.quiet.lasting && !window.is_zero();
        let per_second = |count: f64| count / window.as_secs_f64();
        let queries = now.total.saturating_sub(first.total) as f64;
        is_whole.then(|| {
            // Only what was certainly asked within the window counts as our own.
            let own = match first.asked.zip(now.asked) {
                Some(((_, from), (to, _))) => per_second(to.saturating_sub(from) as f64) + self.own.uncounted,
                None => self.own.all,
            };
            (per_second(queries) - own).max(0.0)
        })
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
        QuietDetector::new(quiet, ProbeRates { all: own, uncounted: 0.0 })
    }

    const fn sample(at: Duration, total: u64) -> Sample {
        Sample { at, total, asked: None }
    }

    /// The results for these numbers of queries, one for each tenth of a second.
    fn observe_all(detector: &mut QuietDetector, queries: impl IntoIterator<Item = u64>) -> Vec<Quietness> {
        let mut total = 1_000;
        let times = (0..).map(|tenths| Duration::from_millis(100 * tenths)).zip(queries);
        times
            .map(|(at, more)| {
                total += more;
                detector.observe(sample(at, total))
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

    /// A probe that is refused asks four times more.
    #[test]
    fn the_queries_of_probes_that_fail_do_not_count() {
        for (asked, expected) in [
            (Some(((5, 7), (32, 33))), Quietness::Quiet(0.0)),
            (Some(((5, 7), (27, 33))), Quietness::NotYet(Some(5.0))),
            // Another helper has started meanwhile.
            (Some(((5, 7), (2, 2))), Quietness::NotYet(Some(25.0))),
            // A helper that does not say is estimated.
            (None, Quietness::NotYet(Some(23.0))),
        ] {
            let mut detector = detector(2.0);
            let (before, after) = asked.unzip();
            detector.observe(Sample { asked: before, ..sample(Duration::ZERO, 100) });
            let found = detector.observe(Sample { asked: after, ..sample(Duration::from_secs(1), 125) });
            assert_eq!(found, expected, "{asked:?}");
        }
    }

    #[test]
    fn probes_at_addresses_without_a_count_are_estimated() {
        let mut detector = detector(20.0);
        detector.own.uncounted = 12.0;
        detector.observe(Sample { asked: Some((5, 5)), ..sample(Duration::ZERO, 100) });
        let found = detector.observe(Sample { asked: Some((9, 9)), ..sample(Duration::from_secs(1), 117) });
        assert_eq!(found, Quietness::Quiet(1.0));
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
        assert_eq!(detector.observe(sample(Duration::from_millis(1500), 3)), Quietness::NotYet(None));
        assert_eq!(detector.observe(sample(Duration::from_millis(2500), 5)), Quietness::Quiet(2.0));
    }
}
