//! What survives a restart, in a file: `<state>/<name of the configuration file>.json`.
//!
//! Written beside and renamed, so that there is always a whole one. A file that is torn, foreign or not writable
//! costs a warning and nothing else.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::engine::memory::Memory;

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
    /// Milliseconds since 1970.
    saved_at: u64,
    services: Memory,
}

/// The file, and whether it has been complained about.
#[derive(Debug)]
pub struct Store {
    file: PathBuf,
    configuration: PathBuf,
    complained: Arc<AtomicBool>,
    /// Only one writer at a time; what comes meanwhile is written by it afterwards.
    newest: Arc<std::sync::Mutex<Option<String>>>,
    busy: Arc<AtomicBool>,
}

impl Store {
    /// The store of a configuration file, in a state directory.
    #[must_use]
    pub fn new(directory: &Path, configuration: &Path) -> Self {
        let stem = configuration.file_stem().unwrap_or_else(|| "dnsherald".as_ref());
        let mut name = stem.to_owned();
        name.push(".json");
        Self {
            file: directory.join(name),
            configuration: configuration.canonicalize().unwrap_or_else(|_| configuration.to_owned()),
            complained: Arc::default(),
            newest: Arc::default(),
            busy: Arc::default(),
        }
    }

    /// What was remembered and how long ago; nothing, with a warning, where that cannot be known.
    #[must_use]
    pub fn load(&self) -> (Memory, Duration) {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Default::default(),
            Err(error) => {
                log::warn!("cannot read the state in {}: {error}; starting without", self.file.display());
                return Default::default();
            }
        };
        self.understand(&text).unwrap_or_else(|why| {
            log::warn!("the state in {} is of no use: {why}; starting without", self.file.display());
            Default::default()
        })
    }

    fn understand(&self, text: &str) -> Result<(Memory, Duration), String> {
        let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if document.format != FORMAT {
            return Err(format!("its format is `{}`, expected `{FORMAT}`", document.format));
        }
        if document.configuration != self.configuration {
            return Err(format!("it belongs to the configuration {}", document.configuration.display()));
        }
        let age = now().saturating_sub(document.saved_at);
        Ok((document.services, Duration::from_millis(age)))
    }

    /// Writes it down, on another thread, since a disk can be slow. The newest wins.
    pub fn save(&mut self, memory: &Memory) {
        let document = Document {
            format: FORMAT.to_owned(),
            configuration: self.configuration.clone(),
            saved_at: now(),
            services: memory.clone(),
        };
        let Ok(text) = serde_json::to_string_pretty(&document) else { return };
        if let Ok(mut newest) = self.newest.lock() {
            *newest = Some(text);
        }
        if self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let (newest, busy, complained) =
            (Arc::clone(&self.newest), Arc::clone(&self.busy), Arc::clone(&self.complained));
        let file = self.file.clone();
        let take = move || newest.lock().ok().and_then(|mut newest| newest.take());
        tokio::task::spawn_blocking(move || {
            loop {
                while let Some(text) = take() {
                    match write(&file, &text) {
                        Ok(()) => complained.store(false, Ordering::Relaxed),
                        Err(error) if !complained.swap(true, Ordering::Relaxed) => log::warn!(
                            "cannot write the state to {}: {error}; penalties will not survive a restart",
                            file.display()
                        ),
                        Err(_) => {}
                    }
                }
                busy.store(false, Ordering::Release);
                // What came between the last look and that belongs to whoever gets there first.
                let Some(text) = take() else { break };
                let _ = write(&file, &text);
                if busy.swap(true, Ordering::AcqRel) {
                    break;
                }
            }
        });
    }
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = file.parent()
        && !directory.exists()
    {
        fs::create_dir_all(directory)?;
        fs::set_permissions(directory, fs::Permissions::from_mode(DIRECTORY_MODE))?;
    }
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
            handle.write_all(text.as_bytes())
        })
        .and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::memory::Remembered;

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
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { store.save(memory) });
        // Dropping the runtime waits for what it has spawned.
        drop(runtime);
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

    #[test]
    fn an_unwritable_place_costs_nothing() {
        let mut store = Store::new(Path::new("/proc/nowhere"), Path::new("resolver.toml"));
        saved(&mut store, &memory());
        assert_eq!(store.load().0, Memory::default());
    }
}
