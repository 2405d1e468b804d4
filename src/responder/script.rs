//! What a scripted server says: a fault, and the messages it makes of a query.

use std::net::Ipv4Addr;
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption, NSIDPayload};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use crate::probe::dns::{Rcode, Transport, record_data};

/// What is wrong with a server.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Fault {
    /// Nothing: AA and RA are set, AD where the query has it, and NSID is answered where it is asked for.
    #[default]
    None,
    /// REFUSED, as for a zone that is not served or a client that is not allowed.
    Refuse,
    /// SERVFAIL, as for a zone that is not loaded.
    Servfail,
    /// NXDOMAIN.
    Nxdomain,
    /// AA is clear.
    NoAuthority,
    /// A header of twelve octets with this code, as Unbound refuses.
    HeaderOnly(Rcode),
    /// Over UDP every `n`th query is truncated and the others are not answered, as where the rate of answers is limited.
    RateLimit(usize),
    /// TC is set, and there is no answer.
    Truncate,
    /// As many records as make 64,000 octets.
    Oversized,
    /// The answer, but its last octets are missing.
    CutShort,
    /// These octets instead of a message.
    Garbage(Vec<u8>),
    /// An answer with the ID of another query.
    WrongId,
    /// An answer to another question.
    WrongQuestion,
    /// The query itself comes back: QR is clear.
    NotAResponse,
    /// So many answers with a wrong ID before the right one.
    StrayFirst(usize),
    /// Takes queries, and connections, and never answers, as a process that is stopped.
    Silent,
    /// Over UDP, each query whose number (from 1, whatever the transport) is a multiple of this is lost.
    LoseEvery(usize),
    /// Answers so much later.
    Late(Duration),
    /// Over TCP, one octet each 100 ms.
    Drip,
    /// Over TCP, closes the connection instead of answering; over UDP, is silent.
    HangUp,
    /// The sockets are closed, as of a process that is gone.
    Closed,
    /// No socket for TCP.
    UdpOnly,
    /// No socket for UDP.
    TcpOnly,
}

impl Fault {
    /// Whether there is a socket at all.
    pub(super) const fn leaves_open(&self, transport: Transport) -> bool {
        match self {
            Self::Closed => false,
            Self::UdpOnly => matches!(transport, Transport::Udp),
            Self::TcpOnly => matches!(transport, Transport::Tcp),
            _ => true,
        }
    }

    /// How long it waits before it answers, if at all.
    pub(super) const fn delay(&self) -> Option<Duration> {
        match self {
            Self::Late(delay) => Some(*delay),
            _ => None,
        }
    }
}

/// What the server knows, and what is wrong with it.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) fault: Fault,
    pub(super) answers: Vec<RData>,
    pub(super) nsid: Option<String>,
}

impl Default for Script {
    /// A sound server whose every name is this host.
    fn default() -> Self {
        let answers = [
            (RecordType::A, "127.0.0.1"),
            (RecordType::AAAA, "::1"),
            (RecordType::NS, "localhost."),
            (RecordType::SOA, "localhost. nobody.invalid. 1 3600 1200 604800 10800"),
            (RecordType::TXT, "dnsherald"),
        ];
        Self {
            fault: Fault::None,
            answers: answers
                .into_iter()
                .filter_map(|(record_type, text)| record_data(record_type, text).ok())
                .collect(),
            nsid: None,
        }
    }
}

impl Script {
    /// The messages that answer the `nth` query (from 1), in the order of sending.
    pub(super) fn messages(&self, query: &Message, transport: Transport, nth: usize) -> Vec<Vec<u8>> {
        let sound = self.answer(query);
        let with = |change: &dyn Fn(&mut Message)| {
            let mut answer = sound.clone();
            change(&mut answer);
            vec![encode(&answer)]
        };
        let empty = |code| {
            with(&|answer| {
                answer.metadata.response_code = code;
                answer.answers.clear();
            })
        };
        match &self.fault {
            Fault::Silent | Fault::HangUp | Fault::Closed => Vec::new(),
            Fault::LoseEvery(n) if transport == Transport::Udp && nth.is_multiple_of(*n) => Vec::new(),
            Fault::Refuse => empty(ResponseCode::Refused),
            Fault::Servfail => empty(ResponseCode::ServFail),
            Fault::Nxdomain => empty(ResponseCode::NXDomain),
            Fault::NoAuthority => with(&|answer| answer.metadata.authoritative = false),
            Fault::HeaderOnly(code) => {
                let mut header = Message::error_msg(query.id, OpCode::Query, (*code).into());
                header.metadata.recursion_desired = query.recursion_desired;
                vec![encode(&header)]
            }
            Fault::RateLimit(n) if transport == Transport::Udp && !nth.is_multiple_of(*n) => Vec::new(),
            Fault::RateLimit(_) if transport == Transport::Udp => with(&|answer| {
                answer.metadata.truncation = true;
                answer.answers.clear();
            }),
            Fault::Truncate => with(&|answer| {
                answer.metadata.truncation = true;
                answer.answers.clear();
            }),
            Fault::Oversized => with(&|answer| {
                let record = Record::from_rdata(Name::root(), 0, Ipv4Addr::LOCALHOST.into());
                answer.answers.resize(64_000 / 15, record);
            }),
            Fault::CutShort => {
                let whole = encode(&sound);
                vec![whole[..whole.len().saturating_sub(3)].to_vec()]
            }
            Fault::Garbage(octets) => vec![octets.clone()],
            Fault::WrongId => with(&|answer| answer.metadata.id ^= 1),
            Fault::WrongQuestion => with(&|answer| {
                for question in &mut answer.queries {
                    question.query_type = RecordType::HINFO;
                }
            }),
            Fault::NotAResponse => with(&|answer| answer.metadata.message_type = MessageType::Query),
            Fault::StrayFirst(n) => {
                let mut stray = sound.clone();
                stray.metadata.id ^= 1;
                let mut messages = vec![encode(&stray); *n];
                messages.push(encode(&sound));
                messages
            }
            Fault::None
            | Fault::LoseEvery(_)
            | Fault::RateLimit(_)
            | Fault::Late(_)
            | Fault::Drip
            | Fault::UdpOnly
            | Fault::TcpOnly => {
                vec![encode(&sound)]
            }
        }
    }

    /// What a sound server would answer: every name has the records it knows.
    fn answer(&self, query: &Message) -> Message {
        let mut answer = Message::response(query.id, OpCode::Query);
        answer.metadata.authoritative = true;
        answer.metadata.recursion_desired = query.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.metadata.authentic_data = query.authentic_data;
        for question in &query.queries {
            answer.add_query(question.clone());
            for data in &self.answers {
                if question.query_type == RecordType::ANY || question.query_type == data.record_type() {
                    let mut record = Record::from_rdata(question.name.clone(), 60, data.clone());
                    record.dns_class = question.query_class;
                    answer.add_answer(record);
                }
            }
        }
        let asked = query.edns.as_ref().and_then(|edns| edns.option(EdnsCode::NSID));
        if let (Some(_), Some(nsid)) = (asked, &self.nsid)
            && let Ok(payload) = NSIDPayload::new(nsid.as_bytes())
        {
            let mut edns = Edns::new();
            edns.options_mut().insert(EdnsOption::NSID(payload));
            answer.set_edns(edns);
        }
        answer
    }
}

/// Encodes; nothing at all, if a script asked for what no message can hold.
fn encode(message: &Message) -> Vec<u8> {
    message.to_vec().unwrap_or_default()
}
