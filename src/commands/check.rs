//! `check`: runs every probe once, without hysteresis, for operators, scripts and monitoring.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use self::seen::Seen;
use super::start_forecast::StartForecast;
use super::{complain, helper, host_name, missing, print, runtime};
use crate::cli::Check as Options;
use crate::config::{self, Config};
use crate::engine::check::Severity;
use crate::exit::Exit;
use crate::outcome::{Cause, Class, Outcome};
use crate::probe::Probe;
use crate::probe::dns::Finding;
use crate::probe::set::is_unknown;
use crate::status::Document;
use crate::text;
use crate::text::period::Shown;

mod seen;

/// The result of one probe.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ProbeReport {
    probe: String,
    /// Also if it failed and the failure is not counted.
    passed: bool,
    /// Why its failure is not counted; `None` if it counts, or did not fail.
    #[serde(skip)]
    not_counted: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_seconds: Option<f64>,
    strays: u32,
    /// Number of datagrams without an answer.
    lost: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    nsid: Option<String>,
}

impl ProbeReport {
    /// The report of a finding; a failure with an `excuse` is shown and not counted.
    fn new(probe: String, finding: Finding, excuse: Option<&'static str>) -> Self {
        let nsid = finding.nsid();
        let (cause, detail, latency) = match (finding.outcome, excuse) {
            (Outcome::Fail(failure), Some(why)) => {
                (None, Some(format!("{why}: {}", without_label(&probe, &failure.detail))), None)
            }
            (Outcome::Pass { latency, .. }, _) => (None, None, Some(latency)),
            (Outcome::Fail(failure) | Outcome::Unknown(failure), _) => {
                (Some(failure.cause), Some(failure.detail), None)
            }
        };
        Self {
            probe,
            passed: cause.is_none(),
            not_counted: excuse,
            cause,
            detail,
            latency_seconds: latency.map(|latency| latency.as_secs_f64()),
            strays: finding.strays,
            lost: finding.lost,
            nsid,
        }
    }

    /// Whether the server answered as expected.
    const fn answered(&self) -> bool {
        self.passed && self.not_counted.is_none()
    }

