//! What belongs to the configuration of a server: its main file, and in the folders that are its own (`/etc/unbound`,
//! never `/usr/local/etc`) the files that have the name of a configuration.
//!
//! Nothing else: a zone, a certificate or a key may have changed long after the server was restarted, and its older self
//! would be served as if it were true. What begins with a dot is hidden from every server that reads a whole folder.
//! Links are not followed, and what lies in a folder that somebody else can write to is left out, with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::backend::Backend;
use crate::sys::trusted_path::{about, guarded, is_ours};

/// A configuration has no more files: what has is more than a configuration.
const MOST_FILES: usize = 2_000;

/// Of folders in a folder.
const DEEPEST: usize = 8;

/// What is added to the name of a file that was in the way, behind a dot in front: dnsmasq reads whatever else lies in
/// its folder.
pub(super) const ASIDE: &str = ".rolled-back";

/// Where the configuration is.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// The main file.
    pub(super) file: PathBuf,
    /// The folders that are the server's own.
    pub(super) folders: Vec<PathBuf>,
    /// The names of what counts there.
    pub(super) names: Vec<String>,
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
        let names = facts.names.iter().filter(|_| is_usual).map(|name| (*name).to_owned()).collect();
        Some(Self { file, folders, names })
    }

    /// Whether a file of this name is configuration.
    fn counts(&self, name: &str) -> bool {
        self.names.iter().any(|pattern| {
            let (begin, end) = pattern.split_once('*').unwrap_or((pattern, ""));
            name.strip_prefix(begin).is_some_and(|rest| rest.ends_with(end))
        })
    }
}

/// What was found there.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Every folder that was looked at.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Every plain file that counts, in a folder that is guarded.
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
                Ok(_) => tree.folder(scope, folder, DEEPEST)?,
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

    fn folder(&mut self, scope: &Scope, folder: &Path, depth: usize) -> io::Result<()> {
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
            let entry = entry.map_err(named)?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            // A link to one, too, to be named.
            let is_folder = path.is_dir();
            if name.starts_with('.') || !(is_folder || scope.counts(&name)) {
                continue;
            }
            match is_folder.then(|| is_ours(&path, false)) {
                _ if path.to_str().is_none() => self.skip(&path, "has a name that is not UTF-8"),
                None => self.file(&path),
                Some(Err(error)) => self.skip(&path, error.to_string()),
                Some(Ok(_)) if depth == 0 => self.skip(&path, format!("is more than {DEEPEST} folders deep")),
                Some(Ok(_)) => self.folder(scope, &path, depth - 1)?,
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
    fn zones_and_keys_are_no_configuration() {
        let counts = |table: &str, name: &str| scope(table).unwrap().counts(name);
        for (table, name, is) in [
            ("[backend.bind]", "named.conf", true),
            ("[backend.bind]", "named.conf.local", true),
            ("[backend.bind]", "db.example.org", false),
            ("[backend.bind]", "rndc.key", false),
            ("[backend.bind]", "named.configuration", false),
            ("[backend.nsd]", "nsd.conf", true),
            ("[backend.nsd]", "example.org.zone", false),
            ("[backend.nsd]", "nsd_server.pem", false),
            ("[backend.dnsdist]", "rules.lua", true),
            ("[backend.nsd]\nconfig-file = \"/srv/nsd.conf\"", "nsd.conf", false),
        ] {
            assert_eq!(counts(table, name), is, "{table}: {name}");
        }
        for kind in crate::backend::Kind::ALL {
            let (folders, names) = (kind.facts().folders, kind.facts().names);
            assert_eq!(folders.is_empty(), names.is_empty(), "{kind}");
            assert!(names.iter().all(|name| name.matches('*').count() == 1), "{kind}: {names:?}");
        }
    }
}
