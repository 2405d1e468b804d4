//! What survives a restart, in a file: `<state>/<name of the configuration file>-<hash of its path>.json`.
//!
//! Written beside, by a thread of its own, and renamed, so that there is always a whole one. Where the power fails
//! before the disk has it, the one before is read, `….json.before`. A file that is foreign costs a warning and nothing
//! else, and a disk that hangs costs what was written last. What cannot be written is written again until it can.
//!
//! Two helpers with one configuration file overlap for a moment at a reload of ExaBGP. They write under a lock, [merge]
//! what the other has changed of drains and holds, and look each second whether it has; of the rest, the newer one's stands.
//!
//! It belongs to the absolute path of the configuration as it was given. Where links lead is not asked: they may
//! lead nowhere just when the state is needed, because there is no configuration.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use self::disk::before;
use self::merge::Change;
use self::writer::{Job, Writer};
use super::stamp::{Age, Stamp};
use crate::config::absolute;
use crate::engine::memory::{Memory, Remembered};
use crate::fnv::fnv32;
use crate::handoff::{Handoff, lock};
use crate::period::{Period, Shown};

pub(super) use self::disk::{read, write};

mod disk;
mod lock;
pub(crate) mod merge;
mod writer;

/// Names the format, so that a foreign file is known as such.
const FORMAT: &str = "dnsherald state 1";

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    format: String,
    configuration: PathBuf,
    /// Higher for each helper that has taken over from the one before.
    #[serde(default)]
    generation: u64,
    /// The helper that has written it.
    #[serde(default)]
    process: u32,
    #[serde(flatten)]
    stamp: Stamp,
    services: Memory,
}

impl Document {
    /// What this text says of this configuration, without the drains that were to end with an earlier helper.
    ///
    /// # Errors
    /// When it is torn, of another format, or of another configuration.
    fn understand(text: &str, configuration: &Path) -> Result<Self, String> {
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

    /// Without all that is not needed to see which drains and holds another has changed.
    fn with_orders_only(&self) -> Self {
        let services = self.services.services.iter();
        let orders = |kept: &Remembered| Remembered {
            drains: kept.drains.clone(),
            holds: kept.holds.clone(),
            ..Remembered::default()
        };
        let services = services.map(|(name, kept)| (name.clone(), orders(kept))).collect();
        Self {
            format: self.format.clone(),
            configuration: self.configuration.clone(),
            stamp: self.stamp.clone(),
            services: Memory { services },
            ..*self
        }
    }

    /// Whether it is of a helper that has taken over from the one of `other`, and lives.
    fn succeeds(&self, other: &Self) -> bool {
        self.generation > other.generation && Path::new(&format!("/proc/{}", self.process)).exists()
    }
}

/// Waiting for the disk for so long is shown.
const SLOW: Duration = Duration::from_secs(1);

/// Why the last could not be written, as long as it is not.
type Failure = Arc<Mutex<Option<String>>>;

/// The file, and who writes it.
#[derive(Debug)]
pub struct Store {
    file: PathBuf,
    configuration: PathBuf,
    /// The newest waits here; the thread that takes it is started by [`Store::begin`] or the first.
    newest: Option<Arc<Handoff<Job>>>,
    failure: Failure,
    /// Since when something waits to be written.
    waits_since: Instant,
    /// What was loaded.
    loaded: Option<Document>,
    learned: (mpsc::UnboundedSender<Vec<Change>>, mpsc::UnboundedReceiver<Vec<Change>>),
    /// How many changes of other helpers were handed out.
    told: usize,
}

/// Knows whether what was saved is written, for those who may wait.
#[derive(Debug)]
pub(crate) struct Witness {
    newest: Option<Arc<Handoff<Job>>>,
    failure: Failure,
}

impl Witness {
    /// Waits until all is written, but not longer than this. True if it is.
    #[must_use]
    pub(crate) fn wait_written(&self, limit: Duration) -> bool {
        self.newest.as_ref().is_none_or(|newest| newest.wait_idle(limit)) && lock(&self.failure).is_none()
    }
}

impl Store {
    /// The store of a configuration file, in a state directory.
    #[must_use]
    pub fn new(directory: &Path, configuration: &Path) -> Self {
        let configuration = absolute(configuration);
        let mut name = configuration.file_stem().unwrap_or_else(|| "dnsherald".as_ref()).to_owned();
        name.push(format!("-{:08x}.json", fnv32(configuration.as_os_str().as_bytes())));
        Self {
            file: directory.join(name),
            configuration,
            newest: None,
            failure: Failure::default(),
            waits_since: Instant::now(),
            loaded: None,
            learned: mpsc::unbounded_channel(),
            told: 0,
        }
    }

