//! `backend reload`: checks the configuration, reloads, and compares the zones and the answers with those before.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::answered::ResultsBefore;
use super::questions::QuestionReporter;
use super::status;
use crate::backend::Backend;
use crate::backend::answers::Zone;
use crate::backend::served::{Complaint, Served, Source, lost_by, remedy, serials_before, still_lost};
use crate::backend::targets::Targets;
use crate::config::Config;
use crate::control::client::Client;
use crate::engine::drain::{UNTOUCHED, ZoneAt};
use crate::exit::Exit;
use crate::probe::dns::PORT_CLOSED;
use crate::probe::freshness::serial::is_newer;
use crate::process::Missing;
use crate::restart::{Lock, ReloadFailure, Verified, after_success, report_reload};
use crate::status::{Drain, Service};
use crate::text::period::Period;
use crate::text::{self, counted, joined, ordered};

/// The interval between two comparisons.
const PAUSE: Duration = Duration::from_millis(250);

/// A server may serve its old zones while it reads the new ones; therefore all must be well for this time.
const SETTLED: Duration = Duration::from_secs(1);

/// Reloads, unless the configuration is invalid or a restart is under way. The helper logs the result, unless a restart is
/// under way, and does not take the questions for those of clients.
pub(super) async fn run(
    config: &Config,
    backend: &Backend,
    helper: &Client,
    removed: &[String],
) -> anyhow::Result<Exit> {
    let name = &backend.name;
    let _lock = match Lock::for_reload(&config.control, name) {
        Ok(lock) => lock,
        Err(trouble) => {
            writeln!(text::stderr(), "{name}: not reloaded, the server was not touched: {trouble}")?;
            return Ok(Exit::Failure);
        }
    };
    // A server without a reload has none to check for: `Backend::reload` refuses it.
    if !backend.reload.is_empty()
        && let Err(trouble) = backend.check().await
    {
        writeln!(text::stderr(), "{name}: not reloaded, the server was not touched: {trouble}")?;
        let why = format!("{UNTOUCHED}{trouble}");
        report_reload(config, backend, helper, Err(ReloadFailure { why, lost: None })).await;
        return Ok(Exit::Failure);
    }
    let targets = config.targets_of(backend);
    let mut reporter = QuestionReporter::new(helper);
    let verified = Verified::load(config, backend);
    let record = verified.as_ref().map(|verified| &*verified.zones);
    let former = async {
        let served = Served::now(&targets, backend, removed, record);
        tokio::join!(served, ResultsBefore::now(config, backend, &targets))
    };
    let (served, results_before) = reporter.report(former).await;
    if served.source == Source::Recorded
        && let Some(note) = verified.as_ref().and_then(Verified::note)
    {
        writeln!(text::stderr(), "{name}: {note}")?;
    }
    match backend.reload().await {
        Ok(done) => {
            for step in done {
                writeln!(text::stdout(), "{name}: {step}")?;
            }
        }
        Err(trouble) => {
            writeln!(text::stderr(), "{name}: the reload failed: {trouble}")?;
            if matches!(backend.process().await, Some(Err(_))) {
                writeln!(text::stderr(), "{name}: {}", restart_instead(name))?;
            }
            let why = format!("failed: {trouble}");
            report_reload(config, backend, helper, Err(ReloadFailure { why, lost: None })).await;
            return Ok(Exit::Failure);
        }
    }
    let reloaded_at = Instant::now();
    // A successful reload command does not prove that each zone was loaded, nor that clients are answered.
    let mut complaints = complaints_since(&targets, backend, &served, &results_before, &mut reporter).await;
    // The services that a failed operation before has left worse: this reload is to repair them.
    let failed = services_to_repair(helper, backend).await;
    if !failed.is_empty() {
        let left_drained = failed.iter().flat_map(|service| drains_left(service, backend));
        let by_restart = left_drained.flat_map(|drain| lost_by(&drain.reason));
        let lost = ordered(failed.iter().flat_map(Service::lost_by_reload).chain(by_restart));
        let before = serials_to_reach(record, &failed, backend);
        let look = || still_lost(&lost, &before, &complaints.zones, &targets, backend.timeout, removed);
        let lost = look_until_none(backend, reloaded_at, look, &mut reporter).await;
        complaints.zones.extend(lost);
        complaints.still_failing = still_failing(&results_before, &failed, &mut reporter).await;
    }
    let exit = reporter.report(status::run(config, backend, false)).await?;
    let source = served.source;
    // While the drain of a failed restart stays, what counts is from before that.
    let saves = failed.iter().all(|service| drains_left(service, backend).next().is_none());
    if !complaints.zones.is_empty() && (saves || verified.is_some()) {
        Verified::keep_newest(config, backend, verified.as_ref(), served);
    }
    let lost = || complaints.zones.iter().map(|complaint| complaint.zone.clone()).collect();
    let ended = match complaints.summary(exit) {
        Some(why) => Err(ReloadFailure { why, lost: Some(lost()) }),
        None => {
            let check = after_success(config, backend, source, verified.as_ref(), removed, saves);
            Ok(reporter.report(check).await)
        }
    };
    if let Ok(Some(unverified)) = &ended {
        writeln!(text::stderr(), "{name}: WARNING: {unverified}")?;
    }
    report_reload(config, backend, helper, ended).await;
    let has_ended = exit != Exit::Success && has_ended(backend).await;
    for line in complaints.lines(name, exit, has_ended) {
        writeln!(text::stderr(), "{name}: {line}")?;
    }
    Ok(if complaints.is_empty() { exit } else { Exit::Failure })
}

