//! Weighs the outcome of a DNS probe by the state of the server's sockets.

use super::Place;
use super::watch::Watch;
use crate::engine::moment::Moment;
use crate::engine::probe_only::{Evidence, Failed, OthersServed, ProbeOnly, served};
use crate::outcome::{Cause, Failure, Lost, Outcome};
use crate::probe::counters::CountersProbe;
use crate::probe::dns::{DnsProbe, Finding, ProbePath, Transport, depends_on_the_source};
use crate::probe::own;
use crate::sys::lock;

/// The failing probes of each path.
pub(super) type Failures = ProbeOnly<ProbePath>;

impl Watch {
    /// Reads how many queries of others arrived, unless the last reading is recent. Returns the current time.
    pub(crate) fn note_reads(&self) -> Moment {
        let now = self.now();
        let mut failures = lock(&self.failures);
        if failures.wants_reading(now)
            && let Some(reads) = own::reads_of_others()
        {
            failures.add_reading(now, reads);
        }
        now
    }

    /// Weighs the finding of a probe of a round that began at `asked`. An answer shows that the server reads. If the server
    /// is overloaded, the kernel drops queries, perhaps that of the probe: a lost question does not count, and a timeout
    /// becomes an unknown outcome. If only the probe fails, the cause is [`Cause::ProbeOnly`]; what the kernel counts, or
    /// the `counters` of the server, shows that.
    pub(crate) fn weigh(
        &self,
        probe: &DnsProbe,
        asked: Moment,
        finding: Finding,
        counters: Option<&CountersProbe>,
    ) -> Outcome {
        let now = self.note_reads();
        let is_answered = finding.is_answered();
        let outcome = self.by_sockets(now, probe, finding.outcome, is_answered);
        if !probe.is_from_management() {
            return outcome;
        }
        let path = (probe.server, probe.source, probe.transport);
        let failure = match outcome {
            Outcome::Fail(failure) if depends_on_the_source(failure.cause) => failure,
            Outcome::Pass { .. } => {
                lock(&self.failures).passed(path);
                counters.inspect(|counters| counters.passed(path));
                return outcome;
            }
            Outcome::Fail(_) | Outcome::Unknown(_) => return outcome,
        };
        let how = match (failure.cause, probe.transport) {
            (Cause::Refused, _) => Failed::Answered,
            (_, Transport::Udp) => Failed::Udp,
            (_, Transport::Tcp | Transport::Tls | Transport::Https) => Failed::Tcp,
        };
        // Both are told of each failure, so that both know when the failures began.
        let by_kernel = lock(&self.failures).judge(asked, now, &path, how);
        let by_counters =
            counters.map_or(Evidence::Unknown, |counters| counters.judge(now.since(asked), &path, how));
        if !finding.passes_from_itself {
            return Outcome::Fail(failure);
        }
        let sockets = self.sockets(Place(probe.server, probe.transport.protocol()));
        let served_if = |by_counters| served(sockets, by_kernel, by_counters);
        if let Some(counters) = counters
            && let Some(OthersServed::Answered(_)) = served_if(Evidence::For(0))
        {
            counters.read_soon(&path);
        }
        match served_if(by_counters) {
            Some(served) => Outcome::from_cause(Cause::ProbeOnly, told(probe, &failure, served)),
            None => Outcome::Fail(failure),
        }
    }

    fn by_sockets(&self, now: Moment, probe: &DnsProbe, outcome: Outcome, is_answered: bool) -> Outcome {
        let cause = outcome.failure().map(|failure| failure.cause);
        let at = Place(probe.server, probe.transport.protocol());
        if cause.is_none_or(is_of_an_answer) && is_answered {
            if self.note_answer(at, now) {
                return outcome.with(Lost::NONE);
            }
        } else if cause == Some(Cause::Timeout) && self.is_overloaded(at, now) {
            let detail =
                format!("{probe}: no answer, which says nothing: the kernel drops queries (overload)");
            return Outcome::from_cause(Cause::LostInOverload, detail);
        }
        outcome
    }
}

/// The sentence about a failure of the probe alone, with the likely reasons.
fn told(probe: &DnsProbe, Failure { cause, detail }: &Failure, served: OthersServed) -> String {
    let (server, source) = (probe.server.ip(), probe.source.unwrap_or(probe.server.ip()));
    let reasons = match cause {
        Cause::Refused => "an access list of the server does not know",
        _ => "a firewall rule, an access list or a rate limit hits",
    };
    let others = match served {
        OthersServed::Read(rate) => format!("this host reads {rate} queries per second of others"),
        OthersServed::Answered(rate) => {
            format!("the server answers {rate} queries per second of others by its own counters")
        }
    };
    format!("{detail}; but {server} answers itself, and {others}: probably {reasons} {source}")
}

/// Whether a failure of this cause has an answer, which proves that the server reads.
const fn is_of_an_answer(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Flags
            | Cause::Rcode
            | Cause::RateLimited
            | Cause::Refused
            | Cause::Servfail
            | Cause::Signature
            | Cause::Size
            | Cause::Slow
            | Cause::TooFewAnswers
            | Cause::Truncated
            | Cause::Ttl
            | Cause::WrongAnswer
            | Cause::WrongIdentity
    )
}
