//! `backend status`: all that can be learned of the server, and what stands in the way of the rest.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use crate::backend::answers::{Zone, identity, zones};
use crate::backend::listeners::{self, Listener};
use crate::backend::process::Process;
use crate::backend::systemd::Unit;
use crate::backend::{Backend, Checked, Kind, State, Status, Trouble};
use crate::config::Config;
use crate::exit::Exit;
use crate::period::Shown;

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