/// Looks until nothing is found, or the start timeout has passed since the reload command ended (`reloaded_at`): a zone may
/// still be loaded, or transferred.
async fn look_until_none<F: Future<Output = Vec<Complaint>>>(
    backend: &Backend,
    reloaded_at: Instant,
    look: impl Fn() -> F,
    reporter: &mut QuestionReporter<'_>,
) -> Vec<Complaint> {
    let mut is_told = false;
    loop {
        let found = reporter.report(look()).await;
        if found.is_empty() || reloaded_at.elapsed() >= backend.start_timeout {
            return found;
        }
        if !std::mem::replace(&mut is_told, true) {
            tell_of_wait(backend);
        }
        sleep(PAUSE).await;
    }
}

fn tell_of_wait(backend: &Backend) {
    let (name, limit) = (&backend.name, Period(backend.start_timeout));
    let _ = writeln!(text::stderr(), "{name}: waiting up to {limit} for the zones and the answers");
}

/// The newest serials from before the operation that has failed: those of the record, and those in its message.
fn serials_to_reach(record: Option<&[Zone]>, failed: &[Service], backend: &Backend) -> BTreeMap<ZoneAt, u32> {
    let place = |zone: &Zone| (zone.zone.to_ascii_lowercase(), zone.server);
    let recorded = record.into_iter().flatten().filter_map(|zone| Some((place(zone), zone.serial?)));
    let by_reload = failed.iter().filter_map(Service::reload_to_repair);
    let by_restart =
        failed.iter().flat_map(|service| drains_left(service, backend)).map(|drain| &*drain.reason);
    let mut newest = BTreeMap::new();
    for (place, serial) in recorded.chain(by_reload.chain(by_restart).flat_map(serials_before)) {
        let known = newest.entry(place).or_insert(serial);
        if is_newer(serial, *known) {
            *known = serial;
        }
    }
    newest
}

/// Whether the server certainly does not run.
async fn has_ended(backend: &Backend) -> bool {
    matches!(backend.process().await, Some(Err(Missing::Surely(_))))
}

/// The remedy if the server is down, or may be.
fn restart_instead(name: &str) -> String {
    format!(
        "a reload does not start the server: see its log, correct its configuration, then `dnsherald backend restart {name}`"
    )
}

/// Maximum number of complaints to print about a server that has ended.
const MOST_IF_ENDED: usize = 2;

/// What is wrong after the reload.
#[derive(Debug, Default)]
struct Complaints {
    zones: Vec<Complaint>,
    /// Of checks that did not fail before.
    questions: Vec<String>,
    /// Of checks that failed before, too, and take the service down, or failed because of the reload before.
    still_failing: Vec<String>,
}

impl Complaints {
    fn all(&self) -> impl Iterator<Item = &String> {
        let zones = self.zones.iter().map(|complaint| &complaint.text);
        zones.chain(&self.questions).chain(&self.still_failing)
    }

    fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Each complaint, then what to do. If the server `has_ended`, every complaint follows from that, so only the first ones
    /// are printed, without the advice for a server that runs.
    fn lines(&self, name: &str, exit: Exit, has_ended: bool) -> Vec<String> {
        let most = if has_ended { MOST_IF_ENDED } else { usize::MAX };
        let mut lines: Vec<_> =
            self.all().take(most).map(|complaint| format!("reloaded, but {complaint}")).collect();
        let rest = self.all().count().saturating_sub(most);
        if rest > 0 {
            lines.push(format!("{}, since the server has ended", counted(rest, "further complaint")));
        }
        if !self.zones.is_empty() && !has_ended {
            let remedy = remedy(&self.zones).map(|remedy| format!("; {remedy}")).unwrap_or_default();
            lines.push(format!("see the server's log{remedy}"));
        }
        if !self.questions.is_empty() || !self.still_failing.is_empty() {
            if exit == Exit::Success {
                let repair = match self.questions.is_empty() {
                    true => "correct the configuration of the server",
                    false => "put the former configuration back",
                };
                lines.push(
                    "see the server's log, its access lists and the addresses at which it listens".to_owned(),
                );
                lines.push(format!("to repair this, {repair} and reload again"));
                if self.all().any(|complaint| complaint.contains(PORT_CLOSED)) {
                    lines.push(format!(
                        "a reload may not open an address that the server has closed: `dnsherald backend restart {name}` does"
                    ));
                }
            }
            lines.push("`dnsherald explain` names what is announced meanwhile".to_owned());
        }
        if exit != Exit::Success {
            lines.push(restart_instead(name));
        }
        lines
    }

    /// For the log, after the name of the operation; `None` if nothing is wrong and `backend status` ends well.
    fn summary(&self, exit: Exit) -> Option<String> {
        if self.is_empty() {
            return (exit != Exit::Success)
                .then(|| "done, but the server is stopped, hung or in an unknown state".to_owned());
        }
        Some(format!("done, but {}", joined(self.all(), "; ")))
    }
}

/// The complaints about zones that are worse than in `served`, about zones of the services that are not served, and about
/// checks that did not fail in `results_before`. They are those after at most the start timeout of the server; a settling
/// time that has begun by then ends first.
async fn complaints_since(
    targets: &Targets,
    backend: &Backend,
    served: &Served,
    results_before: &ResultsBefore<'_>,
    reporter: &mut QuestionReporter<'_>,
) -> Complaints {
    if served.all().next().is_none() && results_before.all_failed() {
        return Complaints::default();
    }
    let began = Instant::now();
    let (mut settled_since, mut is_told) = (None, false);
    loop {
        let again =
            async { tokio::join!(served.again(targets, backend.timeout), results_before.complaints()) };
        let (zones, unanswered) = reporter.report(again).await;
        let complaints =
            Complaints { zones: zones.complaints(served), questions: unanswered, still_failing: vec![] };
        match (complaints.is_empty(), settled_since) {
            (true, Some(since)) if Instant::now() >= since + SETTLED => return complaints,
            (true, Some(_)) => {}
            (true, None) => settled_since = Some(Instant::now()),
            (false, _) if began.elapsed() >= backend.start_timeout => return complaints,
            (false, _) => {
                settled_since = None;
                if began.elapsed() >= SETTLED && !std::mem::replace(&mut is_told, true) {
                    tell_of_wait(backend);
                }
            }
        }
        sleep(PAUSE).await;
    }
}

/// The services of this server whose last reload has failed after it touched the server, or that a restart has left drained:
/// one that failed, or one of the unit after which the checks fail. As the helper says.
async fn services_to_repair(helper: &Client, backend: &Backend) -> Vec<Service> {
    let mut services = helper.look().await.map_or_else(|_| vec![], |document| document.services);
    services.retain(|service| {
        let of_unit = |drain: &Drain| drain.returning && service.unit.as_ref() == Some(&drain.holder);
        let is_broken = service.reload_to_repair().is_some()
            || drains_left(service, backend).next().is_some()
            || service.drains.iter().any(of_unit);
        service.backend.as_deref() == Some(backend.name.as_str()) && is_broken
    });
    services
}

/// The drains that failed restarts of this server have left.
fn drains_left<'a>(service: &'a Service, backend: &Backend) -> impl Iterator<Item = &'a Drain> {
    service.drains.iter().filter(|drain| drain.left_by() == Some(backend.name.as_str()))
}

