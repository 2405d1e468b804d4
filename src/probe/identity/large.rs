//! A question with a large answer: the path carries it in one datagram, in fragments, or over TCP after truncation.

use std::num::NonZeroU16;

use super::Asking;
use crate::outcome::{Cause, Failure};
use crate::probe::dns::flow::{UdpFlow, converse};
use crate::probe::dns::{EdnsUse, Expectation, Options, Query, Question, Rcode};

/// Octets that the question offers for an answer over UDP: what older servers send, in fragments. Servers of today send 1232
/// at most by default (DNS flag day 2020).
const OFFERED: NonZeroU16 = NonZeroU16::new(4096).unwrap();

/// An answer that arrived.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    /// Octets of the message.
    pub(crate) octets: usize,
    /// The response code.
    pub(crate) rcode: Rcode,
    /// Whether TC is set: the answer is not whole.
    pub(crate) truncated: bool,
}

/// The answers to one question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Large {
    /// The question, as `NAME TYPE`.
    pub(crate) query: String,
    /// Over UDP.
    pub(crate) udp: Result<Answer, Failure>,
    /// Over TCP; absent if the answer over UDP is whole.
    pub(crate) tcp: Option<Result<Answer, Failure>>,
}

impl Large {
    /// Why the answer over TCP does not help, if the one over UDP is truncated: clients then have no answer.
    pub(crate) fn broken(&self) -> Option<String> {
        match (&self.udp, &self.tcp) {
            (Ok(udp), Some(tcp)) if udp.truncated => match tcp {
                Ok(tcp) if tcp.truncated => Some("truncated over TCP, too".to_owned()),
                Ok(_) => None,
                Err(failure) => Some(format!("over TCP: {failure}")),
            },
            _ => None,
        }
    }
}

/// The question that asks for it: with recursion, with signatures (DO), with room for 4096 octets.
///
/// # Errors
/// A sentence with the reason why the query cannot be encoded.
pub(crate) fn question(query: Query) -> Result<Question, String> {
    let options = Options {
        recursion_desired: true,
        dnssec_ok: true,
        edns: EdnsUse::Offer(OFFERED),
        ..Options::default()
    };
    Question::with(query, options, Expectation::anything())
}

impl Asking {
    /// Asks over UDP, and over TCP unless the answer is whole.
    pub(crate) async fn large(self, question: &Question) -> Large {
        let udp = match UdpFlow::open(self.server, self.source) {
            Ok(flow) => flow.ask(question, self.timeout).await.map(|(answer, _)| answer),
            Err(failure) => Err(failure),
        };
        let of = |answer: &crate::probe::dns::Response| Answer {
            octets: answer.octets,
            rcode: answer.response_code.into(),
            truncated: answer.truncation,
        };
        let udp = udp.map(|answer| of(&answer));
        let tcp = match &udp {
            Ok(answer) if !answer.truncated => None,
            _ => Some(match converse(self.server, self.source, &[question], self.timeout).await {
                Ok(conversation) => match (conversation.answers.first(), conversation.end) {
                    (Some(answer), _) => Ok(of(answer)),
                    (None, Some(end)) => Err(end),
                    (None, None) => Err(Failure::new(Cause::Closed, "no answer")),
                },
                Err(failure) => Err(failure),
            }),
        };
        Large { query: question.query().to_string(), udp, tcp }
    }
}
