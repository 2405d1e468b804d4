//! The differences between a snapshot and the disk, and the rollback: first missing directories are made, and all saved files
//! are written beside their places; only then each changed file gets a second name beside its place, and the saved one replaces it; a new file is
//! removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::scope::{Entries, Entry};
use super::{DIRECTORY_MODE, FILE_MODE};
use crate::backend::Trouble;
use crate::sys::directory::make;
use crate::sys::files::Draft;
use crate::text::ordered;

/// The differences between a snapshot and the disk.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The paths that differ, each with the saved entry; `None` if it did not exist at the time of the snapshot.
    differ: BTreeMap<PathBuf, Option<Entry>>,
    /// The reasons why paths are left alone.
    left: Vec<String>,
}

impl Changes {
    /// Compares the snapshot with the disk.
    ///
    /// # Errors
    /// If the main file or a directory is no longer one that only its owner can change.
    pub(super) fn new(saved: &Entries, now: &Entries, main: &Path) -> Result<Self, String> {
        let mut changes = Self::default();
        for path in ordered::<BTreeSet<_>, _>(saved.keys().chain(now.keys())) {
            let directory = path.parent().and_then(|directory| saved.get(directory));
            let why = match (saved.get(path), now.get(path)) {
                // The snapshot has only the reason why it was not saved: there is nothing to restore, and the operator
                // reads the reason in the report.
                (Some(Entry::Skipped(why) | Entry::TooLarge(why)), _) => why.clone(),
                // It is new, and a snapshot could not save it: it stays, and the report names it, too.
                (None, Some(Entry::Skipped(why) | Entry::TooLarge(why))) => why.clone(),
                // It was saved, and is now a path that a snapshot does not save: it is not safe to replace. A further
                // file stays as it is; without the main file or a directory there is no rollback.
                (Some(Entry::File(..)), Some(Entry::Skipped(why))) if path != main => why.clone(),
                (Some(_), Some(Entry::Skipped(why))) => return Err(why.clone()),
                // A directory stays, with any owner.
                (Some(Entry::Directory(_)) | None, Some(Entry::Directory(_))) => continue,
                // It has not changed.
                (saved, now) if saved == now => continue,
                // It is new in a directory that was not there or not readable: its owner is not known.
                (None, _) if !matches!(directory, Some(Entry::Directory(_))) => {
                    format!(
                        "{} lies in a directory that the last successful restart did not save",
                        path.display()
                    )
                }
                // It has changed, has grown too large, is new or is gone: the rollback undoes that.
                (saved, _) => {
                    changes.differ.insert(path.clone(), saved.cloned());
                    continue;
                }
            };
            changes.left.push(why);
        }
        Ok(changes)
    }

    /// Restores the snapshot. Returns a sentence with the paths that this changed, and those that it left alone.
    ///
    /// # Errors
    /// If nothing differs, or a file cannot be written: the error names the files that were exchanged before.
    pub(crate) fn undo(&self) -> Result<String, Trouble> {
        let left = match &self.left[..] {
            [] => String::new(),
            left => format!("; the rollback does not touch these paths: {}", left.join(", ")),
        };
        if self.differ.is_empty() {
            return Err(Trouble::new(format!(
                "the files on disk are the ones that the last successful restart saved{left}"
            )));
        }
        let cannot = |path: &Path, error: io::Error, done: &[String]| {
            let so_far = if done.is_empty() { "no file".to_owned() } else { done.join(", ") };
            Trouble::new(format!(
                "cannot restore {}: {error}; so far the rollback changed {so_far}",
                path.display()
            ))
        };
        // A directory comes before its files.
        let mut drafts = vec![];
        for (path, entry) in &self.differ {
            let draft = entry.as_ref().map_or(Ok(None), |entry| prepare(path, entry));
            drafts.push((path, draft.map_err(|error| cannot(path, error, &[]))?));
        }
        let mut done = vec![];
        for (path, draft) in drafts {
            let aside = exchange(path, draft).map_err(|error| cannot(path, error, &done))?;
            let aside = aside.map(|aside| format!(" (the replaced file is now {})", aside.display()));
            done.push(format!("{}{}", path.display(), aside.unwrap_or_default()));
        }
        Ok(format!("the rollback restored these paths: {}{left}", done.join(", ")))
    }
}

/// Makes a saved directory, or writes a saved file beside its place and waits until it is on the disk. Leaves no file
/// open: a configuration may have more files than a process can have open.
pub(super) fn prepare(path: &Path, saved: &Entry) -> io::Result<Option<Draft>> {
    match saved {
        Entry::Directory(owner) => {
            make(path, DIRECTORY_MODE).and_then(|()| owner.give(&File::open(path)?)).map(|()| None)
        }
        Entry::File(owner, content) => {
            let (draft, mut file) = Draft::create(beside(path, ".new"), FILE_MODE)?;
            owner.give(&file)?;
            file.write_all(content)?;
            file.sync_all()?;
            Ok(Some(draft))
        }
        Entry::Skipped(_) | Entry::TooLarge(_) => Ok(None),
    }
}

/// Puts the draft in the place of a file, or removes the file if there is no draft. Keeps the present file under a free
/// name beside it and returns that name; `None` if there was no file.
fn exchange(path: &Path, draft: Option<Draft>) -> io::Result<Option<PathBuf>> {
    if draft.is_none() && path.is_dir() {
        return Ok(None);
    }
    let ends = [String::new()].into_iter().chain((2..).map(|number: u32| format!(".{number}")));
    let mut names = ends.map(|end| beside(path, &end));
    let aside = names.find(|name| name.symlink_metadata().is_err()).unwrap_or_default();
    let aside = match fs::hard_link(path, &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        linked => linked.map(|()| Some(aside))?,
    };
    match draft {
        Some(mut draft) => draft.replaces(path)?,
        None => fs::remove_file(path)?,
    }
    Ok(aside)
}

/// A name beside a file that no server reads. It begins with a dot: dnsmasq reads every other file in its directory.
fn beside(path: &Path, end: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.rolled-back{end}"))
}
