//! A check, and the result of its last round.

use serde::{Deserialize, Serialize};

use super::time::Time;
use crate::engine::check::{Severity, UNSEEN};

/// One check.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckStatus {
    /// As configured.
    pub(crate) name: String,
    /// The questions and expectations of each round, one sentence for each probe; empty if the helper does not report
    /// them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) asks: Vec<String>,
    /// From one round to the next as matters stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) interval_seconds: Option<f64>,
    /// The same while it falls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fast_interval_seconds: Option<f64>,
    /// Until the next round; absent while one is out, and where the helper does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) due_in_seconds: Option<f64>,
    /// The worst that its failures can do to the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) on_fail: Option<Severity>,
    /// `unknown`, `rising`, `up`, `falling`, `down`.
    pub state: String,
    /// The number of results in a row toward the next state.
    pub(crate) streak: u32,
    /// The number of results needed to rise, and to fall.
    pub(crate) rise: u32,
    /// See `rise`.
    pub(crate) fall: u32,
    /// The number of passes to its next better verdict; absent if there is none, and where the helper does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) passes_ahead: Option<u32>,
    /// Its effect on the service at present; `None` before the first verdict.
    pub(crate) severity: Option<Severity>,
    /// Whether its last failure has a milder effect than `severity`, and counts as a pass toward the end of that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fails_milder: bool,
    /// Whether its failures do not count because it has not been up yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unproven: bool,
    /// The probes whose failures do not count because they have not passed, each with server, transport and query; absent
    /// if every probe of the check counts, or the helper does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unseen: Option<Vec<String>>,
    /// For how long every outcome has been unknown; the last one has the reason.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) unknown_for_seconds: Option<f64>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unknown_since: Option<Time>,
    /// The finding of the last round.
    pub last: Option<Last>,
}

impl CheckStatus {
    /// Whether its last round passed.
    pub(super) fn passes(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.passed)
    }

    /// Whether its failures count, since it has passed, or need not have. With the label of a `probe` of a `once-seen` check:
    /// whether the failures of that probe do. Those of which an older helper does not tell do not.
    pub(crate) fn counts(&self, probe: Option<&str>) -> bool {
        let is_seen = |probe: &str| {
            self.unseen.as_ref().is_some_and(|unseen| !unseen.iter().any(|unseen| unseen == probe))
        };
        !self.unproven && probe.is_none_or(is_seen)
    }

    /// Whether no probe of it has passed, so that none counts ([`Last::tell_unseen`]).
    pub(super) fn is_unseen(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.passed && last.detail.as_deref() == Some(UNSEEN))
    }
}

/// The finding of a round.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Last {
    /// How long ago.
    pub(crate) ago_seconds: f64,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Time>,
    /// Whether it passed.
    pub passed: bool,
    /// The latency of the slowest answer that counted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latency_seconds: Option<f64>,
    /// The class of failure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) cause: Option<String>,
    /// The reason.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) detail: Option<String>,
}

impl Last {
    /// Of a check whose probes count only once they have passed: a pass without a latency is one of probes that have not.
    pub(crate) fn tell_unseen(&mut self) {
        if self.passed && self.latency_seconds.is_none_or(|seconds| seconds <= 0.0) {
            self.latency_seconds = None;
            self.detail = Some(UNSEEN.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pass_without_an_answer_is_told_as_unseen() {
        let told = |passed, latency_seconds| {
            let mut last =
                Last { ago_seconds: 0.0, at: None, passed, latency_seconds, cause: None, detail: None };
            last.tell_unseen();
            last.detail
        };
        assert_eq!(told(true, Some(0.0)).as_deref(), Some(UNSEEN));
        assert_eq!(told(true, Some(0.001)), None);
        assert_eq!(told(false, None), None);
    }
}
