//! The files of a configuration, stored as one JSON document, so a single rename replaces them all.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sys::directory::make;
use crate::sys::files::{content_of, create, open_plain, replace};
use crate::sys::trusted_path::{about, trusted};
use crate::text::parse_json;

/// The name of the document.
pub(super) const NAME: &str = "snapshot.json";

/// A configuration may contain secrets (TSIG, `setKey`).
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Maximum size of all files together, in octets.
const LARGEST: usize = 16 << 20;

/// An octet takes at most four in JSON; a path is far shorter than the contents.
const LARGEST_DOCUMENT: u64 = 5 * LARGEST as u64;

/// The files of a configuration at one time.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Archive {
    /// The main file.
    pub(super) config_file: PathBuf,
    /// The names of the files that count in directories; none if only the main file does.
    pub(super) names: Vec<String>,
    /// The directories that were read. A plain file there with one of the names that is not among `files` did not
    /// exist.
    #[serde(rename = "folders")]
    pub(super) directories: BTreeMap<PathBuf, Owner>,
    /// The plain files.
    pub(super) files: BTreeMap<PathBuf, Saved>,
    /// The paths that are left out, each with the reason.
    pub(super) skipped: BTreeMap<PathBuf, String>,
}

/// One file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Saved {
    pub(super) owner: Owner,
    pub(super) content: Vec<u8>,
}

/// The owner of a file or directory, and the permissions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Owner {
    pub(super) user: u32,
    group: u32,
    /// The last twelve bits, as a number.
    mode: u32,
}

impl Owner {
    pub(super) fn new(found: &Metadata) -> Self {
        Self { user: found.uid(), group: found.gid(), mode: found.mode() & 0o7777 }
    }

    /// Gives a file to this owner. No other user can open it before that.
    fn give(self, file: &File) -> io::Result<()> {
        fchown(file, Some(self.user), Some(self.group))?;
        // In this order: a change of owner clears permission bits.
        file.set_permissions(fs::Permissions::from_mode(self.mode))
    }
}

impl Saved {
    /// Writes the file to a free path, and waits until it is on the disk.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let written = create(path, FILE_MODE).and_then(|mut file| {
            self.owner.give(&file)?;
            file.write_all(&self.content)?;
            file.sync_all()
        });
        written.map_err(|error| about(path, &error))
    }
}

impl Archive {
    /// Makes sure that a directory exists, with those above it, as they were saved, and that no other user can change it.
    pub(super) fn make_directory(&self, directory: &Path) -> io::Result<()> {
        if let (Err(_), Some(above)) = (directory.symlink_metadata(), directory.parent()) {
            self.make_directory(above)?;
            let owner = self.directories.get(directory).ok_or_else(|| {
                io::Error::other(format!("the directory {} is gone, and was not saved", directory.display()))
            })?;
            let made = make(directory, DIRECTORY_MODE).and_then(|()| owner.give(&File::open(directory)?));
            made.map_err(|error| about(directory, &error))?;
        }
        trusted(directory).map(drop)
    }

    /// Reads the snapshot in this directory.
    ///
    /// # Errors
    /// If there is none, another user can write to the directory, or the snapshot is damaged.
    pub(super) fn load(place: &Path) -> io::Result<Self> {
        let path = place.join(NAME);
        trusted(&path)?;
        let document = open_plain(&path).and_then(|file| content_of(file, LARGEST_DOCUMENT));
        let document = document.map_err(|error| about(&path, &error))?;
        parse_json(&document)
            .map_err(|error| io::Error::other(format!("{} is damaged: {error}", path.display())))
    }

    /// Replaces the snapshot in this directory. If that fails at any point, the earlier one is still there.
    ///
    /// # Errors
    /// If it cannot be written, or another user can write to the directory.
    pub(super) fn store(&self, place: &Path) -> io::Result<()> {
        let path = place.join(NAME);
        if let Some(there) = path.ancestors().find(|above| above.symlink_metadata().is_ok()) {
            trusted(there)?;
        }
        make(place, DIRECTORY_MODE)?;
        trusted(place)?;
        if self.files.values().map(|file| file.content.len()).sum::<usize>() > LARGEST {
            let why = format!("the configuration has more than {} MiB", LARGEST >> 20);
            return Err(io::Error::new(ErrorKind::FileTooLarge, why));
        }
        replace(&path, place.join(format!("{NAME}.new")), FILE_MODE, &serde_json::to_vec(self)?)
    }
}
