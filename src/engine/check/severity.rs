//! The severity of a failed check.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The effect of a failed check on its service.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// None; it is only shown. `ignore` is an alias.
    #[serde(alias = "ignore")]
    Observe,
    /// The service announces with the attributes of `degraded`.
    Degraded,
    /// The service is withdrawn.
    Down,
}

impl Severity {
    /// The word in a configuration.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = if text == "ignore" { "observe" } else { text };
        let mut all = [Self::Observe, Self::Degraded, Self::Down].into_iter();
        all.find(|severity| severity.word() == text)
            .ok_or_else(|| format!("`{text}` is no severity, expected \"down\", \"degraded\" or \"observe\""))
    }
}
