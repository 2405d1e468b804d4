//! Asks the questions of the checks before and after a reload: a server whose zones are unchanged, or which has none, may still
//! refuse its clients.

use futures_util::future::join_all;

use std::net::SocketAddr;

use crate::backend::Backend;
use crate::backend::targets::Targets;
use crate::config::{Check, Config};
use crate::engine::check::Severity;
use crate::outcome::{Cause, Failure, Outcome};
use crate::probe::Probe;

/// The checks that ask the server, by their result before the reload.
pub(super) struct ResultsBefore<'a> {
    /// Those that passed, were unknown, or had a failure that is only observed.
    not_failed: Vec<AskedCheck<'a>>,
    failed: Vec<AskedCheck<'a>>,
    /// Those whose probes count once they have passed, and of which a probe did not pass. Only the helper knows whether it
    /// has passed before.
    not_seen: Vec<AskedCheck<'a>>,
}

/// The questions of a check to the server that is reloaded.
struct AskedCheck<'a> {
    service: &'a str,
    check: &'a Check,
    probe: Probe,
}

impl<'a> ResultsBefore<'a> {
    /// Asks, of each DNS check of the services of this backend, the questions to its addresses, and the lookups whose servers
    /// are all among them.
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
            Some(AskedCheck { service, check, probe })
        });
        let asked: Vec<_> = asked.collect();
        let strict: Vec<_> = asked.iter().filter_map(AskedCheck::strict).collect();
        let (asked, strict) = tokio::join!(by_failure(asked), by_failure(strict));
        Self { not_failed: asked.0, failed: asked.1, not_seen: strict.1 }
    }

    /// Whether every check failed.
    pub(super) const fn all_failed(&self) -> bool {
        self.not_failed.is_empty()
    }

    /// Asks again the checks that did not fail, and describes the questions that fail now.
    pub(super) async fn complaints(&self) -> Vec<String> {
        again(&self.not_failed, |_: &AskedCheck<'_>, _, _: &str| true, "did not fail before the reload").await
    }

    /// Asks again the checks that failed, and describes the questions that still fail and take the service down, or whose check
    /// the failure of the reload before names, if the helper counts them (`is_named`, of a service, its check, and the probe
    /// of a `once-seen` check).
    pub(super) async fn still_failing(
        &self,
        is_named: impl Fn(&str, &str, Option<&str>) -> bool,
    ) -> Vec<String> {
        let counts = |asked: &AskedCheck<'_>, cause, _: &str| {
            takes_down(asked.check, cause) || is_named(asked.service, &asked.check.name, None)
        };
        // Another probe of the check may never pass here.
        let is_probe_named = |asked: &AskedCheck<'_>, _, failure: &str| {
            let probe = failure.split_once(": ").map(|(probe, _)| probe);
            is_named(asked.service, &asked.check.name, probe)
        };
        let before = "failed before the reload, too";
        let (mut failing, not_seen) =
            tokio::join!(again(&self.failed, counts, before), again(&self.not_seen, is_probe_named, before));
        failing.extend(not_seen);
        failing
    }
}

/// Asks these checks: those without a failure, and the others.
async fn by_failure(asked: Vec<AskedCheck<'_>>) -> (Vec<AskedCheck<'_>>, Vec<AskedCheck<'_>>) {
    let failures = join_all(asked.iter().map(AskedCheck::failures)).await;
    let (not_failed, failed): (Vec<_>, Vec<_>) =
        asked.into_iter().zip(failures).partition(|(_, failures)| failures.is_empty());
    let checks = |pairs: Vec<_>| pairs.into_iter().map(|(asked, _)| asked).collect();
    (checks(not_failed), checks(failed))
}

