//! A regular expression for record data.

use std::fmt;
use std::str::FromStr;

use regex_lite::Regex;

/// Characters of one record that are compared, at most: what a server sends decides neither time nor memory.
const LONGEST: usize = 4096;

/// A regular expression, compiled once. Two are equal if they are written alike.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// Whether the expression is found in `text`, of which at most the first 4096 octets are compared.
    pub(crate) fn is_found_in(&self, text: &str) -> bool {
        let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        self.0.is_match(&text[..end.unwrap_or_default()])
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |error| format!("`{text}` is not a regular expression: {error}");
        Regex::new(text).map(Self).map_err(bad)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_found_anywhere_unless_it_is_anchored() {
        let found = |pattern: &str, text: &str| pattern.parse::<Pattern>().unwrap().is_found_in(text);
        assert!(found("fra[0-9]", "ns.fra1.example.org"));
        assert!(!found("^fra[0-9]$", "ns.fra1.example.org"));
        assert!(!found("b", &("ä".repeat(LONGEST) + "b")), "beyond what is compared");
        assert!("(".parse::<Pattern>().unwrap_err().contains("`(` is not a regular expression"));
    }
}
