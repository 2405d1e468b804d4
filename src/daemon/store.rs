//! What survives a restart, in a file: `<state>/<name of the configuration file>-<hash of its path>.json`.
//!
//! Written beside, by a thread of its own, and renamed, so that there is always a whole one. Where the power fails
//! before the disk has it, the one before is read, `….json.before`. A file that is foreign or not writable costs a
//! warning and nothing else, and a disk that hangs costs what was written last.
//!
//! It belongs to the absolute path of the configuration as it was given. Where links lead is not asked: they may
//! lead nowhere just when the state is needed, because there is no configuration.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::stamp::{Age, Stamp};
use crate::config::absolute;
use crate::directory::make;
use crate::engine::memory::Memory;
use crate::fnv::fnv32;
use crate::handoff::Handoff;
use crate::period::Period;

/// Names the format, so that a foreign file is known as such.
const FORMAT: &str = "dnsherald state 1";

/// ExaBGP hands down a umask under which directories cannot be entered, so modes are set explicitly.
const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    format: String,
    configuration: PathBuf,
    #[serde(flatten)]
    stamp: Stamp,
    services: Memory,
}

/// The file, and who writes it.
#[derive(Debug)]
pub struct Store {
    file: PathBuf,
    configuration: PathBuf,
    /// The newest waits here; the thread that takes it is started by the first.
    newest: Option<Arc<Handoff<Document>>>,
    /// The last could not be written.
    failed: Arc<AtomicBool>,
}

/// Knows whether what was saved is written, for those who may wait.
#[derive(Debug)]
pub struct Witness {
    newest: Option<Arc<Handoff<Document>>>,
    failed: Arc<AtomicBool>,
}

impl Witness {
    /// Waits until all is written, but not longer than this. True if it is.
    #[must_use]
    pub fn has_seen_within(&self, limit: Duration) -> bool {
        self.newest.as_ref().is_none_or(|newest| newest.is_done_within(limit))
            && !self.failed.load(Ordering::Relaxed)
    }
}

impl Store {
    /// The store of a configuration file, in a state directory.
    #[must_use]
    pub fn new(directory: &Path, configuration: &Path) -> Self {
        let configuration = absolute(configuration);
        let mut name = configuration.file_stem().unwrap_or_else(|| "dnsherald".as_ref()).to_owned();
        name.push(format!("-{:08x}.json", fnv32(configuration.as_os_str().as_bytes())));
        Self { file: directory.join(name), configuration, newest: None, failed: Arc::default() }
    }

