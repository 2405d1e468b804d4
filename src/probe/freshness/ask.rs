//! Asks this server and the references for the SOA of a zone, and reads what they answer.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::serial::{newest, reached_by_most};
use super::zone::{Here, Look, Soa};
use crate::outcome::{Cause, Failure};
use crate::probe::dns::{DnsProbe, Question, Rcode, Transport};
use crate::probe::locality::Locality;

/// A server to ask. Shown as its address and port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Server {
    /// Its address and port.
    pub(crate) address: SocketAddr,
    /// The source address; by default the kernel chooses.
    pub(crate) source: Option<IpAddr>,
    /// The addresses of this host: a query to one of them does not leave it.
    pub(crate) locality: Arc<Locality>,
}

/// The servers that zones are compared with, at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum References {
    /// The newest serial of those that answer counts.
    Primaries(Vec<Server>),
    /// The newest serial that more than half of them have reached counts.
    Siblings(Vec<Server>),
}

impl References {
    pub(crate) fn servers(&self) -> &[Server] {
        match self {
            Self::Primaries(servers) | Self::Siblings(servers) => servers,
        }
    }

    /// The key of the configuration.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Primaries(_) => "primaries",
            Self::Siblings(_) => "siblings",
        }
    }

    /// The serial that counts, or why there is none.
    fn serial(&self, answers: Vec<Here>) -> Result<u32, String> {
        let (mut serials, mut why) = (vec![], None);
        for (server, answer) in self.servers().iter().zip(answers) {
            match answer {
                Here::Serves(soa) => serials.push(soa.serial),
                Here::ServesNot(words) => why = why.or(Some(format!("{server} {words}"))),
                Here::Unknown(words) => why = why.or(Some(words)),
            }
        }
        let serial = match self {
            Self::Primaries(_) => newest(serials),
            Self::Siblings(servers) => reached_by_most(&serials, servers.len()),
        };
        serial.ok_or_else(|| match (self, why) {
            (Self::Primaries(_), Some(why)) => why,
            (_, why) => {
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                format!("no serial that more than half of the siblings have reached{why}")
            }
        })
    }
}

/// Asks for one zone, everywhere at the same time.
pub(super) async fn look(zone: &str, here: &Server, references: &References, timeout: Duration) -> Look {
    let question = format!("{zone} SOA").parse().and_then(Question::about_expiry);
    let question = match question {
        Ok(question) => Arc::new(question),
        Err(why) => return Look { here: Here::Unknown(why.clone()), reference: Err(why) },
    };
    let others = references.servers().iter().map(|server| server.ask(&question, timeout));
    let (here, others) = tokio::join!(here.ask(&question, timeout), join_all(others));
    Look { here, reference: references.serial(others) }
}

impl Server {
    async fn ask(&self, question: &Arc<Question>, timeout: Duration) -> Here {
        let probe = DnsProbe {
            question: Arc::clone(question),
            server: self.address,
            source: self.source,
            transport: Transport::Udp,
            timeout,
            locality: Arc::clone(&self.locality),
        };
        let finding = probe.ask().await;
        match (finding.outcome.failure(), finding.response) {
            // A server that limits the rate of its answers gave this one over TCP.
            (Some(Failure { cause: Cause::RateLimited, .. }) | None, Some(response)) => read(&response),
            (Some(failure), _) => Here::Unknown(failure.to_string()),
            (None, None) => Here::Unknown(format!("{probe}: no answer")),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// The result of a response. A server that does not understand the query says nothing about the zone.
fn read(response: &Message) -> Here {
    let zone = response.queries.first().map(Query::name);
    let soa = response.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) if zone.is_none_or(|zone| record.name == *zone) => Some(soa),
        _ => None,
    });
    let seconds = |seconds: i32| Duration::from_secs(u64::from(seconds.cast_unsigned()));
    match (soa, response.response_code) {
        (Some(soa), ResponseCode::NoError) if response.authoritative => Here::Serves(Soa {
            serial: soa.serial,
            refresh: seconds(soa.refresh),
            expire: seconds(soa.expire),
            left: expiry(response),
        }),
        (Some(_), ResponseCode::NoError) => Here::ServesNot("answers without authority".to_owned()),
        (
            None,
            ResponseCode::NoError
            | ResponseCode::NXDomain
            | ResponseCode::ServFail
            | ResponseCode::Refused
            | ResponseCode::NotAuth,
        ) => Here::ServesNot(format!("answers {} without a SOA", Rcode::from(response.response_code))),
        (_, code) => Here::Unknown(format!("answers {}", Rcode::from(code))),
    }
}

/// The time left until the zone expires (EDNS EXPIRE, RFC 7314 section 3.2: four octets, seconds).
fn expiry(response: &Message) -> Option<Duration> {
    let option = response.edns.as_ref()?.option(EdnsCode::Expire)?;
    let EdnsOption::Unknown(_, octets) = option else { return None };
    let seconds = u32::from_be_bytes(octets.as_slice().try_into().ok()?);
    Some(Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests;