    /// Whether it passed; `None` if it says nothing about the server.
    fn judged(&self) -> Option<bool> {
        match self.cause {
            None => Some(true),
            Some(cause) if cause.class() == Class::Unknown => None,
            Some(_) => Some(false),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct CheckReport {
    check: String,
    /// Also if too few probes passed only because of failures that are not counted.
    passed: bool,
    /// Why it has no effect though it failed, if the helper counts such a failure only after a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_counted: Option<&'static str>,
    /// Whether too many probes are unknown to decide between pass and failure.
    unknown: bool,
    /// Whether it probes the server or runs a command. Only such a check makes the service unknown.
    #[serde(skip)]
    asks: bool,
    /// The effect of the failure on the service; `observe` if there is none.
    severity: Severity,
    need: usize,
    probes: Vec<ProbeReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ServiceReport {
    service: String,
    /// Whether the helper probes and announces it.
    enabled: bool,
    /// The state after a start now, if it does not depend on the checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<String>,
    severity: Severity,
    /// Whether a check that probes the server or runs a command is unknown.
    unknown: bool,
    checks: Vec<CheckReport>,
}

/// Runs every probe once and shows the results.
///
/// If the result cannot be shown, the exit status is "unknown": 1 would be a warning.
pub(crate) fn run(options: &Options) -> Exit {
    probe_services(options).unwrap_or_else(|error| {
        complain(&error);
        Exit::Unknown
    })
}

fn probe_services(options: &Options) -> anyhow::Result<Exit> {
    let config = match Config::load(&options.configuration.config, &host_name()) {
        Ok(config) => config,
        Err(error) if options.plugin => {
            writeln!(
                text::stdout(),
                "DNS UNKNOWN - {}",
                error.to_string().lines().next().unwrap_or_default()
            )?;
            return Ok(Exit::Unknown);
        }
        Err(error) => {
            writeln!(text::stderr(), "{error}")?;
            return Ok(Exit::Unknown);
        }
    };
    // Select the services.
    let chosen =
        |service: &&config::Service| options.service.as_ref().is_none_or(|name| *name == service.name);
    let services: Vec<_> = config.services.iter().filter(chosen).collect();
    if let (Some(name), []) = (&options.service, services.as_slice()) {
        writeln!(
            text::stderr(),
            "dnsherald: no service `{name}` in {}",
            options.configuration.config.display()
        )?;
        return Ok(Exit::Unknown);
    }
    // Run the probes.
    let path = &options.configuration.config;
    let needs_helper = |check: &config::Check| check.on_fail.once_up || check.counts_once_seen();
    let asks_helper = services.iter().flat_map(|service| &service.checks).any(needs_helper);
    let document = if asks_helper { helper::status_of(&config, path) } else { None };
    let runtime = runtime()?;
    let reports = runtime.block_on(probe(&services, document.as_ref()));
    // Do not wait for tasks that hang.
    runtime.shutdown_background();
    let mut reports = reports?;
    let start_forecast = StartForecast::new(&config, path);
    for report in &mut reports {
        let place = config.services.iter().position(|service| service.name == report.service);
        report.now = place.and_then(|place| start_forecast.of_service(place)).map(ToOwned::to_owned);
    }
    if !options.json && !options.plugin {
        missing::warn(&config)?;
    }
    // Print the results.
    let text = if options.json {
        text::json(serde_json::to_string_pretty(&reports)? + "\n")
    } else if options.plugin {
        plugin_line(&reports)
    } else {
        table(&reports)
    };
    print(&text).context("cannot print the results")?;
    Ok(exit(&reports))
}

/// Runs all checks concurrently, so that several hanging servers cost one timeout together. Reports them in the order
/// of the configuration.
async fn probe(
    services: &[&config::Service],
    document: Option<&Document>,
) -> anyhow::Result<Vec<ServiceReport>> {
    let start = |service, check: &config::Check| {
        tokio::spawn(probe_check(check.clone(), Seen::new(document, service, check)))
    };
    let started: Vec<Vec<_>> = services
        .iter()
        .map(|service| service.checks.iter().map(|check| start(service, check)).collect())
        .collect();
    let mut reports = vec![];
    for (service, asked) in services.iter().zip(started) {
        let mut checks = vec![];
        for check in asked {
            checks.push(check.await.context("a probe was aborted")?);
        }
        reports.push(ServiceReport {
            service: service.name.clone(),
            enabled: service.enabled,
            now: None,
            severity: checks.iter().map(|check| check.severity).max().unwrap_or(Severity::Observe),
            unknown: checks.iter().any(|check| check.asks && check.unknown),
            checks,
        });
    }
    Ok(reports)
}

async fn probe_check(check: config::Check, seen: Seen) -> CheckReport {
    let counts_once_seen = check.counts_once_seen();
    let probe = match &check.probe {
        // A failure shows why, also where the helper does not count it.
        Probe::Dns(set) if counts_once_seen => Probe::Dns(set.clone().once_seen(false)),
        probe => probe.clone(),
    };
    let findings = probe.ask_all().await.into_iter();
    let probes: Vec<_> = findings
        .map(|(probe, finding)| {
            let is_failure = matches!(finding.outcome, Outcome::Fail(_));
            let excuse = (is_failure && counts_once_seen).then(|| seen.why_probe_is_not_counted(&probe));
            ProbeReport::new(probe, finding, excuse.flatten())
        })
        .collect();
    let count = |judged| probes.iter().filter(|probe| probe.judged() == judged).count();
    let (passes, failures, need) = (count(Some(true)), count(Some(false)), check.probe.need());
    let passed = passes >= need;
    let unknown = !passed && is_unknown(passes, failures, probes.len(), need);
    // The cause is one of the probes that decide.
    let deciding = probes.iter().filter(|probe| probe.judged().is_none() == unknown);
    let severities = deciding.filter_map(|probe| probe.cause).map(|cause| check.on_fail.severity(cause));
    let mut worst = severities.max().unwrap_or(Severity::Observe);
    if let Probe::Dns(set) = &check.probe
        && !unknown
        && set.fails_in_part(probes.iter().map(ProbeReport::judged))
    {
        worst = check.on_fail.severity(Cause::Partial);
    }
    let answered = probes.iter().filter(|probe| probe.answered()).count();
    let mut not_counted = match passed && answered < need {
        true => probes.iter().find_map(|probe| probe.not_counted),
        false => None,
    };
    if check.on_fail.once_up && !passed && worst > Severity::Observe {
        not_counted = seen.why_check_is_not_counted();
        if not_counted.is_some() {
            worst = Severity::Observe;
        }
    }
    let asks =
        matches!(check.probe, Probe::Dns(_) | Probe::Command(_) | Probe::Freshness(_) | Probe::Counters(_));
    CheckReport {
        check: check.name.clone(),
        passed,
        not_counted,
        unknown,
        asks,
        severity: if passed { Severity::Observe } else { worst },
        need,
        probes,
    }
}

/// The exit status: that of the worst service.
fn exit(reports: &[ServiceReport]) -> Exit {
    match reports.iter().map(|report| report.severity).max() {
        Some(Severity::Down) => Exit::Critical,
        Some(Severity::Degraded) => Exit::Warning,
        _ if reports.iter().any(|report| report.unknown) => Exit::Unknown,
        _ => Exit::Success,
    }
}

/// The state of a service: that of its worst check.
const fn state(report: &ServiceReport) -> &'static str {
    match report.severity {
        Severity::Observe if report.unknown => "unknown",
        Severity::Observe => "up",
        bad => bad.word(),
    }
}

fn table(reports: &[ServiceReport]) -> String {
    let mut text = String::new();
    for (report, now) in reports.iter().filter_map(|report| Some((report, report.now.as_ref()?))) {
        let _ = writeln!(text, "now: {} would be {now}", report.service);
    }
    for report in reports {
        let enabled = if report.enabled { "" } else { " (not enabled)" };
        let _ = writeln!(text, "service {}{enabled}: {}", report.service, state(report));
        for check in &report.checks {
            let passes = check.probes.iter().filter(|probe| probe.answered()).count();
            let (verdict, why) = match (check.passed, check.unknown, check.not_counted) {
                // The lines of the probes say why.
                (true, _, Some(_)) => ("not counted", None),
                (true, _, None) => ("passed", None),
                (false, true, why) => ("UNKNOWN", why),
                (false, false, why) => ("FAILED", why),
            };
            let why = why.map_or_else(String::new, |why| format!("; {why}"));
            let (name, need, all) = (&check.check, check.need, check.probes.len());
            let _ = writeln!(text, "  check {name}: {verdict}, {passes} of {all} probes, {need} needed{why}");
            let width = check.probes.iter().map(|probe| probe.probe.chars().count()).max().unwrap_or(0);
            for probe in &check.probes {
                let _ = writeln!(text, "    {:width$}  {}", probe.probe, result(probe));
            }
        }
    }
    text
}

/// The detail without the label of the probe, with which the line starts.
fn without_label<'a>(probe: &str, detail: &'a str) -> &'a str {
    detail.strip_prefix(probe).map_or(detail, |rest| rest.trim_start_matches(": "))
}

fn result(probe: &ProbeReport) -> String {
    let mut text = match (probe.latency_seconds, &probe.detail) {
        (Some(latency), _) => {
            let repeated = if probe.lost > 0 { ", after a retry" } else { "" };
            format!("ok in {}{repeated}", Shown(Duration::from_secs_f64(latency)))
        }
        (None, Some(detail)) => {
            let detail = without_label(&probe.probe, detail);
            match probe.cause {
                Some(cause) => format!("{} ({detail})", cause.word()),
                None => detail.to_owned(),
            }
        }
        (None, None) => "failed".to_owned(),
    };
    if let Some(nsid) = &probe.nsid {
        let _ = write!(text, ", NSID {nsid}");
    }
    text
}

/// Formats a line as monitoring plugins do: status, text, and performance data after a bar.
fn plugin_line(reports: &[ServiceReport]) -> String {
    let mut messages = vec![];
    let mut latencies = vec![];
    for report in reports {
        let probes = || report.checks.iter().flat_map(|check| &check.probes);
        // The checks that make the service what it is: a failure without effect is no reason.
        let decides = |check: &&CheckReport| match report.severity {
            Severity::Observe => check.asks && check.unknown,
            worst => !check.passed && check.severity == worst,
        };
        let deciding = report.checks.iter().filter(decides).flat_map(|check| &check.probes);
        let why = deciding.filter(|probe| !probe.passed).find_map(|probe| probe.detail.as_deref());
        let passed = probes().filter(|probe| probe.answered()).count();
        let now = report.now.as_ref().map_or_else(String::new, |now| format!(" (would be {now})"));
        let message = match why {
            Some(why) => format!("{} {}: {why}", report.service, state(report)),
            None => {
                let (state, all) = (state(report), probes().count());
                format!("{} {state}: {passed} of {all} probes passed", report.service)
            }
        };
        messages.push(format!("{message}{now}").replace('|', "/"));
        for check in &report.checks {
            let slowest = check.probes.iter().filter_map(|probe| probe.latency_seconds).reduce(f64::max);
            latencies.extend(
                slowest.map(|latency| format!("'{}/{}'={latency:.6}s;;;0", report.service, check.check)),
            );
        }
    }
    let bar = if latencies.is_empty() { "" } else { " | " };
    let status = exit(reports).plugin_word();
    format!("DNS {status} - {}{bar}{}\n", messages.join("; "), latencies.join(" "))
}
