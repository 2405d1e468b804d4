//! The state file on disk: replaced atomically; the previous file is kept until the next is on disk.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::sys::files::{Draft, open_plain, remove_leftovers, sync_directory_of, text_of};
use crate::sys::trusted_path::{is_own_where_shared, make_for_own_files};

/// ExaBGP passes on a umask that makes new directories inaccessible, so modes are set explicitly.
pub(in crate::daemon) const DIRECTORY_MODE: u32 = 0o750;
pub(in crate::daemon) const FILE_MODE: u32 = 0o640;

/// Largest file to read, in bytes.
const MAX_SIZE: u64 = 16 << 20;

/// Identifies a version of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

impl FileId {
    /// The current file; `None` if there is none.
    pub(super) fn read(file: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(file).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            size: found.size(),
        })
    }
}

/// Removes temporary files of helpers that were killed while writing.
pub(super) fn remove_drafts(file: &Path) {
    remove_leftovers(&file.with_extension(""));
    remove_leftovers(&file.with_extension("before"));
}

/// Creates the directory of a state file.
///
/// # Errors
/// Returns an error if it cannot be created, and for root also if another user could redirect the path.
pub(super) fn make_directory(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |directory| make_for_own_files(directory, DIRECTORY_MODE))
}

/// Reads a state file, which must be a regular file.
pub(in crate::daemon) fn read(file: &Path) -> io::Result<String> {
    let opened = open_plain(file)?;
    is_own_where_shared(file, &opened.metadata()?)?;
    text_of(opened, MAX_SIZE)
}

pub(in crate::daemon) fn write(file: &Path, text: &str) -> io::Result<()> {
    make_directory(file)?;
    // During a reload of ExaBGP two helpers overlap: each uses its own temporary name.
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    let (mut draft, mut written) = Draft::create(beside, FILE_MODE)?;
    written.write_all(text.as_bytes())?;
    keep_previous(file);
    draft.replaces(file)?;
    // In this order: if the helper is killed now, the state is saved even if the disk is slow. If power fails now, at
    // worst the file is incomplete: then the previous state is read. A last good configuration has no previous one, and is
    // not used if it is incomplete.
    written.sync_all().and_then(|()| sync_directory_of(file))
}

/// The path of the previous file.
pub(super) fn before(file: &Path) -> PathBuf {
    file.with_extension("json.before")
}

/// Keeps the current file as the previous one until the next is on disk, unless it is incomplete itself. On a file
/// system without hard links there is no previous file.
pub(super) fn keep_previous(file: &Path) {
    let text = read(file).unwrap_or_default();
    if serde_json::from_str::<IgnoredAny>(&text).is_err() {
        return;
    }
    let beside = file.with_extension(format!("before.{}.new", std::process::id()));
    let _ = fs::remove_file(&beside);
    if fs::hard_link(file, &beside).is_ok() && fs::rename(&beside, before(file)).is_err() {
        let _ = fs::remove_file(&beside);
    }
}
