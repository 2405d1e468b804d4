//! What was kept, and where its copies are: `manifest.json` in the place of a backend, beside the folder of copies.
//!
//! The manifest is what counts. It is exchanged at one stroke when all copies are on the disk, so that at every moment
//! there is one, and what it names is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::ErrorKind::{InvalidData, NotFound, PermissionDenied, UnexpectedEof};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::tree::{Scope, Tree};
use crate::directory::make;
use crate::fnv::fnv64;
use crate::sys::files::{self, Draft};
use crate::sys::trusted_path::{about, guarded};

/// Names the format, so that a foreign file is known as such.
const FORMAT: &str = "dnsherald rollback 1";

const NAME: &str = "manifest.json";

/// A configuration may contain secrets (TSIG, `setKey`).
const DIRECTORY_MODE: u32 = 0o700;
const COPY_MODE: u32 = 0o600;

/// A file that is larger is no configuration.
pub(super) const LARGEST: u64 = 4 << 20;

/// What was kept, as it was then.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Manifest {
    format: String,
    /// The main file.
    pub(super) config_file: PathBuf,
    /// The folder of the copies.
    copies: String,
    /// The names of what was looked at in folders; none where it was the main file only.
    #[serde(default)]
    pub(super) names: Vec<String>,
    /// The folders that were looked at: a plain file of such a name that is not among what follows was not there.
    pub(super) folders: BTreeMap<PathBuf, Owner>,
    /// What was kept.
    pub(super) files: BTreeMap<PathBuf, Kept>,
    /// What was not, and why.
    pub(super) skipped: BTreeMap<PathBuf, String>,
}

/// A file that was kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Kept {
    /// The name of its copy.
    copy: usize,
    /// In bytes.
    size: usize,
    /// Of its content, to see that the copy is whole.
    digest: String,
    /// Whose it was.
    pub(super) owner: Owner,
}

/// Whose a file or folder is, and who may do what with it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Owner {
    pub(super) user: u32,
    group: u32,
    /// The last twelve bits, as a number.
    mode: u32,
}

impl Owner {
    /// Of what was found.
    pub(super) fn of(found: &Metadata) -> Self {
        Self { user: found.uid(), group: found.gid(), mode: found.mode() & 0o7777 }
    }

    /// Gives it to this owner. Nobody else can open it before that.
    fn takes(self, file: &File) -> io::Result<()> {
        fchown(file, Some(self.user), Some(self.group))?;
        // In this order: a change of owner takes bits away.
        file.set_permissions(fs::Permissions::from_mode(self.mode))
    }

    /// Makes a folder of this owner.
    ///
    /// # Errors
    /// When it cannot be made, or not be given away.
    pub(super) fn makes(self, folder: &Path) -> io::Result<()> {
        make(folder, DIRECTORY_MODE)
            .and_then(|()| self.takes(&File::open(folder)?))
            .map_err(|error| about(folder, &error))
    }

    /// Writes a file of this owner, where there is none yet, and has it on the disk.
    ///
    /// # Errors
    /// When it cannot be written, or not be given away.
    pub(super) fn writes(self, file: &Path, content: &[u8]) -> io::Result<()> {
        let mut handle = new_file(file)?;
        self.takes(&handle)
            .and_then(|()| handle.write_all(content))
            .and_then(|()| handle.sync_all())
            .map_err(|error| about(file, &error))
    }
}

impl Manifest {
    /// The manifest in the place of a backend.
    ///
    /// # Errors
    /// When there is none, somebody else can write there, or it is not to be understood.
    pub(super) fn load(place: &Path) -> io::Result<Self> {
        let file = place.join(NAME);
        guarded(&file)?;
        let manifest: Self = serde_json::from_slice(&fs::read(&file)?)?;
        match manifest.format == FORMAT {
            true => Ok(manifest),
            false => {
                let (file, format) = (file.display(), manifest.format);
                let why = format!("{file}: its format is `{format}`, expected `{FORMAT}`");
                Err(io::Error::new(InvalidData, why))
            }
        }
    }

