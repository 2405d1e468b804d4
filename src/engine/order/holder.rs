//! Holders of orders, and reasons.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::is_doubtful;

/// The holder of an order: a word of at most 64 printable ASCII characters, such as `operator` or `unbound.service`.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Holder(String);

/// The prefix of the holders of drains for our own restarts; the name of the backend follows.
pub(crate) const RESTARTS: &str = "backend/";

impl Holder {
    /// Whether it is a restart of ours.
    pub(crate) fn is_restart(&self) -> bool {
        self.0.starts_with(RESTARTS)
    }

    /// The default holder: the operator at the command line.
    pub(crate) fn operator() -> Self {
        Self("operator".to_owned())
    }

    /// The word.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Holder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_word = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let refused = || {
            format!(
                "`{}` cannot be a holder, expected one word of at most 64 characters",
                text.escape_debug()
            )
        };
        is_word.then(|| Self(text.to_owned())).ok_or_else(refused)
    }
}

impl TryFrom<String> for Holder {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Holder> for String {
    fn from(holder: Holder) -> Self {
        holder.0
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why: one line of at most 400 characters, cut with `…`; never empty.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "String", into = "String")]
pub struct Reason(String);

impl Reason {
    /// Its most characters.
    pub(crate) const LONGEST: usize = 400;
}

/// Drops invisible and control characters, and what exceeds the length.
impl From<String> for Reason {
    fn from(text: String) -> Self {
        let words: Vec<_> = text
            .split(|c: char| c.is_whitespace() || is_doubtful(c))
            .filter(|word| !word.is_empty())
            .collect();
        let mut line = words.join(" ");
        // A cut is shown, so that half of a remedy is not taken for the whole.
        if let Some((end, _)) = line.char_indices().nth(Self::LONGEST - 1)
            && line.chars().nth(Self::LONGEST).is_some()
        {
            line.truncate(end);
            line.push('…');
        }
        Self(if line.is_empty() { "no reason given".to_owned() } else { line })
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
