//! Checks whether root may follow a path that other users could change.
//!
//! The directories of the state and the sockets belong to ExaBGP's user, who can put a symlink there, or a
//! configuration that root would install. So root installs, runs and writes nothing below a directory that another user
//! could change, except its own new files in a sticky one. The check begins at `/`: each part is in a directory that has been
//! found safe, and so cannot be replaced afterwards. Reads of the state are not restricted like this: they follow no symlink
//! at the end of the path, and refuse foreign files where all users can write ([`is_own_where_shared`]).

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::libc::{S_IFLNK, S_IFMT};
use nix::unistd::{User, geteuid};

use super::directory::make;

/// Maximum number of symlinks in one path, as in the kernel.
const LINKS: usize = 40;

/// The way in which another user could change a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Objection {
    Link,
    /// Of this owner, with this mode.
    Owner(u32, u32),
    /// Of this owner, with this mode.
    Shared(u32, u32),
}

impl Objection {
    fn why(self) -> String {
        match self {
            Self::Link => "is a link".to_owned(),
            Self::Owner(owner, mode) => format!("belongs to {} (mode {mode:o})", user(owner)),
            Self::Shared(_, mode) => {
                format!("can be written to by others than its owner (mode {mode:o})")
            }
        }
    }

    /// What `own` does about it, in order to write there.
    fn remedy(self, path: &Path, own: u32) -> String {
        let path = path.display();
        match self {
            Self::Link => format!("use the target of {path} instead"),
            Self::Owner(owner, _) => {
                let (owner, own) = (user(owner), user(own));
                format!("run this as {owner}, or `chown {own} {path}`")
            }
            Self::Shared(owner, mode) => {
                let owner = user(owner);
                format!("`chmod go-w {path}` (it belongs to {owner}, mode {mode:o})")
            }
        }
    }
}

/// Returns the metadata of a path that only root and our own user can change. Neither the path nor a directory above it
/// is a symlink.
///
/// # Errors
/// Names the path that another user can change, and why. Also if it cannot be read.
pub(crate) fn trusted(path: &Path) -> io::Result<Metadata> {
    if path.is_relative() || path.components().any(|part| part == Component::ParentDir) {
        return Err(io::Error::other(format!("{} is no path from / on without `..`", path.display())));
    }
    let mut parts: Vec<_> = path.ancestors().collect();
    parts.reverse();
    for above in &parts[..parts.len() - 1] {
        trusted_entry(above, true)?;
    }
    trusted_entry(path, false)
}

/// The same for an entry of a trusted directory.
pub(crate) fn trusted_entry(path: &Path, is_above: bool) -> io::Result<Metadata> {
    let found = fs::symlink_metadata(path).map_err(|error| about(path, &error))?;
    match objection(found.mode(), found.uid(), is_above, geteuid().as_raw()) {
        None => Ok(found),
        Some(objection) => Err(io::Error::other(format!("{} {}", path.display(), objection.why()))),
    }
}

/// Creates a missing directory with this mode for root to write to, unless another user could redirect root from there.
/// Follows symlinks that only root can replace. A user other than root writes with its own rights, so it is not
/// restricted.
///
/// # Errors
/// If it cannot be created; for root also if another user can change a directory, which is named with the remedy.
pub(crate) fn make_for_root(directory: &Path, mode: u32) -> io::Result<()> {
    match geteuid().is_root() {
        true => resolve(directory, Some(mode), false, 0).map(drop),
        false => make(directory, mode),
    }
}

/// As [`make_for_root`], for a directory in which root opens only its own files and replaces others: all users may
/// write to it if it has the sticky bit, as a new tmpfs has (mode 1777).
///
/// # Errors
/// As [`make_for_root`].
pub(crate) fn make_for_own_files(directory: &Path, mode: u32) -> io::Result<()> {
    match geteuid().is_root() {
        true => resolve(directory, Some(mode), true, 0).map(drop),
        false => make(directory, mode),
    }
}

/// Refuses a file that another user may have put into a directory that all users can write to, for instance a forged
/// state. `found` is the metadata of the opened file.
///
/// # Errors
/// If all users can write to the directory, and the file belongs neither to root nor to our own user.
pub(crate) fn is_own_where_shared(path: &Path, found: &Metadata) -> io::Result<()> {
    let directory = path.parent().unwrap_or(path);
    let is_shared = fs::metadata(directory)?.mode() & 0o002 != 0;
    if !is_shared || found.uid() == 0 || found.uid() == geteuid().as_raw() {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "it belongs to {}, and all users can write to {}: remove it, and `chmod go-w {}`",
        user(found.uid()),
        directory.display(),
        directory.display()
    )))
}