    /// Where it is kept.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What was remembered and how long ago; nothing, with a warning, where that cannot be known.
    #[must_use]
    pub fn load(&self) -> (Memory, Duration) {
        let understood = match fs::read_to_string(&self.file) {
            Ok(text) => self
                .understand(&text)
                .map_err(|why| format!("the state in {} is of no use: {why}", self.file.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Default::default(),
            Err(error) => Err(format!("cannot read the state in {}: {error}", self.file.display())),
        };
        understood.unwrap_or_else(|why| {
            let known =
                fs::read_to_string(before(&self.file)).ok().and_then(|text| self.understand(&text).ok());
            let instead = if known.is_some() { "taking the one before" } else { "starting without" };
            log::warn!("{why}; {instead}");
            known.unwrap_or_default()
        })
    }

    fn understand(&self, text: &str) -> Result<(Memory, Duration), String> {
        let mut document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if document.format != FORMAT {
            return Err(format!("its format is `{}`, expected `{FORMAT}`", document.format));
        }
        if document.configuration != self.configuration {
            return Err(format!("it belongs to the configuration {}", document.configuration.display()));
        }
        document.services.forget_drains_of_that_run();
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
        Ok((document.services, age))
    }

    /// Has it written down, soon. Of several that wait for a slow disk only the newest is written.
    pub fn save(&mut self, memory: &Memory) {
        let document = Document {
            format: FORMAT.to_owned(),
            configuration: self.configuration.clone(),
            stamp: Stamp::now(),
            services: memory.clone(),
        };
        if self.newest.is_none() {
            let newest = Arc::new(Handoff::new(0));
            let (file, documents) = (self.file.clone(), Arc::clone(&newest));
            let failed = Arc::clone(&self.failed);
            let started = thread::Builder::new()
                .name("state".into())
                .spawn(move || write_each(&file, &documents, &failed));
            if let Err(error) = started {
                newest.abandon();
                self.failed.store(true, Ordering::Relaxed);
                log::warn!(
                    "cannot start a thread to write the state: {error}; it will not survive a restart"
                );
            }
            self.newest = Some(newest);
        }
        if let Some(newest) = &self.newest {
            newest.supersede(document);
        }
    }

    /// Whom to ask elsewhere whether what was saved is written.
    #[must_use]
    pub fn witness(&self) -> Witness {
        Witness { newest: self.newest.clone(), failed: Arc::clone(&self.failed) }
    }

    /// Waits until all is done with, but not longer than this. True if it is.
    #[must_use]
    pub fn is_written_within(&self, limit: Duration) -> bool {
        self.newest.as_ref().is_none_or(|newest| newest.is_done_within(limit))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(newest) = &self.newest {
            newest.close();
        }
    }
}

/// Writes the newest, again and again. Complains once until it succeeds.
fn write_each(file: &Path, newest: &Handoff<Document>, failed: &AtomicBool) {
    remove_leftovers(file);
    while let Some(document) = newest.take() {
        let written = serde_json::to_string_pretty(&document)
            .map_err(io::Error::from)
            .and_then(|text| write(file, &text));
        let complained = failed.swap(written.is_err(), Ordering::Relaxed);
        if let Err(error) = &written
            && !complained
        {
            log::warn!(
                "cannot write the state to {}: {error}; drains and penalties will not survive a restart",
                file.display()
            );
        }
    }
}

/// What helpers that were killed while writing have left beside the file.
fn remove_leftovers(file: &Path) {
    let Some((directory, name)) = file.parent().zip(file.file_stem()) else { return };
    let beside = format!("{}.", name.to_string_lossy());
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let found = found.to_string_lossy();
        let pid = found
            .strip_prefix(&beside)
            .and_then(|rest| rest.strip_suffix(".new"))
            .map(|pid| pid.trim_end_matches(".before"));
        let is_dead =
            |pid: &str| pid.parse::<u32>().is_ok_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        if pid.is_some_and(is_dead) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    file.parent().map_or(Ok(()), |directory| make(directory, DIRECTORY_MODE))?;
    // Two helpers overlap for a moment when ExaBGP reloads: each writes beside under its own name.
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(&beside)
        .and_then(|mut handle| {
            handle.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
            handle.write_all(text.as_bytes()).map(|()| handle)
        })
        .and_then(|handle| {
            keep(file);
            fs::rename(&beside, file).map(|()| handle)
        });
    match written {
        // In this order: a helper that is killed now has left its state, whatever the disk is busy with, and a machine
        // that loses power now finds at worst a torn file, and the one before.
        Ok(handle) => handle.sync_all().and_then(|()| sync_directory(file)),
        Err(error) => {
            let _ = fs::remove_file(&beside);
            Err(error)
        }
    }
}

/// Where the one before is kept.
fn before(file: &Path) -> PathBuf {
    file.with_extension("json.before")
}

/// Keeps the file until the disk has the next, unless it is torn itself: then the one before it stays. Without that a
/// torn one would cost the state, as on a file system that has no links.
fn keep(file: &Path) {
    let text = fs::read_to_string(file).unwrap_or_default();
    if serde_json::from_str::<IgnoredAny>(&text).is_err() {
        return;
    }
    let beside = file.with_extension(format!("{}.before.new", std::process::id()));
    let _ = fs::remove_file(&beside);
    if fs::hard_link(file, &beside).is_ok() && fs::rename(&beside, before(file)).is_err() {
        let _ = fs::remove_file(&beside);
    }
}

/// Has the disk know the name as well.
fn sync_directory(file: &Path) -> io::Result<()> {
    match file.parent().map(|directory| fs::File::open(directory)?.sync_all()) {
        // Not every file system can.
        Some(Err(error)) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
