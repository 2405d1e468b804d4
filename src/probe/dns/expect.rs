//! The expectations of an answer, parsed once and compared as values, not as text.

use std::time::Duration;

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::{Flag, Rcode, Rcodes};

/// The conditions for a response to pass. By default only the response code NOERROR.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expectation {
    /// The response codes that pass.
    pub(crate) rcodes: Rcodes,
    /// The expected flags; all must hold.
    pub(crate) flags: Vec<Flag>,
    /// The minimum number of answer records of the queried type.
    pub(crate) min_answers: usize,
    /// Records that must all be among the answers, see [`record_data`].
    pub(crate) all_of: Vec<RData>,
    /// Records of which one must be among the answers; empty for no condition.
    pub(crate) any_of: Vec<RData>,
    /// The name server identifier (RFC 5001) in the notation of [`Finding::nsid`](super::Finding::nsid). The query asks
    /// for it if it is expected.
    pub(crate) nsid: Option<String>,
    /// A later answer is too slow.
    pub(crate) max_latency: Option<Duration>,
}

impl Default for Expectation {
    fn default() -> Self {
        Self {
            rcodes: Rcodes::one_of([Rcode::NOERROR]),
            flags: Vec::new(),
            min_answers: 0,
            all_of: Vec::new(),
            any_of: Vec::new(),
            nsid: None,
            max_latency: None,
        }
    }
}

impl Expectation {
    /// Any response passes.
    #[must_use]
    pub(crate) fn anything() -> Self {
        Self { rcodes: Rcodes::any_but([]), ..Self::default() }
    }
}

/// Reads record data as a zone file writes it: `192.0.2.1`, `10 mail.example.org`. Names are absolute with or without
/// their last dot.
///
/// # Errors
///
/// Returns a sentence with the text that is no data of that type, or that data of that type cannot be written.
pub(crate) fn record_data(record_type: RecordType, text: &str) -> Result<RData, String> {
    let refuse = |why: String| format!("bad {record_type} data `{text}`: {why}");
    if is_one_word(record_type) && text.split_whitespace().count() != 1 {
        return Err(refuse("expected one word".to_owned()));
    }
    let parsed = RData::try_from_str(record_type, text).map_err(|error| refuse(error.to_string()))?;
    through_the_wire(parsed).map_err(refuse)
}

/// The types with one field, after which the parser would ignore a second one.
const fn is_one_word(record_type: RecordType) -> bool {
    matches!(
        record_type,
        RecordType::A | RecordType::AAAA | RecordType::CNAME | RecordType::NS | RecordType::PTR
    )
}

/// Encodes and decodes the data, so that it equals the data from a server: on the wire every name is absolute.
fn through_the_wire(data: RData) -> Result<RData, String> {
    let mut message = Message::query();
    message.add_answer(Record::from_rdata(Name::root(), 0, data));
    let octets = message.to_vec().map_err(|error| error.to_string())?;
    let decoded = Message::from_vec(&octets).map_err(|error| error.to_string())?;
    let record = decoded.answers.into_iter().next();
    record.map(|record| record.data).ok_or_else(|| "no data".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(record_type: RecordType, text: &str) -> RData {
        record_data(record_type, text).unwrap()
    }

    fn refused(record_type: RecordType, text: &str) -> String {
        record_data(record_type, text).unwrap_err()
    }

    #[test]
    fn names_are_equal_whatever_their_case_and_last_dot() {
        assert_eq!(data(RecordType::NS, "NS1.example.org"), data(RecordType::NS, "ns1.Example.ORG."));
        assert_eq!(data(RecordType::MX, "10 mail.example.org"), data(RecordType::MX, "10 MAIL.example.org."));
        assert_ne!(data(RecordType::MX, "10 mail.example.org"), data(RecordType::MX, "20 mail.example.org"));
    }

    #[test]
    fn data_is_compared_by_value() {
        assert_eq!(data(RecordType::AAAA, "2001:db8:0::1"), data(RecordType::AAAA, "2001:db8::1"));
        assert_eq!(data(RecordType::TXT, "fra1"), data(RecordType::TXT, "\"fra1\""));
        assert_ne!(data(RecordType::TXT, "fra1"), data(RecordType::TXT, "Fra1"));
    }

    #[test]
    fn refused_data_is_named_with_its_type() {
        assert!(refused(RecordType::A, "::1").contains("bad A data `::1`"));
        assert!(refused(RecordType::A, "192.0.2.1 192.0.2.2").contains("expected one word"));
        assert!(refused(RecordType::A, "").contains("expected one word"));
        assert!(refused(RecordType::TXT, "").contains("bad TXT data"));
        assert!(refused(RecordType::SOA, "ns1 root 1").contains("bad SOA data"));
        assert!(refused(RecordType::ANY, "192.0.2.1").contains("bad ANY data"));
    }
}
