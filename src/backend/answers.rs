//! What the server says over DNS, where no control channel is to be believed: who it is, and which zones it serves.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::RData;
use serde::Serialize;

use super::Backend;
use crate::config::Config;
use crate::outcome::{Cause, Failure};
use crate::probe::dns::{DnsProbe, Finding, Query, Question, Transport};
use crate::text::foreign;

/// What is served of a zone.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Zone {
    /// Its name.
    pub zone: String,
    /// Who was asked.
    pub server: SocketAddr,
    /// The serial of its SOA, if there is one.
    pub serial: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// What is wrong with the answer.
    pub trouble: Option<String>,
}

/// What the server calls itself: its NSID, else a name in class CHAOS. Over TCP, since BIND answers three such
/// queries a second.
pub async fn identity(management: &[IpAddr], timeout: Duration) -> Option<String> {
    for name in ["id.server", "hostname.bind"] {
        let question = Question::observing(format!("{name}. TXT CH").parse().ok()?).ok()?;
        let finding = ask(question, *management.first()?, Transport::Tcp, timeout).await;
        if let Some(nsid) = finding.nsid() {
            return Some(format!("{nsid} (NSID)"));
        }
        // From one that does not answer at all, nothing is to be had by asking more.
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

/// The serial of each zone of the services that this backend answers for, at each management address: no control
/// channel tells what is served.
pub async fn zones(config: &Config, backend: &Backend) -> Vec<Zone> {
    let queries: Vec<_> = config.services_of(backend).flat_map(|service| service.zones.clone()).collect();
    let mut asked = vec![];
    for query in queries {
        for address in config.node.management.clone() {
            asked.push(tokio::spawn(zone(query.clone(), address, backend.timeout)));
        }
    }
    let mut zones = vec![];
    for zone in asked {
        zones.extend(zone.await);
    }
    zones
}

pub(super) async fn zone(query: Query, address: IpAddr, timeout: Duration) -> Zone {
    let shown = query.to_string();
    let zone = shown.strip_suffix(" SOA").unwrap_or(&shown).to_owned();
    let server = SocketAddr::new(address, 53);
    let question = match Question::observing(query) {
        Ok(question) => question,
        Err(why) => return Zone { zone, server, serial: None, trouble: Some(why) },
    };
    let finding = ask(question, address, Transport::Udp, timeout).await;
    // A server that limits the rate of its answers gave this one over TCP.
    if let Some(Failure { cause, detail }) = finding.outcome.failure()
        && *cause != Cause::RateLimited
    {
        return Zone { zone, server, serial: None, trouble: Some(detail.clone()) };
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
    Zone { zone, server, serial, trouble }
}

async fn ask(question: Question, address: IpAddr, transport: Transport, timeout: Duration) -> Finding {
    let (question, server) = (Arc::new(question), SocketAddr::new(address, 53));
    DnsProbe { question, server, source: Some(address), transport, timeout, locality: Arc::default() }
        .ask()
        .await
}

impl Zone {
    /// Whether this answer is as good as an earlier one: served with authority, and no older (RFC 1982).
    #[must_use]
    pub fn is_no_worse_than(&self, earlier: &Self) -> bool {
        match (self.serial, earlier.serial) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(now), Some(then)) => {
                let is_older = now.wrapping_sub(then) > 1 << 31;
                !is_older && (self.trouble.is_none() || earlier.trouble.is_some())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(serial: Option<u32>, trouble: Option<&str>) -> Zone {
        let server = "127.0.0.1:53".parse().unwrap();
        Zone { zone: "example.org.".to_owned(), server, serial, trouble: trouble.map(str::to_owned) }
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
