//! Which node answers: names that a server gives itself, asked over UDP and TCP, on one flow or on many.
//!
//! Four conventions exist: NSID (RFC 5001) in the answer to any question, and the names `id.server.` and `hostname.bind.`
//! (RFC 4892) and `version.server.` or `version.bind.` in class CHAOS. Servers switch them off independently. All questions
//! about one [`Identity`] share a flow, which routers usually keep on one path to one node; other NSIDs on that flow are
//! reported. A [`Split`] counts the nodes over many flows.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::RData;
use serde::Serialize;

use super::dns::flow::{UdpFlow, converse};
use super::dns::{Question, nsid_of};
use crate::outcome::Failure;
use crate::text::foreign;

pub(crate) use self::large::{Answer, Large, question};
pub(crate) use self::split::Split;

mod large;
mod split;

/// How to ask one address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking {
    pub(crate) server: SocketAddr,
    /// The local address; by default the kernel chooses.
    pub(crate) source: Option<IpAddr>,
    /// The longest wait for a connection, and for each answer.
    pub(crate) timeout: Duration,
}

/// A question about the node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Topic {
    /// NSID, in the answer to an ordinary question. BIND limits answers in class CHAOS to three a second over UDP.
    Nsid,
    IdServer,
    HostnameBind,
    VersionServer,
    VersionBind,
}

impl Topic {
    /// In asking order.
    const ALL: [Self; 5] =
        [Self::Nsid, Self::IdServer, Self::HostnameBind, Self::VersionServer, Self::VersionBind];

    /// Without recursion, with NSID.
    fn question(self) -> Result<Question, String> {
        let query = match self {
            Self::Nsid => ". NS",
            Self::IdServer => "id.server. TXT CH",
            Self::HostnameBind => "hostname.bind. TXT CH",
            Self::VersionServer => "version.server. TXT CH",
            Self::VersionBind => "version.bind. TXT CH",
        };
        query.parse().and_then(Question::observing)
    }
}

/// The names that a node reports. Text of the server is escaped.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Identity {
    /// The name server identifier (RFC 5001).
    pub(crate) nsid: Option<String>,
    /// The TXT record of `id.server.` (RFC 4892).
    pub(crate) id_server: Option<String>,
    /// The TXT record of `hostname.bind.`.
    pub(crate) hostname_bind: Option<String>,
    /// The TXT record of `version.server.`, else of `version.bind.`.
    pub(crate) version: Option<String>,
}

impl Identity {
    /// The name of the node: the NSID, else `id.server.`, else `hostname.bind.`.
    pub(crate) fn name(&self) -> Option<&str> {
        self.nsid.as_deref().or(self.id_server.as_deref()).or(self.hostname_bind.as_deref())
    }
}

/// What the answers on one flow say.
#[derive(Debug, Default)]
struct Heard {
    identity: Identity,
    nsids: BTreeSet<String>,
}

impl Heard {
    fn learn(&mut self, topic: Topic, answer: &Message) {
        if let Some(nsid) = nsid(answer) {
            self.identity.nsid.get_or_insert_with(|| nsid.clone());
            self.nsids.insert(nsid);
        }
        let place = match topic {
            Topic::Nsid => return,
            Topic::IdServer => &mut self.identity.id_server,
            Topic::HostnameBind => &mut self.identity.hostname_bind,
            Topic::VersionServer | Topic::VersionBind => &mut self.identity.version,
        };
        if place.is_none() {
            *place = txt(answer);
        }
    }

    /// The outcome with the first NSID. Other NSIDs are of other nodes, which may then have given some of the other names.
    fn node(self, latency: Duration, end: Option<Failure>) -> FlowOutcome {
        let Self { identity, nsids: mut others } = self;
        others.retain(|nsid| Some(nsid) != identity.nsid.as_ref());
        FlowOutcome::Node { identity, latency, end, others }
    }
}

