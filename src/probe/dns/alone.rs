//! Asks a service address from itself, when the same question from a management address fails.
//!
//! It starts beside the probe once its first question has been unanswered for a third of the timeout, or after the probe was
//! refused, closed or unreachable, which delays the outcome by at most a fifth of the timeout. [`probe_only`](crate::engine::probe_only) has the rule.

use std::pin::pin;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{sleep_until, timeout};

use super::here::Ignored;
use super::question::random_label;
use super::request::Request;
use super::{DnsProbe, Finding};
use crate::outcome::{Cause, Outcome};
use crate::probe::deadline::Deadline;
use crate::probe::locality::Place;

/// How often the question has to pass, each time from a fresh port: with a loss of 60 % it does in 3 % of all rounds.
const TIMES: usize = 4;

/// The most probes that do so at the same time.
static AT_ONCE: Semaphore = Semaphore::const_new(8);

/// After a failure other than a timeout it may take the timeout of the probe divided by this.
const FAILURE_DIVISOR: u32 = 5;

impl DnsProbe {
    /// Probes once and returns within the timeout. If the answer is a refusal, or the server closes or cannot be reached, it
    /// returns at most a fifth of the timeout after that, perhaps after the timeout.
    ///
    /// Await it on a tokio runtime with I/O and time enabled. Dropping it leaves nothing behind.
    pub(crate) async fn ask(&self) -> Finding {
        let deadline = Deadline::after(self.timeout);
        if !self.is_from_management() {
            return self.ask_until(deadline).await;
        }
        let mut passes = None;
        // The end of this block drops `beside`, which returns its permit of `AT_ONCE`.
        let finding = {
            let mut asked = pin!(self.ask_until(deadline));
            let mut beside = pin!(async {
                sleep_until(deadline.third(1).into()).await;
                self.passes_from_itself(deadline).await
            });
            loop {
                tokio::select! {
                    biased;
                    finding = &mut asked => break finding,
                    passed = &mut beside, if passes.is_none() => passes = Some(passed),
                }
            }
        };
        let passes_from_itself = match (&finding.outcome, passes) {
            (Outcome::Fail(failure), _) if !depends_on_the_source(failure.cause) => false,
            (Outcome::Fail(_), Some(passes)) => passes,
            (Outcome::Fail(failure), None) if failure.cause != Cause::Timeout => {
                timeout(self.timeout / FAILURE_DIVISOR, self.passes_from_itself(deadline))
                    .await
                    .unwrap_or(false)
            }
            _ => false,
        };
        Finding { passes_from_itself, ..finding }
    }

    /// Whether it asks a service address from a management address.
    pub(crate) fn is_from_management(&self) -> bool {
        let place = |address| self.locality.place(address);
        self.source.is_some_and(|source| place(source) == Place::Management)
            && place(self.server.ip()) == Place::Service
    }

    /// Whether the same question passes each time when the server's own address asks. A nonce is the same each time, so that
    /// a resolver asks other servers once.
    async fn passes_from_itself(&self, deadline: Deadline) -> bool {
        let Ok(_turn) = AT_ONCE.acquire().await else { return false };
        let probe = Self { source: Some(self.server.ip()), ..self.clone() };
        let nonce = random_label();
        let requests = (0..TIMES).map(|time| {
            let request = self.question.stamp_with(probe.ends(), nonce);
            Request { needs_lookup: request.needs_lookup && time == 0, ..request }
        });
        let asked = requests.map(|request| probe.passes_first_time(request, deadline));
        join_all(asked).await.into_iter().all(|passed| passed)
    }

    /// Whether one question passes without a repetition.
    async fn passes_first_time(&self, request: Request, deadline: Deadline) -> bool {
        let Ok((response, took)) = self.send(&request, &mut Ignored::default()).await else { return false };
        self.settle(response, took, took, deadline).await.0.passed()
    }
}

/// Whether a failure of this cause may hit one source and no other.
pub(crate) const fn depends_on_the_source(cause: Cause) -> bool {
    matches!(cause, Cause::Closed | Cause::Refused | Cause::Timeout | Cause::Unreachable)
}
