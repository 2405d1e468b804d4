//! `backend status`: all that can be learned of the server, and what stands in the way of the rest.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::proto::rr::RData;
use serde::Serialize;

use crate::backend::listeners::{self, Listener};
use crate::backend::process::Process;
use crate::backend::systemd::Unit;
use crate::backend::{Backend, Checked, Kind, State, Status, Trouble};
use crate::config::Config;
use crate::exit::Exit;
use crate::period::Shown;
use crate::probe::dns::{Finding, Probe, Query, Question, Transport};
use crate::probe::{Failure, Outcome};

/// Between two looks at the counters.
const MOMENT: Duration = Duration::from_secs(1);

/// All that was learned.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    backend: String,
    kind: Kind,
    #[serde(flatten)]
    status: Status,
    unit: Option<String>,
    systemd: Known<Unit>,
    process: Known<ProcessReport>,
    version: Known<String>,
    identity: Option<String>,
    listeners: Vec<Listener>,
    configuration: Known<&'static str>,
    queries: Known<Queries>,
    zones: Vec<Zone>,
    needs: Vec<Need>,
}

/// What was found, or why nothing was.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Known<T> {
    Found(T),
    NotFound(String),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ProcessReport {
    #[serde(flatten)]
    process: Process,
    since: String,
    seconds: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Queries {
    total: u64,
    per_second: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Zone {
    zone: String,
    server: SocketAddr,
    serial: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

/// What is in the way of something, and what to do about it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Need {
    what: &'static str,
    why: String,
    remedy: String,
}

/// Asks all at once, so that a server that hangs costs one timeout, and shows what was found.
pub(super) async fn run(config: &Config, backend: &Backend, json: bool) -> anyhow::Result<Exit> {
    let report = learn(config, backend).await;
    let text = if json { serde_json::to_string_pretty(&report)? + "\n" } else { table(&report) };
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(if report.status.state == State::Running { Exit::Success } else { Exit::Failure })
}

async fn learn(config: &Config, backend: &Backend) -> Report {
    let (status, unit, process, version, checked, queries, identity, zones) = tokio::join!(
        backend.status(),
        backend.unit(),
        backend.process(),
        backend.version(),
        backend.check(),
        queries(backend),
        identity(&config.node.management, backend.timeout),
        zones(config, backend),
    );
    let mut needs = Needs::default();
    needs.add(
        "status",
        status
            .remedy
            .as_ref()
            .map(|_| Trouble { why: status.why.clone(), remedy: status.remedy.clone() })
            .as_ref(),
    );
    let configuration = match checked {
        Ok(Checked::Valid) => Known::Found("in order"),
        Ok(Checked::Unchecked) => Known::NotFound("nothing checks it".to_owned()),
        Err(trouble) => needs.known("configuration", trouble),
    };
    let systemd = match unit {
        Some(Ok(unit)) => Known::Found(unit),
        Some(Err(trouble)) => Known::NotFound(trouble.why),
        None => Known::NotFound("no unit".to_owned()),
    };
    let process = match process {
        Ok(Some(process)) => Known::Found(ProcessReport::of(process)),
        Ok(None) => Known::NotFound("there is none".to_owned()),
        Err(trouble) => needs.known("process", trouble),
    };
    let version = version.map_or_else(|trouble| needs.known("version", trouble), Known::Found);
    let queries = queries.map_or_else(|trouble| needs.known("queries", trouble), Known::Found);
    Report {
        backend: backend.name.clone(),
        kind: backend.kind,
        status,
        unit: backend.unit.clone(),
        systemd,
        process,
        version,
        identity,
        listeners: listeners::on_port(listeners::PORT),
        configuration,
        queries,
        zones,
        needs: needs.0,
    }
}

/// Each remedy once, under the first thing that it is needed for.
#[derive(Default)]
struct Needs(Vec<Need>);

impl Needs {
    fn add(&mut self, what: &'static str, trouble: Option<&Trouble>) {
        if let Some(Trouble { why, remedy: Some(remedy) }) = trouble
            && !self.0.iter().any(|need| need.remedy == *remedy)
        {
            self.0.push(Need { what, why: why.clone(), remedy: remedy.clone() });
        }
    }

    fn known<T>(&mut self, what: &'static str, trouble: Trouble) -> Known<T> {
        self.add(what, Some(&trouble));
        Known::NotFound(trouble.why)
    }
}

impl ProcessReport {
    fn of(process: Process) -> Self {
        Self {
            since: humantime::format_rfc3339_seconds(process.since).to_string(),
            seconds: SystemTime::now().duration_since(process.since).unwrap_or_default().as_secs(),
            process,
        }
    }
}

/// The counters, twice. Between the two is a moment, and nothing else to wait for.
async fn queries(backend: &Backend) -> Result<Queries, Trouble> {
    let first = (backend.queries().await?, Instant::now());
    tokio::time::sleep(MOMENT).await;
    let Ok(total) = backend.queries().await else { return Ok(Queries { total: first.0, per_second: None }) };
    // Less than before: it was restarted.
    let more = total.checked_sub(first.0);
    Ok(Queries { total, per_second: more.map(|more| more as f64 / first.1.elapsed().as_secs_f64()) })
}

/// What the server calls itself: its NSID, else id.server. Over TCP, since BIND answers three such queries a second.
async fn identity(management: &[IpAddr], timeout: Duration) -> Option<String> {
    let question = Question::identifying("id.server. TXT CH".parse().ok()?).ok()?;
    let finding = ask(question, *management.first()?, Transport::Tcp, timeout).await;
    if let Some(nsid) = finding.nsid() {
        return Some(format!("{nsid} (NSID)"));
    }
    let texts = finding.response.into_iter().flat_map(|response| response.answers);
    texts.into_iter().find_map(|record| match record.data {
        RData::TXT(text) => {
            let octets = text.txt_data.concat();
            Some(format!("{} (id.server)", String::from_utf8_lossy(&octets).escape_debug()))
        }
        _ => None,
    })
}

/// The serial of each zone of the services that this backend answers for, at each management address: no control
/// channel tells what is served.
async fn zones(config: &Config, backend: &Backend) -> Vec<Zone> {
    let services = config.services.iter();
    let ours =
        services.filter(|service| service.backend.as_ref().is_some_and(|other| other.name == backend.name));
    let queries: Vec<_> = ours.flat_map(|service| service.zones.clone()).collect();
    let mut asked = vec![];
    for query in queries {
        for address in config.node.management.clone() {
            asked.push(tokio::spawn(zone(query.clone(), address, backend.timeout)));
        }
    }
    let mut zones = vec![];
    for zone in asked {
        zones.extend(zone.await);
    }
    zones
}

async fn zone(query: Query, address: IpAddr, timeout: Duration) -> Zone {
    let shown = query.to_string();
    let zone = shown.strip_suffix(" SOA").unwrap_or(&shown).to_owned();
    let server = SocketAddr::new(address, 53);
    let question = match Question::identifying(query) {
        Ok(question) => question,
        Err(why) => return Zone { zone, server, serial: None, trouble: Some(why) },
    };
    let finding = ask(question, address, Transport::Udp, timeout).await;
    if let Outcome::Fail(Failure { detail, .. }) = finding.outcome {
        return Zone { zone, server, serial: None, trouble: Some(detail) };
    }
    let response = finding.response.as_deref();
    let serial = response.and_then(|response| {
        response.answers.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(soa.serial),
            _ => None,
        })
    });
    let trouble = match (serial, response) {
        (Some(_), Some(response)) if !response.authoritative => Some("answered without authority".to_owned()),
        (None, Some(response)) => Some(format!("answered {} without a SOA", response.response_code)),
        _ => None,
    };
    Zone { zone, server, serial, trouble }
}

