//! The dampening of a service.

use serde::{Deserialize, Serialize};

use super::time::Time;
use super::view::shown;
use crate::engine::dampening::Mode;
use crate::engine::dampening::window::counted_in_window;

/// The record of falls.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dampening {
    /// Whether a suppression holds the service down.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// The penalty, without its fraction.
    pub(crate) penalty: u32,
    /// At this penalty it is suppressed.
    #[serde(default)]
    pub(crate) suppress: u32,
    /// At this penalty a suppression ends.
    #[serde(default)]
    pub(crate) reuse: u32,
    /// The service is held down.
    pub(crate) suppressed: bool,
    /// The remaining time.
    pub(crate) reuse_in_seconds: Option<f64>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reuse_at: Option<Time>,
    /// With `mode = "enforce"` it would be held down.
    #[serde(default)]
    pub(crate) would_be_suppressed: bool,
    /// Falls within the last ten minutes.
    #[serde(default)]
    pub(crate) falls: u32,
    /// The remaining time for which it stays withdrawn though its checks are up: it is suppressed, or its return takes
    /// longer after falls.
    #[serde(default)]
    pub returns_in_seconds: Option<f64>,
    /// The falls that make this return take longer: those within ten minutes before the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) returns_after_falls: Option<u32>,
    /// When it returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) returns_at: Option<Time>,
}

impl Dampening {
    /// Why a service whose checks pass is withdrawn, in words that follow "it is"; `None` if dampening does not withdraw it.
    pub(crate) fn why_withdrawn(&self) -> Option<String> {
        if let Some(reuse_in) = self.reuse_in_seconds {
            return Some(format!("suppressed for {} more", shown(reuse_in)));
        }
        let returns_in = self.returns_in_seconds?;
        Some(format!("passing again, and returns in {} after {}", shown(returns_in), self.counted_falls()))
    }

    /// Such as "2 falls within 10m": the ones that its return waits for, else those until now.
    pub(super) fn counted_falls(&self) -> String {
        counted_in_window(self.returns_after_falls.unwrap_or(self.falls), "fall")
    }

    /// What the operator does about [`why_withdrawn`](Self::why_withdrawn). A suppressed service may fail, so that it does not return at once.
    pub(crate) fn remedy(&self, service: &str) -> String {
        let purpose = if self.reuse_in_seconds.is_some() { "to end it" } else { "to return at once" };
        format!("{purpose}: dnsherald undampen {service}")
    }
}
