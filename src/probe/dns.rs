//! DNS probes: one question over UDP, TCP, TLS or HTTPS, and the verdict on the response.
//!
//! Configuration makes a [`Query`] and an [`Expectation`]; together they are a [`Question`], encoded once and shared
//! by the probes of a check, one [`DnsProbe`] per question, address, source and transport. [`DnsProbe::ask`] has these steps:
//!
//! ```text
//! Question ── stamp: fresh ID, fresh nonce ──► Request ──► exchange: fresh port, connected socket
//!                                                             │ octets
//! Finding ◄── judge: as expected? ◄── response ◄── sort: stray, malformed, response
//! ```
//!
//! Of these steps only `exchange` touches a socket. [`flow`] asks over one kept socket instead. `ask` repeats a question
//! over UDP, since a lost datagram is no failure of the server. A message with our ID and question, or an error with our
//! ID and no question, is a response, unless it has the cookie of another client. One with our ID that cannot be read fails
//! the probe. Strays are ignored and counted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::Message;
use serde::{Deserialize, Serialize};

use super::locality::Locality;
use crate::netlink::sockets::Protocol;
use crate::outcome::Outcome;

mod alone;
mod ask;
mod attempt;
mod cookie;
mod exchange;
mod expect;
mod flag;
pub(crate) mod flow;
pub(crate) mod here;
mod https;
mod judge;
mod memory;
mod names;
mod options;
mod query;
mod question;
mod rcode;
mod record_type;
mod request;
mod response;
#[cfg(test)]
mod tests;
mod text;
mod tls;

pub(crate) use self::alone::depends_on_the_source;
pub(crate) use self::exchange::PORT_CLOSED;
pub(crate) use self::expect::{Bounds, Expectation, Pattern, record_data};
pub(crate) use self::flag::Flag;
pub(crate) use self::judge::nsid as nsid_of;
pub(crate) use self::names::are_endless as names_are_endless;
pub(crate) use self::options::{EdnsUse, Options, PLAIN_PAYLOAD};
pub(crate) use self::query::Query;
pub(crate) use self::question::Question;
pub(crate) use self::rcode::{Rcode, Rcodes};
pub(crate) use self::response::Response;
pub(crate) use self::tls::{Pin, Tls, tls_name};

/// The transport of a query.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// One datagram (RFC 1035 §4.2.1).
    Udp,
    /// One connection (RFC 7766).
    Tcp,
    /// One connection with TLS (RFC 7858).
    Tls,
    /// One request over HTTP/2 with TLS (RFC 8484).
    Https,
}

impl Transport {
    /// The port of a server where none is given.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 53,
            Self::Tls => 853,
            Self::Https => 443,
        }
    }

    /// The protocol of the sockets that carry it.
    pub(crate) const fn protocol(self) -> Protocol {
        match self {
            Self::Udp => Protocol::Udp,
            Self::Tcp | Self::Tls | Self::Https => Protocol::Tcp,
        }
    }

    /// Whether it uses TLS, so that the server shows a certificate.
    pub(crate) const fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::Https)
    }

    /// The name of a message on this transport.
    const fn unit(self) -> &'static str {
        match self {
            Self::Udp => "datagram",
            Self::Tcp | Self::Tls | Self::Https => "message",
        }
    }
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "udp" => Ok(Self::Udp),
            "tcp" => Ok(Self::Tcp),
            "tls" => Ok(Self::Tls),
            "https" => Ok(Self::Https),
            _ => Err(format!("unknown transport `{word}`, expected udp, tcp, tls or https")),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Https => "https",
        })
    }
}

/// One question to one address over one transport. Shown as `10.1.0.2:53 udp localhost. A`, with `<random>` for a nonce.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DnsProbe {
    /// The question and the expectation.
    pub(crate) question: Arc<Question>,
    pub(crate) server: SocketAddr,
    /// The source address; by default the kernel chooses.
    pub(crate) source: Option<IpAddr>,
    pub(crate) transport: Transport,
    /// Timeout of the whole probe.
    pub(crate) timeout: Duration,
    /// The addresses of this host; a probe to one of them must not leave it.
    pub(crate) locality: Arc<Locality>,
}

impl fmt::Display for DnsProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.server, self.transport, self.question.query().shown())
    }
}

/// The server, the source and the transport of a probe.
pub(crate) type ProbePath = (SocketAddr, Option<IpAddr>, Transport);

/// The result of one probe.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// The verdict.
    pub(crate) outcome: Outcome,
    /// What was ignored: messages that do not answer the question or have the cookie of another client, and ICMP errors that
    /// may be forged, as the kernel does not confirm that the port is closed.
    pub(crate) strays: u32,
    /// Unanswered datagrams: 1 or 2 if a repeated question was answered, 3 after the timeout. 0 over a stream, or if an error
    /// ended the exchange.
    pub(crate) lost: u32,
    /// The probe failed from a management address, while the same question passed from the address of the server itself.
    pub(crate) passes_from_itself: bool,
    /// The response, if there was one.
    pub(crate) response: Option<Box<Message>>,
}

impl Finding {
    /// Whether the server answered on the transport of the probe, if the outcome is that of an answer. Rate limiting can be
    /// concluded from silence over UDP and an answer over TCP.
    pub(crate) const fn is_answered(&self) -> bool {
        self.lost < 3
    }

    /// The name server identifier (RFC 5001) in the response: printable ASCII unchanged, anything else
    /// as `0x` and hexadecimal digits.
    pub(crate) fn nsid(&self) -> Option<String> {
        self.response.as_deref().and_then(judge::nsid)
    }
}
