//! When a drained server is quiet: its own counters say so, for a while.
//!
//! Routers take their time to follow a withdraw, and clients to give up a TCP connection. So what counts is the
//! server's number of queries over a whole `quiet-for`, less those that our own probes ask meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use super::server::Quiet;

/// Looks at the counters, oldest first, and what they mean.
#[derive(Clone, Debug)]
pub(crate) struct Quieting {
    quiet: Quiet,
    /// Queries per second of our own probes.
    own: f64,
    looks: VecDeque<(Duration, u64)>,
}

/// How quiet it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hush {
    /// Not known yet, or too many queries per second.
    NotYet(Option<f64>),
    /// So few queries per second.
    Quiet(f64),
    /// It has been waited for long enough, and there were still so many queries per second.
    TooLong(Option<f64>),
}

impl Quieting {
    /// Begins to look at time zero. `own` is how many queries per second our probes ask.
    #[must_use]
    pub(crate) fn new(quiet: Quiet, own: f64) -> Self {
        Self { quiet, own, looks: VecDeque::new() }
    }

    /// Takes the number of queries so far, at this time since the beginning.
    pub(crate) fn look(&mut self, at: Duration, total: u64) -> Hush {
        if self.looks.back().is_some_and(|(_, before)| *before > total) {
            // It was restarted by somebody else, and counts from zero.
            self.looks.clear();
        }
        self.looks.push_back((at, total));
        // The last look that is old enough opens the window.
        while self.looks.get(1).is_some_and(|(next, _)| at.saturating_sub(*next) >= self.quiet.lasting) {
            self.looks.pop_front();
        }
        let rate = self.rate(at, total);
        match rate {
            Some(rate) if rate < f64::from(self.quiet.below.get()) => Hush::Quiet(rate),
            rate if at >= self.quiet.max_wait => Hush::TooLong(rate),
            rate => Hush::NotYet(rate),
        }
    }

    /// Over the whole window, or nothing before there is one.
    fn rate(&self, at: Duration, total: u64) -> Option<f64> {
        let (began, before) = *self.looks.front()?;
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

    fn quieting(own: f64) -> Quieting {
        let quiet = Quiet {
            below: NonZeroU32::new(5).unwrap(),
            lasting: Duration::from_secs(1),
            max_wait: Duration::from_secs(10),
            settle: Duration::from_secs(3),
        };
        Quieting::new(quiet, own)
    }

    /// What is said after each tenth of a second in which so many queries came.
    fn listen(quieting: &mut Quieting, queries: impl IntoIterator<Item = u64>) -> Vec<Hush> {
        let mut total = 1_000;
        let looks = (0..).map(|tenths| Duration::from_millis(100 * tenths)).zip(queries);
        looks
            .map(|(at, more)| {
                total += more;
                quieting.look(at, total)
            })
            .collect()
    }

    #[test]
    fn it_is_quiet_after_a_whole_window_without_queries() {
        let said = listen(&mut quieting(0.0), [50, 50, 20, 5, 1].into_iter().chain([0; 10]));
        assert!(said[..12].iter().all(|hush| matches!(hush, Hush::NotYet(_))), "{said:?}");
        assert_eq!(said[12], Hush::NotYet(Some(6.0)));
        assert_eq!(said[13], Hush::Quiet(1.0));
    }

    #[test]
    fn our_own_probes_do_not_count() {
        let said = listen(&mut quieting(20.0), [2; 20]);
        assert_eq!(said[10], Hush::Quiet(0.0));
        assert!(matches!(listen(&mut quieting(0.0), [2; 20])[10], Hush::NotYet(Some(_))));
    }

    #[test]
    fn it_is_not_waited_for_longer_than_said() {
        let said = listen(&mut quieting(0.0), [50; 102]);
        assert!(matches!(said[99], Hush::NotYet(Some(_))));
        assert_eq!(said[100], Hush::TooLong(Some(500.0)));
    }

    #[test]
    fn a_server_that_was_restarted_meanwhile_is_listened_to_anew() {
        let mut quieting = quieting(0.0);
        listen(&mut quieting, [50; 15]);
        assert_eq!(quieting.look(Duration::from_millis(1500), 3), Hush::NotYet(None));
        assert_eq!(quieting.look(Duration::from_millis(2500), 5), Hush::Quiet(2.0));
    }
}
