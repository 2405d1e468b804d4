//! DNS probes: one datagram, or one exchange over TCP, and the verdict on the response.
//!
//! Configuration makes a [`Query`] and an [`Expectation`]; together they are a [`Question`], encoded once and shared
//! by the probes of a check, one [`DnsProbe`] per address and transport. [`DnsProbe::ask`] then goes this way:
//!
//! ```text
//! Question ── stamp: fresh ID, fresh nonce ──► Request ──► exchange: fresh port, connected socket
//!                                                             │ octets
//! Finding ◄── judge: as expected? ◄── response ◄── sort: stray, malformed, response
//! ```
//!
//! Only `exchange` touches a socket; stamping, sorting and judging are functions of values. `ask` repeats a question once
//! over UDP, since a lost datagram is no failure of the server. Nothing is taken that does not bear the ID, the question
//! and the address of the one who was asked; the rest is ignored and counted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::Message;
use serde::{Deserialize, Serialize};

use super::locality::Locality;
use crate::outcome::Outcome;

mod ask;
mod exchange;
mod expect;
mod flag;
pub(crate) mod flow;
pub(crate) mod here;
mod judge;
mod limits;
mod query;
mod question;
mod rcode;
mod request;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use self::expect::{Expectation, record_data};
pub(crate) use self::flag::Flag;
pub(crate) use self::judge::nsid as nsid_of;
pub(crate) use self::query::Query;
pub(crate) use self::question::Question;
pub(crate) use self::rcode::{Rcode, Rcodes};

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
pub(crate) struct DnsProbe {
    /// What is asked and expected.
    pub(crate) question: Arc<Question>,
    /// Who is asked.
    pub(crate) server: SocketAddr,
    /// From which address; by default the kernel chooses.
    pub(crate) source: Option<IpAddr>,
    /// Over what.
    pub(crate) transport: Transport,
    /// How long all of it may take.
    pub(crate) timeout: Duration,
    /// Which addresses are of this host: a probe to one of them does not leave it.
    pub(crate) locality: Arc<Locality>,
}

impl fmt::Display for DnsProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.server, self.transport, self.question.query())
    }
}

/// What one probe found.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// The verdict.
    pub(crate) outcome: Outcome,
    /// Messages that were no answer to the question, and ICMP errors without evidence: ignored.
    pub(crate) strays: u32,
    /// Datagrams that no answer came to: 1 where the repeated question was answered, 2 where neither was.
    pub(crate) lost: u32,
    /// The response that was judged, if one came.
    pub(crate) response: Option<Box<Message>>,
}

impl Finding {
    /// The name server identifier (RFC 5001), if one was asked for and given: printable ASCII as it is, anything else
    /// as `0x` and hexadecimal digits.
    #[must_use]
    pub(crate) fn nsid(&self) -> Option<String> {
        self.response.as_deref().and_then(judge::nsid)
    }
}
