//! A query with its flags and expectations, encoded once; each probe gets a new ID and nonce.

use std::sync::Arc;

use hickory_resolver::proto::op::{Edns, Message};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::cookie::CLIENT;
use super::memory::{Memory, Path};
use super::options::{Options, PLAIN_PAYLOAD};
use super::query::PLACEHOLDER;
use super::request::Request;
use super::{Expectation, Query, Tls};

/// A nonce.
pub(super) type Label = [u8; PLACEHOLDER.len()];

/// Octets of the header (RFC 1035 §4.1.1).
pub(super) const HEADER: usize = 12;

/// The part that all probes of a check share: an encoded query, and the expectation of its response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    query: Query,
    expect: Expectation,
    options: Options,
    tls: Arc<Tls>,
    /// With an ID of 0, with [`PLACEHOLDER`] for the nonce, and without a cookie.
    pub(super) template: Request,
    /// Where the nonce begins.
    nonce: Option<usize>,
    pub(super) memory: Memory,
}

impl Question {
    /// Asks `query` with default options, but with or without RD.
    ///
    /// # Errors
    ///
    /// Returns a sentence with the reason why the query cannot be encoded.
    pub(crate) fn new(query: Query, recursion_desired: bool, expect: Expectation) -> Result<Self, String> {
        Self::with(query, Options { recursion_desired, ..Options::default() }, expect)
    }

    /// Asks `query`. It requests what is expected: NSID, signatures (DO), and AD where `ad` or `!ad` is expected, as a sign
    /// that it is understood (RFC 6840 §5.7).
    ///
    /// # Errors
    ///
    /// Returns a sentence with the reason why the query cannot be encoded, or with the option that needs EDNS although
    /// the query is to have none.
    pub(crate) fn with(query: Query, options: Options, expect: Expectation) -> Result<Self, String> {
        let option = expect.nsid.as_ref().map(|_| identify());
        Self::encode(query, options, expect, option)
    }

    /// Asks without recursion and with NSID; any response passes.
    ///
    /// # Errors
    ///
    /// Returns a sentence with the reason why the query cannot be encoded.
    pub(crate) fn observing(query: Query) -> Result<Self, String> {
        let options = Options { recursion_desired: false, ..Options::default() };
        Self::encode(query, options, Expectation::anything(), Some(identify()))
    }

    /// Asks without recursion and with an empty EXPIRE option (RFC 7314 section 3.1); any response passes.
    ///
    /// # Errors
    ///
    /// Returns a sentence with the reason why the query cannot be encoded.
    pub(crate) fn about_expiry(query: Query) -> Result<Self, String> {
        let options = Options { recursion_desired: false, ..Options::default() };
        let option = EdnsOption::Unknown(EdnsCode::Expire.into(), vec![]);
        Self::encode(query, options, Expectation::anything(), Some(option))
    }

    fn encode(
        query: Query,
        options: Options,
        expect: Expectation,
        option: Option<EdnsOption>,
    ) -> Result<Self, String> {
        let refuse =
            |error: &dyn ToString| format!("query `{query}` cannot be encoded: {}", error.to_string());

        let mut message = Message::query();
        // Each request gets its own.
        message.metadata.id = 0;
        message.metadata.recursion_desired = options.recursion_desired;
        message.metadata.checking_disabled = options.checking_disabled;
        message.metadata.authentic_data =
            options.authentic_data || expect.flags.iter().any(|flag| flag.concerns_authentic_data());
        message.add_query(query.question().clone());
        let bare = message.to_vec().map_err(|error| refuse(&error))?;

        let dnssec_ok = options.dnssec_ok || expect.signature_left.is_some();
        let needs_edns = option.is_some() || dnssec_ok || options.cookie;
        let offered = options.edns.offer(needs_edns);
        if needs_edns && offered.is_none() {
            return Err(format!(
                "query `{query}` is to have no EDNS, expected no NSID, DO, cookie or signature-left, which need it"
            ));
        }
        if let Some(octets) = offered {
            let mut edns = Edns::new();
            edns.set_max_payload(octets).set_dnssec_ok(dnssec_ok);
            if let Some(option) = option {
                edns.options_mut().insert(option);
            }
            message.set_edns(edns);
        }
        let octets = message.to_vec().map_err(|error| refuse(&error))?;

        let nonce = octets.windows(PLACEHOLDER.len()).position(|octets| octets == PLACEHOLDER);
        let payload = offered.unwrap_or(PLAIN_PAYLOAD).max(PLAIN_PAYLOAD);
        let needs_lookup = nonce.is_some() && options.recursion_desired;
        let template = Request { octets, question_end: bare.len(), payload, cookie: None, needs_lookup };
        let (tls, memory) = (Arc::default(), Memory::default());
        Ok(Self { query, expect, options, tls, template, nonce, memory })
    }

