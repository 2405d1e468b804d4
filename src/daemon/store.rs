//! The state that survives a restart, in `<state>/NAME-<hash of its path>.json`, where NAME is that of the configuration file
//! without its extension.
//!
//! A thread writes a new file and renames it, so the file is always complete. If power fails before it reaches the
//! disk, the previous file is read, `….json.before`. A foreign file only costs a warning, and a hanging disk only the
//! last changes. A failed write is repeated until it succeeds.
//!
//! When ExaBGP reloads, two helpers with one configuration file overlap. They write under a lock, [merge] each other's
//! drains and holds, and check every second for changes. For all other state the newer helper wins.
//!
//! The file belongs to the absolute path of the configuration as given. Symlinks are not resolved, because they may be
//! broken exactly when the state is needed.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use self::disk::before;
use self::merge::Change;
use self::writer::{Job, Writer};
use super::timestamp::Timestamp;
use crate::config::absolute;
use crate::engine::memory::{Memory, Remembered};
use crate::sys::handoff::Handoff;
use crate::sys::lock;
use crate::text::fnv::fnv32;
use crate::text::ordered;
use crate::text::period::Shown;

pub(super) use self::disk::{read, write};
pub(super) use self::retry::Retry;

pub(super) mod disk;
mod lock;
mod lost;
pub(crate) mod merge;
mod retry;
mod writer;

/// The format, to recognize foreign files.
const FORMAT: &str = "dnsherald state 1";

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    format: String,
    configuration: PathBuf,
    /// Increases with each helper that replaces another.
    #[serde(default)]
    generation: u64,
    /// The process ID of the helper whose state it is. While two helpers overlap, the older one may have written it
    /// (`Writer::write`).
    #[serde(default)]
    process: u32,
    /// Whether that helper runs: it writes that it does not when it ends in order. Version 0.2 does not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    running: Option<bool>,
    #[serde(flatten)]
    timestamp: Timestamp,
    services: Memory,
}

impl Document {
    fn new(configuration: PathBuf, generation: u64, process: u32, services: Memory) -> Self {
        let (format, timestamp) = (FORMAT.to_owned(), Timestamp::now());
        Self { format, configuration, generation, process, running: Some(true), timestamp, services }
    }

    /// Parses a state file of this configuration, without drains that end with their helper.
    ///
    /// # Errors
    /// Returns an error if it is incomplete or has another format or configuration.
    fn parse(text: &str, configuration: &Path) -> Result<Self, String> {
        let mut document: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if document.format != FORMAT {
            return Err(format!("its format is `{}`, expected `{FORMAT}`", document.format));
        }
        if document.configuration != configuration {
            return Err(format!("it belongs to the configuration {}", document.configuration.display()));
        }
        document.services.forget_drains_of_that_run();
        Ok(document)
    }

    /// A copy with only the prefixes, drains and holds, to detect changes by another helper.
    fn with_orders_only(&self) -> Self {
        let services = self.services.services.iter();
        let orders = |kept: &Remembered| Remembered {
            prefixes: kept.prefixes.clone(),
            drains: kept.drains.clone(),
            holds: kept.holds.clone(),
            ..Remembered::default()
        };
        let services = ordered(services.map(|(name, kept)| (name.clone(), orders(kept))));
        Self {
            format: self.format.clone(),
            configuration: self.configuration.clone(),
            timestamp: self.timestamp.clone(),
            services: Memory { services },
            ..*self
        }
    }

    /// Whether its helper replaced that of `other`, and neither this document nor `/proc` says that it has ended.
    fn succeeds(&self, other: &Self) -> bool {
        self.generation > other.generation && self.running != Some(false) && self.has_its_process()
    }
}

/// A longer wait for the disk is shown in the status.
const SLOW: Duration = Duration::from_secs(1);

/// Why the last write failed, until one succeeds.
pub(super) type Failure = Arc<Mutex<Option<String>>>;

/// The state file and its writer.
#[derive(Debug)]
pub struct Store {
    file: PathBuf,
    configuration: PathBuf,
    /// The queue of the writer thread, which [`Store::begin`] or the first job starts.
    newest: Arc<Handoff<Job>>,
    has_begun: bool,
    has_saved: bool,
    is_ending: bool,
    failure: Failure,
    /// The document that was loaded.
    loaded: Option<Document>,
    learned: (mpsc::UnboundedSender<Vec<Change>>, mpsc::UnboundedReceiver<Vec<Change>>),
    /// Number of changes of other helpers that were returned.
    told: usize,
}

/// Waits, on another thread, until saved state is written.
#[derive(Debug)]
pub(crate) struct WriteWaiter {
    newest: Arc<Handoff<Job>>,
    failure: Failure,
}

impl WriteWaiter {
    /// Waits until all state is written, at most `limit`. Returns whether it is.
    pub(crate) fn wait_written(&self, limit: Duration) -> bool {
        self.newest.wait_idle(limit) && lock(&self.failure).is_none()
    }
}

impl Store {
    /// Creates the store of a configuration file, in a state directory.
    #[must_use]
    pub fn new(directory: &Path, configuration: &Path) -> Self {
        let configuration = absolute(configuration);
        Self {
            file: file_of(directory, &configuration, "json"),
            configuration,
            newest: Arc::new(Handoff::new(0)),
            has_begun: false,
            has_saved: false,
            is_ending: false,
            failure: Failure::default(),
            loaded: None,
            learned: mpsc::unbounded_channel(),
            told: 0,
        }
    }

