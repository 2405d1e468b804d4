//! One request as it was sent, and the classification of messages that arrive for it.
//!
//! Every received message may be forged. ID, QR and question are compared as octets, and only an answer to this
//! request is decoded, once. This touches no socket and never panics; the properties in `tests/harm.rs` test it.

use std::time::SystemTime;

use hickory_resolver::proto::op::{Message, Query};
use hickory_resolver::proto::rr::rdata::opt::EdnsCode;
use hickory_resolver::proto::serialize::binary::{BinDecodable, BinDecoder};

use super::question::HEADER;
use super::response::Response;
use super::text::printable;
use super::{Rcode, Transport, cookie, names};

/// The octets of one query message with its own ID.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) octets: Vec<u8>,
    /// The length of header and question.
    pub(super) question_end: usize,
    /// The length of the largest response over UDP.
    pub(super) payload: u16,
    /// The cookie in it.
    pub(super) cookie: Option<Vec<u8>>,
    /// Whether a resolver has to ask other servers: it is to recurse, for a name with a nonce.
    pub(super) needs_lookup: bool,
}

/// The class of a received message.
#[derive(Debug)]
pub(super) enum Arrival {
    /// No answer to this request; it is ignored and counted.
    Stray,
    /// An answer to this request that cannot be decoded, with the reason.
    Malformed(String),
    /// The answer.
    Response(Response),
}

impl Request {
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Appends a cookie to OPT, the last record of the message, whose name is the root.
    pub(super) fn add_cookie(&mut self, cookie: Vec<u8>) {
        /// Octets of OPT before the length of its data.
        const LENGTH: usize = 9;
        let at = self.question_end + LENGTH;
        // At most 40 octets of cookie behind an empty NSID.
        let length = u16::from_be_bytes([self.octets[at], self.octets[at + 1]]) + 4 + cookie.len() as u16;
        self.octets[at..at + 2].copy_from_slice(&length.to_be_bytes());
        self.octets.extend(u16::from(EdnsCode::Cookie).to_be_bytes());
        self.octets.extend((cookie.len() as u16).to_be_bytes());
        self.octets.extend(&cookie);
        self.cookie = Some(cookie);
    }

    /// The message after its length (RFC 1035 §4.2.2), for a single write.
    pub(super) fn framed(&self) -> Vec<u8> {
        // At most 400 octets, since a name has at most 255, and a cookie 40.
        let length = self.octets.len() as u16;
        [&length.to_be_bytes(), self.octets()].concat()
    }

    /// Classifies a message that arrived over `transport`.
    pub(super) fn sort(&self, transport: Transport, message: &[u8]) -> Arrival {
        let Some(header) = message.first_chunk::<HEADER>() else {
            return Arrival::Stray;
        };
        let is_ours = header[..2] == self.octets[..2];
        let is_response = header[2] & 0x80 != 0;
        let is_query = header[2] & 0x78 == 0;
        if !(is_ours && is_response && is_query) {
            return Arrival::Stray;
        }
        if transport == Transport::Udp && message.len() > usize::from(self.payload) {
            return malformed(&format!("{} octets, expected at most {}", message.len(), self.payload));
        }
        match u16::from_be_bytes([header[4], header[5]]) {
            _ if names::are_endless(message) => malformed(&"names of endless compression pointers"),
            0 => self.decode(message, false),
            1 if self.is_repeated_in(message) => self.decode(message, true),
            1 => match Query::read(&mut BinDecoder::new(message).clone(HEADER as u16)) {
                Ok(_) => Arrival::Stray,
                Err(error) => malformed(&error),
            },
            // RFC 9619
            several => malformed(&format!("{several} questions, expected one")),
        }
    }

    /// Whether the message repeats our question. Ignores the case of letters (lengths of labels are no letters) and the
    /// class, which dnsdist changes in answers that it generates.
    fn is_repeated_in(&self, message: &[u8]) -> bool {
        let name = HEADER..self.question_end - 4;
        let record_type = name.end..name.end + 2;
        let theirs = message.get(name.clone());
        theirs.is_some_and(|theirs| theirs.eq_ignore_ascii_case(&self.octets[name]))
            && message.get(record_type.clone()) == Some(&self.octets[record_type])
    }