    /// Where it is kept.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What was remembered and how long ago; nothing, with a warning, where that cannot be known.
    #[must_use]
    pub(crate) fn load(&mut self) -> (Memory, Duration) {
        let understood = match read(&self.file) {
            Ok(text) => Document::understand(&text, &self.configuration)
                .map_err(|why| format!("the state in {} is of no use: {why}", self.file.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Default::default(),
            Err(error) => Err(format!("cannot read the state in {}: {error}", self.file.display())),
        };
        let known = understood.or_else(|why| {
            let text = read(&before(&self.file)).ok();
            let known = text.and_then(|text| Document::understand(&text, &self.configuration).ok());
            let instead = if known.is_some() { "taking the one before" } else { "starting without" };
            log::warn!("{why}; {instead}");
            known.ok_or(())
        });
        let Ok(mut document) = known else { return Default::default() };
        self.loaded = Some(document.clone());
        let age = match document.stamp.age_at(&Stamp::now()) {
            Age::Known(age) => age,
            Age::Unknown(ahead) => {
                // It may be old, so nothing of it is adopted; and what shall hold for some time holds for all of it.
                document.services.forget_states();
                log::warn!(
                    "the state in {} was written {} in the future: the clock of this host is wrong, or was; nothing is \
                     adopted, drains and penalties count from now on",
                    self.file.display(),
                    Period(Duration::from_secs(ahead.as_secs()))
                );
                Duration::ZERO
            }
        };
        (document.services, age)
    }

    /// Has it written down, soon, and again and again until that succeeds. Of several that wait for a slow disk only
    /// the newest is written.
    pub(crate) fn save(&mut self, memory: &Memory) {
        let document = Document {
            format: FORMAT.to_owned(),
            configuration: self.configuration.clone(),
            generation: self.generation(),
            process: std::process::id(),
            stamp: Stamp::now(),
            services: memory.clone(),
        };
        if self.newest.as_ref().is_none_or(|newest| newest.wait_idle(Duration::ZERO)) {
            self.waits_since = Instant::now();
        }
        self.begin();
        if let Some(newest) = &self.newest {
            newest.supersede(Job { document, told: self.told });
        }
    }

    /// Starts the thread that writes, and that sees what another helper writes.
    pub(crate) fn begin(&mut self) {
        if self.newest.is_some() {
            return;
        }
        let newest = Arc::new(Handoff::new(0));
        let writer = Writer::new(
            self.file.clone(),
            self.configuration.clone(),
            self.loaded.as_ref(),
            Arc::clone(&self.failure),
            self.learned.0.clone(),
        );
        let jobs = Arc::clone(&newest);
        let started = thread::Builder::new().name("state".into()).spawn(move || writer.work(&jobs));
        if let Err(error) = started {
            newest.abandon();
            let why = format!("cannot start a thread to write the state: {error}");
            log::warn!("{why}; it will not survive a restart");
            *lock(&self.failure) = Some(why);
        }
        self.newest = Some(newest);
    }

    fn generation(&self) -> u64 {
        self.loaded.as_ref().map_or(1, |loaded| loaded.generation.saturating_add(1))
    }

    /// What another helper with this configuration file has changed of the drains: one that is ending while this one has
    /// begun, as at a reload of ExaBGP. Waits for ever where there is none.
    pub(crate) async fn learn(&mut self) -> Vec<Change> {
        let Some(changes) = self.learned.1.recv().await else { return std::future::pending().await };
        self.told += changes.len();
        changes
    }

    /// Why what was saved is not on the disk, if it is not.
    #[must_use]
    pub(crate) fn unwritten(&self) -> Option<String> {
        let waits = || {
            let is_done = self.newest.as_ref().is_none_or(|newest| newest.wait_idle(Duration::ZERO));
            let waited = self.waits_since.elapsed();
            let slow = !is_done && waited >= SLOW;
            slow.then(|| {
                format!("the disk of {} has not answered for {}", self.file.display(), Shown(waited))
            })
        };
        lock(&self.failure).clone().or_else(waits)
    }

    /// Whom to ask elsewhere whether what was saved is written.
    #[must_use]
    pub(crate) fn witness(&self) -> Witness {
        Witness { newest: self.newest.clone(), failure: Arc::clone(&self.failure) }
    }

    /// Waits until all is done with, but not longer than this. True if it is.
    #[must_use]
    pub(crate) fn wait_written(&self, limit: Duration) -> bool {
        self.newest.as_ref().is_none_or(|newest| newest.wait_idle(limit))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(newest) = &self.newest {
            newest.close();
        }
    }
}

#[cfg(test)]
mod tests;
