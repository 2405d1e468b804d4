//! Outcomes: what a probe found, and why.
//!
//! A probe passes, fails, or says nothing about the server. A [`Cause`] belongs to one [`Class`], which decides the
//! weight of the outcome: a hard failure settles the matter at once, a soft one counts as one failure, and an unknown one
//! does not count unless the configuration gives it a severity. Pure data, without I/O.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::words::words;

/// What a probe, or the whole round of a check, found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Answered as expected.
    Pass {
        /// From the first packet sent to the answer accepted.
        latency: Duration,
        /// How many of its probes had to repeat their question.
        #[serde(default)]
        lost: Lost,
    },
    /// Not answered as expected.
    Fail(Failure),
    /// Nothing was found out about the server: neither a pass nor a failure.
    Unknown(Failure),
}

impl Outcome {
    /// A pass after `latency`.
    pub(crate) const fn pass(latency: Duration) -> Self {
        Self::Pass { latency, lost: Lost::NONE }
    }

    /// The same, where a pass says how many probes had to repeat their question.
    #[must_use]
    pub(crate) fn with(self, lost: Lost) -> Self {
        match self {
            Self::Pass { latency, .. } => Self::Pass { latency, lost },
            other => other,
        }
    }

    /// A failure, or an unknown outcome, by the class of the cause. `detail` is the sentence that explains it.
    #[must_use]
    pub fn from_cause(cause: Cause, detail: impl Into<String>) -> Self {
        Failure::new(cause, detail).into()
    }

    /// Why it did not pass.
    pub(crate) const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Pass { .. } => None,
            Self::Fail(failure) | Self::Unknown(failure) => Some(failure),
        }
    }

    /// Whether the probe passed.
    pub(crate) const fn passed(&self) -> bool {
        matches!(self, Self::Pass { .. })
    }
}

impl From<Failure> for Outcome {
    /// The class of the cause decides between a failure and an unknown outcome.
    fn from(failure: Failure) -> Self {
        match failure.cause.class() {
            Class::Hard | Class::Soft => Self::Fail(failure),
            Class::Unknown => Self::Unknown(failure),
        }
    }
}

/// How many probes of a round that passed, over UDP, got no answer to their first question. If rate limiting or overload may
/// explain why a probe got none, it is not counted at all.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Lost {
    /// The probes that had to repeat the question; at most `of`.
    pub(crate) lost: u32,
    /// All probes that are counted.
    pub(crate) of: u32,
}

impl Lost {
    /// Nothing was lost.
    pub(crate) const NONE: Self = Self { lost: 0, of: 0 };

    /// The share that was lost, in parts of `whole`, rounded up.
    pub(crate) fn share_of(self, whole: u64) -> u64 {
        match self.of {
            0 => 0,
            of => (whole * u64::from(self.lost.min(of))).div_ceil(of.into()),
        }
    }
}

impl AddAssign for Lost {
    fn add_assign(&mut self, more: Self) {
        self.lost = self.lost.saturating_add(more.lost);
        self.of = self.of.saturating_add(more.of);
    }
}

/// Why a probe did not pass: a cause to act on and a sentence to read.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// The word that `on-fail` tables and traces use.
    pub(crate) cause: Cause,
    /// For example "127.0.0.1:53 udp: answered REFUSED, expected NOERROR".
    pub(crate) detail: String,
}

impl Failure {
    /// A failure of `cause`, explained by `detail`.
    pub(crate) fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() { self.cause.fmt(f) } else { f.write_str(&self.detail) }
    }
}

/// How much an outcome of a cause says about the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Class {
    /// The server surely does not serve here. One is enough, of a round or of an event.
    Hard,
    /// It serves badly, or the probe sees it badly. Counts as one failure.
    Soft,
    /// Nothing. Counts as neither a pass nor a failure, unless the configuration gives it a severity.
    Unknown,
}