/// Checks whether root may create a new file in this directory; an existing file is never opened. All users may write
/// to the directory itself, as to `/var/tmp`. A user other than root is not restricted.
///
/// # Errors
/// As [`make_for_root`], and if the directory does not exist.
pub(crate) fn is_safe_for_new_files(directory: &Path) -> io::Result<()> {
    match geteuid().is_root() {
        true => resolve(directory, None, true, 0).map(drop),
        false => Ok(()),
    }
}

/// Checks whether only root and our own user can replace their files in this directory, or the directory itself. Other
/// users may add files if it has the sticky bit.
///
/// # Errors
/// If another user can, with the remedy, and if the directory does not exist.
pub(crate) fn is_trusted_directory(directory: &Path) -> io::Result<()> {
    resolve(directory, None, true, geteuid().as_raw()).map(drop)
}

/// Resolves a path for user `own`. Follows only symlinks that no other user has made or can replace. With a mode,
/// creates missing directories.
fn resolve(path: &Path, make_with: Option<u32>, is_above: bool, own: u32) -> io::Result<PathBuf> {
    let whole = std::path::absolute(path).map_err(|error| about(path, &error))?;
    let mut at = PathBuf::from("/");
    let mut rest = parts(&whole);
    let mut links = 0;
    while let Some(part) = rest.pop() {
        // Safe: another user cannot replace its entries.
        is_directory_of(&at, true, own)?;
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(part);
        let found = match (fs::symlink_metadata(&at), make_with) {
            (Err(error), Some(mode)) if error.kind() == io::ErrorKind::NotFound => {
                make(&at, mode).and_then(|()| fs::symlink_metadata(&at))
            }
            (found, _) => found,
        };
        let found = found.map_err(|error| about(&at, &error))?;
        if found.is_symlink() {
            // The mode of a symlink means nothing. In a directory that all users can write to, it may be another
            // user's.
            if found.uid() != 0 && found.uid() != own {
                return Err(refusal(&at, Objection::Link, own));
            }
            links += 1;
            if links > LINKS {
                return Err(about(&at, &io::Error::other("too many links")));
            }
            let target = fs::read_link(&at).map_err(|error| about(&at, &error))?;
            match target.is_absolute() {
                true => at = PathBuf::from("/"),
                false => drop(at.pop()),
            }
            rest.extend(parts(&target));
        }
    }
    is_directory_of(&at, is_above, own).map(|()| at)
}

/// Checks that this is a directory that is safe for `own`.
fn is_directory_of(path: &Path, is_above: bool, own: u32) -> io::Result<()> {
    let found = fs::symlink_metadata(path).map_err(|error| about(path, &error))?;
    if !found.is_dir() {
        return Err(about(path, &io::ErrorKind::NotADirectory.into()));
    }
    let objection = objection(found.mode(), found.uid(), is_above, own);
    objection.map_or(Ok(()), |objection| Err(refusal(path, objection, own)))
}

/// The error for root, with the reason and the remedy.
fn refusal(path: &Path, objection: Objection, own: u32) -> io::Error {
    io::Error::other(format!(
        "{} {}, so another user could redirect {} to another file: {}",
        path.display(),
        objection.why(),
        user(own),
        objection.remedy(path, own)
    ))
}

/// The names in a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    names.collect()
}

/// Why a user other than `own` and root can change it. All users may write to a directory above it if that has the
/// sticky bit, as `/tmp` has: then no user can replace the files of another one.
fn objection(mode: u32, owner: u32, is_above: bool, own: u32) -> Option<Objection> {
    let is_shared = mode & 0o022 != 0;
    let is_sticky = mode & 0o1000 != 0;
    if mode & S_IFMT == S_IFLNK {
        Some(Objection::Link)
    } else if owner != 0 && owner != own {
        Some(Objection::Owner(owner, mode & 0o7777))
    } else if is_shared && !(is_above && is_sticky) {
        Some(Objection::Shared(owner, mode & 0o7777))
    } else {
        None
    }
}