    /// Decodes an answer. Without a question it counts only as an error: a server that cannot read the query answers
    /// with the twelve octets of a header.
    fn decode(&self, message: &[u8], has_question: bool) -> Arrival {
        let response = match Message::from_vec(message) {
            Ok(response) => response,
            Err(error) => return malformed(&error),
        };
        let rcode = Rcode::from(response.response_code);
        match rcode {
            Rcode::NOERROR | Rcode::NXDOMAIN if !has_question => {
                malformed(&format!("{rcode} without a question"))
            }
            _ if self.cookie.as_ref().is_some_and(|sent| !cookie::is_ours(&response, sent)) => Arrival::Stray,
            _ => Arrival::Response(Response {
                message: Box::new(response),
                octets: message.len(),
                at: SystemTime::now(),
            }),
        }
    }
}

fn malformed(why: &dyn ToString) -> Arrival {
    Arrival::Malformed(printable(&why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::{Expectation, Question};
    use super::*;
    use hickory_resolver::proto::op::{MessageType, OpCode, ResponseCode};
    use hickory_resolver::proto::rr::{DNSClass, Record};
    use std::net::{Ipv4Addr, SocketAddr};

    fn stamped() -> Request {
        let query = "localhost. A".parse().unwrap();
        Question::new(query, true, Expectation::default())
            .unwrap()
            .stamp((SocketAddr::from(([127, 0, 0, 1], 53)), None))
    }

    /// The answer 127.0.0.1 to `request`, changed by `change` before it is encoded.
    fn answer(request: &Request, change: impl FnOnce(&mut Message)) -> Vec<u8> {
        let mut message = Message::from_vec(request.octets()).unwrap();
        message.metadata.message_type = MessageType::Response;
        let name = message.queries[0].name.clone();
        message.add_answer(Record::from_rdata(name, 60, Ipv4Addr::LOCALHOST.into()));
        change(&mut message);
        message.to_vec().unwrap()
    }

    fn sorted(change: impl FnOnce(&mut Message)) -> Arrival {
        let request = stamped();
        request.sort(Transport::Udp, &answer(&request, change))
    }

    #[test]
    fn the_answer_is_taken_whatever_its_case_and_class() {
        assert!(matches!(sorted(|_| ()), Arrival::Response(_)));
        assert!(matches!(
            sorted(|answer| answer.queries[0].name = "LocalHost.".parse().unwrap()),
            Arrival::Response(_)
        ));
        assert!(matches!(
            sorted(|answer| answer.queries[0].query_class = DNSClass::CH),
            Arrival::Response(_)
        ));
    }

    #[test]
    fn a_message_that_does_not_match_the_query_is_a_stray() {
        let strays: [fn(&mut Message); 5] = [
            |answer| answer.metadata.id ^= 1,
            |answer| answer.metadata.message_type = MessageType::Query,
            |answer| answer.metadata.op_code = OpCode::Notify,
            |answer| answer.queries[0].name = "a.".parse().unwrap(),
            |answer| answer.queries[0].query_type = 28.into(),
        ];
        for change in strays {
            assert!(matches!(sorted(change), Arrival::Stray));
        }
        assert!(matches!(stamped().sort(Transport::Udp, b"short"), Arrival::Stray));
    }

    #[test]
    fn without_a_question_only_an_error_is_an_answer() {
        let bare = |rcode| {
            sorted(move |answer| {
                answer.queries.clear();
                answer.answers.clear();
                answer.metadata.response_code = rcode;
            })
        };
        assert!(matches!(bare(ResponseCode::Refused), Arrival::Response(_)));
        assert!(matches!(bare(ResponseCode::FormErr), Arrival::Response(_)));
        assert!(matches!(bare(ResponseCode::NoError), Arrival::Malformed(_)));
        assert!(matches!(bare(ResponseCode::NXDomain), Arrival::Malformed(_)));
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_malformed() {
        let request = stamped();
        let whole = answer(&request, |_| ());
        for length in HEADER..whole.len() {
            assert!(
                matches!(request.sort(Transport::Udp, &whole[..length]), Arrival::Malformed(_)),
                "{length}"
            );
        }

        let mut looping = whole.clone();
        let owner = request.question_end;
        looping[owner..owner + 2].copy_from_slice(&[0xc0, owner as u8]);
        assert!(matches!(request.sort(Transport::Udp, &looping), Arrival::Malformed(_)));

        let doubled = sorted(|answer| answer.queries.push(answer.queries[0].clone()));
        assert!(matches!(doubled, Arrival::Malformed(why) if why == "2 questions, expected one"));
    }

    #[test]
    fn more_than_was_offered_is_malformed_over_udp_only() {
        let request = stamped();
        let mut large = answer(&request, |_| ());
        large.resize(513, 0);
        assert!(matches!(request.sort(Transport::Udp, &large), Arrival::Malformed(_)));
        assert!(matches!(request.sort(Transport::Tcp, &large), Arrival::Response(_)));
    }
}
