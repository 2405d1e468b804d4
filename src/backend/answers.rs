//! The identity of the server and the zones that it serves, from its DNS answers: control channels are not reliable
//! here.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use hickory_resolver::proto::rr::RData;
use serde::Serialize;

use super::targets::{Target, Targets};
use crate::outcome::{Cause, Failure};
use crate::probe::dns::{Query, Question, Transport};
use crate::probe::freshness::serial::is_newer;
use crate::text::foreign;

/// A zone at one address.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Zone {
    /// Its name.
    pub(crate) zone: String,
    /// The address that was queried.
    pub(crate) server: SocketAddr,
    /// Whether that is a service address, which clients query.
    #[serde(skip)]
    pub(crate) is_service: bool,
    /// The serial of its SOA, if there is one.
    pub(crate) serial: Option<u32>,
    /// The fault of the answer, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
    /// The cause, if the probe failed.
    #[serde(skip)]
    pub(crate) cause: Option<Cause>,
}

/// The identity of the server: its NSID, else a name in class CHAOS. Queries all addresses at once and returns the
/// identity from the first address in the list that has one.
pub(crate) async fn identity(targets: &Targets, timeout: Duration) -> Option<String> {
    let all = targets.all();
    join_all(all.into_iter().map(|target| identity_at(target, timeout))).await.into_iter().flatten().next()
}

/// Over TCP, since BIND answers three such queries a second.
async fn identity_at(target: &Target, timeout: Duration) -> Option<String> {
    for name in ["id.server", "hostname.bind"] {
        let question = Question::observing(format!("{name}. TXT CH").parse().ok()?).ok()?;
        let finding = target.ask(question, Transport::Tcp, timeout).await;
        if let Some(nsid) = finding.nsid() {
            return Some(format!("{nsid} (NSID)"));
        }
        // A server that does not answer the first query does not answer the second one either.
        let text = finding.response?.answers.iter().find_map(|record| match &record.data {
            RData::TXT(text) => Some(foreign(&String::from_utf8_lossy(&text.txt_data.concat()))),
            _ => None,
        });
        if let Some(text) = text {
            return Some(format!("{text} ({name})"));
        }
    }
    None
}

/// The serial of each zone that the services need, at each management address and each address of the service: no
/// control channel lists the served zones.
pub(crate) async fn zones(targets: &Targets, timeout: Duration) -> Vec<Zone> {
    let queries = targets.zone_queries();
    join_all(queries.into_iter().map(|(query, target)| zone(query, target, timeout))).await
}

/// Queries one address for the SOA record of a zone. Its name is in lower case, however it was written.
pub(super) async fn zone(query: Query, target: &Target, timeout: Duration) -> Zone {
    let (name, server, is_service) = (query.name().to_ascii_lowercase(), target.server, target.is_service);
    let of = |serial, trouble, cause| Zone { zone: name, server, is_service, serial, trouble, cause };
    let question = match Question::observing(query) {
        Ok(question) => question,
        Err(why) => return of(None, Some(why), None),
    };
    let finding = target.ask(question, Transport::Udp, timeout).await;
    // A server that limits its rate gave this answer over TCP.
    if let Some(Failure { cause, detail }) = finding.outcome.failure()
        && *cause != Cause::RateLimited
    {
        return of(None, Some(detail.clone()), Some(*cause));
    }
    let response = finding.response.as_deref();
    let serial = response.and_then(|response| {
        response.answers.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(soa.serial),
            _ => None,
        })
    });
    let trouble = match (serial, response) {
        (Some(_), Some(response)) if !response.authoritative => Some("answered without authority".to_owned()),
        (None, Some(response)) => Some(format!("answered {} without a SOA", response.response_code)),
        _ => None,
    };
    of(serial, trouble, None)
}

impl Zone {
    /// Whether the zone is served authoritatively.
    pub(crate) fn is_served(&self) -> bool {
        self.serial.is_some() && self.trouble.is_none()
    }

    /// Whether no usable answer arrived: this says nothing about the zone.
    pub(crate) const fn is_unanswered(&self) -> bool {
        self.cause.is_some()
    }

    /// Whether both are about the same zone at the same address.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        (&self.zone, self.server) == (&other.zone, other.server)
    }

    /// Whether this answer is no worse than an earlier one: authoritative, and its serial is not older (RFC 1982).
    pub(crate) fn is_no_worse_than(&self, earlier: &Self) -> bool {
        match (self.serial, earlier.serial) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(now), Some(then)) => {
                !is_newer(then, now) && (self.trouble.is_none() || earlier.trouble.is_some())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(serial: Option<u32>, trouble: Option<&str>) -> Zone {
        let server = "127.0.0.1:53".parse().unwrap();
        let trouble = trouble.map(str::to_owned);
        Zone { zone: "example.org.".to_owned(), server, is_service: false, serial, trouble, cause: None }
    }

    #[test]
    fn a_zone_must_not_go_back_or_away() {
        let before = zone(Some(u32::MAX), None);
        for (after, is_no_worse) in [
            (zone(Some(u32::MAX), None), true),
            (zone(Some(3), None), true),
            (zone(Some(u32::MAX - 1), None), false),
            (zone(Some(3), Some("answered without authority")), false),
            (zone(None, Some("answered REFUSED without a SOA")), false),
        ] {
            assert_eq!(after.is_no_worse_than(&before), is_no_worse, "{after:?}");
        }
        assert!(zone(None, None).is_no_worse_than(&zone(None, None)), "what was not served need not be");
    }
}
