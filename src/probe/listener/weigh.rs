//! Weighs the outcome of a DNS probe by the state of the server's sockets.

use std::net::{IpAddr, SocketAddr};

use super::Place;
use super::watch::Watch;
use crate::engine::listener::Verdict;
use crate::engine::moment::Moment;
use crate::engine::probe_only::{Failed, ProbeOnly};
use crate::outcome::{Cause, Failure, Lost, Outcome};
use crate::probe::dns::{DnsProbe, Finding, Transport, depends_on_the_source};
use crate::probe::own;
use crate::sys::lock;

/// The server, the source and the transport of a probe.
pub(super) type Path = (SocketAddr, Option<IpAddr>, Transport);

/// The failing probes of each path.
pub(super) type Failures = ProbeOnly<Path>;

impl Watch {
    /// Reads how many queries of others arrived, unless the last reading is recent. Returns the current time.
    pub(crate) fn note_reads(&self) -> Moment {
        let now = self.now();
        let mut failures = lock(&self.failures);
        if failures.wants_reading(now)
            && let Some(reads) = own::reads_of_others()
        {
            failures.read(now, reads);
        }
        now
    }

    /// Notes an answer of the server to a probe of a round that began at `asked`. If the server is overloaded, a question
    /// that was lost says nothing, and a timeout becomes an unknown outcome: the kernel drops queries, and the one of the
    /// probe may be among them. If only the probe fails, the cause is [`Cause::ProbeOnly`].
    pub(crate) fn weigh(&self, probe: &DnsProbe, asked: Moment, finding: Finding) -> Outcome {
        let now = self.note_reads();
        let outcome = self.by_sockets(now, probe, finding.outcome);
        if !probe.is_from_management() {
            return outcome;
        }
        let path = (probe.server, probe.source, probe.transport);
        let mut failures = lock(&self.failures);
        match outcome {
            Outcome::Pass { .. } => failures.passed(path),
            Outcome::Fail(Failure { cause, detail }) if depends_on_the_source(cause) => {
                let how = match (cause, probe.transport) {
                    (Cause::Refused, _) => Failed::Answered,
                    (_, Transport::Udp) => Failed::Udp,
                    (_, Transport::Tcp | Transport::Tls | Transport::Https) => Failed::Tcp,
                };
                let rate = failures.judge(asked, now, &path, how);
                let rate = rate.filter(|_| finding.is_alone && self.is_read(probe));
                return match rate {
                    Some(rate) => Outcome::fail(Cause::ProbeOnly, told(probe, cause, &detail, rate)),
                    None => Outcome::fail(cause, detail),
                };
            }
            Outcome::Fail(_) | Outcome::Unknown(_) => {}
        }
        outcome
    }

    /// Whether every watched socket at the server of this probe is read, and drops nothing.
    fn is_read(&self, probe: &DnsProbe) -> bool {
        let at = Place(probe.server, probe.transport.protocol());
        let verdicts = self.verdicts(at);
        !verdicts.is_empty() && verdicts.into_iter().all(|verdict| verdict == Verdict::Reading)
    }

    fn by_sockets(&self, now: Moment, probe: &DnsProbe, outcome: Outcome) -> Outcome {
        let cause = outcome.failure().map(|failure| failure.cause);
        let at = Place(probe.server, probe.transport.protocol());
        if cause.is_none_or(is_of_an_answer) {
            if self.answered(at, now) {
                return outcome.with(Lost::NONE);
            }
        } else if cause == Some(Cause::Timeout) && self.is_overloaded(at, now) {
            let detail =
                format!("{probe}: no answer, which says nothing: the kernel drops queries (overload)");
            return Outcome::fail(Cause::LostInOverload, detail);
        }
        outcome
    }
}

/// The sentence about a failure of the probe alone, with the likely reasons.
fn told(probe: &DnsProbe, cause: Cause, detail: &str, rate: u64) -> String {
    let source = probe.source.unwrap_or(probe.server.ip());
    let reasons = match cause {
        Cause::Refused => "an access list of the server does not know",
        _ => "a firewall rule, an access list or a rate limit hits",
    };
    format!(
        "{detail}; but {} answers itself, and this host reads {rate} queries per second of others: probably {reasons} {source}",
        probe.server.ip()
    )
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
