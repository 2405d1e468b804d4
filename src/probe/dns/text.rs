//! Makes text from servers fit for the log: one line, no control characters, limited length.

use hickory_resolver::proto::rr::RData;

use crate::text::foreign_within;

/// Maximum number of characters of a quotation.
const LONGEST: usize = 80;

/// Maximum number of quoted records.
const MOST: usize = 4;

/// One line of at most [`LONGEST`] characters, without control characters.
pub(super) fn printable(text: &str) -> String {
    foreign_within(text, LONGEST)
}

/// An identifier: printable text unchanged, other octets as `0x` and hexadecimal digits.
pub(super) fn identifier(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) if text.chars().all(|character| character == ' ' || character.is_ascii_graphic()) => {
            text.to_owned()
        }
        _ => octets.iter().fold("0x".to_owned(), |digits, octet| format!("{digits}{octet:02x}")),
    }
}

/// The first few of `records`.
pub(super) fn list<'a>(records: impl IntoIterator<Item = &'a RData>, joint: &str) -> String {
    let mut records = records.into_iter();
    let mut shown: Vec<_> =
        records.by_ref().take(MOST).map(|record| printable(&record.to_string())).collect();
    if records.next().is_some() {
        shown.push("…".to_owned());
    }
    shown.join(joint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_cannot_write_lines_into_our_log() {
        assert_eq!(printable("fra1\n<0>kernel: \u{202e}panic"), "fra1\\n<0>kernel: \\u{202e}panic");
        assert_eq!(printable(&"x".repeat(1000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn an_identifier_is_text_or_else_hexadecimal() {
        assert_eq!(identifier(b"fra1.example.org"), "fra1.example.org");
        assert_eq!(identifier(&[0, 0xfe]), "0x00fe");
    }
}
