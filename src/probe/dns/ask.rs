//! Runs one probe from the first packet to the finding.
//!
//! Over UDP the probe repeats the question twice, from a new port and with a new ID, after each third of the timeout: a
//! lost packet is no failure of the server. An answer to any of the questions passes. A truncated answer, although the whole
//! answer fits into a datagram, is a sign of response rate limiting, as may be a missing answer after it; a query over
//! TCP shows it. After BADCOOKIE the probe asks once more, with the cookie of that answer.

use std::future::pending;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::exchange::{Answered, Path};
use super::here::Ignored;
use super::options::PAYLOAD;
use super::request::Request;
use super::response::Response;
use super::{DnsProbe, Finding, Rcode, Transport};
use crate::outcome::{Cause, Class, Failure, Lost, Outcome};
use crate::probe::deadline::{Deadline, no_answer};
use crate::text::period::{Period, Shown};

/// The result of the exchange.
struct Exchanged {
    /// The response; `None` after a timeout.
    answered: Option<Answered>,
    /// Time since the first packet.
    took: Duration,
    /// For a server without an answer over UDP that limits its rate: when this was last seen, and its answer over TCP.
    limited: Option<(Duration, Response)>,
    ignored: Ignored,
    lost: u32,
}

impl DnsProbe {
    /// Probes as [`Self::ask`] does, but asks nothing from the service address itself; `passes_from_itself` is false.
    pub(crate) async fn ask_from_its_source(&self) -> Finding {
        self.ask_until(Deadline::after(self.timeout)).await
    }

    /// Probes once and returns by the deadline.
    pub(super) async fn ask_until(&self, deadline: Deadline) -> Finding {
        let mut exchanged = self.exchange(deadline).await;
        if self.got_a_cookie(&exchanged) {
            let before = exchanged.took;
            exchanged = self.exchange(deadline).await;
            exchanged.took += before;
        }
        let Exchanged { answered, took, limited, ignored, lost } = exchanged;
        let (outcome, response) = match answered {
            Some(Ok((response, own))) => self.settle(response, own, took, deadline).await,
            Some(Err(trouble)) => (Outcome::from(Failure::from(trouble)), None),
            None => match limited {
                Some((ago, whole)) => (self.silent_by_limit(ago), Some(whole)),
                None => (no_answer(self.timeout).into(), None),
            },
        };
        let outcome = Self::unless_asleep(outcome, deadline);
        let outcome = self.explain(outcome, ignored, lost).with(self.loss(lost));
        let response = response.map(|response| response.message);
        Finding { outcome, strays: ignored.sum(), lost, passes_from_itself: false, response }
    }

    async fn exchange(&self, deadline: Deadline) -> Exchanged {
        match self.transport {
            Transport::Udp => self.over_udp(deadline).await,
            Transport::Tcp | Transport::Tls | Transport::Https => self.over_stream(deadline).await,
        }
    }

    /// Keeps the cookie of an answer. Returns whether the server requires it and the question must be repeated.
    fn got_a_cookie(&self, exchanged: &Exchanged) -> bool {
        match &exchanged.answered {
            Some(Ok((response, _))) if self.question.options().cookie => {
                let is_new = self.question.memory.keep_cookie(self.ends(), response);
                is_new && Rcode::from(response.response_code) == Rcode::BADCOOKIE
            }
            _ => false,
        }
    }

