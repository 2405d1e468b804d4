//! A snapshot of the server's configuration at the last successful restart, for a rollback.
//!
//! ```text
//!  restart succeeds ───────► scan ──► Archive, which replaces the one before in one step
//!                                        │
//!  restart fails, --rollback ► scan ──► Changes ──► present files are renamed, saved files restored
//! ```
//!
//! It contains the main file, and the configuration files in the server's own directories: no zone, no key, no
//! certificate. A rollback loses nothing: it renames the present files to `.NAME.rolled-back`, or
//! `.NAME.rolled-back.2`. It does not touch files that could not be saved, and names them.
//!
//! Root saves in a directory of its own beside the state, which belongs to ExaBGP's user. Any other user saves in the
//! state directory, and can restore only its own files.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use self::archive::Archive;
use self::changes::Changes;
use self::scope::Scope;
use crate::backend::privilege::is_root;
use crate::backend::{Backend, Trouble};
use crate::sys::trusted_path::{trusted, user};

mod archive;
mod changes;
mod scope;

/// The remedy if there is no usable snapshot.
const RESTART_ONCE: &str =
    "each successful restart saves one: restart once without --rollback before you change anything";

/// The number of files that a message names.
const NAMED: usize = 12;

/// The snapshot of one backend.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    scope: Option<Scope>,
    place: PathBuf,
}

impl Snapshot {
    /// The snapshot of this backend, for a helper with this state directory.
    pub(crate) fn new(state: &Path, backend: &Backend) -> Self {
        Self { scope: Scope::new(backend), place: places(state, is_root()).join(&backend.name) }
    }

    /// The directory of the snapshot.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// Saves the configuration on disk, in place of the earlier snapshot.
    ///
    /// # Errors
    /// If it cannot be read or written. Then the earlier snapshot is still there.
    pub(crate) fn save(&self) -> io::Result<()> {
        self.scope.as_ref().map_or(Ok(()), |scope| Archive::scan(scope)?.store(&self.place))
    }

    /// Checks whether there is a snapshot and it can be restored.
    ///
    /// # Errors
    /// The obstacle.
    pub(crate) fn check(&self) -> Result<(), Trouble> {
        self.load().map(drop)
    }

    /// Restores the snapshot. Returns a sentence with the files that this changed, and those that it left alone.
    ///
    /// # Errors
    /// If there is no snapshot, nothing differs, or a file cannot be written.
    pub(crate) fn restore(&self) -> Result<String, Trouble> {
        let (saved, changes) = self.load()?;
        let left = named(&changes.left);
        if changes.is_empty() {
            return Err(Trouble::new(format!(
                "the configuration is the one of the last successful restart, as far as that was saved{left}"
            )));
        }
        let changed = changes
            .undo(&saved)
            .map_err(|error| Trouble::new(format!("cannot put the configuration back: {error}")))?;
        Ok(format!("put back: {}{left}", changed.join(", ")))
    }

    /// The snapshot and its differences from the disk, if it can be restored.
    fn load(&self) -> Result<(Archive, Changes), Trouble> {
        let cannot = |error: io::Error| Trouble::new(format!("cannot roll back: {error}"));
        let Some(scope) = &self.scope else {
            return Err(Trouble::new("its configuration file is not known: name it with `config-file`"));
        };
        let file = scope.file.display();
        let saved = Archive::load(&self.place).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Trouble::with(
                format!("no configuration is saved in {} to roll back to", self.place.display()),
                RESTART_ONCE,
            ),
            _ => cannot(error),
        })?;
        // The snapshot is of the same files.
        if saved.config_file != scope.file {
            let other = saved.config_file.display();
            return Err(Trouble::new(format!(
                "the snapshot is of the configuration in {other}, not in {file}"
            )));
        }
        if saved.names != scope.names {
            let (found, expected) = (saved.names.join(", "), scope.names.join(", "));
            return Err(Trouble::with(
                format!("the snapshot has the files named `{found}` beside {file}, expected `{expected}`"),
                RESTART_ONCE,
            ));
        }
        if !saved.files.contains_key(&scope.file) {
            let why = saved.skipped.get(&scope.file).map_or("was not there", String::as_str);
            return Err(Trouble::with(
                format!("{file} was not saved at the last successful restart ({why})"),
                "name a plain file with `config-file`, of root's and in a directory of root's",
            ));
        }
        // Checks that no other user can change the directories that a rollback writes to.
        for directory in saved.files.keys().filter_map(|file| file.parent()) {
            match trusted(directory).map(|found| archive::Owner::new(&found).user) {
                Ok(owner) if !is_root() && owner != geteuid().as_raw() => {
                    let (owner, own) = (user(owner), user(geteuid().as_raw()));
                    return Err(Trouble::with(
                        format!("{} belongs to {owner}, and this runs as {own}", directory.display()),
                        "roll back as root",
                    ));
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
                _ => {}
            }
        }
        let changes = Changes::new(&saved, Archive::scan(scope).map_err(cannot)?, scope).map_err(cannot)?;
        Ok((saved, changes))
    }
}

/// The directory of all snapshots. Root's is beside the state directory, which another user may own.
fn places(state: &Path, is_root: bool) -> PathBuf {
    if !is_root {
        return state.join("rollback");
    }
    let mut name = state.file_name().unwrap_or_default().to_owned();
    name.push("-rollback");
    state.with_file_name(name)
}

/// The end of a sentence that names the files left alone; empty if there are none.
fn named(left: &BTreeMap<PathBuf, String>) -> String {
    if left.is_empty() {
        return String::new();
    }
    let each = left.iter().take(NAMED).map(|(path, why)| format!("{} ({why})", path.display()));
    let each = each.collect::<Vec<_>>().join(", ");
    let more = if left.len() > NAMED { format!(", and {} more", left.len() - NAMED) } else { String::new() };
    format!("; not saved, and left alone: {each}{more}")
}

#[cfg(test)]
mod tests;
