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
        let configuration = std::path::absolute(configuration).unwrap_or_else(|_| configuration.to_owned());
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

fn write(file: &Path, text: &str) -> io::Result<()> {
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
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::memory::Remembered;
    use crate::engine::service::State;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("dnsherald-store-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn memory() -> Memory {
        let remembered = Remembered { penalty: 1234.5, suppressed: true, ..Remembered::default() };
        Memory { services: BTreeMap::from([("resolver".to_owned(), remembered)]) }
    }

    /// Saves and waits until it is written.
    fn saved(store: &mut Store, memory: &Memory) {
        store.save(memory);
        assert!(store.is_written_within(Duration::from_secs(20)));
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let directory = directory("roundtrip");
        let mut store = Store::new(&directory.join("new/deep"), Path::new("resolver.toml"));
        saved(&mut store, &memory());
        let (loaded, age) = store.load();
        assert_eq!(loaded, memory());
        assert!(age < Duration::from_secs(60));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_torn_or_foreign_file_costs_nothing() {
        let directory = directory("torn");
        let mut store = Store::new(&directory, Path::new("resolver.toml"));
        saved(&mut store, &memory());
        let whole = fs::read_to_string(&store.file).unwrap();
        for torn in [
            "",
            "{",
            &whole[..whole.len() / 2],
            &whole.replace("state 1", "state 9"),
            &whole.replace("resolver.toml", "x.toml"),
        ] {
            fs::write(&store.file, torn).unwrap();
            assert_eq!(store.load().0, Memory::default(), "{torn}");
        }
        fs::remove_dir_all(directory).unwrap();
    }

    /// As a host without a battery leaves it that is off for some time, and begins where its clock stood last, or before.
    #[test]
    fn what_was_written_in_the_future_is_remembered_and_not_adopted() {
        let directory = directory("future");
        let mut store = Store::new(&directory, Path::new("resolver.toml"));
        let mut memory = memory();
        memory.services.values_mut().for_each(|service| service.acknowledged = Some(State::Up));
        saved(&mut store, &memory);
        let mut document: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&store.file).unwrap()).unwrap();
        document["uptime"]["boot"] = "another".into();
        let mut loaded_with = |saved_at: u64| {
            document["saved-at"] = saved_at.into();
            fs::write(&store.file, document.to_string()).unwrap();
            store.load()
        };
        let (loaded, age) = loaded_with(u64::MAX / 2);
        assert_eq!((loaded.services["resolver"].acknowledged, age), (None, Duration::ZERO));
        assert_eq!(loaded, self::memory(), "all but the state");
        let (loaded, age) = loaded_with(0);
        assert_eq!(loaded, memory);
        assert!(age > Duration::from_secs(86_400 * 365 * 50), "{age:?}");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn behind_a_torn_file_is_the_one_before() {
        let directory = directory("before");
        let mut store = Store::new(&directory, Path::new("resolver.toml"));
        saved(&mut store, &memory());
        saved(&mut store, &Memory::default());
        assert_eq!(store.load().0, Memory::default(), "the newest, while it is whole");
        for octet in [0, 0xff] {
            fs::write(&store.file, vec![octet; 100]).unwrap();
            assert_eq!(store.load().0, memory());
            // And so it is when the power fails again, at the first save.
            keep(&store.file);
            assert_eq!(store.load().0, memory());
        }
        fs::remove_file(&store.file).unwrap();
        assert_eq!(store.load().0, Memory::default(), "what an operator has removed stays so");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn an_unwritable_place_costs_nothing() {
        let mut store = Store::new(Path::new("/proc/nowhere"), Path::new("resolver.toml"));
        saved(&mut store, &memory());
        assert_eq!(store.load().0, Memory::default());
        assert!(!store.witness().has_seen_within(Duration::from_secs(20)));
    }

    #[test]
    fn of_many_the_newest_is_written() {
        let directory = directory("newest");
        let mut store = Store::new(&directory, Path::new("resolver.toml"));
        for penalty in 0..200 {
            let remembered = Remembered { penalty: f64::from(penalty), ..Remembered::default() };
            store.save(&Memory { services: BTreeMap::from([("resolver".to_owned(), remembered)]) });
        }
        assert!(store.is_written_within(Duration::from_secs(20)));
        assert!((store.load().0.services["resolver"].penalty - 199.0).abs() < 0.1);
        let names = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
        assert!(
            names.collect::<Vec<_>>().iter().all(|file| [&store.file, &before(&store.file)].contains(&file))
        );
        fs::remove_dir_all(directory).unwrap();
    }

    /// Opening a pipe that nobody reads takes as long as a disk that is gone.
    #[test]
    fn a_disk_that_hangs_is_waited_for_no_longer_than_said() {
        let directory = directory("hangs");
        let mut store = Store::new(&directory, Path::new("resolver.toml"));
        let beside = store.file.with_extension(format!("{}.new", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&beside).status().unwrap().success());
        store.save(&memory());
        assert!(!store.is_written_within(Duration::from_millis(50)));
        store.save(&memory());
        assert!(!store.witness().has_seen_within(Duration::from_millis(50)));
        drop(fs::File::open(&beside).unwrap());
        assert!(store.witness().has_seen_within(Duration::from_secs(20)), "once it is back, all is written");
        assert_eq!(store.load().0, memory());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn what_the_killed_have_left_is_removed() {
        let directory = directory("leftovers");
        let mut store = Store::new(&directory, Path::new("resolver.toml"));
        let beside = |pid: u32| store.file.with_extension(format!("{pid}.new"));
        // Nobody has a number beyond the largest there can be.
        let (dead, alive, foreign) = (beside(4_194_305), beside(1), directory.join("other.4194305.new"));
        for file in [&dead, &alive, &foreign] {
            fs::write(file, "{").unwrap();
        }
        saved(&mut store, &memory());
        assert_eq!([dead, alive, foreign].map(|file| file.exists()), [false, true, true]);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn links_do_not_matter_and_paths_do() {
        let directory = directory("links");
        let (link, other) = (directory.join("a.toml"), directory.join("deep/a.toml"));
        let mut store = Store::new(&directory, &link);
        saved(&mut store, &memory());
        assert_eq!(Store::new(&directory, &other).load().0, Memory::default());
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert_eq!(Store::new(&directory, &link).load().0, memory());
        fs::write(directory.join("nowhere"), "").unwrap();
        assert_eq!(Store::new(&directory, &link).load().0, memory());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn every_directory_that_is_made_can_be_entered() {
        let directory = directory("modes");
        let mut store = Store::new(&directory.join("x/a/b"), Path::new("resolver.toml"));
        saved(&mut store, &memory());
        for made in ["x", "x/a", "x/a/b"] {
            let mode = fs::metadata(directory.join(made)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, DIRECTORY_MODE, "{made}");
        }
        fs::remove_dir_all(directory).unwrap();
    }
}