/// The complaints about the checks that failed before: a service may have been down for long, therefore no wait for the start
/// timeout. A server that has just started to answer has the settling time.
async fn still_failing(
    results_before: &ResultsBefore<'_>,
    failed: &[Service],
    reporter: &mut QuestionReporter<'_>,
) -> Vec<String> {
    let is_named = |name: &str, check: &str, probe: Option<&str>| {
        let of_name = failed.iter().filter(|service| service.name == name);
        of_name
            .filter(|service| service.is_in_reload_failure(check))
            .any(|service| service.checks.iter().any(|its| its.name == check && its.counts(probe)))
    };
    let began = Instant::now();
    loop {
        let is_last = began.elapsed() >= SETTLED;
        let complaints = reporter.report(results_before.still_failing(is_named)).await;
        if is_last || complaints.is_empty() {
            return complaints;
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::answered::tests::{host, host_with};
    use super::*;
    use crate::probe::dns::Transport;
    use crate::responder::Fault;

    /// What follows from the end of the server does not hide the remedy.
    #[test]
    fn of_a_server_that_has_ended_only_the_first_complaints_are_printed() {
        let questions = ["a", "b", "c", "d"].map(|check| format!("{check} has no answer"));
        let complaints = Complaints { questions: questions.to_vec(), ..Complaints::default() };
        let explain = "`dnsherald explain` names what is announced meanwhile".to_owned();
        let expected = [
            "reloaded, but a has no answer",
            "reloaded, but b has no answer",
            "2 further complaints, since the server has ended",
            &explain,
            &restart_instead("unbound"),
        ];
        assert_eq!(complaints.lines("unbound", Exit::Failure, true), expected);
        let lines = complaints.lines("unbound", Exit::Success, false);
        assert_eq!(lines.len(), 4 + 2 + 1, "{lines:?}");
        assert_eq!(lines.last(), Some(&explain));
    }

    #[tokio::test]
    async fn a_server_that_answers_a_moment_after_the_reload_is_repaired() {
        let helper = Client::new(Path::new("/nowhere"));
        for is_repaired in [true, false] {
            let (own, _other, config) = host("").await;
            own.set(Fault::Refuse).await;
            let backend = &config.backends[0];
            let mut reporter = QuestionReporter::new(&helper);
            let results_before = ResultsBefore::now(&config, backend, &config.targets_of(backend)).await;
            let before = own.count(Transport::Udp);
            let repair = async {
                while own.count(Transport::Udp) < before + 2 {
                    sleep(Duration::from_millis(1)).await;
                }
                own.set(if is_repaired { Fault::None } else { Fault::Refuse }).await;
            };
            let began = Instant::now();
            let (complaints, ()) = tokio::join!(still_failing(&results_before, &[], &mut reporter), repair);
            assert_eq!(complaints.is_empty(), is_repaired, "{complaints:?}");
            assert!(began.elapsed() < backend.start_timeout / 2, "it waits for the start timeout");
        }
    }

    /// A `failed-reload` that was cut, with `…` at its end, stands for every check. Only `unproven` and `unseen` then keep a
    /// probe that has never passed from failing each further reload.
    #[tokio::test]
    async fn a_probe_that_the_helper_does_not_count_does_not_fail_the_next_reload() {
        let (own, _other, config) = host_with("", "once-seen = true").await;
        own.set(Fault::Refuse).await;
        let backend = &config.backends[0];
        let results_before = ResultsBefore::now(&config, backend, &config.targets_of(backend)).await;
        let helper = Client::new(Path::new("/nowhere"));
        let failing = async |unproven: bool, unseen: &[&str]| {
            let unseen: Vec<_> = unseen
                .iter()
                .map(|transport| format!("{} {transport} localhost. A", own.address()))
                .collect();
            let service = serde_json::from_value(serde_json::json!({
                "name": "dns", "state": "up", "for-seconds": 1.0, "reason": "", "prefixes": [], "drains": [],
                "disabled": false, "failed-reload": "reload unbound done, but …",
                "dampening": {"penalty": 0, "suppressed": false, "reuse-in-seconds": null},
                "checks": [{
                    "name": "own", "state": "up", "streak": 1, "rise": 1, "fall": 1, "severity": "observe",
                    "last": null, "unproven": unproven, "unseen": unseen
                }]
            }));
            let mut reporter = QuestionReporter::new(&helper);
            still_failing(&results_before, &[service.unwrap()], &mut reporter).await.len()
        };
        assert_eq!(failing(false, &["udp", "tcp"]).await, 0);
        assert_eq!(failing(false, &["tcp"]).await, 1);
        assert_eq!(failing(true, &[]).await, 0);
        assert_eq!(failing(false, &[]).await, 2);
    }
}