    /// Asks over TLS and HTTPS as `tls` says.
    #[must_use]
    pub(crate) fn over(self, tls: Arc<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// What is expected of the certificate.
    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    pub(crate) const fn options(&self) -> Options {
        self.options
    }

    pub(crate) const fn query(&self) -> &Query {
        &self.query
    }

    pub(crate) const fn expect(&self) -> &Expectation {
        &self.expect
    }

    /// A request with an ID, a nonce if the query has one, and a cookie for `path` if the query sends cookies, that an
    /// attacker cannot predict.
    pub(super) fn stamp(&self, path: Path) -> Request {
        self.stamp_with(path, random_label())
    }

    /// The same with this nonce.
    pub(super) fn stamp_with(&self, path: Path, nonce: Label) -> Request {
        let mut request = self.template.clone();
        request.octets[..2].copy_from_slice(&random_id().to_be_bytes());
        if let Some(at) = self.nonce {
            request.octets[at..at + PLACEHOLDER.len()].copy_from_slice(&nonce);
        }
        if self.options.cookie {
            request.add_cookie(self.memory.cookie(path).unwrap_or_else(random_cookie));
        }
        request
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
pub(super) fn random_label() -> Label {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bits = (0..4).fold(0_u64, |bits, _| bits << 16 | u64::from(random_id()));
    std::array::from_fn(|place| LETTERS[(bits >> (5 * place)) as usize % LETTERS.len()])
}

/// A client cookie. Each question has a new one until the server gives its own: a fixed one would identify the client
/// (RFC 7873 §9.1).
fn random_cookie() -> Vec<u8> {
    (0..CLIENT / 2).flat_map(|_| random_id().to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use super::super::options::EdnsUse;
    use super::*;

    const HERE: Path = (SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 53), None);

    fn question(query: &str, expect: Expectation) -> Question {
        Question::new(query.parse().unwrap(), true, expect).unwrap()
    }

    fn sent(question: &Question) -> Message {
        Message::from_vec(question.stamp(HERE).octets()).unwrap()
    }

    #[test]
    fn a_plain_question_is_header_and_question_only() {
        let question = question("localhost. A", Expectation::default());
        assert_eq!(question.stamp(HERE).octets().len(), 12 + 11 + 4);
        let message = sent(&question);
        assert!(message.recursion_desired && !message.authentic_data);
        assert_eq!(message.queries, [question.query().question().clone()]);
    }

    #[test]
    fn a_resolver_asks_others_for_a_nonce() {
        let needs = |query: &str, recursion: bool| {
            let options = Options { recursion_desired: recursion, ..Options::default() };
            let question = Question::with(query.parse().unwrap(), options, Expectation::default()).unwrap();
            question.stamp(HERE).needs_lookup
        };
        assert!(needs("{nonce}.com. A", true));
        assert!(!needs("{nonce}.example.org. A", false) && !needs("com. SOA", true));
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
        assert_eq!(edns.option(EdnsCode::Expire), Some(&EdnsOption::Unknown(9, vec![])));
    }

    #[test]
    fn an_expected_ad_flag_sets_the_ad_bit_of_the_query() {
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
    #[test]
    fn each_option_is_in_the_message() {
        let ask = |options| {
            let question = Question::with("localhost. A".parse().unwrap(), options, Expectation::default());
            sent(&question.unwrap())
        };
        let all = ask(Options {
            recursion_desired: false,
            checking_disabled: true,
            authentic_data: true,
            dnssec_ok: true,
            edns: EdnsUse::Offer(4096.try_into().unwrap()),
            cookie: true,
            follow_truncation: true,
        });
        assert!(!all.recursion_desired && all.checking_disabled && all.authentic_data);
        let edns = all.edns.unwrap();
        assert!(edns.flags().dnssec_ok && edns.max_payload() == 4096);
        assert!(
            matches!(edns.option(EdnsCode::Cookie), Some(EdnsOption::Unknown(_, cookie)) if cookie.len() == 8)
        );
        let offered = ask(Options { edns: EdnsUse::Offer(512.try_into().unwrap()), ..Options::default() });
        assert_eq!(offered.edns.map(|edns| edns.max_payload()), Some(512));
    }

    #[test]
    fn a_server_cookie_is_sent_behind_an_identifier() {
        let expect = Expectation { nsid: Some("fra1".to_owned()), ..Expectation::default() };
        let options = Options { cookie: true, ..Options::default() };
        let question = Question::with("localhost. A".parse().unwrap(), options, expect).unwrap();
        let cookie = |message: &Message| match message.edns.as_ref().unwrap().option(EdnsCode::Cookie) {
            Some(EdnsOption::Unknown(_, cookie)) => cookie.clone(),
            other => panic!("{other:?}"),
        };
        let first = sent(&question);
        assert_ne!(cookie(&first), cookie(&sent(&question)), "a new one each time");
        let mut answer = Message::query();
        let mut edns = Edns::new();
        let whole = [cookie(&first), vec![7; 32]].concat();
        edns.options_mut().insert(EdnsOption::Unknown(10, whole.clone()));
        answer.set_edns(edns);
        assert!(question.memory.keep_cookie(HERE, &answer));
        let second = sent(&question);
        assert_eq!(cookie(&second), whole);
        assert!(second.edns.unwrap().option(EdnsCode::NSID).is_some());
    }

    #[test]
    fn options_that_need_edns_are_refused_without_it() {
        let refused = |change: fn(&mut Options, &mut Expectation)| {
            let mut options = Options { edns: EdnsUse::Never, ..Options::default() };
            let mut expect = Expectation::default();
            change(&mut options, &mut expect);
            Question::with("localhost. A".parse().unwrap(), options, expect).is_err()
        };
        assert!(!refused(|_, _| ()));
        assert!(refused(|options, _| options.cookie = true));
        assert!(refused(|options, _| options.dnssec_ok = true));
        assert!(refused(|_, expect| expect.nsid = Some("a".to_owned())));
        assert!(refused(|_, expect| expect.signature_left = Some(std::time::Duration::ZERO)));
    }
}