/// Adds the path to an error.
pub(crate) fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The name of a user, or the number if it has none.
pub(crate) fn user(id: u32) -> String {
    let known = User::from_uid(id.into()).ok().flatten();
    known.map_or_else(|| format!("user {id}"), |known| known.name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::sys::directory::make;

    const FOLDER: u32 = 0o040_000;

    #[test]
    fn a_path_that_others_control_is_not_trusted() {
        let above = |mode, owner| objection(FOLDER | mode, owner, true, 500).is_none();
        let itself = |mode, owner| objection(FOLDER | mode, owner, false, 500).is_none();
        for is_safe in [above, itself] {
            assert!(is_safe(0o755, 0) && is_safe(0o700, 500) && is_safe(0o2755, 0));
            assert!(!is_safe(0o755, 65534) && !is_safe(0o775, 0) && !is_safe(0o757, 500));
        }
        assert!(above(0o1777, 0) && !itself(0o1777, 0) && !above(0o1777, 65534));
        assert!(objection(S_IFLNK | 0o777, 0, false, 500) == Some(Objection::Link));
        assert!(objection(FOLDER | 0o755, 500, false, 0).is_some(), "root trusts no other user");
    }

    #[test]
    fn each_part_of_a_path_is_looked_at() {
        let directory = std::env::temp_dir().join(format!("dnsherald-trusted-{}", std::process::id()));
        make(&directory.join("a/b"), 0o755).unwrap();
        symlink("a", directory.join("link")).unwrap();
        trusted(&directory.join("a/b")).unwrap();
        let why = |name: &str| trusted(&directory.join(name)).unwrap_err().to_string();
        assert!(why("link/b").ends_with("/link is a link"));
        assert!(why("a/../a/b").contains("without `..`"));
        assert_eq!(trusted(&directory.join("a/c")).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::set_permissions(directory.join("a"), fs::Permissions::from_mode(0o775)).unwrap();
        assert!(why("a/b").ends_with("/a can be written to by others than its owner (mode 775)"));
        fs::remove_dir_all(directory).unwrap();
    }
    /// Stands for root and the directories of ExaBGP's user; the test runs as any user.
    #[test]
    fn links_are_followed_as_far_as_no_other_user_can_exchange_them() {
        let own = geteuid().as_raw();
        let directory = std::env::temp_dir().join(format!("dnsherald-resolve-{}", std::process::id()));
        make(&directory.join("a/b"), 0o755).unwrap();
        symlink(directory.join("a"), directory.join("absolute")).unwrap();
        symlink("../absolute/b", directory.join("a/relative")).unwrap();
        symlink("loop", directory.join("loop")).unwrap();
        let led = |name: &str| resolve(&directory.join(name), None, false, own);
        let real = fs::canonicalize(directory.join("a/b")).unwrap();
        for name in ["a/b", "absolute/b", "absolute/relative", "a/../a/./b"] {
            assert_eq!(led(name).unwrap(), real, "{name}");
        }
        assert!(led("loop").unwrap_err().to_string().ends_with("too many links"));
        assert_eq!(led("a/c").unwrap_err().kind(), io::ErrorKind::NotFound);
        resolve(&directory.join("absolute/c/d"), Some(0o750), false, own).unwrap();
        assert_eq!(fs::metadata(directory.join("a/c/d")).unwrap().mode() & 0o7777, 0o750);

        fs::set_permissions(directory.join("a"), fs::Permissions::from_mode(0o1777)).unwrap();
        led("absolute/b").unwrap();
        resolve(&directory.join("a"), None, true, own).unwrap();
        assert!(led("a").unwrap_err().to_string().contains("(mode 1777)"));
        fs::set_permissions(directory.join("a"), fs::Permissions::from_mode(0o775)).unwrap();
        let why = led("absolute/b").unwrap_err().to_string();
        assert!(why.contains("/a can be written to by others than its owner (mode 775), "), "{why}");
        assert!(why.contains("`chmod go-w "), "{why}");
        fs::write(directory.join("file"), "").unwrap();
        assert_eq!(led("file").unwrap_err().kind(), io::ErrorKind::NotADirectory);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_refusal_names_the_directory_its_owner_its_mode_and_the_remedy() {
        let objection = objection(FOLDER | 0o750, 4_000_000_001, false, 0).unwrap();
        let why = refusal(Path::new("/run/dnsherald"), objection, 0).to_string();
        assert!(why.starts_with("/run/dnsherald belongs to user 4000000001 (mode 750), "), "{why}");
        assert!(why.ends_with(": run this as user 4000000001, or `chown root /run/dnsherald`"), "{why}");
    }
}