async fn ask(question: Question, address: IpAddr, transport: Transport, timeout: Duration) -> Finding {
    let (question, server) = (Arc::new(question), SocketAddr::new(address, 53));
    Probe { question, server, source: Some(address), transport, timeout }.ask().await
}

/// Within 80 columns, as far as what others wrote allows.
fn table(report: &Report) -> String {
    let mut rows: Vec<(&str, String)> = vec![];
    let status = &report.status;
    rows.push(("state", format!("{}: {}", status.state, status.why)));
    if let Some(unit) = &report.unit {
        let state = match &report.systemd {
            Known::Found(unit) if unit.since.is_empty() => unit.words(),
            Known::Found(unit) => format!("{} since {}", unit.words(), unit.since),
            Known::NotFound(why) => why.strip_prefix(&format!("unit {unit}: ")).unwrap_or(why).to_owned(),
        };
        rows.push(("unit", format!("{unit}: {state}")));
    }
    rows.push((
        "process",
        match &report.process {
            Known::Found(ProcessReport { process, since, seconds }) => {
                let stopped = if process.is_stopped { ", STOPPED by a signal" } else { "" };
                let long = Shown(Duration::from_secs(*seconds));
                format!("{} ({}) since {since}, {long}{stopped}", process.pid, process.name)
            }
            Known::NotFound(why) => why.clone(),
        },
    ));
    rows.push((
        "version",
        match &report.version {
            Known::Found(version) => version.clone(),
            Known::NotFound(why) => format!("not known: {why}"),
        },
    ));
    rows.push(("identity", report.identity.clone().unwrap_or_else(|| "it tells none".to_owned())));
    let mut listeners = report.listeners.iter().map(|listener| ("", listener.to_string())).peekable();
    if listeners.peek().is_none() {
        rows.push(("listeners", format!("none on port {}", listeners::PORT)));
    }
    rows.extend(
        listeners.enumerate().map(|(place, (_, text))| (if place == 0 { "listeners" } else { "" }, text)),
    );
    rows.push((
        "configuration",
        match &report.configuration {
            Known::Found(word) => (*word).to_owned(),
            Known::NotFound(why) => why.clone(),
        },
    ));
    rows.push((
        "queries",
        match &report.queries {
            Known::Found(Queries { total, per_second: Some(rate) }) => {
                format!("{total}, {rate:.1} per second")
            }
            Known::Found(Queries { total, per_second: None }) => format!("{total}; restarted meanwhile"),
            Known::NotFound(why) => format!("not known: {why}"),
        },
    ));
    for (place, zone) in report.zones.iter().enumerate() {
        let serial = zone.serial.map(|serial| format!("serial {serial}"));
        let found = [serial, zone.trouble.clone()].into_iter().flatten().collect::<Vec<_>>().join(", ");
        rows.push((
            if place == 0 { "zones" } else { "" },
            format!("{} at {}: {found}", zone.zone, zone.server),
        ));
    }
    for need in &report.needs {
        rows.push(("needs", format!("{}: {}\n{}", need.what, need.why, need.remedy)));
    }
    let mut text = format!("backend {} ({})\n", report.backend, report.kind.facts().name);
    for (label, value) in rows {
        let mut label = label;
        for line in value.lines() {
            let _ = writeln!(text, "  {label:<13}  {line}");
            label = "";
        }
    }
    text
}
