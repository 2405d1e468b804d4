//! From readings of counters to shares, and from shares to an outcome. Without I/O.

use std::collections::VecDeque;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::{Read, not_known};
use crate::engine::moment::Moment;
use crate::outcome::{Cause, Outcome};
use crate::text::period::Shown;

/// Readings in a row without an answer that make a hung control channel. A reload takes the time of one.
const HUNG: u32 = 2;

/// The counters of a server since its start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Reading {
    /// Received queries.
    pub(crate) queries: u64,
    /// Answers with SERVFAIL, if the server counts them.
    pub(crate) servfail: Option<u64>,
    /// Queries dropped, and queries over a limit, if the server counts them.
    pub(crate) dropped: Option<u64>,
    /// Queries that wait for an answer now, if the server reports them.
    pub(crate) pending: Option<u64>,
}

/// The limits beyond which the check fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// The shares are those of this time, or a little more.
    pub(crate) window: Duration,
    /// The check passes with fewer queries in the window.
    pub(crate) min_queries: NonZeroU32,
    /// Largest share of SERVFAIL, up to 1.
    pub(crate) max_servfail: f64,
    /// Largest share of queries dropped or over a limit, up to 1.
    pub(crate) max_dropped: f64,
    /// The size of the server's queue of queries, if it is known.
    pub(crate) request_list: Option<NonZeroU64>,
    /// Largest share of it in use, up to 1.
    pub(crate) max_request_list: f64,
}

/// The readings of the window.
#[derive(Debug, Default)]
pub(super) struct Window {
    readings: VecDeque<(Moment, Reading)>,
    /// Readings in a row that had no answer, while the server answered DNS.
    hung: u32,
}

impl Window {
    /// Adds a reading of `now`, and returns the outcome of the window. `answers` is whether the server answers DNS.
    pub(super) fn learn(&mut self, now: Moment, read: Read, answers: bool, limits: &Limits) -> Outcome {
        match read {
            Read::Counted(reading) => {
                self.hung = 0;
                self.add(now, reading, limits.window);
                self.outcome(limits)
            }
            Read::Hung(why) if answers => {
                self.hung += 1;
                if self.hung >= HUNG {
                    Outcome::from_cause(Cause::ControlHung, format!("{why}, although the server answers DNS"))
                } else {
                    not_known(&why)
                }
            }
            // Other checks detect a server that answers nothing at all.
            Read::Hung(why) | Read::Unknown(why) => {
                self.hung = 0;
                not_known(&why)
            }
        }
    }

    fn add(&mut self, now: Moment, reading: Reading, window: Duration) {
        // The server was restarted, or its counters were reset: earlier readings no longer compare.
        if self.readings.back().is_some_and(|(_, before)| reading.is_reset_since(before)) {
            self.readings.clear();
        }
        self.readings.push_back((now, reading));
        // The window begins with the newest reading that is old enough.
        while self.readings.get(1).is_some_and(|(next, _)| now.since(*next) >= window) {
            self.readings.pop_front();
        }
    }

    fn outcome(&self, limits: &Limits) -> Outcome {
        let (Some((began, first)), Some((ended, last))) = (self.readings.front(), self.readings.back())
        else {
            return Outcome::pass(Duration::ZERO);
        };
        if let Reading { servfail: None, dropped: None, pending: None, .. } = last {
            return not_known("the server counts neither SERVFAIL nor dropped queries");
        }
        let over = Shown(ended.since(*began));
        // The queue is overloaded if it is full at every reading; one reading may be a burst.
        if let Some(size) = limits.request_list.filter(|_| self.readings.len() > 1) {
            let least = self.readings.iter().filter_map(|(_, reading)| reading.pending).min();
            let share = least.map(|least| (least, least as f64 / size.get() as f64));
            if let Some((least, _)) = share.filter(|(_, share)| *share > limits.max_request_list) {
                let detail = format!("at least {least} of {size} queries have waited for {over}");
                return Outcome::from_cause(Cause::Overload, detail);
            }
        }
        let since = |count: fn(&Reading) -> Option<u64>| Some(count(last)?.saturating_sub(count(first)?));
        let dropped = since(|reading| reading.dropped);
        // A server need not count a query that it drops.
        let queries = last.queries.saturating_sub(first.queries).max(dropped.unwrap_or_default());
        if queries < limits.min_queries.get().into() {
            return Outcome::pass(Duration::ZERO);
        }
        let fails = |count: Option<u64>, most: f64| {
            let count = count?.min(queries);
            let share = count as f64 / queries as f64;
            (share > most).then(|| format!("{count} of {queries} queries in {over} ({:.0} %)", 100.0 * share))
        };
        if let Some(what) = fails(since(|reading| reading.servfail), limits.max_servfail) {
            return Outcome::from_cause(Cause::ServfailShare, format!("answered SERVFAIL to {what}"));
        }
        if let Some(what) = fails(dropped, limits.max_dropped) {
            return Outcome::from_cause(Cause::Overload, format!("dropped or limited {what}"));
        }
        Outcome::pass(Duration::ZERO)
    }
}

