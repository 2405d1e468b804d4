//! A query: a name, a type and a class, in their text form.
//!
//! The configuration parses a [`Query`] once and reports its first error with its place. A name is absolute
//! with or without its last dot. `{nonce}` in a name stands for twelve characters that differ at every probe, for
//! answers that must not come from a cache.

use std::fmt;
use std::str::FromStr;

use hickory_resolver::proto::op;
use hickory_resolver::proto::rr::{DNSClass, Name, RecordType};

use super::record_type::{parse_type, type_word};

/// The placeholder of the nonce in a written name.
const NONCE: &str = "{nonce}";

/// The placeholder of the nonce in an encoded name. A configured name contains no control character.
pub(super) const PLACEHOLDER: [u8; 12] = [1; 12];

/// A question in the sense of RFC 1035 §4.1.2, written `NAME TYPE [CLASS]`: `localhost. A`, `id.server. TXT CH`. Two are equal
/// whatever the case of their letters (RFC 4343).
#[derive(Clone, Debug, Eq)]
pub(crate) struct Query {
    text: String,
    question: op::Query,
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.question == other.question
    }
}

impl Query {
    /// The question for a name that an answer has.
    pub(crate) fn from_parts(name: &Name, record_type: RecordType) -> Self {
        Self { text: name.to_string(), question: op::Query::query(name.clone(), record_type) }
    }

    /// The name as it was written, with its last dot.
    pub(crate) fn name(&self) -> &str {
        &self.text
    }

    /// As it is written, with `<random>` for a nonce: between braces it would look like a fault of the format.
    pub(super) fn shown(&self) -> String {
        self.to_string().replace(NONCE, "<random>")
    }

    /// The type asked for.
    pub(crate) const fn record_type(&self) -> RecordType {
        self.question.query_type
    }

    /// Whether its name is that of `other` or below it.
    pub(crate) fn is_in(&self, other: &Self) -> bool {
        other.question.name.zone_of(&self.question.name)
    }

    /// The question as it is encoded, with [`PLACEHOLDER`] where a nonce belongs.
    pub(super) const fn question(&self) -> &op::Query {
        &self.question
    }
}

impl FromStr for Query {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "expected `NAME TYPE [CLASS]`, as in `localhost. A`";
        let complain = |what: String| format!("query `{text}`: {what}");

        let mut words = text.split_whitespace();
        let name = words.next().ok_or_else(|| format!("empty query, {FORM}"))?;
        let record_type = words.next().ok_or_else(|| complain(format!("no record type, {FORM}")))?;
        let class = words.next().unwrap_or("IN");
        if let Some(rest) = words.next() {
            return Err(complain(format!("unexpected `{rest}`, {FORM}")));
        }

        let absolute = format!("{}.", name.strip_suffix('.').unwrap_or(name));
        let mut question = op::Query::query(
            parse_name(&absolute).map_err(complain)?,
            parse_type(record_type).map_err(complain)?,
        );
        question.set_query_class(parse_class(class).map_err(complain)?);
        Ok(Self { text: absolute, question })
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, type_word(self.question.query_type))?;
        match self.question.query_class {
            DNSClass::IN => Ok(()),
            class => write!(f, " {class}"),
        }
    }
}

/// Parses a name that ends in a dot. A label may contain any printable ASCII: RFC 2317 has names with slashes.
fn parse_name(absolute: &str) -> Result<Name, String> {
    let bad = |why: &str| format!("bad name `{absolute}`: {why}");
    if !absolute.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err(bad("found other than printable ASCII, expected A-labels (xn--…)"));
    }
    if absolute.contains('\\') {
        return Err(bad("escapes are not understood"));
    }
    if absolute.matches(NONCE).count() > 1 {
        return Err(bad("found several nonces, expected one"));
    }
    let Some(labels) = absolute.strip_suffix('.').filter(|labels| !labels.is_empty()) else {
        return Ok(Name::root());
    };
    let placeholder = String::from_utf8_lossy(&PLACEHOLDER);
    let labels = labels.replace(NONCE, &placeholder);
    if labels.split('.').any(str::is_empty) {
        return Err(bad("found an empty label"));
    }
    Name::from_labels(labels.split('.').map(str::as_bytes)).map_err(|error| bad(&error.to_string()))
}

fn parse_class(word: &str) -> Result<DNSClass, String> {
    match word.to_ascii_uppercase().as_str() {
        "IN" => Ok(DNSClass::IN),
        "CH" => Ok(DNSClass::CH),
        _ => Err(format!("unknown class `{word}`, expected IN or CH")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Query>().unwrap().to_string()
    }

    fn refused(text: &str) -> String {
        text.parse::<Query>().unwrap_err()
    }

    #[test]
    fn a_query_is_shown_in_its_shortest_absolute_form() {
        assert_eq!(shown("localhost. A"), "localhost. A");
        assert_eq!(shown("example.org  soa IN"), "example.org. SOA");
        assert_eq!(shown("id.server. TXT CH"), "id.server. TXT CH");
        assert_eq!(shown(". NS"), ". NS");
        assert_eq!(shown("example.org uri"), "example.org. URI");
        assert_eq!(shown("example.org TYPE63"), "example.org. ZONEMD");
        assert_eq!(shown("example.org type1"), "example.org. A");
        assert_eq!(shown("{nonce}.example.org TYPE65400"), "{nonce}.example.org. TYPE65400");
        assert_eq!(shown("0/25.2.0.192.in-addr.arpa PTR"), "0/25.2.0.192.in-addr.arpa. PTR");
    }

    #[test]
    fn the_case_of_letters_makes_no_other_query() {
        let query = |text: &str| text.parse::<Query>().unwrap();
        assert_eq!(query("Example.ORG soa"), query("example.org. SOA"));
        assert_ne!(query("example.org. SOA"), query("example.org. NS"));
        assert_ne!(query("example.org. SOA"), query("example.org. SOA CH"));
        assert_ne!(query("example.org. SOA"), query("www.example.org. SOA"));
    }

    #[test]
    fn the_error_of_a_query_names_what_was_found_and_expected() {
        assert_eq!(refused(" "), "empty query, expected `NAME TYPE [CLASS]`, as in `localhost. A`");
        assert!(refused("localhost.").contains("no record type"));
        assert!(refused("localhost. AA").contains("unknown record type `AA`"));
        assert!(refused("localhost. A XX").contains("unknown class `XX`"));
        assert!(refused("localhost. A IN now").contains("unexpected `now`"));
        assert!(refused("example.org AXFR").contains("has one answer"));
        assert!(refused("example.org TYPE252").contains("has one answer"));
        assert!(refused("example.org TYPE65536").contains("unknown record type `TYPE65536`"));
        assert!(refused("a..b A").contains("empty label"));
        assert!(refused(".. A").contains("empty label"));
        assert!(refused("bücher.example A").contains("A-labels"));
        assert!(refused("{nonce}.{nonce}. A").contains("several nonces"));
        assert!(refused(&format!("{}. A", "a".repeat(64))).contains("bad name"));
        assert!(refused(&format!("{}. A", "abc.".repeat(64))).contains("bad name"));
    }
}
