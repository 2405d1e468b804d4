//! A query with its flags and expectations, encoded once; each probe gets a new ID and nonce.

use hickory_resolver::proto::op::{Edns, Message};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::limits::Limits;
use super::query::PLACEHOLDER;
use super::request::Request;
use super::{Expectation, Query};

/// Octets of a response over UDP without EDNS, at most (RFC 1035 §4.2.1).
const PLAIN_PAYLOAD: u16 = 512;

/// Octets offered with EDNS: what fits into one packet of IPv6's smallest MTU.
const EDNS_PAYLOAD: u16 = 1232;

/// Octets of the header (RFC 1035 §4.1.1).
pub(super) const HEADER: usize = 12;

/// The part that all probes of a check share: an encoded query, and the expectation of its response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    query: Query,
    expect: Expectation,
    template: Vec<u8>,
    question_end: usize,
    nonce: Option<usize>,
    payload: u16,
    limits: Limits,
}

impl Question {
    /// Asks `query`. EDNS is used only to ask for the identifier (NSID) where one is expected, and the AD bit is set
    /// only where `ad` or `!ad` is expected, as a sign that it is understood (RFC 6840 §5.7).
    ///
    /// # Errors
    ///
    /// Returns a sentence with the reason why the query cannot be encoded.
    pub(crate) fn new(query: Query, recursion_desired: bool, expect: Expectation) -> Result<Self, String> {
        let option = expect.nsid.as_ref().map(|_| identify());
        Self::encode(query, recursion_desired, expect, option)
    }

    /// Asks without recursion and with NSID; any response passes.
    ///
    /// # Errors
    ///
    /// Returns a sentence with the reason why the query cannot be encoded.
    pub(crate) fn observing(query: Query) -> Result<Self, String> {
        Self::encode(query, false, Expectation::anything(), Some(identify()))
    }

    /// The option that tells how long a secondary goes on answering for a zone (RFC 7314).
    pub(crate) const EXPIRE: EdnsCode = EdnsCode::Expire;

    /// Asks without recursion and with an empty EXPIRE option (RFC 7314 section 3.1); any response passes.
    ///
    /// # Errors
    ///
    /// Returns a sentence with the reason why the query cannot be encoded.
    pub(crate) fn about_expiry(query: Query) -> Result<Self, String> {
        let option = EdnsOption::Unknown(Self::EXPIRE.into(), vec![]);
        Self::encode(query, false, Expectation::anything(), Some(option))
    }

    fn encode(
        query: Query,
        recursion_desired: bool,
        expect: Expectation,
        option: Option<EdnsOption>,
    ) -> Result<Self, String> {
        let refuse =
            |error: &dyn ToString| format!("query `{query}` cannot be encoded: {}", error.to_string());

        let mut message = Message::query();
        // Each request gets its own.
        message.metadata.id = 0;
        message.metadata.recursion_desired = recursion_desired;
        message.metadata.authentic_data = expect.flags.iter().any(|flag| flag.concerns_authentic_data());
        message.add_query(query.question().clone());
        let bare = message.to_vec().map_err(|error| refuse(&error))?;
        let payload = if option.is_some() { EDNS_PAYLOAD } else { PLAIN_PAYLOAD };
        if let Some(option) = option {
            let mut edns = Edns::new();
            edns.set_max_payload(EDNS_PAYLOAD).options_mut().insert(option);
            message.set_edns(edns);
        }
        let template = message.to_vec().map_err(|error| refuse(&error))?;

        let nonce = template.windows(PLACEHOLDER.len()).position(|octets| octets == PLACEHOLDER);
        Ok(Self {
            query,
            expect,
            template,
            question_end: bare.len(),
            nonce,
            payload,
            limits: Limits::default(),
        })
    }

    /// Whether the server is asked to recurse.
    pub(crate) fn recursion_desired(&self) -> bool {
        // The lowest bit of the third octet of the header (RFC 1035, section 4.1.1).
        self.template.get(2).is_some_and(|flags| flags & 1 == 1)
    }

