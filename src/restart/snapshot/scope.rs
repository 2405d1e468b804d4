//! The files that belong to the configuration of a server: its main file, and in its own directories (`/etc/unbound`,
//! never `/usr/local/etc`) the files with the name of a configuration.
//!
//! Nothing else: a zone, a certificate or a key may have changed long after the server was restarted, and a rollback
//! would restore an older version. No server that reads a whole directory reads a name that begins with a dot. Symlinks
//! are not followed, and a directory that another user can write to is left out, with the reason.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::archive::{Archive, Owner, Saved};
use crate::backend::Backend;
use crate::sys::files::{content_of, open_plain};
use crate::sys::trusted_path::{about, trusted, trusted_entry};

/// Maximum number of files of a configuration.
const MOST_FILES: usize = 2_000;

/// Maximum size of a file, in octets.
pub(super) const LARGEST: u64 = 4 << 20;

/// The reason to leave out a larger file.
pub(super) const TOO_LARGE: &str = "has more than 4 MiB";

/// The reason to leave out a file that only another user may read.
const UNREADABLE: &str = "cannot be read by this user";

/// Maximum depth of directories.
const DEEPEST: usize = 8;

/// The files of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// The main file.
    pub(super) file: PathBuf,
    /// The server's own directories.
    pub(super) directories: Vec<PathBuf>,
    /// The names of the files that count there.
    pub(super) names: Vec<String>,
}

impl Scope {
    /// The scope of this backend; `None` if its main file is not known. The directories count if that file is in one of
    /// them, or beside the usual one.
    pub(super) fn new(backend: &Backend) -> Option<Self> {
        let file = backend.config_file.clone()?;
        let facts = backend.facts();
        let usual = facts.config_file.map(Path::new);
        let is_usual = usual.and_then(Path::parent) == file.parent()
            || facts.directories.iter().any(|directory| file.starts_with(directory));
        let directories = facts.directories.iter().filter(|_| is_usual).map(PathBuf::from).collect();
        let names = facts.names.iter().filter(|_| is_usual).map(|name| (*name).to_owned()).collect();
        Some(Self { file, directories, names })
    }

    /// Whether a file of this name is configuration.
    fn counts(&self, name: &str) -> bool {
        self.names.iter().any(|pattern| {
            let (begin, end) = pattern.split_once('*').unwrap_or((pattern, ""));
            name.strip_prefix(begin).is_some_and(|rest| rest.ends_with(end))
        })
    }
}

impl Archive {
    /// Reads the configuration on disk.
    ///
    /// # Errors
    /// If it is too large, or cannot be read.
    pub(super) fn scan(scope: &Scope) -> io::Result<Self> {
        let (config_file, names) = (scope.file.clone(), scope.names.clone());
        let mut archive = Self { config_file, names, ..Self::default() };
        for directory in &scope.directories {
            match trusted(directory) {
                Ok(_) => archive.add_directory(scope, directory, DEEPEST)?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => archive.skip(directory, error.to_string()),
            }
        }
        let file = &scope.file;
        if !archive.files.contains_key(file) && !archive.skipped.contains_key(file) {
            match file.parent().map(trusted) {
                Some(Err(error)) => archive.skip(file, error.to_string()),
                _ => archive.add_file(file)?,
            }
        }
        Ok(archive)
    }

    fn add_directory(&mut self, scope: &Scope, directory: &Path, depth: usize) -> io::Result<()> {
        let named = |error: io::Error| about(directory, &error);
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                self.skip(directory, UNREADABLE);
                return Ok(());
            }
            entries => entries.map_err(named)?,
        };
        self.directories
            .insert(directory.to_owned(), Owner::new(&fs::symlink_metadata(directory).map_err(named)?));
        for entry in entries {
            let entry = entry.map_err(named)?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            // This follows a symlink to a directory, so that the report names it.
            let is_folder = path.is_dir();
            if name.starts_with('.') || !(is_folder || scope.counts(&name)) {
                continue;
            }
            match is_folder.then(|| trusted_entry(&path, false)) {
                _ if path.to_str().is_none() => self.skip(&path, "has a name that is not UTF-8"),
                None => self.add_file(&path)?,
                Some(Err(error)) => self.skip(&path, error.to_string()),
                Some(Ok(_)) if depth == 0 => {
                    self.skip(&path, format!("is more than {DEEPEST} directories deep"));
                }
                Some(Ok(_)) => self.add_directory(scope, &path, depth - 1)?,
            }
            if self.files.len() > MOST_FILES {
                return Err(io::Error::other(format!(
                    "{} has more than {MOST_FILES} files, expected no more in a configuration",
                    directory.display()
                )));
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path) -> io::Result<()> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => self.skip(path, "is a link"),
            Ok(found) if !found.is_file() => self.skip(path, "is no plain file"),
            Err(error) => self.skip(path, error.to_string()),
            Ok(_) => match read(path) {
                Ok(file) => drop(self.files.insert(path.to_owned(), file)),
                Err(error) if error.kind() == ErrorKind::FileTooLarge => self.skip(path, TOO_LARGE),
                Err(error) if error.kind() == ErrorKind::PermissionDenied => self.skip(path, UNREADABLE),
                // The earlier snapshot is worth more than an incomplete one.
                Err(error) => return Err(about(path, &error)),
            },
        }
        Ok(())
    }

    /// Leaves a path out, with the reason.
    fn skip(&mut self, path: &Path, why: impl Into<String>) {
        // It is stored as text.
        let (name, why) = (path.to_string_lossy().into_owned(), why.into());
        let why = why.strip_prefix(&name).map_or(why.as_str(), str::trim_start);
        self.skipped.insert(name.into(), why.to_owned());
    }
}

fn read(path: &Path) -> io::Result<Saved> {
    let file = open_plain(path)?;
    Ok(Saved { owner: Owner::new(&file.metadata()?), content: content_of(file, LARGEST)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn scope(table: &str) -> Option<Scope> {
        let text = format!(
            "{table}\n[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\"]\n"
        );
        Scope::new(&Config::parse(Path::new("test.toml"), &text, "host").unwrap().backends[0])
    }

    #[test]
    fn only_known_directories_of_a_server_count() {
        let directories = |table: &str| scope(table).unwrap().directories;
        assert_eq!(directories("[backend.unbound]"), [Path::new("/etc/unbound")]);
        for file in ["/usr/local/etc/unbound.conf", "/etc/unbound.conf", "/etc/unbound-2/unbound.conf"] {
            assert!(
                directories(&format!("[backend.unbound]\nconfig-file = \"{file}\"")).is_empty(),
                "{file}"
            );
        }
        let deep = directories("[backend.unbound]\nconfig-file = \"/etc/unbound/site/a.conf\"");
        assert_eq!(deep, [Path::new("/etc/unbound")]);
        let second = directories("[backend.powerdns]\nconfig-file = \"/etc/powerdns/pdns-second.conf\"");
        assert_eq!(second, [Path::new("/etc/powerdns/pdns.d")]);
        assert!(directories("[backend.dnsmasq]").is_empty());
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
            let (directories, names) = (kind.facts().directories, kind.facts().names);
            assert_eq!(directories.is_empty(), names.is_empty(), "{kind}");
            assert!(names.iter().all(|name| name.matches('*').count() == 1), "{kind}: {names:?}");
        }
    }
}