/// Asks these checks again, and describes the failures of the causes that count, with what the check did `before`.
async fn again(
    checks: &[AskedCheck<'_>],
    counts: impl Fn(&AskedCheck<'_>, Cause, &str) -> bool,
    before: &str,
) -> Vec<String> {
    let failures = join_all(checks.iter().map(AskedCheck::failures)).await;
    let shown = checks.iter().zip(failures).flat_map(|(asked, failures)| {
        let counted: Vec<_> =
            failures.into_iter().filter(|(cause, failure)| counts(asked, *cause, failure)).collect();
        let (check, service) = (&asked.check.name, asked.service);
        counted.into_iter().map(move |(_, failure)| format!("{failure}; check {check} of {service} {before}"))
    });
    shown.collect()
}

impl AskedCheck<'_> {
    /// The same questions, each of which counts from the first round; `None` if they do so already.
    fn strict(&self) -> Option<Self> {
        let Probe::Dns(set) = &self.probe else { return None };
        let Self { service, check, .. } = *self;
        set.needs_seen().then(|| Self { service, check, probe: Probe::Dns(set.clone().once_seen(false)) })
    }

    /// The probes because of which the check fails, each with the cause that decides the severity, its address and question,
    /// and what was found and expected. Empty if it passes, if its failure is only observed, or if too many probes are unknown.
    async fn failures(&self) -> Vec<(Cause, String)> {
        let found = self.probe.ask_all().await;
        let passed = found.iter().map(|(_, finding)| match finding.outcome {
            Outcome::Pass { .. } => Some(true),
            Outcome::Fail(_) => Some(false),
            Outcome::Unknown(_) => None,
        });
        let is_partial = matches!(&self.probe, Probe::Dns(set) if set.fails_in_part(passed));
        let deciding_cause = |cause| if is_partial { Cause::Partial } else { cause };
        let is_observed = |cause| self.check.on_fail.severity(deciding_cause(cause)) == Severity::Observe;
        let (mut not_failed, mut failures) = (0, vec![]);
        for (probe, finding) in found {
            match finding.outcome {
                Outcome::Fail(Failure { cause, detail }) if !is_observed(cause) => {
                    let is_named = detail.starts_with(&probe);
                    failures.push((
                        deciding_cause(cause),
                        if is_named { detail } else { format!("{probe}: {detail}") },
                    ));
                }
                Outcome::Pass { .. } | Outcome::Fail(_) | Outcome::Unknown(_) => not_failed += 1,
            }
        }
        if not_failed >= self.probe.need() { vec![] } else { failures }
    }
}

/// Whether a failure of this cause takes the service down, and a reload could repair it. Only the helper knows whether a
/// `once-up` check has been up, and a missing address is no fault of the server.
fn takes_down(check: &Check, cause: Cause) -> bool {
    let on_fail = &check.on_fail;
    !on_fail.once_up && cause != Cause::AddressMissing && on_fail.severity(cause) == Severity::Down
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;
    use crate::responder::{Fault, Responder};

    /// Two servers of which the first one is the backend, with these keys of its check, and a configuration with a check of each.
    pub(crate) async fn host(check_keys: &str) -> (Responder, Responder, Config) {
        host_with(check_keys, "").await
    }

    /// The same, with these lines of the question of the backend.
    pub(crate) async fn host_with(check_keys: &str, dns: &str) -> (Responder, Responder, Config) {
        let own = Responder::bind([127, 0, 0, 1].into()).await.unwrap();
        let other = Responder::bind([127, 0, 0, 2].into()).await.unwrap();
        let check = |name: &str, keys: &str, dns: &str, server: &Responder| {
            let server = server.address();
            format!(
                "[[service.check]]\nname = \"{name}\"\n{keys}\n[service.check.dns]\nquery = \"localhost A\"\n{dns}\n\
                 transport = [\"udp\", \"tcp\"]\npartial = true\nserver = \"{server}\"\n"
            )
        };
        let text = format!(
            "[node]\nmanagement = [\"127.0.0.1\"]\n[backend.unbound]\n[[service]]\nname = \"dns\"\naddress = false\n\
             prefixes = [\"192.0.2.53/32\"]\nbackend = \"unbound\"\n{}{}",
            check("own", check_keys, dns, &own),
            check("other", "", "", &other)
        );
        let config = Config::parse(Path::new("f"), &text, "host").unwrap();
        (own, other, config)
    }

    #[tokio::test]
    async fn only_the_server_that_is_reloaded_is_asked() {
        let (own, other, config) = host("").await;
        let backend = &config.backends[0];
        let answered = ResultsBefore::now(&config, backend, &config.targets_of(backend)).await;
        own.set(Fault::Refuse).await;
        other.set(Fault::Refuse).await;
        let complaints = answered.complaints().await;
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(
            complaints.iter().all(|complaint| complaint.contains("check own of dns did not fail")),
            "{complaints:?}"
        );
        assert!(other.received().is_empty());
    }

    #[tokio::test]
    async fn a_partial_failure_is_judged_by_its_own_cause() {
        for (on_fail, count) in [("on-fail = { partial = \"observe\" }", 0), ("", 1)] {
            let (own, _other, config) = host(on_fail).await;
            let backend = &config.backends[0];
            let answered = ResultsBefore::now(&config, backend, &config.targets_of(backend)).await;
            own.set(Fault::UdpOnly).await;
            let complaints = answered.complaints().await;
            assert_eq!(complaints.len(), count, "{on_fail}: {complaints:?}");
        }
    }

    /// The check fails for the same question before and after.
    #[tokio::test]
    async fn a_failure_from_before_counts_while_it_takes_the_service_down() {
        let down = ["udp", "tcp"].len();
        for (on_fail, count) in [
            ("", down),
            ("on-fail = { servfail = \"degraded\" }", down),
            ("on-fail = { refused = \"degraded\" }", 0),
            ("on-fail = { refused = \"observe\" }", 0),
            ("once-up = true", 0),
        ] {
            let (own, other, config) = host(on_fail).await;
            let backend = &config.backends[0];
            own.set(Fault::Refuse).await;
            other.set(Fault::Refuse).await;
            let answered = ResultsBefore::now(&config, backend, &config.targets_of(backend)).await;
            let still_down = answered.still_failing(|_, _, _| false).await;
            let named = answered.still_failing(|service, check, _| (service, check) == ("dns", "own")).await;
            assert_eq!(
                named.len(),
                if on_fail.contains("observe") { 0 } else { down },
                "{on_fail}: {named:?}"
            );
            assert_eq!(still_down.len(), count, "{on_fail}: {still_down:?}");
            let why = ": answered REFUSED, expected NOERROR; check own of dns failed before the reload, too";
            assert!(still_down.iter().all(|complaint| complaint.ends_with(why)), "{still_down:?}");
            own.set(Fault::None).await;
            assert_eq!(answered.still_failing(|_, _, _| false).await, [""; 0], "{on_fail}");
            assert_eq!(answered.complaints().await, [""; 0], "{on_fail}");
        }
    }

    #[tokio::test]
    async fn a_degraded_check_that_takes_the_service_down_afterwards_counts() {
        let (own, _other, config) = host("on-fail = { servfail = \"degraded\" }").await;
        let backend = &config.backends[0];
        own.set(Fault::Servfail).await;
        let answered = ResultsBefore::now(&config, backend, &config.targets_of(backend)).await;
        assert_eq!(answered.still_failing(|_, _, _| false).await, [""; 0]);
        own.set(Fault::Refuse).await;
        assert_eq!(answered.still_failing(|_, _, _| false).await.len(), 2);
    }

    /// A probe that never passes here is no finding; one that passed before the failed reload is.
    #[tokio::test]
    async fn a_probe_that_counts_once_it_has_passed_counts_if_the_failure_before_names_it() {
        let (own, _other, config) = host_with("", "once-seen = true").await;
        let backend = &config.backends[0];
        own.set(Fault::Refuse).await;
        let answered = ResultsBefore::now(&config, backend, &config.targets_of(backend)).await;
        assert_eq!(answered.complaints().await, [""; 0]);
        let udp = format!("{} udp localhost. A", own.address());
        let failing = answered.still_failing(|_, _, probe| probe.is_some_and(|probe| probe == udp)).await;
        let why = "answered REFUSED, expected NOERROR; check own of dns failed before the reload, too";
        assert_eq!(failing, [format!("{udp}: {why}")]);
        assert_eq!(answered.still_failing(|_, _, _| false).await, [""; 0]);
        own.set(Fault::None).await;
        assert_eq!(answered.still_failing(|_, _, _| true).await, [""; 0]);
    }
}
