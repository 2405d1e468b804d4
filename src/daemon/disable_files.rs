//! Disable-files: while such a file exists, its service is drained.
//!
//! ```text
//!   turn, round ──► scan, on a thread ──► result ──► Event, if it differs from the last one
//! ```
//!
//! The file system of such a file may hang: a share whose server is down, an automount. So the loop does not access
//! files itself. While a file system does not answer, the last known result stands, with a warning. At start that is
//! the remembered result, else *not drained*: otherwise all hosts with a common share would stay withdrawn if they boot
//! without it, and the checks decide whether the server answers.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use self::scanners::{Exists, ScanError, ScanResult, Scanners};
use crate::config::{Config, DEFAULT_PATH};
use crate::engine::Engine;
use crate::engine::event::{Event, ServiceId};
use crate::text::period::Shown;

mod scanners;

/// How long the start waits for files that do not answer: about the time of the first verdict.
pub(crate) const AT_START: Duration = Duration::from_secs(1);

/// How long a round waits for a file. If a file is late, later rounds do not wait for it until it has answered in time
/// again, and its result counts at the next round.
pub(crate) const AT_ROUND: Duration = Duration::from_millis(500);

/// A scan that takes longer logs a warning.
const SLOW: Duration = Duration::from_secs(3);

/// When files are scanned, besides the start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ScanTime {
    /// At every turn of the loop.
    EachTurn,
    /// Before each round, and before commands of a disabled service are repeated, as `exabgp healthcheck` does.
    BeforeRounds,
}

/// The disable-files of all services.
#[derive(Debug)]
pub(crate) struct DisableFiles {
    pub(crate) scan_time: ScanTime,
    scanners: Scanners,
    files: BTreeMap<Arc<Path>, DisableFile>,
    /// Events that are not reported yet.
    events: VecDeque<Event>,
}

/// One file, which several services may share.
#[derive(Debug, Default)]
struct DisableFile {
    services: Vec<AffectedService>,
    /// Start of the running scan. No second scan starts meanwhile, so that a hanging disk occupies one thread only.
    scan_started: Option<Instant>,
    trouble: Trouble,
    /// Whether it is a configuration file. If one disappears, for instance when the package is purged, that does not
    /// show that the operator wants the drain to end. The drain lasts until the configuration no longer names the file.
    is_configuration: bool,
    /// Whether its disappearance has been logged.
    is_missing_logged: bool,
}

#[derive(Debug)]
struct AffectedService {
    service: ServiceId,
    name: String,
    /// The state that the engine knows.
    present: bool,
    /// Whether that state was reported, not only remembered.
    reported: bool,
}

/// The last problem that was logged.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Trouble {
    #[default]
    None,
    /// The file cannot be accessed.
    Refused,
    /// The file system does not answer, or too late.
    Silent,
}

impl ScanTime {
    /// The time after which an answer is late.
    const fn time_limit(self) -> Duration {
        match self {
            Self::EachTurn => SLOW,
            Self::BeforeRounds => AT_ROUND,
        }
    }
}

impl DisableFiles {
    /// The disable-files of this configuration, in the state that the engine knows.
    pub(crate) fn new(config: &Config, engine: &Engine) -> Self {
        let scan_time =
            if config.compat.look_before_each_round { ScanTime::BeforeRounds } else { ScanTime::EachTurn };
        let mut files = Self::with_scanner(scan_time, Path::try_exists);
        for ((id, plan), service) in (0..).map(ServiceId).zip(&config.services).zip(engine.services()) {
            if let Some(path) = &plan.disable_file {
                files.add(id, &plan.name, path, service.is_disabled());
            }
        }
        let own = config.origin.as_ref().map(|origin| origin.file.as_path());
        for (path, file) in &mut files.files {
            file.is_configuration = Some(&**path) == own || **path == *DEFAULT_PATH;
        }
        files
    }

    fn with_scanner(scan_time: ScanTime, exists: Exists) -> Self {
        Self { scan_time, scanners: Scanners::new(exists), files: BTreeMap::new(), events: VecDeque::new() }
    }

    fn add(&mut self, service: ServiceId, name: &str, path: &Path, present: bool) {
        let file = self.files.entry(path.into()).or_default();
        file.services.push(AffectedService { service, name: name.to_owned(), present, reported: false });
    }

    /// Takes over running scans of `before`, for files that both have.
    pub(crate) fn continue_after(&mut self, before: Self) {
        for (path, file) in &mut self.files {
            if let Some(known) = before.files.get(path) {
                (file.scan_started, file.trouble, file.is_missing_logged) =
                    (known.scan_started, known.trouble, known.is_missing_logged);
            }
        }
        self.scanners = before.scanners;
    }

    /// Starts a scan of each file, unless one is running.
    pub(crate) fn start_scan(&mut self) {
        let now = Instant::now();
        let mut due = vec![];
        for (path, file) in &mut self.files {
            match file.scan_started {
                Some(scan_started) if now.duration_since(scan_started) < SLOW => {}
                Some(_) => file.warn_of_silence(path, SLOW),
                None => {
                    file.scan_started = Some(now);
                    due.push(Arc::clone(path));
                }
            }
        }
        self.scanners.scan(due);
    }

