//! The questions of the checks before and after a reload: a server can serve every zone as before, or have none, and
//! refuse its clients.

use futures_util::future::join_all;

use crate::backend::Backend;
use crate::config::{Check, Config};
use crate::engine::check::Severity;
use crate::outcome::Outcome;
use crate::probe::Probe;

/// Checks that passed before the reload.
pub(super) struct Answered<'a> {
    /// The service and its check.
    checks: Vec<(&'a str, &'a Check)>,
}

impl<'a> Answered<'a> {
    /// Asks the questions of all checks of the services of this backend.
    pub(super) async fn now(config: &'a Config, backend: &'a Backend) -> Self {
        let services = config.services_of(backend);
        let checks =
            services.flat_map(|service| service.checks.iter().map(|check| (service.name.as_str(), check)));
        let asks = |check: &Check| matches!(check.probe, Probe::Dns(_) | Probe::Lookup(_));
        let checks: Vec<_> = checks.filter(|(_, check)| asks(check)).collect();
        let failures = join_all(checks.iter().map(|(_, check)| failures(check))).await;
        let passed = checks.into_iter().zip(failures).filter(|(_, failures)| failures.is_empty());
        Self { checks: passed.map(|(check, _)| check).collect() }
    }

    /// Whether no check passed.
    pub(super) const fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// Asks the same questions again, and describes those that fail now.
    pub(super) async fn complaints(&self) -> Vec<String> {
        let failures = join_all(self.checks.iter().map(|(_, check)| failures(check))).await;
        let failed = self.checks.iter().zip(failures);
        let shown = failed.flat_map(|((service, check), failures)| {
            failures.into_iter().map(move |failure| {
                format!("{failure}; check {} of {service} passed before the reload", check.name)
            })
        });
        shown.collect()
    }
}

/// The probes because of which a check fails, each with its address and question, and what was found and expected. None if
/// it passes, if its failure is only observed, or if too many probes are unknown.
async fn failures(check: &Check) -> Vec<String> {
    let (mut can_pass, mut failures) = (0, vec![]);
    for (probe, finding) in check.probe.ask_all().await {
        match finding.outcome {
            Outcome::Fail(failure) if check.on_fail.severity(failure.cause) != Severity::Observe => {
                let detail = failure.detail;
                failures.push(if detail.starts_with(&probe) { detail } else { format!("{probe}: {detail}") });
            }
            Outcome::Pass { .. } | Outcome::Fail(_) | Outcome::Unknown(_) => can_pass += 1,
        }
    }
    if can_pass >= check.probe.need() { vec![] } else { failures }
}
