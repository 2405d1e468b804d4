//! Record data, parsed once and compared as values, not as text.

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::rdata::NULL;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use crate::probe::dns::record_type::type_word;

/// Reads record data as a zone file writes it: `192.0.2.1`, `10 mail.example.org`. Names are absolute with or without
/// their last dot. Data of any type can be written as RFC 3597 has it: `\# 4 0a010002`.
///
/// # Errors
///
/// The sentence that says which text is no data of that type, or that data of that type cannot be written.
pub(crate) fn record_data(record_type: RecordType, text: &str) -> Result<RData, String> {
    let refuse = |why: String| format!("bad {} data `{text}`: {why}", type_word(record_type));
    if let Some(digits) = text.trim_start().strip_prefix("\\#") {
        let rdata = NULL::with(generic(digits).map_err(refuse)?);
        return through_the_wire(RData::Unknown { code: record_type, rdata }).map_err(refuse);
    }
    if is_one_word(record_type) && text.split_whitespace().count() != 1 {
        return Err(refuse("expected one word".to_owned()));
    }
    let parsed = RData::try_from_str(record_type, text).map_err(|error| refuse(error.to_string()))?;
    through_the_wire(parsed).map_err(refuse)
}

/// Reads `LENGTH HEX…` (RFC 3597 §5).
fn generic(text: &str) -> Result<Vec<u8>, String> {
    const FORM: &str = "expected `\\# LENGTH HEX`, as in `\\# 4 0a010002`";
    let mut words = text.split_whitespace();
    let length: u16 = words.next().and_then(|word| word.parse().ok()).ok_or(FORM)?;
    let digits: Vec<_> = words.flat_map(|word| word.chars().map(|digit| digit.to_digit(16))).collect();
    let octets = digits.chunks(2).map(|pair| match pair {
        [Some(high), Some(low)] => u8::try_from(high << 4 | low).ok(),
        _ => None,
    });
    let octets: Vec<u8> = octets.collect::<Option<_>>().ok_or(FORM)?;
    if octets.len() != usize::from(length) {
        return Err(format!("found {} octets, expected {length}", octets.len()));
    }
    Ok(octets)
}

/// The types of one field, of which the parser would pass over a second one.
const fn is_one_word(record_type: RecordType) -> bool {
    matches!(
        record_type,
        RecordType::A | RecordType::AAAA | RecordType::CNAME | RecordType::NS | RecordType::PTR
    )
}

/// Encodes and decodes, for comparison with the data of a server: on the wire every name is absolute.
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

    #[test]
    fn data_of_any_type_is_written_in_hexadecimal() {
        assert_eq!(data(RecordType::A, "\\# 4 C0 000201"), data(RecordType::A, "192.0.2.1"));
        let unknown = data(RecordType::Unknown(65_400), "\\# 3 abcdef");
        assert!(matches!(unknown, RData::Unknown { rdata, .. } if rdata.anything == [0xab, 0xcd, 0xef]));
        assert!(refused(RecordType::A, "\\# 3 c00002").contains("bad A data"));
        assert!(refused(RecordType::A, "\\# 4 c00002").contains("found 3 octets, expected 4"));
        assert!(refused(RecordType::A, "\\# 4 c0000g").contains("expected `\\# LENGTH HEX`"));
        assert!(refused(RecordType::Unknown(65_400), "\\#").contains("bad TYPE65400 data"));
    }
}