/// The NSID of an answer, if it is not empty.
fn nsid(answer: &Message) -> Option<String> {
    nsid_of(answer).filter(|name| !name.is_empty()).map(|name| foreign(&name))
}

/// The first TXT record of an answer, with text in it.
fn txt(answer: &Message) -> Option<String> {
    answer.answers.iter().find_map(|record| match &record.data {
        RData::TXT(text) => {
            let text = text.txt_data.concat();
            (!text.is_empty()).then(|| foreign(&String::from_utf8_lossy(&text)))
        }
        _ => None,
    })
}

/// The result of one transport at one address.
#[derive(Clone, Debug)]
pub(crate) enum FlowOutcome {
    /// A node answered at least one question.
    Node {
        /// The names that it reports.
        identity: Identity,
        /// Time until the first answer; over TCP until the connection was established.
        latency: Duration,
        /// Why a later question has no answer.
        end: Option<Failure>,
        /// NSIDs of other nodes that answered on the same flow.
        others: BTreeSet<String>,
    },
    /// A TCP connection that carried no answer.
    Silent(Failure),
    /// No answer, or no connection.
    Unreachable(Failure),
}

impl FlowOutcome {
    /// The name of the node that answered.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Node { identity, .. } => identity.name(),
            Self::Silent(_) | Self::Unreachable(_) => None,
        }
    }
}

impl Asking {
    /// Asks all topics over UDP, from one port.
    pub(crate) async fn udp(self) -> FlowOutcome {
        let flow = match UdpFlow::open(self.server, self.source) {
            Ok(flow) => flow,
            Err(failure) => return FlowOutcome::Unreachable(failure),
        };
        let (mut heard, mut first, mut end) = (Heard::default(), None, None);
        for topic in Topic::ALL {
            let Ok(question) = topic.question() else { continue };
            match flow.ask(&question, self.timeout).await {
                Ok((answer, latency)) => {
                    first.get_or_insert(latency);
                    heard.learn(topic, &answer);
                }
                Err(failure) if first.is_none() => return FlowOutcome::Unreachable(failure),
                // BIND drops the fourth question of a second. The first answers are enough.
                Err(failure) => {
                    end = Some(failure);
                    break;
                }
            }
        }
        heard.node(first.unwrap_or_default(), end)
    }

    /// Asks all topics over one TCP connection.
    pub(crate) async fn tcp(self) -> FlowOutcome {
        let questions: Vec<_> = Topic::ALL.iter().filter_map(|topic| topic.question().ok()).collect();
        let questions: Vec<_> = questions.iter().collect();
        let conversation = match converse(self.server, self.source, &questions, self.timeout).await {
            Ok(conversation) => conversation,
            Err(failure) => return FlowOutcome::Unreachable(failure),
        };
        if let ([], Some(end)) = (&conversation.answers[..], &conversation.end) {
            return FlowOutcome::Silent(end.clone());
        }
        let mut heard = Heard::default();
        for (topic, answer) in Topic::ALL.into_iter().zip(&conversation.answers) {
            heard.learn(topic, answer);
        }
        heard.node(conversation.connected, conversation.end)
    }

    /// The name of the node that answers on `flow`: its NSID, else a name in class CHAOS.
    ///
    /// # Errors
    /// The reason why the first question has no answer.
    pub(crate) async fn name_on(self, flow: &UdpFlow) -> Result<Option<String>, Failure> {
        let mut heard = Heard::default();
        for topic in [Topic::Nsid, Topic::IdServer, Topic::HostnameBind] {
            let Ok(question) = topic.question() else { continue };
            match flow.ask(&question, self.timeout).await {
                Ok((answer, _)) => heard.learn(topic, &answer),
                Err(failure) if topic == Topic::Nsid => return Err(failure),
                Err(_) => break,
            }
            if heard.identity.name().is_some() {
                break;
            }
        }
        Ok(heard.identity.name().map(ToOwned::to_owned))
    }
}

#[cfg(test)]
mod tests;
