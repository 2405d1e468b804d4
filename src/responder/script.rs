//! The script of a responder: its fault, and the messages it sends for a query.

use std::net::Ipv4Addr;
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption, NSIDPayload};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use crate::probe::dns::{Rcode, Transport, record_data};

/// The fault that a responder shows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Fault {
    /// No fault. AA and RA are set, AD is copied from the query, and NSID is returned if the query asks for it.
    #[default]
    None,
    /// Answers REFUSED, as for a zone that is not served or a client that is not allowed.
    Refuse,
    /// Answers SERVFAIL, as for a zone that is not loaded.
    Servfail,
    /// Answers NXDOMAIN.
    Nxdomain,
    /// Clears AA.
    NoAuthority,
    /// Sends only a header of twelve octets with this code, as Unbound does when it refuses.
    HeaderOnly(Rcode),
    /// Over UDP, truncates every `n`th answer and drops the others, as response rate limiting does.
    RateLimit(usize),
    /// Sets TC and sends no records.
    Truncate,
    /// Sends records of 64,000 octets in total.
    Oversized,
    /// Sends the answer without its last octets.
    CutShort,
    /// Sends these octets instead of a message.
    Garbage(Vec<u8>),
    /// Sends an answer with the ID of another query.
    WrongId,
    /// Sends an answer to another question.
    WrongQuestion,
    /// Sends the query back: QR is clear.
    NotAResponse,
    /// Sends this many answers with a wrong ID before the right one.
    StrayFirst(usize),
    /// Accepts queries and connections and never answers, like a stopped process.
    Silent,
    /// Over UDP, drops each query whose number is a multiple of this. Numbers start at 1 and count all transports.
    LoseEvery(usize),
    /// Delays each answer by this duration.
    Late(Duration),
    /// Over TCP, sends one octet every 100 ms.
    Drip,
    /// Over TCP, closes the connection instead of answering. Over UDP, does not answer.
    HangUp,
    /// Closes the sockets, like a process that has exited.
    Closed,
    /// Closes the TCP socket.
    UdpOnly,
    /// Closes the UDP socket.
    TcpOnly,
}

impl Fault {
    /// Whether the fault leaves the socket of `transport` open.
    pub(super) const fn leaves_open(&self, transport: Transport) -> bool {
        match self {
            Self::Closed => false,
            Self::UdpOnly => matches!(transport, Transport::Udp),
            Self::TcpOnly => matches!(transport, Transport::Tcp),
            _ => true,
        }
    }

    /// The delay before each answer.
    pub(super) const fn delay(&self) -> Option<Duration> {
        match self {
            Self::Late(delay) => Some(*delay),
            _ => None,
        }
    }
}

/// The records of the server and its fault.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) fault: Fault,
    pub(super) answers: Vec<RData>,
    pub(super) nsid: Option<String>,
}

impl Default for Script {
    /// A server without a fault, at which every name resolves to this host.
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
    /// Builds the messages that answer the `nth` query (from 1), in sending order.
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
            Fault::HeaderOnly(code) => vec![header_only(query, (*code).into())],
            Fault::RateLimit(n) if transport == Transport::Udp && !nth.is_multiple_of(*n) => Vec::new(),
            Fault::RateLimit(_) if transport == Transport::Udp => with(&truncate),
            Fault::Truncate => with(&truncate),
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

    /// Builds the answer of a server without a fault.
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

/// An error without the question.
fn header_only(query: &Message, code: ResponseCode) -> Vec<u8> {
    let mut header = Message::error_msg(query.id, OpCode::Query, code);
    header.metadata.recursion_desired = query.recursion_desired;
    encode(&header)
}

/// Empties the answer and sets the TC bit.
fn truncate(answer: &mut Message) {
    answer.metadata.truncation = true;
    answer.answers.clear();
}

/// Encodes a message. Returns nothing if the script built a message that cannot be encoded.
fn encode(message: &Message) -> Vec<u8> {
    message.to_vec().unwrap_or_default()
}
