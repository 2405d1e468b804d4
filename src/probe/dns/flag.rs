//! Header flags as expectations: `aa` must be set, `!aa` must not be set.

use std::fmt;
use std::str::FromStr;

use hickory_resolver::proto::op::Metadata;

/// Whether a bit is set in a header.
type IsSet = fn(&Metadata) -> bool;

/// The bits of the header that the server sets (RFC 1035 §4.1.1, RFC 4035 §3.2.3), in the order of the header.
const BITS: [(&str, IsSet); 4] = [
    ("aa", |header| header.authoritative),
    ("tc", |header| header.truncation),
    ("ra", |header| header.recursion_available),
    ("ad", |header| header.authentic_data),
];

/// One expectation: `aa`, `tc`, `ra` or `ad` for a bit that must be set, `!aa` and so on for one that must not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Flag {
    /// A word of [`BITS`].
    bit: &'static str,
    set: bool,
}

impl Flag {
    /// Whether the header meets the expectation.
    pub(crate) fn holds(self, header: &Metadata) -> bool {
        set_in(header).any(|bit| bit == self.bit) == self.set
    }

    /// Whether a truncated answer is expected.
    pub(super) fn wants_truncation(self) -> bool {
        self.bit == "tc" && self.set
    }

    /// Whether this is the AD bit, which a server sets only on request (RFC 6840 §5.8).
    pub(super) fn concerns_authentic_data(self) -> bool {
        self.bit == "ad"
    }
}

impl FromStr for Flag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (word, set) = match text.strip_prefix('!') {
            Some(word) => (word, false),
            None => (text, true),
        };
        BITS.iter().find(|(bit, _)| *bit == word).map(|(bit, _)| Self { bit, set }).ok_or_else(|| {
            format!("unknown flag `{text}`, expected aa, tc, ra or ad, or one of them negated as in `!aa`")
        })
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.set { "" } else { "!" }, self.bit)
    }
}

/// The names of the set flags in `header`: "aa ra", or "no flags".
pub(super) fn words(header: &Metadata) -> String {
    match set_in(header).collect::<Vec<_>>()[..] {
        [] => "no flags".to_owned(),
        [one] => format!("flag {one}"),
        ref several => format!("flags {}", several.join(" ")),
    }
}

/// The set flags in `header`.
fn set_in(header: &Metadata) -> impl Iterator<Item = &'static str> {
    BITS.iter().filter(|(_, is_set)| is_set(header)).map(|(word, _)| *word)
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
