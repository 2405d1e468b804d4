//! The questions of the checks before and after a reload: a server can serve every zone as before, or have none, and
//! refuse its clients.

use futures_util::future::join_all;

use std::net::SocketAddr;

use crate::backend::Backend;
use crate::backend::targets::Targets;
use crate::config::{Check, Config};
use crate::engine::check::Severity;
use crate::outcome::{Cause, Outcome};
use crate::probe::Probe;

/// Checks that passed before the reload.
pub(super) struct Answered<'a> {
    checks: Vec<Asked<'a>>,
}

/// The questions of a check to the server that is reloaded.
struct Asked<'a> {
    service: &'a str,
    check: &'a Check,
    probe: Probe,
}

impl<'a> Answered<'a> {
    /// Asks the questions of the checks of the services of this backend, as far as they go to one of its addresses.
    pub(super) async fn now(config: &'a Config, backend: &'a Backend, targets: &Targets) -> Self {
        let addresses: Vec<_> = targets.all().iter().map(|target| target.server.ip()).collect();
        let is_asked = |server: SocketAddr| addresses.contains(&server.ip());
        let checks = config
            .services_of(backend)
            .flat_map(|service| service.checks.iter().map(|check| (service.name.as_str(), check)));
        let asked = checks.filter_map(|(service, check)| {
            let probe = match &check.probe {
                Probe::Dns(set) => Probe::Dns(set.at(is_asked)?),
                Probe::Lookup(lookup) if lookup.servers.iter().all(|(server, _)| is_asked(*server)) => {
                    Probe::Lookup(lookup.clone())
                }
                _ => return None,
            };
            Some(Asked { service, check, probe })
        });
        let asked: Vec<_> = asked.collect();
        let failures = join_all(asked.iter().map(Asked::failures)).await;
        let passed = asked.into_iter().zip(failures).filter(|(_, failures)| failures.is_empty());
        Self { checks: passed.map(|(asked, _)| asked).collect() }
    }

    /// Whether no check passed.
    pub(super) const fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// Asks the same questions again, and describes those that fail now.
    pub(super) async fn complaints(&self) -> Vec<String> {
        let failures = join_all(self.checks.iter().map(Asked::failures)).await;
        let failed = self.checks.iter().zip(failures);
        let shown = failed.flat_map(|(Asked { service, check, .. }, failures)| {
            failures.into_iter().map(move |failure| {
                format!("{failure}; check {} of {service} passed before the reload", check.name)
            })
        });
        shown.collect()
    }
}

impl Asked<'_> {
    /// The probes because of which the check fails, each with its address and question, and what was found and expected.
    /// None if it passes, if its failure is only observed, or if too many probes are unknown.
    async fn failures(&self) -> Vec<String> {
        let found = self.probe.ask_all().await;
        let passed = found.iter().map(|(_, finding)| match finding.outcome {
            Outcome::Pass { .. } => Some(true),
            Outcome::Fail(_) => Some(false),
            Outcome::Unknown(_) => None,
        });
        let is_partial = matches!(&self.probe, Probe::Dns(set) if set.fails_in_part(passed));
        let (mut can_pass, mut failures) = (0, vec![]);
        for (probe, finding) in found {
            match finding.outcome {
                Outcome::Fail(failure)
                    if self.counts(if is_partial { Cause::Partial } else { failure.cause }) =>
                {
                    let detail = failure.detail;
                    failures.push(if detail.starts_with(&probe) {
                        detail
                    } else {
                        format!("{probe}: {detail}")
                    });
                }
                Outcome::Pass { .. } | Outcome::Fail(_) | Outcome::Unknown(_) => can_pass += 1,
            }
        }
        if can_pass >= self.probe.need() { vec![] } else { failures }
    }

    fn counts(&self, cause: Cause) -> bool {
        self.check.on_fail.severity(cause) != Severity::Observe
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::responder::{Fault, Responder};

    /// Two servers of which the first one is the backend, and a configuration with this check of each.
    async fn host(check: &str) -> (Responder, Responder, Config) {
        let own = Responder::bind([127, 0, 0, 1].into()).await.unwrap();
        let other = Responder::bind([127, 0, 0, 2].into()).await.unwrap();
        let check = |name: &str, server: &Responder| {
            let server = server.address();
            format!(
                "[[service.check]]\nname = \"{name}\"\n{check}\n[service.check.dns]\nquery = \"localhost A\"\n\
                 transport = [\"udp\", \"tcp\"]\npartial = true\nserver = \"{server}\"\n"
            )
        };
        let text = format!(
            "[node]\nmanagement = [\"127.0.0.1\"]\n[backend.unbound]\n[[service]]\nname = \"dns\"\naddress = false\n\
             prefixes = [\"192.0.2.53/32\"]\nbackend = \"unbound\"\n{}{}",
            check("own", &own),
            check("other", &other)
        );
        let config = Config::parse(Path::new("f"), &text, "host").unwrap();
        (own, other, config)
    }

    #[tokio::test]
    async fn only_the_server_that_is_reloaded_is_asked() {
        let (own, other, config) = host("").await;
        let backend = &config.backends[0];
        let answered = Answered::now(&config, backend, &config.targets_of(backend)).await;
        own.set(Fault::Refuse).await;
        other.set(Fault::Refuse).await;
        let complaints = answered.complaints().await;
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(
            complaints.iter().all(|complaint| complaint.contains("check own of dns passed")),
            "{complaints:?}"
        );
        assert!(other.received().is_empty());
    }

    #[tokio::test]
    async fn a_partial_failure_is_judged_by_its_own_cause() {
        for (on_fail, count) in [("on-fail = { partial = \"observe\" }", 0), ("", 1)] {
            let (own, _other, config) = host(on_fail).await;
            let backend = &config.backends[0];
            let answered = Answered::now(&config, backend, &config.targets_of(backend)).await;
            own.set(Fault::UdpOnly).await;
            let complaints = answered.complaints().await;
            assert_eq!(complaints.len(), count, "{on_fail}: {complaints:?}");
        }
    }
}
