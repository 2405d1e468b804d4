//! Deadlines by our own clock: a process that did not run knows nothing about the server.

use std::time::{Duration, Instant};

use tokio::task::coop::unconstrained;
use tokio::task::yield_now;
use tokio::time::sleep_until;

/// How late a deadline may be noticed at least before this process counts as stopped. A busy loop is late by less.
const TOLERANCE: Duration = Duration::from_millis(250);

/// Far enough away, where a limit goes beyond what the clock can hold.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The end of the time that a probe may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    began: Instant,
    limit: Duration,
}

impl Deadline {
    /// The deadline of what begins now and may take `limit`.
    pub(super) fn after(limit: Duration) -> Self {
        Self { began: Instant::now(), limit: limit.min(FAR) }
    }

    /// When half of the time is over.
    pub(super) fn half(self) -> Instant {
        self.began + self.limit / 2
    }

    fn at(self) -> Instant {
        self.began + self.limit
    }

    /// Returns when the deadline is over. What arrived until then has been handed to its sockets: after the timer
    /// fires, the event loop looks at them once more. Poll this after the exchange.
    ///
    /// An exchange whose socket always has input uses up the cooperative budget of its task at each poll. The timer is
    /// exempt from that budget: otherwise it would never fire beside such an exchange.
    pub(super) async fn passed(self) {
        unconstrained(sleep_until(self.at().into())).await;
        yield_now().await;
    }

    /// For how long this process did not run, if it notices so late at `now` that the deadline is over: later than by
    /// the limit again.
    pub(super) fn slept(self, now: Instant) -> Option<Duration> {
        let late = now.saturating_duration_since(self.at());
        (late > self.limit.max(TOLERANCE)).then_some(late)
    }
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
    fn only_what_is_late_by_the_limit_again_has_slept() {
        for (limit, late, slept) in [(500, 400, false), (500, 600, true), (1, 200, false), (1, 300, true)] {
            let deadline = Deadline::after(Duration::from_millis(limit));
            let noticed = deadline.at() + Duration::from_millis(late);
            assert_eq!(deadline.slept(noticed).is_some(), slept, "{limit} ms, late by {late} ms");
        }
        let endless = Deadline::after(Duration::MAX);
        assert_eq!(endless.slept(Instant::now()), None);
    }
}