    pub(super) fn path(&self) -> Path<'_> {
        Path { server: self.server, source: self.source, locality: &self.locality }
    }

    async fn over_stream(&self, deadline: Deadline) -> Exchanged {
        let mut ignored = Ignored::default();
        let answered = tokio::select! {
            biased;
            answered = self.exchange_once(&mut ignored) => Some(answered),
            () = deadline.passed() => None,
        };
        let took = answered.as_ref().and_then(|answered| answered.as_ref().ok()).map(|(_, took)| *took);
        Exchanged { answered, took: took.unwrap_or_default(), limited: None, ignored, lost: 0 }
    }

    /// Asks once, without a deadline and without a repetition.
    pub(super) async fn exchange_once(&self, ignored: &mut Ignored) -> Answered {
        self.send(&self.question.stamp(self.ends()), ignored).await
    }

    /// The same with this request.
    pub(super) async fn send(&self, request: &Request, ignored: &mut Ignored) -> Answered {
        let tls = self.question.tls();
        match self.transport {
            Transport::Udp => self.path().udp(request, ignored).await,
            Transport::Tcp => self.path().tcp(request, ignored).await,
            Transport::Tls => self.path().tls(request, ignored, tls).await,
            Transport::Https => self.path().https(request, ignored, tls).await,
        }
    }

    async fn over_udp(&self, deadline: Deadline) -> Exchanged {
        let began = Instant::now();
        let requests = [(); 3].map(|()| self.question.stamp(self.ends()));
        let [mut early, mut late, mut latest] = [Ignored::default(); 3];
        let (mut lost, mut limited) = (0, None);
        let answered = {
            // An answer to an earlier question still counts. The second third is also for TCP, if the server limits its rate.
            let mut first = pin!(self.path().udp(&requests[0], &mut early));
            let mut second = pin!(self.repeat(deadline.third(1), &requests[1], &mut late));
            let mut third = pin!(self.repeat(deadline.third(2), &requests[2], &mut latest));
            let mut over_tcp = pin!(async {
                sleep_until(deadline.third(1).into()).await;
                match self.question.memory.limited_since(self.ends(), Instant::now()) {
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
                    answered = &mut third => {
                        lost = 2 * u32::from(answered.is_ok());
                        break Some(answered);
                    }
                    proof = &mut over_tcp, if !is_proven => (is_proven, limited) = (true, proof),
                    () = &mut passed => {
                        lost = 3;
                        break None;
                    }
                }
            }
        };
        Exchanged { answered, took: began.elapsed(), limited, ignored: early + late + latest, lost }
    }

    /// Asks again at `at`. If this host cannot, the questions before it still count.
    async fn repeat(&self, at: Instant, request: &Request, ignored: &mut Ignored) -> Answered {
        sleep_until(at.into()).await;
        match self.path().udp(request, ignored).await.map_err(Failure::from) {
            Err(failure) if failure.cause.class() == Class::Unknown => pending().await,
            answered => Ok(answered?),
        }
    }

    /// Whether this probe, which passed, had to repeat its question. One that had to is not counted at all if rate limiting may be the
    /// reason.
    fn loss(&self, lost: u32) -> Lost {
        let is_limited = || self.question.memory.limited_since(self.ends(), Instant::now()).is_some();
        match self.transport {
            Transport::Udp if lost == 0 || !is_limited() => Lost { lost: lost.min(1), of: 1 },
            _ => Lost::NONE,
        }
    }

    /// The verdict on a response that arrived `own` after its question and `took` after the first question.
    pub(super) async fn settle(
        &self,
        response: Response,
        own: Duration,
        took: Duration,
        deadline: Deadline,
    ) -> (Outcome, Option<Response>) {
        let is_cut = response.truncation && self.transport == Transport::Udp;
        if is_cut && !self.question.expect().flags.iter().any(|flag| flag.wants_truncation()) {
            let whole = tokio::select! {
                biased;
                whole = self.ask_over_tcp() => Some(whole),
                () = deadline.passed() => None,
            };
            return self.settle_truncated(response, whole, own, took);
        }
        (self.verdict(&response, own, took), Some(response))
    }

    /// The verdict on a truncated response; `whole` is what came over TCP instead.
    fn settle_truncated(
        &self,
        cut: Response,
        whole: Option<Answered>,
        own: Duration,
        took: Duration,
    ) -> (Outcome, Option<Response>) {
        match whole {
            Some(Ok((whole, _))) if self.would_have_fitted(&whole) => {
                self.question.memory.note_limit(self.ends(), Instant::now());
                let detail = format!(
                    "truncated, although the whole answer has {} octets: the server limits the rate of answers to this host",
                    whole.octets
                );
                (Outcome::from_cause(Cause::RateLimited, detail), Some(whole))
            }
            _ if !self.question.options().follow_truncation => (self.verdict(&cut, own, took), Some(cut)),
            Some(Ok((whole, more))) => (self.verdict(&whole, own + more, took + more), Some(whole)),
            Some(Err(trouble)) => {
                let Failure { cause, detail } = trouble.into();
                (Outcome::from_cause(cause, format!("truncated, and over TCP: {detail}")), Some(cut))
            }
            None => {
                let limit = Period(self.timeout);
                let detail = format!("truncated, and no answer over TCP within {limit}");
                (Outcome::from_cause(Cause::Timeout, detail), Some(cut))
            }
        }
    }

    fn verdict(&self, response: &Response, own: Duration, took: Duration) -> Outcome {
        match self.question.judge(response, own) {
            Outcome::Pass { .. } => Outcome::pass(took.min(self.timeout)),
            bad => bad,
        }
    }

    /// Asks over TCP at the same address.
    async fn ask_over_tcp(&self) -> Answered {
        let request = self.question.stamp(self.ends());
        self.path().tcp(&request, &mut Ignored::default()).await
    }

    /// Whether an answer over TCP is as expected and fits into a datagram. Servers send at most 1232 octets by default,
    /// whatever is offered.
    fn would_have_fitted(&self, whole: &Response) -> bool {
        let payload = self.question.template.payload.min(PAYLOAD);
        let fits = !whole.truncation && whole.octets <= payload.into();
        fits && self.question.judge(whole, Duration::ZERO).passed()
    }

    async fn whole_over_tcp(&self) -> Option<Response> {
        let (whole, _) = self.ask_over_tcp().await.ok()?;
        self.would_have_fitted(&whole).then_some(whole)
    }

    /// The server address and the source address.
    pub(super) const fn ends(&self) -> super::memory::Path {
        (self.server, self.source)
    }

    fn silent_by_limit(&self, ago: Duration) -> Outcome {
        let (limit, ago) = (Period(self.timeout), Shown(ago));
        let detail = format!(
            "no answer within {limit}, but over TCP, and a truncated one {ago} before: the server limits the rate of \
             answers to this host"
        );
        Outcome::from_cause(Cause::RateLimited, detail)
    }

    /// A timeout means nothing if this process did not run.
    fn unless_asleep(outcome: Outcome, deadline: Deadline) -> Outcome {
        let is_late =
            outcome.failure().is_some_and(|failure| matches!(failure.cause, Cause::Timeout | Cause::Slow));
        let missed = deadline.missed(Instant::now());
        if is_late && missed.cause == Cause::Local { missed.into() } else { outcome }
    }

    /// Completes the sentence of a failure: the server, the question, and the ignored messages.
    fn explain(&self, outcome: Outcome, ignored: Ignored, lost: u32) -> Outcome {
        let (Outcome::Fail(Failure { cause, detail }) | Outcome::Unknown(Failure { cause, detail })) =
            outcome
        else {
            return outcome;
        };
        let repeated = match lost {
            1 | 2 => " (to the repeated question)",
            _ => "",
        };
        let ignored = ignored.phrase(self.transport);
        Outcome::from_cause(cause, format!("{self}: {detail}{repeated}{ignored}"))
    }
}
