//! Which rule decided about a service, in the order in which the engine applies them.

use serde::Serialize;

use super::{Stage, Step};
use crate::engine::check::Severity;
use crate::engine::service::ServiceState;
use crate::status::Service;
use crate::status::view::View;

/// The rule that decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    /// `enabled = false`.
    NotEnabled,
    /// Its disable-file exists.
    DisableFile,
    /// A drain.
    Drain,
    /// The drains have ended, and the checks have to pass anew.
    AfterDrain,
    /// A service address is not on this host.
    Address,
    /// A hold keeps it announced.
    Hold,
    /// Its checks pass, and the names of `warm-up` are asked before it returns.
    WarmUp,
    /// Its falls hold it down though its checks pass.
    Dampening,
    /// The worst of its checks.
    WorstCheck,
    /// Nothing yet: its checks have no verdict.
    NoVerdict,
}

impl Rule {
    /// The first that applies.
    pub(super) fn from_service(service: &Service) -> Self {
        let down = service.checks.iter().any(|check| check.severity == Some(Severity::Down));
        match service.state {
            _ if !service.enabled => Self::NotEnabled,
            ServiceState::Drained | ServiceState::Down if service.warm_up.is_some() => Self::WarmUp,
            ServiceState::Drained if service.disabled => Self::DisableFile,
            ServiceState::Drained if service.drains.is_empty() => Self::AfterDrain,
            ServiceState::Drained => Self::Drain,
            ServiceState::Starting => Self::NoVerdict,
            ServiceState::Down if service.missing_address().is_some() => Self::Address,
            ServiceState::Up if !service.holds.is_empty() => Self::Hold,
            ServiceState::Down if !down && service.dampening.why_withdrawn().is_some() => Self::Dampening,
            ServiceState::Up | ServiceState::Degraded | ServiceState::Down => Self::WorstCheck,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::NotEnabled => "the configuration",
            Self::DisableFile => "the disable-file",
            Self::Drain => "a drain, which overrides the checks",
            Self::AfterDrain => "the end of a drain: the checks must pass anew",
            Self::Address => "a missing address, which overrides holds",
            Self::Hold => "a hold, which overrides the checks and dampening",
            Self::WarmUp => "`warm-up`: the checks pass, and its names are asked before it returns",
            Self::Dampening => "dampening: the checks pass, and its falls keep it withdrawn",
            Self::WorstCheck => "the worst of its checks",
            Self::NoVerdict => "nothing yet: its checks have no verdict",
        }
    }

    /// The step of the chain.
    pub(super) fn step(self, service: &Service, view: &View) -> Step {
        let Service { state, for_seconds, reason, .. } = service;
        let since = view.since_phrase(*for_seconds);
        // Only a service that stands for all prefixes, while the configuration is unusable, has none.
        let is_unusable = self == Self::NoVerdict && service.checks.is_empty();
        let words = if is_unusable { "the unusable configuration" } else { self.words() };
        let text = format!("decided by {words}; {state} {since}: {reason}");
        Step::new(Stage::Decided, None, text, service.since)
    }
}