impl Reading {
    fn is_reset_since(&self, before: &Self) -> bool {
        let fell = |now: Option<u64>, then: Option<u64>| matches!((now, then), (Some(now), Some(then)) if now < then);
        self.queries < before.queries
            || fell(self.servfail, before.servfail)
            || fell(self.dropped, before.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        window: Duration::from_secs(30),
        min_queries: NonZeroU32::new(100).unwrap(),
        max_servfail: 0.5,
        max_dropped: 0.1,
        request_list: NonZeroU64::new(1000),
        max_request_list: 0.9,
    };

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    fn counted(queries: u64, servfail: u64, dropped: u64) -> Reading {
        Reading { queries, servfail: Some(servfail), dropped: Some(dropped), pending: Some(0) }
    }

    /// The outcomes of readings ten seconds apart.
    fn outcomes(readings: impl IntoIterator<Item = Reading>) -> Vec<Outcome> {
        let mut window = Window::default();
        let each = (0..).zip(readings);
        each.map(|(place, reading)| window.learn(at(10 * place), Read::Counted(reading), true, &LIMITS))
            .collect()
    }

    fn verdict(outcome: &Outcome) -> (Cause, &str) {
        let failure = outcome.failure().unwrap_or_else(|| panic!("{outcome:?}"));
        (failure.cause, &failure.detail)
    }

    #[test]
    fn a_share_of_servfail_counts_over_the_window() {
        let said = outcomes([
            counted(1000, 900, 0),
            counted(1100, 900, 0),
            counted(1200, 1000, 0),
            counted(1300, 1100, 0),
        ]);
        assert!(said[..3].iter().all(Outcome::passed), "{said:?}");
        assert_eq!(
            verdict(&said[3]),
            (Cause::ServfailShare, "answered SERVFAIL to 200 of 300 queries in 30s (67 %)")
        );
        let then =
            outcomes((0..8).map(|place| counted(100 * place, if place < 4 { 100 * place } else { 300 }, 0)));
        assert!(!then[4].passed() && then[5].passed() && then[7].passed(), "it slides out: {then:?}");
    }

    #[test]
    fn a_quiet_server_passes() {
        assert!(outcomes([counted(0, 0, 0), counted(99, 99, 0)])[1].passed());
        assert!(!outcomes([counted(0, 0, 0), counted(100, 100, 0)])[1].passed());
        assert!(outcomes((0..10).map(|place| counted(9 * place, 9 * place, 0))).iter().all(Outcome::passed));
    }

    #[test]
    fn dropped_queries_are_overload() {
        let said = outcomes([counted(0, 0, 0), counted(1000, 0, 100), counted(2000, 0, 201)]);
        assert!(said[1].passed());
        assert_eq!(
            verdict(&said[2]),
            (Cause::Overload, "dropped or limited 201 of 2000 queries in 20s (10 %)")
        );
        // All of them, of which it counts none as a query.
        assert!(verdict(&outcomes([counted(0, 0, 0), counted(0, 0, 500)])[1]).1.contains("500 of 500"));
    }

    #[test]
    fn a_reset_skips_a_reading() {
        let said = outcomes([
            counted(5000, 10, 0),
            counted(200, 150, 0),
            counted(350, 160, 0),
            counted(500, 290, 0),
        ]);
        assert!(said.iter().all(Outcome::passed), "290 of 500 is over the half, 140 of 300 is not: {said:?}");
        let backwards = outcomes([counted(5000, 10, 0), counted(6000, 5, 0), counted(7000, 900, 0)]);
        assert!(!backwards[2].passed() && backwards[1].passed(), "{backwards:?}");
        let huge = outcomes([counted(0, 0, 0), counted(u64::MAX, u64::MAX, u64::MAX)]);
        assert_eq!(verdict(&huge[1]).0, Cause::ServfailShare);
    }

    #[test]
    fn a_list_that_is_full_at_every_reading_is_overload() {
        let pending = |pending| Reading { pending: Some(pending), ..counted(0, 0, 0) };
        let said = outcomes([pending(950), pending(960), pending(100), pending(990)]);
        assert!(said[0].passed());
        assert_eq!(verdict(&said[1]), (Cause::Overload, "at least 950 of 1000 queries have waited for 10s"));
        assert!(said[2].passed() && said[3].passed());
    }

    #[test]
    fn a_server_that_counts_nothing_is_unknown() {
        let said = outcomes([Reading { queries: 7, ..Reading::default() }]);
        assert!(matches!(&said[0], Outcome::Unknown(failure) if failure.cause == Cause::NoCounters));
        // One of them is enough.
        let partly = |servfail| Reading { queries: servfail, servfail: Some(servfail), ..Reading::default() };
        assert!(!outcomes([partly(0), partly(100)])[1].passed());
    }

    #[test]
    fn a_control_channel_hangs_that_is_silent_twice_while_the_server_answers() {
        let mut window = Window::default();
        let hung = || Read::Hung("`unbound-control stats_noreset`: no exit within 5s".to_owned());
        let mut learn = |read, answers| window.learn(at(0), read, answers, &LIMITS);
        assert_eq!(verdict(&learn(hung(), true)).0, Cause::NoCounters);
        let (cause, detail) = (
            Cause::ControlHung,
            "`unbound-control stats_noreset`: no exit within 5s, although the server answers DNS",
        );
        assert_eq!(verdict(&learn(hung(), true)), (cause, detail));
        assert_eq!(verdict(&learn(hung(), false)).0, Cause::NoCounters, "nothing answers");
        assert_eq!(verdict(&learn(hung(), true)).0, Cause::NoCounters);
        assert!(learn(Read::Counted(counted(1, 0, 0)), true).passed());
        assert_eq!(
            verdict(&learn(Read::Unknown("permission denied".to_owned()), true)),
            (Cause::NoCounters, "permission denied")
        );
    }
}
