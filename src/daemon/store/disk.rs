//! The state file on the disk: replaced at one stroke, and the one before kept until the disk has the next.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::sys::files::{Draft, open_plain, text_of};
use crate::sys::trusted_path::{is_own_where_shared, make_for_own_files};

/// ExaBGP hands down a umask under which directories cannot be entered, so modes are set explicitly.
pub(super) const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// No state and no configuration is longer, in bytes.
const LARGEST: u64 = 16 << 20;

/// Tells one file from the next at the same path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mark {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

impl Mark {
    /// Of the file that is there now; `None` where there is none.
    pub(super) fn of(file: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(file).ok()?;
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            size: found.size(),
        })
    }
}

/// What helpers that were killed while writing have left beside the file.
pub(super) fn remove_leftovers(file: &Path) {
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

/// Makes the directory of a state file.
///
/// # Errors
/// When it cannot be made, and for root also when another user could lead root elsewhere from there.
pub(super) fn make_place(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |directory| make_for_own_files(directory, DIRECTORY_MODE))
}

/// The text of a state file, which is a plain file, and not another user's in a directory that all users can write to.
pub(in crate::daemon) fn read(file: &Path) -> io::Result<String> {
    let opened = open_plain(file)?;
    is_own_where_shared(file, &opened.metadata()?)?;
    text_of(opened, LARGEST)
}

pub(in crate::daemon) fn write(file: &Path, text: &str) -> io::Result<()> {
    make_place(file)?;
    // Two helpers overlap for a moment when ExaBGP reloads: each writes beside under its own name.
    let mut draft = Draft::create(file.with_extension(format!("{}.new", std::process::id())), FILE_MODE)?;
    draft.file.write_all(text.as_bytes())?;
    keep(file);
    draft.replaces(file)?;
    // In this order: a helper that is killed now has left its state, whatever the disk is busy with, and a machine
    // that loses power now finds at worst a torn file, and the one before.
    draft.file.sync_all().and_then(|()| sync_directory(file))
}

/// Where the one before is kept.
pub(super) fn before(file: &Path) -> PathBuf {
    file.with_extension("json.before")
}

/// Keeps the file until the disk has the next, unless it is torn itself: then the one before it stays. Without that a
/// torn one would cost the state, as on a file system that has no links.
pub(super) fn keep(file: &Path) {
    let text = read(file).unwrap_or_default();
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