    /// Keeps what is there now, and forgets what was kept before. Where that fails at any point, what was kept before
    /// is kept.
    ///
    /// # Errors
    /// When it cannot be read or written, and when somebody else can write to the place.
    pub(super) fn keep(scope: &Scope, tree: Tree, place: &Path) -> io::Result<()> {
        if let Some(there) = place.ancestors().find(|above| above.symlink_metadata().is_ok()) {
            guarded(there)?;
        }
        make(place, DIRECTORY_MODE)?;
        guarded(place)?;
        let former = match Self::load(place) {
            Ok(former) => former.copies,
            // There is none, or none that is of use.
            Err(error) if matches!(error.kind(), NotFound | InvalidData | UnexpectedEof) => String::new(),
            Err(error) => return Err(error),
        };
        remove_all_but(place, &[NAME, &former])?;
        let copies = if former == "copies-1" { "copies-2" } else { "copies-1" };
        let written = Self::copied(scope, tree, place, copies).and_then(|new| new.replaces(place));
        match written {
            Ok(()) => remove_all_but(place, &[NAME, copies]),
            Err(error) => {
                let _ = remove_all_but(place, &[NAME, &former]);
                Err(error)
            }
        }
    }

    fn copied(scope: &Scope, tree: Tree, place: &Path, copies: &str) -> io::Result<Self> {
        let Tree { folders, files, skipped } = tree;
        let owned = |folder: PathBuf| Ok((folder.clone(), Owner::of(&fs::symlink_metadata(&folder)?)));
        let mut manifest = Self {
            format: FORMAT.to_owned(),
            config_file: scope.file.clone(),
            names: scope.names.clone(),
            copies: copies.to_owned(),
            folders: folders.into_iter().map(owned).collect::<io::Result<_>>()?,
            files: BTreeMap::new(),
            skipped,
        };
        let folder = place.join(copies);
        make(&folder, DIRECTORY_MODE)?;
        for (copy, file) in files.into_iter().enumerate() {
            match read(&file) {
                Err(error) if error.kind() == PermissionDenied => {
                    manifest.skipped.insert(file, "cannot be read by this user".to_owned());
                }
                Err(error) => return Err(error),
                Ok(Content::Whole(content, owner)) => {
                    let mut handle = new_file(&folder.join(copy.to_string()))?;
                    handle.write_all(&content)?;
                    handle.sync_all()?;
                    let kept = Kept { copy, size: content.len(), digest: digest(&content), owner };
                    manifest.files.insert(file, kept);
                }
                Ok(Content::TooLarge) => {
                    let why = format!("has more than {} MiB", LARGEST >> 20);
                    manifest.skipped.insert(file, why);
                }
            }
        }
        File::open(&folder)?.sync_all()?;
        Ok(manifest)
    }

    /// Takes the place of the one before.
    fn replaces(&self, place: &Path) -> io::Result<()> {
        let mut draft = Draft::create(place.join(format!("{NAME}.new")), COPY_MODE)?;
        draft.file.write_all(&serde_json::to_vec_pretty(self)?)?;
        draft.file.sync_all()?;
        draft.replaces(&place.join(NAME))?;
        File::open(place)?.sync_all()
    }

    /// What a file contained when it was kept.
    ///
    /// # Errors
    /// When its copy cannot be read, or is not what was written.
    pub(super) fn content(&self, place: &Path, kept: &Kept) -> io::Result<Vec<u8>> {
        let copy = place.join(&self.copies).join(kept.copy.to_string());
        let damaged = || io::Error::other(format!("{} is damaged: it is not what was kept", copy.display()));
        match read(&copy)? {
            Content::Whole(content, _) if digest(&content) == kept.digest && content.len() == kept.size => {
                Ok(content)
            }
            _ => Err(damaged()),
        }
    }

    /// The folders to which something may be put back.
    pub(super) fn destinations(&self) -> BTreeSet<&Path> {
        self.files.keys().filter_map(|file| file.parent()).collect()
    }
}

/// What a file contains.
pub(super) enum Content {
    Whole(Vec<u8>, Owner),
    TooLarge,
}

/// Reads a plain file, and no other.
pub(super) fn read(file: &Path) -> io::Result<Content> {
    let named = |error: io::Error| about(file, &error);
    let handle = files::open_plain(file).map_err(named)?;
    let found = handle.metadata().map_err(named)?;
    let mut content = vec![];
    let size = handle.take(LARGEST + 1).read_to_end(&mut content).map_err(named)?;
    Ok(if size as u64 > LARGEST { Content::TooLarge } else { Content::Whole(content, Owner::of(&found)) })
}

/// A file that was not there, for us alone.
fn new_file(file: &Path) -> io::Result<File> {
    files::create(file, COPY_MODE).map_err(|error| about(file, &error))
}

/// What a restart that was killed has left goes, too.
fn remove_all_but(place: &Path, names: &[&str]) -> io::Result<()> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        if names.iter().any(|name| entry.file_name() == **name) {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// Tells a torn copy from a whole one; nobody who could write there needs to be outwitted.
fn digest(content: &[u8]) -> String {
    format!("{:016x}", fnv64(content))
}