    /// Waits for the next change, or for a file that still exists after a restart. Never returns if files are scanned
    /// before rounds; `scan_within` returns changes then.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            if self.scan_time == ScanTime::BeforeRounds {
                std::future::pending::<()>().await;
            }
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            let result = self.scanners.next().await;
            self.apply(&result);
        }
    }

    /// Scans each file and waits until done, at most `limit`, and not for files that were late before. Returns the
    /// changes.
    pub(crate) async fn scan_within(&mut self, limit: Duration) -> Vec<Event> {
        while let Some(result) = self.scanners.try_next() {
            self.apply(&result);
        }
        let began = Instant::now();
        self.start_scan();
        let is_awaited = |file: &DisableFile| {
            file.trouble != Trouble::Silent
                && file.scan_started.is_some_and(|scan_started| scan_started >= began)
        };
        while self.files.values().any(is_awaited) {
            let Ok(result) = timeout_at(began + limit, self.scanners.next()).await else { break };
            self.apply(&result);
        }
        for (path, file) in self.files.iter_mut().filter(|(_, file)| is_awaited(file)) {
            file.warn_of_silence(path, limit);
        }
        self.events.drain(..).collect()
    }

    fn apply(&mut self, result: &ScanResult) {
        // After a reload the file may no longer be in use.
        if let Some(file) = self.files.get_mut(&result.path) {
            file.apply(result, self.scan_time.time_limit(), &mut self.events);
        }
    }
}

impl DisableFile {
    /// Applies a result. A file that cannot be accessed keeps its last state, with a warning.
    fn apply(&mut self, result: &ScanResult, time_limit: Duration, out: &mut VecDeque<Event>) {
        let ScanResult { path, found, at } = result;
        let took =
            self.scan_started.take().map_or(Duration::ZERO, |scan_started| at.duration_since(scan_started));
        self.trouble = match (found, self.trouble) {
            (Err(_), Trouble::Refused) => Trouble::Refused,
            (Err(why), _) => {
                self.warn_of(path, why);
                Trouble::Refused
            }
            (Ok(_), Trouble::Silent) if took > time_limit => Trouble::Silent,
            (Ok(_), Trouble::Silent) => {
                log::info!(
                    "{}: the file system of the disable-file {} answers again",
                    self.affected(),
                    path.display()
                );
                Trouble::None
            }
            (Ok(_), Trouble::None | Trouble::Refused) => Trouble::None,
        };
        let &Ok(found) = found else { return };
        if self.is_configuration && !found && self.services.iter().any(|service| service.present) {
            return self.keep_drained(path);
        }
        self.is_missing_logged = false;
        for AffectedService { service, present, reported, .. } in &mut self.services {
            let knew = std::mem::replace(present, found) == found && (*reported || !found);
            *reported = true;
            if !knew {
                out.push_back(Event::DisableFile(*service, found));
            }
        }
    }

    /// Keeps the last state of a configuration file that disappeared, with a warning.
    fn keep_drained(&mut self, path: &Path) {
        if !std::mem::replace(&mut self.is_missing_logged, true) {
            log::warn!(
                "{}: the disable-file {} is a configuration file and has disappeared: the drain stays. To end it, restore \
                 the file without the key `disable-file` and run `dnsherald reload`",
                self.affected(),
                path.display()
            );
        }
    }

    fn warn_of(&self, path: &Path, why: &ScanError) {
        let (affected, path, assumed) = (self.affected(), path.display(), self.assumed());
        match why {
            ScanError::Refused(error) => log::warn!(
                "{affected}: cannot look for the disable-file {path}: {error}; assuming it is {assumed}. ExaBGP's helper user \
                 needs execute permission on every directory above it"
            ),
            ScanError::NoThread(error) => log::warn!(
                "{affected}: cannot start a thread to look for the disable-file {path}: {error}; assuming it is {assumed}. \
                 Raise the limits on processes and memory of ExaBGP's helper user (LimitNPROC, TasksMax)"
            ),
        }
    }

    fn warn_of_silence(&mut self, path: &Path, after: Duration) {
        if self.trouble != Trouble::Silent {
            log::warn!(
                "{}: the file system of the disable-file {} has not answered within {}; assuming it is {} until it does",
                self.affected(),
                path.display(),
                Shown(after),
                self.assumed()
            );
        }
        self.trouble = Trouble::Silent;
    }

    fn affected(&self) -> String {
        match &self.services[..] {
            [] => String::new(),
            [only] => format!("service {}", only.name),
            [first, others @ ..] => format!("service {} and {} more", first.name, others.len()),
        }
    }

    fn assumed(&self) -> &'static str {
        let mut present = self.services.iter().map(|service| service.present);
        if !present.clone().any(|present| present) {
            "absent"
        } else if present.all(|present| present) {
            "present"
        } else {
            "as last known"
        }
    }
}

#[cfg(test)]
mod tests;
