//! Runs one probe from the first packet to the finding.
//!
//! Over UDP the probe repeats the question once, from a new port and with a new ID, at half of the timeout: a lost
//! packet is no failure of the server. An answer to either question passes. A truncated answer, although the whole
//! answer fits into a datagram, is a sign of response rate limiting, as may be a missing answer after it; a query over
//! TCP shows it.

use std::future::pending;
use std::pin::pin;
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::Message;
use tokio::time::timeout_at;

use super::exchange::{Answered, Path};
use super::here::Ignored;
use super::{DnsProbe, Finding, Transport};
use crate::outcome::{Cause, Failure, Outcome};
use crate::probe::deadline::Deadline;
use crate::text::period::{Period, Shown};

/// The result of the exchange.
struct Exchanged {
    /// The response; `None` after a timeout.
    answered: Option<Answered>,
    /// Time since the first packet.
    took: Duration,
    /// For a server without an answer over UDP that limits its rate: when this was last seen, and its answer over TCP.
    limited: Option<(Duration, Whole)>,
    ignored: Ignored,
    lost: u32,
}

/// An answer over TCP that passes and would have fitted into a datagram.
struct Whole {
    response: Box<Message>,
    octets: usize,
}

impl DnsProbe {
    /// Probes once and returns within the timeout.
    ///
    /// Await it on a tokio runtime with I/O and time enabled. Dropping it leaves nothing behind.
    pub(crate) async fn ask(&self) -> Finding {
        let deadline = Deadline::after(self.timeout);
        let exchanged = match self.transport {
            Transport::Udp => self.over_udp(deadline).await,
            Transport::Tcp => self.over_tcp(deadline).await,
        };
        let Exchanged { answered, took, limited, ignored, lost } = exchanged;
        let (outcome, response) = match answered {
            Some(Ok((response, own))) => self.settle(response, own, took, deadline).await,
            Some(Err(trouble)) => (Outcome::from(Failure::from(trouble)), None),
            None => match limited {
                Some((ago, whole)) => (self.silent_by_limit(ago), Some(whole.response)),
                None => (self.timed_out(), None),
            },
        };
        let outcome = self.unless_asleep(outcome, deadline);
        let outcome = self.explain(outcome, ignored, lost);
        Finding { outcome, strays: ignored.sum(), lost, response }
    }

