//! Header flags as expectations: `aa` must be set, `!aa` must not be set.

use std::fmt;
use std::str::FromStr;

use hickory_resolver::proto::op::Metadata;

/// A bit of the header that the server sets (RFC 1035 §4.1.1, RFC 4035 §3.2.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Bit {
    Authoritative,
    Truncated,
    RecursionAvailable,
    AuthenticData,
}

impl Bit {
    /// In the order of the header.
    const ALL: [Self; 4] =
        [Self::Authoritative, Self::Truncated, Self::RecursionAvailable, Self::AuthenticData];

    const fn word(self) -> &'static str {
        match self {
            Self::Authoritative => "aa",
            Self::Truncated => "tc",
            Self::RecursionAvailable => "ra",
            Self::AuthenticData => "ad",
        }
    }

    const fn is_set(self, header: &Metadata) -> bool {
        match self {
            Self::Authoritative => header.authoritative,
            Self::Truncated => header.truncation,
            Self::RecursionAvailable => header.recursion_available,
            Self::AuthenticData => header.authentic_data,
        }
    }
}

/// One expectation: `aa`, `tc`, `ra` or `ad` for a bit that must be set, `!aa` and so on for one that must not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Flag {
    bit: Bit,
    set: bool,
}

impl Flag {
    /// Whether the header meets the expectation.
    #[must_use]
    pub(crate) const fn holds(self, header: &Metadata) -> bool {
        self.bit.is_set(header) == self.set
    }

    /// Whether a truncated answer is expected.
    pub(super) fn wants_truncation(self) -> bool {
        self.bit == Bit::Truncated && self.set
    }

    /// Whether this is the AD bit, which a server sets only on request (RFC 6840 §5.8).
    pub(super) fn concerns_authentic_data(self) -> bool {
        self.bit == Bit::AuthenticData
    }
}

impl FromStr for Flag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, set) = match text.strip_prefix('!') {
            Some(word) => (word, false),
            None => (text, true),
        };
        Bit::ALL.into_iter().find(|bit| bit.word() == word).map(|bit| Self { bit, set }).ok_or_else(|| {
            format!("unknown flag `{text}`, expected aa, tc, ra or ad, or one of them negated as in `!aa`")
        })
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.set { "" } else { "!" }, self.bit.word())
    }
}

/// The names of the set flags in `header`: "aa ra", or "no flags".
pub(super) fn words(header: &Metadata) -> String {
    let set: Vec<_> = Bit::ALL.into_iter().filter(|bit| bit.is_set(header)).map(Bit::word).collect();
    match set.len() {
        0 => "no flags".to_owned(),
        1 => format!("flag {}", set[0]),
        _ => format!("flags {}", set.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_parses_from_its_displayed_form() {
        for word in ["aa", "!aa", "tc", "!tc", "ra", "!ra", "ad", "!ad"] {
            assert_eq!(word.parse::<Flag>().unwrap().to_string(), word);
        }
        assert!("rd".parse::<Flag>().unwrap_err().contains("unknown flag `rd`"));
    }
}
