//! The effect of each cause of failure on the service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Severity;
use crate::outcome::{Cause, Class, Outcome};

/// The severity of each cause of failure.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct OnFail {
    /// For causes not listed. Unless they are listed, [`Cause::RateLimited`], [`Cause::Overload`] and
    /// [`Cause::ProbeOnly`] are observed, and [`Cause::PartlyHung`] and [`Cause::CommandWarning`] degrade at most.
    pub(crate) otherwise: Severity,
    /// The severity of unknown outcomes whose cause is not listed: [`Severity::Observe`] counts as neither a pass nor a
    /// failure.
    pub(crate) unknown: Severity,
    /// The severity of the listed causes.
    pub(crate) by_cause: BTreeMap<Cause, Severity>,
    /// Failures are only observed until the check has been up once ([`Check::was_up`](super::Check)).
    pub(crate) once_up: bool,
    /// Failures of overload degrade at most ([`Cause::is_of_overload`]).
    #[serde(rename = "absorb")]
    pub(crate) absorbs_overload: bool,
}

impl OnFail {
    /// This severity for every failure of which [`severity`](Self::severity) knows no milder one. Unknown outcomes count as
    /// nothing.
    pub(crate) const fn always(severity: Severity) -> Self {
        Self {
            otherwise: severity,
            unknown: Severity::Observe,
            by_cause: BTreeMap::new(),
            once_up: false,
            absorbs_overload: false,
        }
    }

    /// The severity of an outcome of this cause.
    pub(crate) fn severity(&self, cause: Cause) -> Severity {
        // A withdraw for load alone moves the load to the next PoP.
        let unlisted = match cause {
            Cause::RateLimited | Cause::Overload | Cause::ProbeOnly => Severity::Observe,
            Cause::PartlyHung | Cause::CommandWarning => self.otherwise.min(Severity::Degraded),
            _ if cause.class() == Class::Unknown => self.unknown,
            _ => self.otherwise,
        };
        let severity = self.by_cause.get(&cause).copied().unwrap_or(unlisted);
        if self.absorbs_overload && cause.is_of_overload() {
            severity.min(Severity::Degraded)
        } else {
            severity
        }
    }

    /// The worst severity of any cause.
    pub(crate) fn worst(&self) -> Severity {
        self.by_cause.values().copied().fold(self.otherwise, Severity::max)
    }

    /// Whether an outcome says that an address is not on this host and that this brings the service down.
    pub(crate) fn misses_address(&self, outcome: &Outcome) -> bool {
        let is_missing = outcome.failure().is_some_and(|failure| failure.cause == Cause::AddressMissing);
        is_missing && self.severity(Cause::AddressMissing) == Severity::Down
    }
}
