//! `backend status`: shows the state of the server, and the permissions and settings that are missing to see the rest.

use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::super::print;
use crate::backend::answers::{Zone, identity, zones};
use crate::backend::listeners::{self, Listener};
use crate::backend::sharing::{several_servers, shared};
use crate::backend::systemd::RESTART_VERBS;
use crate::backend::{
    Backend, Checked, Kind, RateLimit, Request, Restart, State, Status, Trouble, privilege,
};
use crate::config::Config;
use crate::exit::Exit;
use crate::process::handle::ProcessHandle;
use crate::restart::listeners_of;
use crate::systemd::Unit;
use crate::text;

mod table;

/// The time between the two readings of the counters.
const MOMENT: Duration = Duration::from_secs(1);

/// The state of the server, as far as it could be read.
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
    /// Servers that share an address, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    several_servers: Vec<String>,
    configuration: Known<&'static str>,
    queries: Known<Queries>,
    rate_limit: RateLimit,
    zones: Vec<Zone>,
    needs: Vec<Need>,
}

/// A finding, or the reason why there is none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Known<T> {
    Found(T),
    NotFound(String),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ProcessReport {
    pid: i32,
    name: String,
    is_stopped: bool,
    since: String,
    seconds: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Queries {
    total: u64,
    per_second: Option<f64>,
}

/// An obstacle, with its remedy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Need {
    /// The information that it blocks.
    of: Vec<&'static str>,
    why: String,
    remedy: String,
}

/// Asks everything at once, so that a server that hangs costs one timeout, and prints the results.
pub(super) async fn run(config: &Config, backend: &Backend, json: bool) -> anyhow::Result<Exit> {
    let report = learn(config, backend).await;
    let text =
        if json { text::json(serde_json::to_string_pretty(&report)? + "\n") } else { table::table(&report) };
    print(&text)?;
    Ok(if report.status.state == State::Running { Exit::Success } else { Exit::Failure })
}

async fn learn(config: &Config, backend: &Backend) -> Report {
    let targets = config.targets_of(backend);
    let zone_names = targets.zone_names();
    let (status, unit, process, version, checked, queries, identity, zones, rate_limit) = tokio::join!(
        backend.status(),
        backend.unit(),
        backend.process(),
        backend.version(),
        backend.check(),
        queries(backend),
        identity(&targets, backend.timeout),
        zones(&targets, backend.timeout),
        backend.rate_limit(&zone_names, config.node.management.clone()),
    );
    let mut needs = Needs::default();
    needs.add("status", &status.why, status.remedy.as_deref());
    let systemd = match unit {
        Some(Ok(unit)) => Known::Found(unit),
        Some(Err(trouble)) => Known::NotFound(trouble.why),
        None => Known::NotFound("no unit".to_owned()),
    };
    let listeners = listeners::on_port(listeners::PORT);
    let several_servers = several_servers(&shared(listeners_of(config, backend)));
    let process = match process {
        Some(Ok(held)) => Ok(ProcessReport::new(&held)),
        Some(Err(missing)) => Err(Trouble::new(missing.why())),
        None => {
            let remedy = format!("name its `unit` or its `pid-file` in [backend.{}]", backend.name);
            Err(Trouble::with("not known where to look", remedy))
        }
    };
    let configuration = checked.and_then(|checked| match checked {
        Checked::Valid => Ok("valid"),
        Checked::Unchecked => Err(Trouble::new("nothing checks it")),
    });
    Report {
        backend: backend.name.clone(),
        kind: backend.kind,
        unit: backend.unit.clone(),
        process: needs.known("process", process),
        version: needs.known("version", version),
        identity,
        listeners,
        several_servers,
        configuration: needs.known("configuration", configuration),
        queries: needs.known("queries", queries.map_err(|trouble| of_counters(backend, &status, trouble))),
        rate_limit,
        zones,
        needs: needs.with_restart(backend, &systemd),
        systemd,
        status,
    }
}

/// Why there are no counters. A control channel that answers nothing at all is no proof that the server does not count;
/// only a separate channel for counters would be.
fn of_counters(backend: &Backend, status: &Status, trouble: Trouble) -> Trouble {
    let is_known = status.answers || matches!(backend.counters, Some(Request::Http { .. }));
    let no_counters = backend.facts().no_counters;
    Trouble { remedy: trouble.remedy.filter(|remedy| is_known || remedy != no_counters), ..trouble }
}

/// Each remedy once, with all the information that it unblocks.
#[derive(Default)]
struct Needs(Vec<Need>);

impl Needs {
    fn add(&mut self, of: &'static str, why: &str, remedy: Option<&str>) {
        let Some(remedy) = remedy else { return };
        match self.0.iter_mut().find(|need| need.remedy == remedy) {
            Some(need) => need.of.push(of),
            None => self.0.push(Need { of: vec![of], why: why.to_owned(), remedy: remedy.to_owned() }),
        }
    }

    fn known<T>(&mut self, what: &'static str, found: Result<T, Trouble>) -> Known<T> {
        match found {
            Ok(found) => Known::Found(found),
            Err(Trouble { why, remedy, .. }) => {
                self.add(what, &why, remedy.as_deref());
                Known::NotFound(why)
            }
        }
    }

    /// Only a restart shows whether systemd permits it; therefore every user but root gets the remedy.
    fn with_restart(mut self, backend: &Backend, systemd: &Known<Unit>) -> Vec<Need> {
        if let (Restart::Unit(name), Known::Found(unit)) = (&backend.restart, systemd)
            && !privilege::is_root()
        {
            let name = if unit.id.is_empty() { name } else { &unit.id };
            let remedy = privilege::polkit(name, &RESTART_VERBS);
            self.add("restart", "only a restart shows whether it is granted", Some(&remedy));
        }
        self.0
    }
}

impl ProcessReport {
    fn new(held: &ProcessHandle) -> Self {
        let age = held.age();
        let since = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        Self {
            pid: held.pid,
            name: held.name(),
            is_stopped: held.is_stopped(),
            since: humantime::format_rfc3339_seconds(since).to_string(),
            seconds: age.as_secs(),
        }
    }
}

/// Reads the counters twice, after a pause.
async fn queries(backend: &Backend) -> Result<Queries, Trouble> {
    let first = (backend.queries().await?, Instant::now());
    tokio::time::sleep(MOMENT).await;
    let Ok(total) = backend.queries().await else { return Ok(Queries { total: first.0, per_second: None }) };
    // The counters decreased: the server was restarted or reloaded.
    let more = total.checked_sub(first.0);
    Ok(Queries { total, per_second: more.map(|more| more as f64 / first.1.elapsed().as_secs_f64()) })
}