words! {
    /// Why an outcome is no pass. The effect on a service depends on the cause, not on the response code.
    #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
    pub enum Cause {
        /// The service address is not on this host. Definite: it needs no repetition.
        AddressMissing = "address-missing" (Class::Hard),
        /// The certificate is for another name or key, not yet valid, expired, or expires too soon.
        Certificate = "certificate" (Class::Soft),
        /// The connection was closed, or reset, before the answer was complete.
        Closed = "closed" (Class::Soft),
        /// A command exited with a status other than 0, or was killed.
        Command = "command" (Class::Soft),
        /// A monitoring plugin exited with status 3, with one that plugins do not have, or was killed.
        CommandUnknown = "command-unknown" (Class::Unknown),
        /// A monitoring plugin exited with status 1. Degrades at most, unless `on-fail` names it.
        CommandWarning = "command-warning" (Class::Soft),
        /// The control channel of the server does not answer, although the server answers DNS: a part of it may hang.
        ControlHung = "control-hung" (Class::Soft),
        /// A zone expires soon, or has expired: this server has not refreshed it from its primary.
        Expired = "expired" (Class::Soft),
        /// A flag (AA, RA, AD, TC) was not as expected.
        Flags = "flags" (Class::Soft),
        /// An HTTP status other than 200 (DNS over HTTPS).
        Http = "http" (Class::Soft),
        /// An interface of the clients, or of the route to them or to a BGP neighbor, is missing or down.
        LinkDown = "link-down" (Class::Soft),
        /// The server has closed the sockets on which it listened. Definite: it needs no repetition.
        ListenerMissing = "listener-missing" (Class::Hard),
        /// No sockets of the server are visible, or they prove nothing.
        ListenerUnknown = "listener-unknown" (Class::Unknown),
        /// This host could not ask (out of descriptors, ports, memory or threads, or not permitted), or the helper did not run meanwhile.
        Local = "local" (Class::Unknown),
        /// A probe was not answered while the kernel dropped queries for lack of room (see [`Cause::Overload`]).
        LostInOverload = "lost-in-overload" (Class::Unknown),
        /// The response is no DNS message, or does not repeat the one question that was asked.
        Malformed = "malformed" (Class::Soft),
        /// The counters of the server cannot be read.
        NoCounters = "no-counters" (Class::Unknown),
        /// Serials cannot be compared: no reference server answered, or this server did not.
        NoReference = "no-reference" (Class::Unknown),
        /// The kernel has no route to clients from a service address, or to a BGP neighbor.
        NoRoute = "no-route" (Class::Soft),
        /// The server does not read its sockets and uses no CPU: it hangs. Definite: it needs no repetition.
        NotReading = "not-reading" (Class::Hard),
        /// The server does not keep up: the kernel or the server itself drops queries, or limits them.
        Overload = "overload" (Class::Soft),
        /// A server answers some queries of a check as expected and others not.
        Partial = "partial" (Class::Soft),
        /// The server reads some of its sockets and not others: some of its threads hang.
        PartlyHung = "partly-hung" (Class::Soft),
        /// The port is closed: ICMP port unreachable, or a TCP reset of the connection attempt.
        PortClosed = "port-closed" (Class::Soft),
        /// A probe failed while the server answers itself and reads its clients: the reason lies between them.
        ProbeOnly = "probe-only" (Class::Soft),
        /// The process of the DNS server is gone. Definite: it needs no repetition.
        ProcessGone = "process-gone" (Class::Hard),
        /// Nothing certain can be found out about the process of the DNS server.
        ProcessUnknown = "process-unknown" (Class::Unknown),
        /// A response code that was not expected and has no cause of its own.
        Rcode = "rcode" (Class::Soft),
        /// The server limits the rate of answers to the prober: it reads and answers, with truncated answers.
        RateLimited = "rate-limited" (Class::Soft),
        /// Response code REFUSED.
        Refused = "refused" (Class::Soft),
        /// The kernel drops what clients send, by its reverse path filter (`rp_filter`).
        RpFilter = "rp-filter" (Class::Soft),
        /// Response code SERVFAIL.
        Servfail = "servfail" (Class::Soft),
        /// The server answers too large a share of its queries with SERVFAIL.
        ServfailShare = "servfail-share" (Class::Soft),
        /// A signature (RRSIG) is missing, expired, not yet valid, or expires too soon.
        Signature = "signature" (Class::Soft),
        /// The response is shorter or longer than expected.
        Size = "size" (Class::Soft),
        /// Answered as expected, but later than the latency ceiling.
        Slow = "slow" (Class::Soft),
        /// The source address is not on this host.
        SourceAddress = "source-address" (Class::Unknown),
        /// A zone lacks a serial that the reference servers have had for longer than `max-lag`.
        Stale = "stale" (Class::Soft),
        /// The server has not read its sockets, or at least half of them, for long.
        Stalled = "stalled" (Class::Soft),
        /// Nothing came within the timeout.
        Timeout = "timeout" (Class::Soft),
        /// The TLS handshake failed, or the server does not speak the protocol behind it.
        Tls = "tls" (Class::Soft),
        /// Fewer answer records than the minimum.
        TooFewAnswers = "too-few-answers" (Class::Soft),
        /// Truncated, so what was expected cannot be seen.
        Truncated = "truncated" (Class::Soft),
        /// A record may be kept for a shorter or longer time (TTL) than expected.
        Ttl = "ttl" (Class::Soft),
        /// Network or host unreachable.
        Unreachable = "unreachable" (Class::Soft),
        /// The records are not those expected.
        WrongAnswer = "wrong-answer" (Class::Soft),
        /// The name server identifier (NSID, RFC 5001) is not the one expected.
        WrongIdentity = "wrong-identity" (Class::Soft),
    }
    /// How much an outcome of this cause says about the server.
    fn class -> Class;
    "unknown cause `{}`"
}

impl Cause {
    /// Whether a server that works, and has too much to do, fails for this cause.
    pub(crate) const fn is_of_overload(self) -> bool {
        matches!(self, Self::LostInOverload | Self::Overload | Self::RateLimited | Self::Slow | Self::Stalled)
    }

    /// Whether one failure of this cause settles the matter, without `fall` repetitions.
    pub(crate) const fn is_definite(self) -> bool {
        matches!(self.class(), Class::Hard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_the_cause_makes_the_outcome() {
        assert!(matches!(Outcome::from_cause(Cause::Local, "no ports"), Outcome::Unknown(_)));
        assert!(matches!(Outcome::from_cause(Cause::Timeout, ""), Outcome::Fail(_)));
        assert!(Cause::ProcessGone.is_definite() && !Cause::Timeout.is_definite());
    }

    #[test]
    fn every_cause_is_read_from_its_own_word() {
        for cause in Cause::ALL {
            assert_eq!(cause.word().parse(), Ok(*cause));
        }
        assert!("servfial".parse::<Cause>().unwrap_err().contains("servfail"));
    }
}
