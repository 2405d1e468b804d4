//! The server's configuration as it was at the last restart that went well, to go back to.
//!
//! ```text
//!  restarted well ──► Tree ──► Manifest and copies, exchanged at one stroke
//!                                       │
//!  failed, --rollback ──► Tree ──► Difference ──► what was there is put aside, what was kept put back
//! ```
//!
//! The main file, and what is configuration in the folders that are the server's own: no zone, no key, no certificate.
//! Nothing is lost by going back: what was there is left beside, as `.NAME.rolled-back`, or `.NAME.rolled-back.2`. What
//! could not be kept is left alone, and named.
//!
//! Root keeps it in a place of its own, beside the state, which belongs to ExaBGP's user. Anybody else keeps it in the
//! state, and can put back only files of their own.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use self::exchange::Difference;
use self::manifest::{Manifest, Owner};
use self::tree::{ASIDE, Scope, Tree};
use crate::backend::privilege::is_root;
use crate::backend::{Backend, Trouble};
use crate::config::Config;
use crate::sys::trusted_path::{guarded, user};

mod exchange;
mod manifest;
mod tree;

/// What to do where nothing of use is kept.
const RESTART_ONCE: &str =
    "each restart that goes well keeps one: restart it once without --rollback before anything is changed";

/// What is named of many.
const NAMED: usize = 12;

/// The place where the configuration of a backend is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    scope: Option<Scope>,
    place: PathBuf,
}

impl Kept {
    /// Of this backend.
    #[must_use]
    pub(crate) fn of(config: &Config, backend: &Backend) -> Self {
        Self { scope: Scope::of(backend), place: places(&config.state, is_root()).join(&backend.name) }
    }

    /// Where it is kept.
    #[must_use]
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// Keeps what is on disk now, in the place of what was kept before.
    ///
    /// # Errors
    /// When it cannot be read or written. Then what was kept before is still there.
    pub(crate) fn keep(&self) -> io::Result<()> {
        match &self.scope {
            Some(scope) => Manifest::keep(scope, Tree::of(scope)?, &self.place),
            None => Ok(()),
        }
    }

    /// Whether there is something to put back, and it can be.
    ///
    /// # Errors
    /// What is in the way.
    pub(crate) fn is_ready(&self) -> Result<(), Trouble> {
        self.manifest().map(drop)
    }

    fn manifest(&self) -> Result<(&Scope, Manifest), Trouble> {
        let cannot = |error: io::Error| Trouble::new(format!("cannot roll back: {error}"));
        let Some(scope) = &self.scope else {
            return Err(Trouble::new("its configuration file is not known: name it with `config-file`"));
        };
        let file = scope.file.display();
        let manifest = Manifest::load(&self.place).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Trouble::with(
                format!("no configuration is kept in {} to roll back to", self.place.display()),
                RESTART_ONCE,
            ),
            _ => cannot(error),
        })?;
        if manifest.config_file != scope.file {
            let kept = manifest.config_file.display();
            return Err(Trouble::new(format!("what is kept is the configuration in {kept}, not in {file}")));
        }
        if manifest.names != scope.names {
            let (kept, expected) = (manifest.names.join(", "), scope.names.join(", "));
            return Err(Trouble::with(
                format!("what is kept beside {file} are files named `{kept}`, expected `{expected}`"),
                RESTART_ONCE,
            ));
        }
        if !manifest.files.contains_key(&scope.file) {
            let why = manifest.skipped.get(&scope.file).map_or("was not there", String::as_str);
            return Err(Trouble::with(
                format!("{file} was not kept at the last restart that went well ({why})"),
                "name a plain file with `config-file`, of root's and in a folder of root's",
            ));
        }
        for folder in manifest.destinations() {
            match guarded(folder) {
                Ok(found) if !is_root() && Owner::of(&found).user != geteuid().as_raw() => {
                    let (owner, own) = (user(Owner::of(&found).user), user(geteuid().as_raw()));
                    return Err(Trouble::with(
                        format!("{} belongs to {owner}, and this runs as {own}", folder.display()),
                        "roll back as root",
                    ));
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
                _ => {}
            }
        }
        Difference::of(&manifest, &self.place, scope).map_err(cannot)?;
        Ok((scope, manifest))
    }

    /// Puts back what was kept, and says which files that changed, and which are left alone.
    ///
    /// # Errors
    /// When nothing was kept, nothing is different, or it cannot be written.
    pub(crate) fn put_back(&self) -> Result<String, Trouble> {
        let cannot = |error: io::Error| Trouble::new(format!("cannot put the configuration back: {error}"));
        let (scope, manifest) = self.manifest()?;
        let difference = Difference::of(&manifest, &self.place, scope).map_err(cannot)?;
        let left = named(&difference.left);
        if difference.is_none() {
            let same = "the configuration is the one of the last restart that went well";
            return Err(Trouble::new(match left {
                None => format!("{same}, as far as that is kept"),
                Some(left) => format!("{same}, as far as that is kept; {left}"),
            }));
        }
        let changed = difference.undo(&manifest).map_err(cannot)?.join(", ");
        let left = left.map(|left| format!("; {left}")).unwrap_or_default();
        Ok(format!("put back, what was there is left as .NAME{ASIDE}: {changed}{left}"))
    }
}

/// Where root keeps configurations, and where anybody else does. Beside the state is a place of root's, if nothing is
/// odd: what is below the state is not.
fn places(state: &Path, is_root: bool) -> PathBuf {
    if !is_root {
        return state.join("rollback");
    }
    let mut name = state.file_name().unwrap_or_default().to_owned();
    name.push("-rollback");
    state.with_file_name(name)
}

/// What is left alone.
fn named(left: &BTreeMap<PathBuf, String>) -> Option<String> {
    let mut each: Vec<_> = left.iter().map(|(path, why)| format!("{} ({why})", path.display())).collect();
    let more = each.len().saturating_sub(NAMED);
    each.truncate(NAMED);
    let and = if more > 0 { format!(", and {more} more") } else { String::new() };
    (!each.is_empty()).then(|| format!("not kept, and left alone: {}{and}", each.join(", ")))
}

#[cfg(test)]
mod tests;
