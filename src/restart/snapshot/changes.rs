//! The differences between a snapshot and the disk, and the rollback: each changed file is renamed, and the saved one
//! takes its place.
//!
//! First all saved files are written beside their places; only then files are exchanged. Files that the snapshot does
//! not cover are never touched.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};

use super::archive::{Archive, Saved};
use super::scope::{Scope, TOO_LARGE};

/// The end of the name of a file that was replaced. The name begins with a dot: dnsmasq reads every other file in its
/// directory.
pub(super) const ASIDE: &str = ".rolled-back";

/// The differences between a snapshot and the disk.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The files that differ, each with its saved content; `None` if it did not exist at the time of the snapshot.
    files: BTreeMap<PathBuf, Option<Saved>>,
    /// Files that are left alone, each with the reason.
    pub(super) left: BTreeMap<PathBuf, String>,
}

impl Changes {
    /// Compares the snapshot with the disk.
    ///
    /// # Errors
    /// If the main file is no longer a plain file that only its owner can change.
    pub(super) fn new(saved: &Archive, now: Archive, scope: &Scope) -> io::Result<Self> {
        let mut changes = Self { left: saved.skipped.clone(), ..Self::default() };
        for (path, file) in &saved.files {
            // If a directory is no longer safe, its files are left alone, too.
            let skipped = path.ancestors().find_map(|above| now.skipped.get(above));
            match skipped.filter(|why| *why != TOO_LARGE && path.symlink_metadata().is_ok()) {
                Some(why) if *path == scope.file => {
                    return Err(io::Error::other(format!("{} ({why})", path.display())));
                }
                Some(why) => drop(changes.left.insert(path.clone(), why.clone())),
                None if now.files.get(path) == Some(file) => {}
                None => drop(changes.files.insert(path.clone(), Some(file.clone()))),
            }
        }
        for path in now.files.into_keys().filter(|path| !saved.files.contains_key(path)) {
            if path.ancestors().any(|above| saved.skipped.contains_key(above)) {
                continue;
            }
            if path.parent().is_some_and(|directory| saved.directories.contains_key(directory)) {
                changes.files.insert(path, None);
            } else {
                changes.left.insert(path, "lies in a directory that was not there".to_owned());
            }
        }
        for (path, why) in now.skipped {
            if !changes.files.contains_key(&path) {
                changes.left.entry(path).or_insert(why);
            }
        }
        Ok(changes)
    }

    /// Whether there are no differences.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Restores the snapshot, and returns the files that this changed.
    ///
    /// # Errors
    /// If a file cannot be written. Then nothing was exchanged, or the error names the files that were.
    pub(super) fn undo(&self, saved: &Archive) -> io::Result<Vec<String>> {
        let done = self.write_beside(saved).and_then(|()| self.exchange());
        if done.is_err() {
            self.files.keys().for_each(|path| drop(fs::remove_file(hidden(path, ".new"))));
        }
        done
    }

    /// Writes the saved files beside their places, in directories that exist and that no other user can change.
    fn write_beside(&self, saved: &Archive) -> io::Result<()> {
        for directory in self.files.keys().filter_map(|path| path.parent()) {
            saved.make_directory(directory)?;
        }
        for (path, file) in self.files.iter().filter_map(|(path, file)| Some((path, file.as_ref()?))) {
            let beside = hidden(path, ".new");
            // Left by a rollback that was killed.
            let _ = fs::remove_file(&beside);
            file.write(&beside)?;
        }
        Ok(())
    }

    fn exchange(&self) -> io::Result<Vec<String>> {
        let mut done: Vec<String> = vec![];
        for (path, file) in &self.files {
            let exchanged = put_aside(path).and_then(|aside| {
                match file {
                    Some(_) => fs::rename(hidden(path, ".new"), path)?,
                    None => fs::remove_file(path)?,
                }
                Ok(aside)
            });
            let aside = exchanged.map_err(|error| {
                let so_far = if done.is_empty() { "nothing".to_owned() } else { done.join(", ") };
                io::Error::new(error.kind(), format!("{}: {error}; changed so far: {so_far}", path.display()))
            })?;
            done.push(match aside {
                Some(aside) => format!("{} (the replaced file is now {})", path.display(), aside.display()),
                None => path.display().to_string(),
            });
        }
        Ok(done)
    }
}

/// Gives a file a second, free name, and returns that; `None` if the file does not exist.
fn put_aside(path: &Path) -> io::Result<Option<PathBuf>> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let ends = iter::once(String::new()).chain((2..).map(|number: u32| format!(".{number}")));
    for aside in ends.map(|end| hidden(path, &end)) {
        match fs::hard_link(path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            done => return done.map(|()| Some(aside)),
        }
    }
    Ok(None)
}

/// A name beside a file that no server reads.
fn hidden(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(ASIDE);
    name.push(end);
    path.with_file_name(name)
}
