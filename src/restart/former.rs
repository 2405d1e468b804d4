//! The services of the server before the operation: their checks decide which failures afterwards are the fault of the
//! operation.

use std::collections::BTreeSet;

use crate::backend::served::lost_by;
use crate::engine::check::Severity;
use crate::engine::drain::ZoneAt;
use crate::status::{CheckStatus, Service};
use crate::text::foreign;

/// The services as the helper showed them right before the operation.
#[derive(Debug, Default)]
pub(super) struct FormerServices {
    services: Vec<Service>,
    /// The services that an earlier restart has left drained, and why. Their checks may fail because of that restart.
    left_drained: Vec<(String, String)>,
    /// Whether a service may return degraded although it was up.
    accepts_degraded: bool,
}

impl FormerServices {
    pub(super) const fn new(
        services: Vec<Service>,
        left_drained: Vec<(String, String)>,
        accepts_degraded: bool,
    ) -> Self {
        Self { services, left_drained, accepts_degraded }
    }

    /// The zones that earlier operations on the server have lost, for an operator who is to repair that.
    pub(super) fn lost_zones(&self) -> BTreeSet<ZoneAt> {
        if self.accepts_degraded {
            return BTreeSet::new();
        }
        let left = self.left_drained.iter().flat_map(|(_, why)| lost_by(why));
        left.chain(self.services.iter().flat_map(Service::lost_by_reload)).collect()
    }

    /// The checks of this service that must pass before it returns, although their failure only degrades it.
    pub(super) fn needed(&self, service: &str) -> Vec<String> {
        if self.accepts_degraded { vec![] } else { self.fault_shown_by(service) }
    }

    /// The checks of this service whose failure afterwards is the fault of the operation: those that passed before, or failed
    /// because of an earlier one.
    fn fault_shown_by(&self, service: &str) -> Vec<String> {
        let former = self.services.iter().filter(|former| former.name == service);
        let checks = former.flat_map(|former| former.checks.iter().map(move |check| (former, check)));
        let counts = |check: &CheckStatus| {
            check.on_fail.is_some_and(|worst| worst > Severity::Observe) && !check.unproven
        };
        let passed = |check: &CheckStatus| {
            matches!(&*check.state, "up" | "falling") && check.severity == Some(Severity::Observe)
        };
        let shows = |former: &Service, check: &CheckStatus| {
            counts(check) && (passed(check) || self.is_broken_before(former, &check.name))
        };
        checks.filter(|(former, check)| shows(former, check)).map(|(_, check)| check.name.clone()).collect()
    }

    /// Whether an earlier restart or reload may have broken what this check of a former service asks.
    fn is_broken_before(&self, former: &Service, check: &str) -> bool {
        self.left_drained.iter().any(|(service, _)| *service == former.name)
            || former.is_in_reload_failure(check)
    }

    /// The checks that degrade this service by the fault of the operation, as clauses of a sentence.
    pub(super) fn worse(&self, service: &Service) -> Vec<String> {
        let shown_by = self.fault_shown_by(&service.name);
        let degrades = |check: &&CheckStatus| check.severity == Some(Severity::Degraded);
        let worse = service.checks.iter().filter(degrades).filter(|check| shown_by.contains(&check.name));
        let clause = |check: &CheckStatus| {
            format!("check {} of {} degrades it since then", foreign(&check.name), foreign(&service.name))
        };
        worse.map(clause).collect()
    }

    /// Whether this check keeps the service from returning: it takes the service down; it is needed and degrades the service;
    /// or it counts, has no verdict yet, and is not unknown.
    pub(super) fn blocks(&self, service: &Service, check: &CheckStatus) -> bool {
        match check.severity {
            None => check.unknown_for_seconds.is_none() && check.on_fail != Some(Severity::Observe),
            Some(Severity::Observe) => false,
            Some(Severity::Degraded) => self.needed(&service.name).contains(&check.name),
            Some(Severity::Down) => true,
        }
    }