    fn path(&self) -> Path<'_> {
        Path { server: self.server, source: self.source, locality: &self.locality }
    }

    async fn over_tcp(&self, deadline: Deadline) -> Exchanged {
        let request = self.question.stamp();
        let mut ignored = Ignored::default();
        let answered = tokio::select! {
            biased;
            answered = self.path().tcp(&request, &mut ignored) => Some(answered),
            () = deadline.passed() => None,
        };
        let answered = answered.map(|answered| answered.map(|(response, took, _)| (response, took)));
        let took = answered.as_ref().and_then(|answered| answered.as_ref().ok()).map(|(_, took)| *took);
        Exchanged { answered, took: took.unwrap_or_default(), limited: None, ignored, lost: 0 }
    }

    async fn over_udp(&self, deadline: Deadline) -> Exchanged {
        let began = Instant::now();
        let requests = [self.question.stamp(), self.question.stamp()];
        let [mut early, mut late] = [Ignored::default(); 2];
        let (mut lost, mut limited) = (0, None);
        let answered = 'asked: {
            // The first half of the time is for the first question only.
            let mut first = pin!(self.path().udp(&requests[0], &mut early));
            if let Ok(answered) = timeout_at(deadline.half().into(), &mut first).await {
                break 'asked Some(answered);
            }
            // The second half is for both questions, and for TCP if the server limits its rate. If this host cannot
            // repeat the question, the first one still counts.
            let mut second = pin!(async {
                match self.path().udp(&requests[1], &mut late).await {
                    Err(trouble) if trouble.is_local() => pending().await,
                    answered => answered,
                }
            });
            let ago = self.question.limits().ago(self.limited_path(), Instant::now());
            let mut over_tcp = pin!(async {
                match ago {
                    Some(ago) => self.whole_over_tcp().await.map(|whole| (ago, whole)),
                    None => pending().await,
                }
            });
            let mut passed = pin!(deadline.passed());
            let mut is_proven = false;
            loop {
                tokio::select! {
                    biased;
                    answered = &mut first => break Some(answered),
                    answered = &mut second => {
                        lost = u32::from(answered.is_ok());
                        break Some(answered);
                    }
                    proof = &mut over_tcp, if !is_proven => (is_proven, limited) = (true, proof),
                    () = &mut passed => {
                        lost = 2;
                        break None;
                    }
                }
            }
        };
        Exchanged { answered, took: began.elapsed(), limited, ignored: early + late, lost }
    }

    /// The verdict on a response that arrived `own` after its question and `took` after the first question.
    async fn settle(
        &self,
        response: Box<Message>,
        own: Duration,
        took: Duration,
        deadline: Deadline,
    ) -> (Outcome, Option<Box<Message>>) {
        let is_cut = response.truncation && self.transport == Transport::Udp;
        if is_cut && !self.question.expect().flags.iter().any(|flag| flag.wants_truncation()) {
            let whole = tokio::select! {
                biased;
                whole = self.whole_over_tcp() => whole,
                () = deadline.passed() => None,
            };
            if let Some(Whole { response, octets }) = whole {
                self.question.limits().note(self.limited_path(), Instant::now());
                let detail = format!(
                    "truncated, although the whole answer has {octets} octets: the server limits the rate of answers to \
                     this host"
                );
                return (Outcome::fail(Cause::RateLimited, detail), Some(response));
            }
        }
        let outcome = match self.question.judge(&response, own) {
            Outcome::Pass { .. } => Outcome::pass(took.min(self.timeout)),
            bad => bad,
        };
        (outcome, Some(response))
    }

    /// Queries the same address over TCP. Returns an answer that passes and would have fitted into a datagram.
    async fn whole_over_tcp(&self) -> Option<Whole> {
        let request = self.question.stamp();
        let (response, _, octets) = self.path().tcp(&request, &mut Ignored::default()).await.ok()?;
        let is_whole = !response.truncation && octets <= request.payload();
        let is_well = is_whole && self.question.judge(&response, Duration::ZERO).passed();
        is_well.then_some(Whole { response, octets })
    }

    const fn limited_path(&self) -> (std::net::SocketAddr, Option<std::net::IpAddr>) {
        (self.server, self.source)
    }

    fn timed_out(&self) -> Outcome {
        let limit = Period(self.timeout);
        Outcome::fail(Cause::Timeout, format!("no answer within {limit}"))
    }

    fn silent_by_limit(&self, ago: Duration) -> Outcome {
        let (limit, ago) = (Period(self.timeout), Shown(ago));
        let detail = format!(
            "no answer within {limit}, but over TCP, and a truncated one {ago} before: the server limits the rate of \
             answers to this host"
        );
        Outcome::fail(Cause::RateLimited, detail)
    }

    /// A timeout means nothing if this process did not run.
    fn unless_asleep(&self, outcome: Outcome, deadline: Deadline) -> Outcome {
        let is_late =
            outcome.failure().is_some_and(|failure| matches!(failure.cause, Cause::Timeout | Cause::Slow));
        match deadline.slept(Instant::now()) {
            Some(late) if is_late => {
                let (limit, late) = (Period(self.timeout), Shown(late));
                Outcome::fail(
                    Cause::Local,
                    format!("no answer within {limit}, but this process did not run for {late}"),
                )
            }
            _ => outcome,
        }
    }

    /// Completes the sentence of a failure: the server, the question, and the ignored messages.
    fn explain(&self, outcome: Outcome, ignored: Ignored, lost: u32) -> Outcome {
        let (Outcome::Fail(Failure { cause, detail }) | Outcome::Unknown(Failure { cause, detail })) =
            outcome
        else {
            return outcome;
        };
        let repeated = match lost {
            1 => " (to the repeated question)",
            _ => "",
        };
        let ignored = ignored.told(self.transport);
        Outcome::fail(cause, format!("{self}: {detail}{repeated}{ignored}"))
    }
}
