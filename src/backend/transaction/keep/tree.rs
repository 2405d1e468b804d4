//! What belongs to the configuration of a server: its main file, and the folders that are its own (`/etc/unbound`,
//! never `/usr/local/etc`).
//!
//! Links are not followed, and what lies in a folder that somebody else can write to is left out, with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::guarded::{about, guarded, is_ours};
use crate::backend::Backend;

/// A configuration has no more files: what has is more than a configuration.
const MOST_FILES: usize = 2_000;

/// Of folders in a folder.
const DEEPEST: usize = 8;

/// What is added to the name of a file that was in the way.
pub(super) const ASIDE: &str = ".rolled-back";

/// Where the configuration is.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// The main file.
    pub(super) file: PathBuf,
    /// The folders that are the server's own.
    pub(super) folders: Vec<PathBuf>,
}

impl Scope {
    /// Of this backend; none where its main file is not known. The folders count where that file lies among them, or
    /// beside the one that is usual.
    pub(super) fn of(backend: &Backend) -> Option<Self> {
        let file = backend.config_file.clone()?;
        let facts = backend.facts();
        let usual = facts.config_file.map(Path::new);
        let is_usual = usual.and_then(Path::parent) == file.parent()
            || facts.folders.iter().any(|folder| file.starts_with(folder));
        let folders = facts.folders.iter().filter(|_| is_usual).map(PathBuf::from).collect();
        Some(Self { file, folders })
    }
}

/// What was found there.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Every folder that was looked at.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Every plain file, in a folder that is guarded.
    pub(super) files: BTreeSet<PathBuf>,
    /// What was left out, and why.
    pub(super) skipped: BTreeMap<PathBuf, String>,
}

impl Tree {
    /// Looks at it.
    ///
    /// # Errors
    /// When there is too much, or it cannot be read.
    pub(super) fn of(scope: &Scope) -> io::Result<Self> {
        let mut tree = Self::default();
        for folder in &scope.folders {
            match guarded(folder) {
                Ok(_) => tree.folder(folder, DEEPEST)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tree.skip(folder, error.to_string()),
            }
        }
        let file = &scope.file;
        if !tree.files.contains(file) && !tree.skipped.contains_key(file) {
            match file.parent().map(guarded) {
                Some(Err(error)) => tree.skip(file, error.to_string()),
                _ => tree.file(file),
            }
        }
        Ok(tree)
    }

    fn folder(&mut self, folder: &Path, depth: usize) -> io::Result<()> {
        let named = |error: io::Error| about(folder, &error);
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.skip(folder, "cannot be read by this user");
                return Ok(());
            }
            entries => entries.map_err(named)?,
        };
        self.folders.insert(folder.to_owned());
        for entry in entries {
            let path = entry.map_err(named)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                self.skip(&path, "has a name that is not UTF-8");
                continue;
            };
            if is_aside(name) {
                continue;
            }
            let is_folder = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
            match is_folder.then(|| is_ours(&path, false)) {
                None => self.file(&path),
                Some(Err(error)) => self.skip(&path, error.to_string()),
                Some(Ok(_)) if depth == 0 => self.skip(&path, format!("is more than {DEEPEST} folders deep")),
                Some(Ok(_)) => self.folder(&path, depth - 1)?,
            }
            if self.files.len() > MOST_FILES {
                return Err(io::Error::other(format!(
                    "{} has more than {MOST_FILES} files, expected no more in a configuration",
                    folder.display()
                )));
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_file() => drop(self.files.insert(path.to_owned())),
            Ok(found) if found.is_symlink() => self.skip(path, "is a link"),
            Ok(_) => self.skip(path, "is no plain file"),
            Err(error) => self.skip(path, error.to_string()),
        }
    }

    fn skip(&mut self, path: &Path, why: impl Into<String>) {
        // It is written down as text.
        let (name, why) = (path.to_string_lossy().into_owned(), why.into());
        let why = why.strip_prefix(&name).map_or(why.as_str(), str::trim_start);
        self.skipped.insert(name.into(), why.to_owned());
    }
}

/// Whether a rollback has left this file, or was about to.
fn is_aside(name: &str) -> bool {
    name.rsplit_once(ASIDE).is_some_and(|(_, rest)| {
        rest.is_empty()
            || rest.strip_prefix('.').is_some_and(|rest| rest == "new" || rest.parse::<u32>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn scope(table: &str) -> Option<Scope> {
        let text = format!(
            "{table}\n[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\"]\n"
        );
        Scope::of(&Config::parse(Path::new("test.toml"), &text, "host").unwrap().backends[0])
    }

    #[test]
    fn the_folders_of_a_server_are_those_that_it_is_known_for() {
        let folders = |table: &str| scope(table).unwrap().folders;
        assert_eq!(folders("[backend.unbound]"), [Path::new("/etc/unbound")]);
        for file in ["/usr/local/etc/unbound.conf", "/etc/unbound.conf", "/etc/unbound-2/unbound.conf"] {
            assert!(folders(&format!("[backend.unbound]\nconfig-file = \"{file}\"")).is_empty(), "{file}");
        }
        let deep = folders("[backend.unbound]\nconfig-file = \"/etc/unbound/site/a.conf\"");
        assert_eq!(deep, [Path::new("/etc/unbound")]);
        let second = folders("[backend.powerdns]\nconfig-file = \"/etc/powerdns/pdns-second.conf\"");
        assert_eq!(second, [Path::new("/etc/powerdns/pdns.d")]);
        assert!(folders("[backend.dnsmasq]").is_empty());
        assert!(scope("[backend.generic]\nrestart = [\"true\"]").is_none());
    }

    #[test]
    fn what_a_rollback_has_left_is_no_part_of_it() {
        for (name, is) in [
            ("a.conf.rolled-back", true),
            ("a.conf.rolled-back.2", true),
            (".a.conf.rolled-back.new", true),
            ("a.rolled-back.conf", false),
            ("a.conf", false),
        ] {
            assert_eq!(is_aside(name), is, "{name}");
        }
    }
}
