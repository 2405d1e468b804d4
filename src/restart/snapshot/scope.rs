//! The files that belong to the configuration of a server: its main file, and in its own directories (`/etc/unbound`,
//! never `/usr/local/etc`) the files with the name of a configuration.
//!
//! Nothing else: a zone, a certificate or a key may have changed long after the server was restarted. No server that
//! reads a whole directory reads a name that begins with a dot.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::sys::files::{content_of, open_plain};
use crate::sys::trusted_path::{about, trusted};

/// Maximum size of a file, in octets.
pub(super) const LARGEST_FILE: u64 = 4 << 20;

/// The paths of a configuration at one time.
pub(super) type Entries = BTreeMap<PathBuf, Entry>;

/// What exists at a path.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Entry {
    /// A directory that this user can write to, and no other one except root.
    Directory(Owner),
    /// A plain file with its content.
    File(Owner, Vec<u8>),
    /// It is neither saved nor restored, for this reason, which names the path: for instance that it is a link, that this user
    /// cannot read it, or that other users can change the directory. The report of a rollback shows the reason.
    Skipped(String),
    /// A plain file above [`LARGEST_FILE`], and the reason not to save it. If a smaller one was saved, a rollback puts it
    /// aside.
    TooLarge(String),
}

/// The owner of a file or directory, and the permissions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Owner {
    user: u32,
    group: u32,
    /// The permissions with setuid, setgid and sticky bit: `st_mode & 0o7777`.
    mode: u32,
}

/// The files of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) file: PathBuf,
    /// The server's own directories.
    pub(super) directories: Vec<PathBuf>,
    /// The names of the files that count there.
    pub(super) names: &'static [&'static str],
}

impl Scope {
    /// The scope of this backend; `None` if its main file is not known. The directories count if that file is in one of
    /// them, or beside the usual one.
    pub(super) fn new(backend: &Backend) -> Option<Self> {
        let file = backend.config_file.clone()?;
        let facts = backend.facts();
        let is_usual = facts.config_file.and_then(|usual| Path::new(usual).parent()) == file.parent()
            || facts.directories.iter().any(|directory| file.starts_with(directory));
        let directories = facts.directories.iter().filter(|_| is_usual).map(PathBuf::from).collect();
        Some(Self { file, directories, names: if is_usual { facts.names } else { &[] } })
    }

    /// Shows which files these are.
    pub(super) fn shown(&self) -> String {
        format!("{} with [{}] in {:?}", self.file.display(), self.names.join(", "), self.directories)
    }

    /// Reads the configuration on disk. A path that does not exist has no entry.
    ///
    /// # Errors
    /// As [`Entry::read`].
    pub(super) fn read(&self) -> io::Result<Entries> {
        let mut entries = Entries::new();
        for directory in &self.directories {
            self.add(directory, &mut entries)?;
        }
        match self.file.parent().map_or(Ok(None), Entry::read)? {
            Some(untrusted @ (Entry::Skipped(_) | Entry::TooLarge(_))) => {
                drop(entries.insert(self.file.clone(), untrusted));
            }
            _ => self.add(&self.file, &mut entries)?,
        }
        Ok(entries)
    }

    fn add(&self, path: &Path, entries: &mut Entries) -> io::Result<()> {
        let Some(mut entry) = Entry::read(path)? else { return Ok(()) };
        if let Entry::Directory(_) = entry {
            match fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
                Ok(found) => {
                    for path in found.iter().map(DirEntry::path).filter(|path| self.counts(path)) {
                        self.add(&path, entries)?;
                    }
                }
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    entry = Entry::Skipped(about(path, &error).to_string());
                }
                Err(error) => return Err(about(path, &error)),
            }
        }
        // JSON can hold no other name than UTF-8; the entry of another one is `Skipped`.
        entries.insert(path.to_string_lossy().into_owned().into(), entry);
        Ok(())
    }

    /// Whether this path in a directory is a directory or configuration. A symlink to a directory counts, so that the
    /// report names it. A path that may be a directory counts, so that reading it returns the error.
    fn counts(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_named = self.names.iter().any(|pattern| {
            let (begin, end) = pattern.split_once('*').unwrap_or((pattern, ""));
            name.strip_prefix(begin).is_some_and(|rest| rest.ends_with(end))
        });
        let is_directory = || match fs::metadata(path) {
            Ok(found) => found.is_dir(),
            Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied),
        };
        !name.starts_with('.') && (is_named || is_directory())
    }
}

impl Entry {
    /// Reads what exists at a path; `None` if nothing does.
    ///
    /// # Errors
    /// If the system cannot read it at the moment: the earlier snapshot is worth more than an incomplete one.
    fn read(path: &Path) -> io::Result<Option<Self>> {
        let named = |error: io::Error| about(path, &error);
        let is = |what: &str| format!("{} {what}", path.display());
        let read = fs::symlink_metadata(path).map_err(named).and_then(|found| {
            let owner = Owner { user: found.uid(), group: found.gid(), mode: found.mode() & 0o7777 };
            if path.to_str().is_none() {
                Ok(Self::Skipped(is("has a name that is not UTF-8")))
            } else if found.is_symlink() {
                Ok(Self::Skipped(is("is a link")))
            } else if found.is_dir() {
                trusted(path)?;
                accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)
                    .map_err(io::Error::from)
                    .map_err(named)?;
                Ok(Self::Directory(owner))
            } else if !found.is_file() {
                Ok(Self::Skipped(is("is no plain file")))
            } else {
                let content =
                    open_plain(path).and_then(|file| content_of(file, LARGEST_FILE)).map_err(named)?;
                Ok(Self::File(owner, content))
            }
        });
        let error = match read {
            Ok(entry) => return Ok(Some(entry)),
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::NotFound => Ok(None),
            ErrorKind::FileTooLarge => {
                Ok(Some(Self::TooLarge(is(&format!("has more than {} MiB", LARGEST_FILE >> 20)))))
            }
            // The kind `Other` is never the system's: other users can change the directory, or it is no plain file.
            ErrorKind::PermissionDenied | ErrorKind::Other => Ok(Some(Self::Skipped(error.to_string()))),
            _ => Err(error),
        }
    }
}

impl Owner {
    /// Gives a file or directory to this owner. No other user can open it before that.
    pub(super) fn give(self, file: &File) -> io::Result<()> {
        fchown(file, Some(self.user), Some(self.group))?;
        // In this order: a change of owner clears permission bits.
        file.set_permissions(Permissions::from_mode(self.mode))
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

    /// Nothing is mapped at the address 0.
    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let refused = Entry::read(Path::new("/proc/self/mem")).unwrap_err().to_string();
        assert_eq!(refused, "/proc/self/mem: Input/output error (os error 5)");
        assert!(matches!(Entry::read(Path::new("/dev/null")).unwrap(), Some(Entry::Skipped(_))));
        assert_eq!(Entry::read(Path::new("/proc/self/no")).unwrap(), None);
    }

    #[test]
    fn zones_and_keys_are_no_configuration() {
        let counts = |table: &str, name: &str| scope(table).unwrap().counts(Path::new(name));
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
        assert!(
            counts("[backend.unbound]", &"x".repeat(300)),
            "no name of a file: reading it returns the error"
        );
        for kind in crate::backend::Kind::ALL {
            let (directories, names) = (kind.facts().directories, kind.facts().names);
            assert_eq!(directories.is_empty(), names.is_empty(), "{kind}");
            assert!(names.iter().all(|name| name.matches('*').count() == 1), "{kind}: {names:?}");
        }
    }
}