    /// The path of the state file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Loads the state and its age. Returns empty state if there is none, with a warning if it cannot be read.
    #[must_use]
    pub(crate) fn load(&mut self) -> (Memory, Duration) {
        let understood = match read(&self.file) {
            Ok(text) => Document::parse(&text, &self.configuration)
                .map_err(|why| format!("the state in {} cannot be used: {why}", self.file.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Default::default(),
            Err(error) => Err(format!("cannot read the state in {}: {error}", self.file.display())),
        };
        let known = understood.or_else(|why| {
            let text = read(&before(&self.file)).ok();
            let known = text.and_then(|text| Document::parse(&text, &self.configuration).ok());
            let instead = if known.is_some() { "using the previous one" } else { "starting without state" };
            log::warn!("{why}; {instead}");
            known.ok_or(())
        });
        let Ok(mut document) = known else { return Default::default() };
        self.loaded = Some(document.clone());
        let age = document.timestamp.age().unwrap_or_else(|ahead| {
            // The state may be old: adopt no route, and let limited orders last their full time.
            document.services.forget_states();
            log::warn!(
                "the state in {} was written {} in the future: the clock of this host is or was wrong; no route is \
                 adopted, drains and penalties count from now on",
                self.file.display(),
                Shown(ahead)
            );
            Duration::ZERO
        });
        (document.services, age)
    }

    /// Queues state to be written, and repeats failed writes. If several wait, only the newest is written.
    pub(crate) fn save(&mut self, memory: &Memory) {
        self.has_saved = true;
        let generation = self.loaded.as_ref().map_or(1, |loaded| loaded.generation.saturating_add(1));
        let mut document =
            Document::new(self.configuration.clone(), generation, std::process::id(), memory.clone());
        document.running = Some(!self.is_ending);
        self.begin();
        self.newest.supersede(Job { document, seen_changes: self.told });
    }

    /// Notes that this helper ends in order; the next [`Store::save`] writes that. Returns whether one is needed: the file
    /// says that this helper runs.
    pub(crate) fn end(&mut self) -> bool {
        self.is_ending = true;
        self.has_saved
    }

    /// Saves that this helper withdraws every route and starts no service, so the next one adopts nothing. The rest stays as
    /// it was loaded, with its age. Call it after [`Store::load`].
    pub(crate) fn save_withdrawn(&mut self) {
        let Some(mut document) = self.loaded.clone() else { return };
        document.services.forget_states();
        document.generation = document.generation.saturating_add(1);
        // The next helper has nothing to tell of the end of this one.
        (document.process, document.running) = (std::process::id(), Some(false));
        self.begin();
        self.newest.supersede(Job { document, seen_changes: self.told });
    }

    /// Starts the thread that writes the state and reads changes of another helper.
    pub(crate) fn begin(&mut self) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let writer = Writer::new(
            self.file.clone(),
            self.configuration.clone(),
            self.loaded.as_ref(),
            Arc::clone(&self.failure),
            self.learned.0.clone(),
        );
        if let Err(error) = self.newest.start("state", |jobs| writer.work(jobs)) {
            let why = format!("cannot start the thread that writes the state: {error}");
            log::warn!("{why}; drains, holds and penalties will not survive a restart");
            *lock(&self.failure) = Some(why);
        }
    }

    /// Waits for changes of drains and holds by another helper with this configuration file, as during a reload of
    /// ExaBGP. An empty list asks to save again: the file has lost the state of this helper.
    pub(crate) async fn learn(&mut self) -> Vec<Change> {
        let Some(changes) = self.learned.1.recv().await else { return std::future::pending().await };
        self.told += changes.len();
        changes
    }

    /// Why saved state is not on disk, if it is not.
    pub(crate) fn unwritten(&self) -> Option<String> {
        let waits = || {
            let waited = self.newest.busy_for().filter(|waited| *waited >= SLOW)?;
            Some(format!("the disk of {} has not answered for {}", self.file.display(), Shown(waited)))
        };
        lock(&self.failure).clone().or_else(waits)
    }

    /// Returns a handle to wait for the write on another thread.
    pub(crate) fn write_waiter(&self) -> WriteWaiter {
        WriteWaiter { newest: Arc::clone(&self.newest), failure: Arc::clone(&self.failure) }
    }

    /// Waits until the writer has no work, at most `limit`. Returns why saved state is not on disk then, if it is not.
    pub(crate) fn unwritten_after(&self, limit: Duration) -> Option<String> {
        let late = || format!("the disk of {} has not answered for {}", self.file.display(), Shown(limit));
        let is_late = !self.newest.wait_idle(limit);
        self.unwritten().or_else(|| is_late.then(late))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.newest.close();
    }
}

/// The file that belongs to a configuration file, in a state directory: `NAME-HASH.ENDING`, with the hash of the path.
pub(super) fn file_of(state: &Path, configuration: &Path, ending: &str) -> PathBuf {
    let mut name = configuration.file_stem().unwrap_or_else(|| "dnsherald".as_ref()).to_owned();
    name.push(format!("-{:08x}.{ending}", fnv32(configuration.as_os_str().as_bytes())));
    state.join(name)
}

#[cfg(test)]
mod overlap;
#[cfg(test)]
mod tests;
