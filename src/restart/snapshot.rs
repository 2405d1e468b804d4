//! A snapshot of the server's configuration at the last successful restart, for a rollback.
//!
//! ```text
//!  restart ──► present files read, and after its success: saved as one document in place of the one before
//!                                                            │
//!  restart fails, --rollback ──► saved and present files ──► Changes ──► present files are renamed, saved files restored
//! ```
//!
//! A rollback loses nothing: it renames the present files to `.NAME.rolled-back`, or `.NAME.rolled-back.2`. It does not
//! touch files that could not be saved, and names them.
//!
//! Root saves in a directory of its own beside the state, which belongs to ExaBGP's user. Any other user saves in the
//! state directory, and can restore only its own files.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use self::changes::Changes;
use self::scope::{Entries, Entry, Scope};
use crate::backend::privilege::is_root;
use crate::backend::{Backend, Trouble};
use crate::sys::directory::make;
use crate::sys::files::replace;
use crate::sys::trusted_path::{about, trusted};
use crate::text::parse_json;

mod changes;
mod scope;

/// The name of the document.
const NAME: &str = "snapshot.json";

/// A configuration may contain secrets (TSIG, `setKey`).
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Maximum size of all files together, in octets.
const LARGEST_TOTAL: usize = 16 << 20;

/// The remedy if there is no usable snapshot.
const RESTART_ONCE: &str =
    "run `backend restart` once without `--rollback` before you change anything: it saves the configuration";

/// A configuration as it was read.
#[derive(Debug)]
pub(super) struct Present(Entries);

/// The place of the snapshot of one backend, and of the other documents about its restarts.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// The files to save; `None` if the main file is not known.
    scope: Option<Scope>,
    /// The directory of the snapshot.
    pub(super) directory: PathBuf,
}

impl Snapshot {
    /// The snapshot of this backend, for a helper with this state directory.
    pub(crate) fn new(state: &Path, backend: &Backend) -> Self {
        Self { scope: Scope::new(backend), directory: places(state, is_root()).join(&backend.name) }
    }

    /// Reads the present configuration, to be saved later; `None` if the main file is not known.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn read_present(&self) -> io::Result<Option<Present>> {
        self.scope.as_ref().map(|scope| scope.read().map(Present)).transpose()
    }

    /// Saves this configuration in place of the earlier snapshot.
    ///
    /// # Errors
    /// If it cannot be written, or is too large. Then the earlier snapshot is still there.
    pub(super) fn save(&self, Present(entries): &Present) -> io::Result<()> {
        let Some(scope) = &self.scope else { return Ok(()) };
        let size = |entry: &Entry| if let Entry::File(_, content) = entry { content.len() } else { 0 };
        if entries.values().map(size).sum::<usize>() > LARGEST_TOTAL {
            let why = format!("the configuration has more than {} MiB", LARGEST_TOTAL >> 20);
            return Err(io::Error::other(why));
        }
        // One document, so that a single rename replaces all files.
        self.write(NAME, &serde_json::to_vec(&(scope.shown(), entries))?)
    }

    /// Writes a document of this name beside the snapshot, or the snapshot.
    ///
    /// # Errors
    /// If it cannot be written, or another user can change its place. Then the earlier document is still there.
    pub(super) fn write(&self, name: &str, document: &[u8]) -> io::Result<()> {
        let path = self.directory.join(name);
        if let Some(there) = path.ancestors().find(|above| above.symlink_metadata().is_ok()) {
            trusted(there)?;
        }
        make(&self.directory, DIRECTORY_MODE)?;
        replace(&path, self.directory.join(format!("{name}.new")), FILE_MODE, document)
    }

    /// Reads a document of this name.
    ///
    /// # Errors
    /// If it does not exist, cannot be read, or another user can change its place.
    pub(super) fn read_document(&self, name: &str) -> io::Result<Vec<u8>> {
        let path = self.directory.join(name);
        trusted(&path).and_then(|_| fs::read(&path).map_err(|error| about(&path, &error)))
    }

    /// Checks whether there is a snapshot and it can be restored. Returns the differences from the disk.
    ///
    /// # Errors
    /// The obstacle.
    pub(crate) fn check(&self) -> Result<Changes, Trouble> {
        let cannot = |why: String| Trouble::new(format!("cannot roll back: {why}"));
        let Some(scope) = &self.scope else {
            return Err(Trouble::new("its configuration file is not known: name it with `config-file`"));
        };
        let path = self.directory.join(NAME);
        let document = match self.read_document(NAME) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let why =
                    format!("no configuration is saved in {} to roll back to", self.directory.display());
                return Err(Trouble::with(why, RESTART_ONCE));
            }
            document => document.map_err(|error| cannot(error.to_string()))?,
        };
        let (of, saved): (String, Entries) = parse_json(&document).map_err(|error| {
            let why = format!("{} is damaged or of another version: {error}", path.display());
            Trouble::with(why, RESTART_ONCE)
        })?;
        if of != scope.shown() {
            let why = format!("the snapshot is of {of}, not of {}", scope.shown());
            return Err(Trouble::with(why, RESTART_ONCE));
        }
        let why = match saved.get(&scope.file) {
            Some(Entry::File(..)) => {
                let now = scope.read().map_err(|error| cannot(error.to_string()))?;
                return Changes::new(&saved, &now, &scope.file).map_err(cannot);
            }
            Some(Entry::Skipped(why) | Entry::TooLarge(why)) => why.clone(),
            _ => format!("{} did not exist", scope.file.display()),
        };
        Err(Trouble::with(
            format!("the last successful restart did not save `config-file`: {why}"),
            "name a plain file of at most 4 MiB with `config-file`, in a directory that only root and this user can change; \
             then restart once without --rollback",
        ))
    }
}

/// The directory of all snapshots. Root's is beside the state directory, which another user may own.
fn places(state: &Path, is_root: bool) -> PathBuf {
    let mut place = state.components().as_path().as_os_str().to_owned();
    place.push(if is_root { "-rollback" } else { "/rollback" });
    place.into()
}

#[cfg(test)]
mod tests;
