//! The server's configuration as it was at the last restart that went well, to go back to.
//!
//! The main file, and the tree of its folder where that is the server's own (`/etc/unbound`, never `/etc`). To go back
//! nothing is deleted: what was there is left beside, as `NAME.rolled-back`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::backend::{Backend, Trouble};
use crate::config::Config;

/// A configuration has no more files, and none larger: what has is more than a configuration.
const MOST_FILES: usize = 2_000;
const LARGEST: u64 = 4 << 20;

/// Of folders in a folder.
const DEEPEST: usize = 8;

/// What is added to the name of a file that was in the way.
const ASIDE: &str = ".rolled-back";

/// The place where the configuration of a backend is kept.
#[derive(Clone, Debug)]
pub struct Kept {
    file: Option<PathBuf>,
    place: PathBuf,
}

impl Kept {
    /// Of this backend, in the directory of the state.
    #[must_use]
    pub fn of(config: &Config, backend: &Backend) -> Self {
        Self {
            file: backend.config_file.clone(),
            place: config.state.join("configuration").join(&backend.name),
        }
    }

    /// Where it is kept.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Keeps what is on disk now, in the place of what was kept before.
    ///
    /// # Errors
    /// When it cannot be read or written. Then what was kept before is still there.
    pub fn keep(&self) -> io::Result<()> {
        let Some(root) = self.root() else { return Ok(()) };
        let beside = self.place.with_extension("new");
        let _ = fs::remove_dir_all(&beside);
        fs::create_dir_all(&beside)?;
        for file in self.files(&root)? {
            let to = beside.join(file.strip_prefix(&root).unwrap_or(&file));
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            copy(&file, &to)?;
        }
        let _ = fs::remove_dir_all(&self.place);
        fs::rename(&beside, &self.place)
    }

    /// Whether there is something to put back.
    ///
    /// # Errors
    /// What is missing.
    pub fn is_there(&self) -> Result<(), Trouble> {
        if self.file.is_none() {
            return Err(Trouble::new("its configuration file is not known: name it with `config-file`"));
        }
        if !self.place.is_dir() {
            return Err(Trouble::with(
                format!("no configuration is kept in {} to roll back to", self.place.display()),
                "each restart that goes well keeps one: restart it once without --rollback before anything is changed",
            ));
        }
        Ok(())
    }

    /// Puts back what was kept, and says which files that changed.
    ///
    /// # Errors
    /// When nothing was kept, nothing is different, or it cannot be written.
    pub fn put_back(&self) -> Result<String, Trouble> {
        self.is_there()?;
        let root = self.root().unwrap_or_default();
        let changed = self
            .exchange(&root)
            .map_err(|error| Trouble::new(format!("cannot put the configuration back: {error}")))?;
        if changed.is_empty() {
            return Err(Trouble::new(
                "the configuration is the one of the last restart that went well: it is not to blame",
            ));
        }
        Ok(format!("put back, what was there is left as *{ASIDE}: {}", changed.join(", ")))
    }

    fn exchange(&self, root: &Path) -> io::Result<Vec<String>> {
        let mut changed = vec![];
        for now in self.files(root)? {
            let kept = self.place.join(now.strip_prefix(root).unwrap_or(&now));
            if fs::read(&kept).ok() != Some(fs::read(&now)?) {
                fs::rename(&now, aside(&now))?;
                changed.push(now.display().to_string());
            }
        }
        for kept in files(&self.place, DEEPEST)? {
            let now = root.join(kept.strip_prefix(&self.place).unwrap_or(&kept));
            if !now.exists() {
                if let Some(folder) = now.parent() {
                    fs::create_dir_all(folder)?;
                }
                copy(&kept, &now)?;
                let name = now.display().to_string();
                if !changed.contains(&name) {
                    changed.push(name);
                }
            }
        }
        Ok(changed)
    }

    /// The folder that is the server's own, or the only file.
    fn root(&self) -> Option<PathBuf> {
        self.file.as_ref()?.parent().map(Path::to_owned)
    }

    fn files(&self, root: &Path) -> io::Result<Vec<PathBuf>> {
        // Not the whole of /etc for the sake of /etc/dnsmasq.conf.
        let is_its_own = root.components().count() > 2;
        match &self.file {
            Some(file) if !is_its_own => Ok(vec![file.clone()]),
            _ => files(root, DEEPEST),
        }
    }
}

/// With mode and owner, as far as they can be given: there are keys among them, which are read by one group only.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    let found = fs::metadata(from)?;
    let _ = std::os::unix::fs::chown(to, Some(found.uid()), Some(found.gid()));
    Ok(())
}

fn aside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ASIDE);
    name.into()
}

/// The files of a tree, but for those left aside.
fn files(root: &Path, depth: usize) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![];
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && depth > 0 {
            found.extend(files(&path, depth - 1)?);
        } else if kind.is_file()
            && !path.to_string_lossy().ends_with(ASIDE)
            && entry.metadata()?.len() <= LARGEST
        {
            found.push(path);
        }
        if found.len() > MOST_FILES {
            return Err(io::Error::other(format!(
                "{} has more than {MOST_FILES} files: give the server's configuration a folder of its own",
                root.display()
            )));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back_and_nothing_is_lost() {
        let folder = std::env::temp_dir().join(format!("dnsherald-kept-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let (etc, state) = (folder.join("etc/unbound"), folder.join("state"));
        fs::create_dir_all(etc.join("conf.d")).unwrap();
        fs::write(etc.join("unbound.conf"), "old").unwrap();
        fs::write(etc.join("conf.d/zone.conf"), "zone").unwrap();
        let kept = Kept { file: Some(etc.join("unbound.conf")), place: state.join("configuration/unbound") };
        assert!(kept.put_back().unwrap_err().why.contains("no configuration is kept"));
        kept.keep().unwrap();
        assert!(kept.put_back().unwrap_err().why.contains("not to blame"));
        fs::write(etc.join("unbound.conf"), "broken").unwrap();
        fs::write(etc.join("conf.d/new.conf"), "broken, too").unwrap();
        fs::remove_file(etc.join("conf.d/zone.conf")).unwrap();
        let changed = kept.put_back().unwrap();
        let read = |name: &str| fs::read_to_string(etc.join(name)).unwrap_or_default();
        assert_eq!(
            (read("unbound.conf"), read("conf.d/zone.conf"), read("conf.d/new.conf")),
            ("old".into(), "zone".into(), String::new())
        );
        assert_eq!(
            (read("unbound.conf.rolled-back"), read("conf.d/new.conf.rolled-back")),
            ("broken".into(), "broken, too".into())
        );
        assert!(
            ["unbound.conf", "new.conf", "zone.conf"].iter().all(|name| changed.contains(name)),
            "{changed}"
        );
        kept.keep().unwrap();
        assert!(kept.put_back().is_err(), "what was left aside is no part of it");
        fs::remove_dir_all(folder).unwrap();
    }
}