    /// The query.
    #[must_use]
    pub(crate) const fn query(&self) -> &Query {
        &self.query
    }

    /// The expectation.
    #[must_use]
    pub(crate) const fn expect(&self) -> &Expectation {
        &self.expect
    }

    /// The servers that limit the rate of their answers to it.
    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A request with an ID, and a nonce if the query has one, that an attacker cannot predict.
    pub(super) fn stamp(&self) -> Request {
        let mut octets = self.template.clone();
        octets[..2].copy_from_slice(&random_id().to_be_bytes());
        if let Some(at) = self.nonce {
            octets[at..at + PLACEHOLDER.len()].copy_from_slice(&random_label());
        }
        Request::new(octets, self.question_end, self.payload)
    }
}

/// The empty option that asks for the identifier of the server (RFC 5001).
fn identify() -> EdnsOption {
    EdnsOption::Unknown(EdnsCode::NSID.into(), vec![])
}

/// Sixteen bits from the random generator of hickory, which the operating system seeds.
fn random_id() -> u16 {
    Message::query().id
}

/// Sixty random bits in lower-case base32 (RFC 4648 §6), which every server accepts.
fn random_label() -> [u8; PLACEHOLDER.len()] {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits = (0..4).fold(0_u64, |bits, _| bits << 16 | u64::from(random_id()));
    std::array::from_fn(|place| LETTERS[(bits >> (5 * place)) as usize % LETTERS.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(query: &str, expect: Expectation) -> Question {
        Question::new(query.parse().unwrap(), true, expect).unwrap()
    }

    fn sent(question: &Question) -> Message {
        Message::from_vec(question.stamp().octets()).unwrap()
    }

    #[test]
    fn a_plain_question_is_header_and_question_only() {
        let question = question("localhost. A", Expectation::default());
        assert_eq!(question.stamp().octets().len(), 12 + 11 + 4);
        let message = sent(&question);
        assert!(message.recursion_desired && !message.authentic_data);
        assert_eq!(message.queries, [question.query().question().clone()]);
    }

    #[test]
    fn an_expected_identifier_is_asked_for() {
        let expect = Expectation { nsid: Some("fra1".to_owned()), ..Expectation::default() };
        let edns = sent(&question("localhost. A", expect)).edns.unwrap();
        assert_eq!(edns.max_payload(), 1232);
        assert!(edns.option(EdnsCode::NSID).is_some());
        assert!(sent(&Question::observing("id.server. TXT CH".parse().unwrap()).unwrap()).edns.is_some());
    }

    #[test]
    fn the_time_until_a_zone_expires_is_asked_for() {
        let message = sent(&Question::about_expiry("example.org SOA".parse().unwrap()).unwrap());
        assert!(!message.recursion_desired);
        let edns = message.edns.unwrap();
        assert_eq!(edns.option(Question::EXPIRE), Some(&EdnsOption::Unknown(9, vec![])));
    }

    #[test]
    fn who_expects_the_ad_bit_either_way_sets_it() {
        for flag in ["ad", "!ad"] {
            let expect = Expectation { flags: vec![flag.parse().unwrap()], ..Expectation::default() };
            assert!(sent(&question("localhost. A", expect)).authentic_data);
        }
    }

    #[test]
    fn every_request_has_its_own_id_and_nonce() {
        let question = question("x-{nonce}.example.org A", Expectation::default());
        let (one, other) = (sent(&question), sent(&question));
        let name = one.queries[0].name.to_string();
        assert!(name.starts_with("x-") && name.ends_with(".example.org."), "{name}");
        assert!(name[2..14].bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit()));
        assert_ne!(one.queries, other.queries);
        let ids: std::collections::HashSet<_> = (0..50).map(|_| sent(&question).id).collect();
        assert!(ids.len() > 40);
    }
}