    /// This check as it was before, if it failed with an effect.
    pub(super) fn former_failure(&self, service: &Service, check: &CheckStatus) -> Option<&CheckStatus> {
        let former = self.services.iter().find(|former| former.name == service.name)?;
        let fails = |one: &&CheckStatus| one.severity.is_some_and(|severity| severity > Severity::Observe);
        former.checks.iter().filter(fails).find(|one| one.name == check.name)
    }

    /// Whether a check took this service down before.
    pub(super) fn was_down(&self, service: &Service) -> bool {
        let takes_down = |check: &CheckStatus| {
            self.former_failure(service, check).is_some_and(|former| former.severity == Some(Severity::Down))
        };
        service.checks.iter().any(takes_down)
    }

    /// Whether each of these services fails, and only in checks that failed before with the same cause and effect, but not
    /// because of an earlier restart or reload.
    pub(super) fn fail_as_before(&self, services: &[&Service]) -> bool {
        let cause = |check: &CheckStatus| check.last.as_ref().and_then(|last| last.cause.clone());
        services.iter().all(|service| {
            let is_as_before = |check: &CheckStatus| {
                let former = self.former_failure(service, check);
                !self.is_broken_before(service, &check.name)
                    && former.is_some_and(|former| {
                        cause(former) == cause(check) && former.severity >= check.severity
                    })
            };
            let mut blocking = service.checks.iter().filter(|check| self.blocks(service, check)).peekable();
            blocking.peek().is_some() && blocking.all(is_as_before)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restart::checks::tests::{check, service};

    fn failing(severity: &str, cause: &str) -> Service {
        let last = format!("\"last\": {{\"ago-seconds\": 1.0, \"passed\": false, \"cause\": \"{cause}\"}}");
        let check = check("down", severity).replace("\"last\": null", &last);
        service("drained", "", &check.replace("\"severity\"", "\"on-fail\": \"down\", \"severity\""))
    }

    #[test]
    fn a_failure_is_as_before_with_the_same_cause_and_effect() {
        let before = |severity| FormerServices::new(vec![failing(severity, "timeout")], vec![], false);
        let (down, degraded) = (before("\"down\""), before("\"degraded\""));
        let fails = failing("\"down\"", "timeout");
        assert!(down.fail_as_before(&[&fails]) && down.was_down(&fails));
        assert!(!down.fail_as_before(&[&failing("\"down\"", "refused")]));
        assert!(!down.fail_as_before(&[&service("up", "", "")]), "it waits for ExaBGP");
        assert!(!degraded.fail_as_before(&[&fails]) && !degraded.was_down(&fails));
    }

    /// The checks that keep a service drained are those that would make it worse than before.
    #[test]
    fn a_check_that_passed_before_blocks_the_return_also_if_it_only_degrades() {
        let passing = || {
            let text =
                check("up", "\"observe\"").replace("\"severity\"", "\"on-fail\": \"degraded\", \"severity\"");
            service("drained", "", &text)
        };
        let fails = failing("\"degraded\"", "servfail");
        let blocks = |former: Service, left: &[&str]| {
            let left = left.iter().map(|&name| (name.to_owned(), String::new())).collect();
            FormerServices::new(vec![former], left, false).blocks(&fails, &fails.checks[0])
        };
        assert!(blocks(passing(), &[]));
        assert!(!blocks(failing("\"degraded\"", "servfail"), &[]));
        assert!(blocks(failing("\"degraded\"", "servfail"), &["a"]), "an earlier restart may have broken it");
    }

    #[test]
    fn a_check_that_counts_blocks_the_return_until_it_has_a_verdict() {
        let of = |severity, more: &str| {
            let text = check("rising", severity).replace("\"last\": null", &format!("\"last\": null{more}"));
            let service = service("drained", "", &text);
            FormerServices::default().blocks(&service, &service.checks[0])
        };
        assert!(of("null", "") && of("\"down\"", "") && of("null", ", \"on-fail\": \"degraded\""));
        assert!(!of("\"degraded\"", "") && !of("null", ", \"on-fail\": \"observe\""));
        assert!(!of("null", ", \"unknown-for-seconds\": 3.0"));
    }
}
