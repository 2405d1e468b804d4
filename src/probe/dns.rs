//! DNS probes: one datagram, or one exchange over TCP, and the verdict on the response.
//!
//! Configuration makes a [`Query`] and an [`Expectation`]; together they are a [`Question`], encoded once and shared
//! by the probes of a check, one [`Probe`] per address and transport. [`Probe::ask`] then goes this way:
//!
//! ```text
//! Question ── stamp: fresh ID, fresh nonce ──► Request ──► exchange: fresh port, connected socket
//!                                                             │ octets
//! Finding ◄── judge: as expected? ◄── response ◄── sort: stray, malformed, response
//! ```
//!
//! Only `exchange` touches a socket; stamping, sorting and judging are functions of values. Nothing is sent twice: a
//! lost datagram is a failed probe, and what is lost too often is for the engine to decide. Nothing is taken that does
//! not bear the ID, the question and the address of the one who was asked; the rest is ignored and counted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::Message;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use self::exchange::Path;
use crate::outcome::{Cause, Failure, Outcome};
use crate::period::Period;

mod exchange;
mod expect;
mod flag;
mod judge;
mod query;
mod question;
mod rcode;
mod request;
#[cfg(test)]
mod tests;
mod text;

pub use self::expect::{Expectation, record_data};
pub use self::flag::Flag;
pub use self::query::Query;
pub use self::question::Question;
pub use self::rcode::{Rcode, Rcodes};

/// What carries a query.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// One datagram (RFC 1035 §4.2.1).
    Udp,
    /// One connection (RFC 7766).
    Tcp,
}

impl Transport {
    /// What a message is called there.
    const fn unit(self) -> &'static str {
        match self {
            Self::Udp => "datagram",
            Self::Tcp => "message",
        }
    }
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "udp" => Ok(Self::Udp),
            "tcp" => Ok(Self::Tcp),
            _ => Err(format!("unknown transport `{word}`, expected udp or tcp")),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

/// One question to one address over one transport. Shown as `10.1.0.2:53 udp localhost. A`.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// What is asked and expected.
    pub question: Arc<Question>,
    /// Who is asked.
    pub server: SocketAddr,
    /// From which address; by default the kernel chooses.
    pub source: Option<IpAddr>,
    /// Over what.
    pub transport: Transport,
    /// How long all of it may take.
    pub timeout: Duration,
}

impl Probe {
    /// Asks once, and is back within the timeout.
    ///
    /// To be awaited on a tokio runtime with I/O and time enabled; dropped earlier, it leaves nothing behind.
    pub async fn ask(&self) -> Finding {
        let request = self.question.stamp();
        let path = Path { server: self.server, source: self.source };
        let mut strays = 0;
        let exchange = async {
            match self.transport {
                Transport::Udp => path.udp(&request, &mut strays).await,
                Transport::Tcp => path.tcp(&request, &mut strays).await,
            }
        };
        let (outcome, response) = match timeout(self.timeout, exchange).await {
            Ok(Ok((response, latency))) => (self.question.judge(&response, latency), Some(response)),
            Ok(Err(trouble)) => (Outcome::Fail(trouble.into()), None),
            Err(_) => (self.timed_out(), None),
        };
        Finding { outcome: self.explain(outcome, strays), strays, response }
    }

    fn timed_out(&self) -> Outcome {
        let limit = Period(self.timeout);
        Outcome::fail(Cause::Timeout, format!("no answer within {limit}"))
    }

    /// Completes the sentence of a failure: who was asked what, and what was ignored meanwhile.
    fn explain(&self, outcome: Outcome, strays: u32) -> Outcome {
        let Outcome::Fail(Failure { cause, detail }) = outcome else {
            return outcome;
        };
        let unit = self.transport.unit();
        let ignored = match strays {
            0 => String::new(),
            1 => format!(" (1 stray {unit} ignored)"),
            many => format!(" ({many} stray {unit}s ignored)"),
        };
        Outcome::fail(cause, format!("{self}: {detail}{ignored}"))
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.server, self.transport, self.question.query())
    }
}

/// What one probe found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The verdict.
    pub outcome: Outcome,
    /// Messages that were no answer to the question, and ignored.
    pub strays: u32,
    /// The response that was judged, if one came.
    pub response: Option<Box<Message>>,
}

impl Finding {
    /// The name server identifier (RFC 5001), if one was asked for and given: printable ASCII as it is, anything else
    /// as `0x` and hexadecimal digits.
    #[must_use]
    pub fn nsid(&self) -> Option<String> {
        self.response.as_deref().and_then(judge::nsid)
    }
}
