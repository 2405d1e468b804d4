//! Deadlines by our own clock: after a time in which this process did not run, a timeout says nothing about the server.

use std::time::{Duration, Instant};

use tokio::task::coop::unconstrained;
use tokio::task::yield_now;
use tokio::time::sleep_until;

use crate::outcome::{Cause, Failure};
use crate::text::period::{Period, Shown};

/// The minimum delay after a deadline at which this process counts as stopped. A busy loop is less late.
const TOLERANCE: Duration = Duration::from_millis(250);

/// The deadline for a limit beyond the range of the clock.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The deadline of a probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    began: Instant,
    limit: Duration,
}

impl Deadline {
    /// The deadline `limit` from now.
    pub(super) fn after(limit: Duration) -> Self {
        Self { began: Instant::now(), limit: limit.min(FAR) }
    }

    /// The time at which `part` of three thirds are over.
    pub(super) fn third(self, part: u32) -> Instant {
        self.began + self.limit / 3 * part
    }

    fn at(self) -> Instant {
        self.began + self.limit
    }

    /// Returns after the deadline. Packets that arrived in time are in their sockets by then: after the timer
    /// fires, the event loop reads them once more. Poll this after the exchange.
    ///
    /// An exchange whose socket always has input uses up the cooperative budget of its task at each poll. The timer is
    /// exempt from that budget: otherwise it would never fire beside such an exchange.
    pub(super) async fn passed(self) {
        unconstrained(sleep_until(self.at().into())).await;
        yield_now().await;
    }

    /// The failure of a probe that has no answer at `now`, after the deadline.
    pub(super) fn missed(self, now: Instant) -> Failure {
        match self.slept(now) {
            Some(late) => {
                let (limit, late) = (Period(self.limit), Shown(late));
                let detail = format!("no answer within {limit}, but this process did not run for {late}");
                Failure::new(Cause::Local, detail)
            }
            None => no_answer(self.limit),
        }
    }

    /// How long this process did not run, if it notices the deadline at `now` with a delay of more than the limit
    /// again.
    pub(super) fn slept(self, now: Instant) -> Option<Duration> {
        let late = now.saturating_duration_since(self.at());
        (late > self.limit.max(TOLERANCE)).then_some(late)
    }
}

/// The failure of a probe that has no answer within `limit`.
pub(super) fn no_answer(limit: Duration) -> Failure {
    Failure::new(Cause::Timeout, format!("no answer within {}", Period(limit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An exchange that never runs out of input uses up the budget of its task at each poll.
    #[tokio::test]
    async fn a_busy_exchange_does_not_hold_up_the_deadline() {
        let deadline = Deadline::after(Duration::from_millis(20));
        let busy = async {
            loop {
                tokio::task::consume_budget().await;
            }
        };
        let ends = async {
            tokio::select! {
                biased;
                () = busy => {}
                () = deadline.passed() => {}
            }
        };
        assert!(
            tokio::time::timeout(Duration::from_secs(20), ends).await.is_ok(),
            "the deadline never passed"
        );
    }

    #[test]
    fn only_a_deadline_missed_by_its_length_again_means_a_sleep() {
        for (limit, late, slept) in [(500, 400, false), (500, 600, true), (1, 200, false), (1, 300, true)] {
            let deadline = Deadline::after(Duration::from_millis(limit));
            let noticed = deadline.at() + Duration::from_millis(late);
            assert_eq!(deadline.slept(noticed).is_some(), slept, "{limit} ms, late by {late} ms");
        }
        let endless = Deadline::after(Duration::MAX);
        assert_eq!(endless.slept(Instant::now()), None);
    }
}
