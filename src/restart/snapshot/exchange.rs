//! The way back: what is different from what was kept is put aside, and what was kept takes its place.
//!
//! First all that is to be put back is written beside; only then anything is exchanged. What the manifest does not
//! cover is never touched.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::{Content, Manifest, Owner, read};
use super::tree::{ASIDE, Scope, Tree};
use crate::sys::trusted_path::guarded;

/// What differs.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// To be put back, with the content and the owner that it had.
    back: BTreeMap<PathBuf, (Vec<u8>, Owner)>,
    /// Was not there: to be put aside.
    added: Vec<PathBuf>,
    /// Is left alone, and why.
    pub(super) left: BTreeMap<PathBuf, String>,
}

impl Difference {
    /// Between what was kept in this place and what is there now.
    ///
    /// # Errors
    /// When either cannot be read, or the main file is no plain file any more.
    pub(super) fn of(manifest: &Manifest, place: &Path, scope: &Scope) -> io::Result<Self> {
        let now = Tree::of(scope)?;
        let mut found = Self { left: manifest.skipped.clone(), ..Self::default() };
        for (file, kept) in &manifest.files {
            // A folder that is no longer safe takes what is in it along.
            let skipped = file.ancestors().find_map(|above| now.skipped.get(above));
            let is_there = file.symlink_metadata().is_ok();
            match skipped {
                Some(why) if is_there && *file == scope.file => {
                    return Err(io::Error::other(format!("{} ({why})", file.display())));
                }
                Some(why) if is_there => drop(found.left.insert(file.clone(), why.clone())),
                _ => {
                    let content = manifest.content(place, kept)?;
                    let is_same = is_there
                        && matches!(read(file)?, Content::Whole(now, owner) if now == content && owner == kept.owner);
                    if !is_same {
                        found.back.insert(file.clone(), (content, kept.owner));
                    }
                }
            }
        }
        for file in now.files {
            let is_covered = file.parent().is_some_and(|folder| manifest.folders.contains_key(folder));
            let was_skipped = file.ancestors().any(|above| manifest.skipped.contains_key(above));
            if manifest.files.contains_key(&file) || was_skipped {
                continue;
            }
            if is_covered {
                found.added.push(file);
            } else {
                found.left.insert(file, "lies in a folder that was not there".to_owned());
            }
        }
        for (path, why) in now.skipped {
            if !found.back.contains_key(&path) {
                found.left.entry(path).or_insert(why);
            }
        }
        Ok(found)
    }

    /// Whether there is nothing to be done.
    pub(super) fn is_none(&self) -> bool {
        self.back.is_empty() && self.added.is_empty()
    }

    /// Makes it as it was, and says which files that changed.
    ///
    /// # Errors
    /// When something cannot be written: then nothing has been exchanged, or the error says what has.
    pub(super) fn undo(&self, manifest: &Manifest) -> io::Result<Vec<String>> {
        let done = self.stage(manifest).and_then(|()| self.exchange());
        if done.is_err() {
            for file in self.back.keys() {
                let _ = fs::remove_file(staged(file));
            }
        }
        done
    }

    fn exchange(&self) -> io::Result<Vec<String>> {
        let mut changed: Vec<String> = vec![];
        let back = self.back.keys().map(|file| (file, true));
        for (file, is_back) in back.chain(self.added.iter().map(|file| (file, false))) {
            exchange(file, is_back).map_err(|error| {
                let so_far = if changed.is_empty() { "nothing".to_owned() } else { changed.join(", ") };
                io::Error::new(error.kind(), format!("{}: {error}; changed so far: {so_far}", file.display()))
            })?;
            changed.push(file.display().to_string());
        }
        changed.sort();
        Ok(changed)
    }

    /// Writes beside what is to be put back. Folders that are gone come first.
    fn stage(&self, manifest: &Manifest) -> io::Result<()> {
        for file in self.added.iter().chain(self.back.keys()) {
            let Some(folder) = file.parent() else { continue };
            let mut gone: Vec<_> =
                folder.ancestors().take_while(|above| above.symlink_metadata().is_err()).collect();
            while let Some(above) = gone.pop() {
                guarded(above.parent().unwrap_or(above))?;
                let owner = manifest.folders.get(above).ok_or_else(|| {
                    io::Error::other(format!("the folder {} is gone, and was not kept", above.display()))
                })?;
                owner.makes(above)?;
            }
            guarded(folder)?;
        }
        for (file, (content, owner)) in &self.back {
            let staged = staged(file);
            // One that was killed has left it.
            let _ = fs::remove_file(&staged);
            owner.writes(&staged, content)?;
        }
        Ok(())
    }
}

/// Puts a file aside, under a name that is free, and what was kept, if anything, in its place. At every moment there is
/// one or the other.
fn exchange(file: &Path, is_back: bool) -> io::Result<()> {
    if file.symlink_metadata().is_ok() {
        for number in 1_u32.. {
            match fs::hard_link(file, aside(file, number)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    result?;
                    break;
                }
            }
        }
    }
    if is_back { fs::rename(staged(file), file) } else { fs::remove_file(file) }
}

fn aside(file: &Path, number: u32) -> PathBuf {
    hidden(file, &if number > 1 { format!("{ASIDE}.{number}") } else { ASIDE.to_owned() })
}

fn staged(file: &Path) -> PathBuf {
    hidden(file, &format!("{ASIDE}.new"))
}

/// Beside a file, where no server reads it.
fn hidden(file: &Path, end: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(end);
    file.with_file_name(name)
}
