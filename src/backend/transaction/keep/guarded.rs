//! Whether a path is safe to follow for somebody as mighty as root.
//!
//! The state directory belongs to the user of ExaBGP, and so does whatever that user puts there: a link to somewhere
//! else, a configuration that root would install. So nothing is read or written below a place that anybody but root
//! and ourselves could change. Looked at from `/` on, each part is in a folder that is found safe before it, and so
//! cannot be exchanged afterwards.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use nix::libc::{S_IFLNK, S_IFMT};
use nix::unistd::{User, geteuid};

/// What lies at this path, where nobody but root and ourselves can change what that is. It is no link, and neither is
/// any folder above it.
///
/// # Errors
/// With the path that somebody else has power over, and why; and when it cannot be looked at.
pub(super) fn guarded(path: &Path) -> io::Result<Metadata> {
    if path.is_relative() || path.components().any(|part| part == Component::ParentDir) {
        return Err(io::Error::other(format!("{} is no path from / on without `..`", path.display())));
    }
    let mut parts: Vec<_> = path.ancestors().collect();
    parts.reverse();
    for above in &parts[..parts.len() - 1] {
        is_ours(above, true)?;
    }
    is_ours(path, false)
}

/// Of something in a folder that is guarded.
pub(super) fn is_ours(path: &Path, is_above: bool) -> io::Result<Metadata> {
    let found = fs::symlink_metadata(path).map_err(|error| about(path, &error))?;
    match objection(found.mode(), found.uid(), is_above, geteuid().as_raw()) {
        None => Ok(found),
        Some(why) => Err(io::Error::other(format!("{} {why}", path.display()))),
    }
}

/// Why somebody else than `own` and root has power over it. A folder above may be everybody's, as `/tmp` is, where
/// nobody can exchange what is another's (the sticky bit).
fn objection(mode: u32, owner: u32, is_above: bool, own: u32) -> Option<String> {
    let is_shared = mode & 0o022 != 0;
    let is_sticky = mode & 0o1000 != 0;
    if mode & S_IFMT == S_IFLNK {
        Some("is a link".to_owned())
    } else if owner != 0 && owner != own {
        Some(format!("belongs to {}", user(owner)))
    } else if is_shared && !(is_above && is_sticky) {
        Some(format!("can be written to by others than its owner (mode {:o})", mode & 0o7777))
    } else {
        None
    }
}

/// The same error, with its place.
pub(super) fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The name of a user, where it has one.
pub(super) fn user(id: u32) -> String {
    let known = User::from_uid(id.into()).ok().flatten();
    known.map_or_else(|| format!("user {id}"), |known| known.name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::directory::make;

    const FOLDER: u32 = 0o040_000;

    #[test]
    fn what_others_have_power_over_is_not_safe() {
        let above = |mode, owner| objection(FOLDER | mode, owner, true, 500).is_none();
        let itself = |mode, owner| objection(FOLDER | mode, owner, false, 500).is_none();
        for is_safe in [above, itself] {
            assert!(is_safe(0o755, 0) && is_safe(0o700, 500) && is_safe(0o2755, 0));
            assert!(!is_safe(0o755, 65534) && !is_safe(0o775, 0) && !is_safe(0o757, 500));
        }
        assert!(above(0o1777, 0) && !itself(0o1777, 0) && !above(0o1777, 65534));
        assert!(objection(S_IFLNK | 0o777, 0, false, 500).is_some_and(|why| why == "is a link"));
        assert!(objection(FOLDER | 0o755, 500, false, 0).is_some(), "root trusts no other user");
    }

    #[test]
    fn each_part_of_a_path_is_looked_at() {
        let folder = std::env::temp_dir().join(format!("dnsherald-guarded-{}", std::process::id()));
        make(&folder.join("a/b"), 0o755).unwrap();
        symlink("a", folder.join("link")).unwrap();
        guarded(&folder.join("a/b")).unwrap();
        let why = |name: &str| guarded(&folder.join(name)).unwrap_err().to_string();
        assert!(why("link/b").ends_with("/link is a link"));
        assert!(why("a/../a/b").contains("without `..`"));
        assert_eq!(guarded(&folder.join("a/c")).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::set_permissions(folder.join("a"), fs::Permissions::from_mode(0o775)).unwrap();
        assert!(why("a/b").ends_with("/a can be written to by others than its owner (mode 775)"));
        fs::remove_dir_all(folder).unwrap();
    }
}
