//! Probes: one question to one address over one transport, and the verdict on its answer.
//!
//! A check asks all its probes at once ([`round`]); each is a [`dns::Probe`] on a fresh socket. Others run a command
//! ([`mod@command`]) or watch a process ([`mod@process`]). What they find is
//! folded into one [`Outcome`], which is all that the engine learns of the network. Every failure has a [`Cause`],
//! a word that configuration can act on, and a sentence for people.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub mod command;
pub mod dns;
pub mod inquiry;
pub mod process;
pub mod round;

/// What a probe, or the whole round of a check, found.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Answered as expected.
    Pass {
        /// From the first packet sent to the answer accepted.
        latency: Duration,
    },
    /// Not answered as expected.
    Fail(Failure),
}

impl Outcome {
    /// A pass after `latency`.
    #[must_use]
    pub const fn pass(latency: Duration) -> Self {
        Self::Pass { latency }
    }

    /// A failure and the sentence that explains it.
    #[must_use]
    pub fn fail(cause: Cause, detail: impl Into<String>) -> Self {
        Self::Fail(Failure::new(cause, detail))
    }

    /// Whether the probe passed.
    #[must_use]
    pub const fn passed(&self) -> bool {
        matches!(self, Self::Pass { .. })
    }
}

/// Why a probe failed: a cause to act on and a sentence to read.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// The word that `on-fail` tables and traces use.
    pub cause: Cause,
    /// For example "127.0.0.1:53 udp: answered REFUSED, expected NOERROR".
    pub detail: String,
}

impl Failure {
    /// A failure of `cause`, explained by `detail`.
    #[must_use]
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() { self.cause.fmt(f) } else { f.write_str(&self.detail) }
    }
}

/// Declares [`Cause`] once: the variant, its word, and its meaning.
macro_rules! causes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+) => {
        /// The classes of failure. Decisions are made on these, not on response codes.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        pub enum Cause {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $variant,)+
        }

        impl Cause {
            /// Every cause, in the order of this list.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word by which configuration, traces and JSON name the cause.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

causes! {
    /// The connection was closed before the answer was complete.
    Closed = "closed",
    /// A command exited with a status other than 0, or was killed.
    Command = "command",
    /// A flag (AA, RA, AD, TC) was not as expected.
    Flags = "flags",
    /// This host could not ask: out of file descriptors, not permitted.
    Local = "local",
    /// An answer came that is no DNS message, or answers without saying what.
    Malformed = "malformed",
    /// The port is closed: ICMP port unreachable, or a TCP reset.
    PortClosed = "port-closed",
    /// The process of the DNS server is gone. Definite: it needs no repetition.
    ProcessGone = "process-gone",
    /// Nothing certain can be found out about the process of the DNS server.
    ProcessUnknown = "process-unknown",
    /// A response code that was not expected and has no cause of its own.
    Rcode = "rcode",
    /// Response code REFUSED.
    Refused = "refused",
    /// Response code SERVFAIL.
    Servfail = "servfail",
    /// Answered as expected, but later than the latency ceiling.
    Slow = "slow",
    /// The source address is not on this host.
    SourceAddress = "source-address",
    /// Nothing came within the timeout.
    Timeout = "timeout",
    /// Fewer answer records than the minimum.
    TooFewAnswers = "too-few-answers",
    /// Truncated, so that what was expected cannot be seen.
    Truncated = "truncated",
    /// Network or host unreachable.
    Unreachable = "unreachable",
    /// The records are not those expected.
    WrongAnswer = "wrong-answer",
    /// The name server identifier (NSID, RFC 5001) is not the one expected.
    WrongIdentity = "wrong-identity",
}

impl Cause {
    /// Whether one failure of this cause settles the matter, without `fall` repetitions.
    #[must_use]
    pub const fn is_definite(self) -> bool {
        matches!(self, Self::ProcessGone)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Cause {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|cause| cause.word() == word).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|cause| cause.word()).collect();
            format!("unknown cause `{word}`, expected one of {}", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_read_from_its_own_word() {
        for cause in Cause::ALL {
            assert_eq!(cause.word().parse(), Ok(*cause));
        }
        assert!("servfial".parse::<Cause>().unwrap_err().contains("servfail"));
    }
}
