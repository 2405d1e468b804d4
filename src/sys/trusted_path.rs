//! Whether a path is safe to follow for a user as mighty as root.
//!
//! The directories of the state and of the sockets belong to the user of ExaBGP, and so does whatever that user puts
//! there: a link to another place, a configuration that root would install. So nothing is read or written below a place
//! that another user than root and our own could change. The check begins at `/`: each part lies in a folder that is
//! found safe before it, and so cannot be exchanged afterwards.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::libc::{S_IFLNK, S_IFMT};
use nix::unistd::{User, geteuid};

use super::directory::make;

/// Links in one path, as many as the kernel follows.
const LINKS: usize = 40;

/// What another user could do with a path.
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
            Self::Link => format!("name what {path} links to"),
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

/// What lies at this path, where only root and our own user can change what that is. It is no link, and neither is
/// any folder above it.
///
/// # Errors
/// With the path that another user has power over, and why; and when it cannot be looked at.
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

/// Of something in a folder that is trusted.
pub(crate) fn trusted_entry(path: &Path, is_above: bool) -> io::Result<Metadata> {
    let found = fs::symlink_metadata(path).map_err(|error| about(path, &error))?;
    match objection(found.mode(), found.uid(), is_above, geteuid().as_raw()) {
        None => Ok(found),
        Some(objection) => Err(io::Error::other(format!("{} {}", path.display(), objection.why()))),
    }
}

/// Makes a directory that root is about to write to, with this mode where it is missing, unless another user could
/// lead root elsewhere from there. Links are followed as long as only root can exchange them. A user other than root
/// writes with its own rights, and so wherever it can.
///
/// # Errors
/// When it cannot be made; for root also with the directory that another user has power over, and what to do.
pub(crate) fn make_for_root(directory: &Path, mode: u32) -> io::Result<()> {
    match geteuid().is_root() {
        true => resolve(directory, Some(mode), false, 0).map(drop),
        false => make(directory, mode),
    }
}

/// As [`make_for_root`], for a directory in which root opens only files of its own and replaces any other: it may be
/// writable by all users if it has the sticky bit, as a freshly mounted tmpfs has (mode 1777).
///
/// # Errors
/// As [`make_for_root`].
pub(crate) fn make_for_own_files(directory: &Path, mode: u32) -> io::Result<()> {
    match geteuid().is_root() {
        true => resolve(directory, Some(mode), true, 0).map(drop),
        false => make(directory, mode),
    }
}

/// Refuses a file that another user may have put into a directory that all users can write to, such as a state with
/// drains of an attacker's choice. `found` is what the opened file says of itself.
///
/// # Errors
/// When the directory is such a one, and the file belongs neither to root nor to our own user.
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

/// Whether root may make a file in this directory, where a file that is there is never opened: the directory itself
/// may be everybody's, as `/var/tmp` is. A user other than root may.
///
/// # Errors
/// As [`make_for_root`], and when there is no such directory.
pub(crate) fn is_safe_for_new_files(directory: &Path) -> io::Result<()> {
    match geteuid().is_root() {
        true => resolve(directory, None, true, 0).map(drop),
        false => Ok(()),
    }
}

/// Whether only root and our own user can exchange a file of theirs in this directory, or the directory itself. Others
/// may add files of their own if it has the sticky bit.
///
/// # Errors
/// When another user can, with what to do, and when there is no such directory.
pub(crate) fn is_trusted_directory(directory: &Path) -> io::Result<()> {
    resolve(directory, None, true, geteuid().as_raw()).map(drop)
}

/// Where this path leads, for `own`: through links that no other user has made or can exchange. With a mode, makes the
/// directories that are missing.
fn resolve(path: &Path, make_with: Option<u32>, is_above: bool, own: u32) -> io::Result<PathBuf> {
    let whole = std::path::absolute(path).map_err(|error| about(path, &error))?;
    let mut at = PathBuf::from("/");
    let mut rest = parts(&whole);
    let mut links = 0;
    while let Some(part) = rest.pop() {
        // Passed through: what is in it cannot be exchanged from here on.
        is_folder_of(&at, true, own)?;
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
            // Its mode says nothing. In a folder that is everybody's it may be another user's.
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
    is_folder_of(&at, is_above, own).map(|()| at)
}

/// Whether this is a folder, and safe for `own`.
fn is_folder_of(path: &Path, is_above: bool, own: u32) -> io::Result<()> {
    let found = fs::symlink_metadata(path).map_err(|error| about(path, &error))?;
    if !found.is_dir() {
        return Err(about(path, &io::ErrorKind::NotADirectory.into()));
    }
    let objection = objection(found.mode(), found.uid(), is_above, own);
    objection.map_or(Ok(()), |objection| Err(refusal(path, objection, own)))
}

/// In the words of an operator who wonders why root may not.
fn refusal(path: &Path, objection: Objection, own: u32) -> io::Error {
    io::Error::other(format!(
        "{} {}, and so another user could lead {} to another file: {}",
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

/// Why another user than `own` and root has power over it. A folder above may be everybody's, as `/tmp` is, where
/// no user can exchange what is another's (the sticky bit).
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

/// The same error, with its place.
pub(crate) fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The name of a user, where it has one.
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
    fn what_others_have_power_over_is_not_safe() {
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
        let folder = std::env::temp_dir().join(format!("dnsherald-trusted-{}", std::process::id()));
        make(&folder.join("a/b"), 0o755).unwrap();
        symlink("a", folder.join("link")).unwrap();
        trusted(&folder.join("a/b")).unwrap();
        let why = |name: &str| trusted(&folder.join(name)).unwrap_err().to_string();
        assert!(why("link/b").ends_with("/link is a link"));
        assert!(why("a/../a/b").contains("without `..`"));
        assert_eq!(trusted(&folder.join("a/c")).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::set_permissions(folder.join("a"), fs::Permissions::from_mode(0o775)).unwrap();
        assert!(why("a/b").ends_with("/a can be written to by others than its owner (mode 775)"));
        fs::remove_dir_all(folder).unwrap();
    }
    /// As root's way to the directories of ExaBGP's user, seen with the eyes of whoever runs the test.
    #[test]
    fn links_are_followed_as_far_as_no_other_user_can_exchange_them() {
        let own = geteuid().as_raw();
        let folder = std::env::temp_dir().join(format!("dnsherald-resolve-{}", std::process::id()));
        make(&folder.join("a/b"), 0o755).unwrap();
        symlink(folder.join("a"), folder.join("absolute")).unwrap();
        symlink("../absolute/b", folder.join("a/relative")).unwrap();
        symlink("loop", folder.join("loop")).unwrap();
        let led = |name: &str| resolve(&folder.join(name), None, false, own);
        let real = fs::canonicalize(folder.join("a/b")).unwrap();
        for name in ["a/b", "absolute/b", "absolute/relative", "a/../a/./b"] {
            assert_eq!(led(name).unwrap(), real, "{name}");
        }
        assert!(led("loop").unwrap_err().to_string().ends_with("too many links"));
        assert_eq!(led("a/c").unwrap_err().kind(), io::ErrorKind::NotFound);
        resolve(&folder.join("absolute/c/d"), Some(0o750), false, own).unwrap();
        assert_eq!(fs::metadata(folder.join("a/c/d")).unwrap().mode() & 0o7777, 0o750);

        fs::set_permissions(folder.join("a"), fs::Permissions::from_mode(0o1777)).unwrap();
        led("absolute/b").unwrap();
        resolve(&folder.join("a"), None, true, own).unwrap();
        assert!(led("a").unwrap_err().to_string().contains("(mode 1777)"));
        fs::set_permissions(folder.join("a"), fs::Permissions::from_mode(0o775)).unwrap();
        let why = led("absolute/b").unwrap_err().to_string();
        assert!(why.contains("/a can be written to by others than its owner (mode 775), "), "{why}");
        assert!(why.contains("`chmod go-w "), "{why}");
        fs::write(folder.join("file"), "").unwrap();
        assert_eq!(led("file").unwrap_err().kind(), io::ErrorKind::NotADirectory);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_refusal_names_the_directory_its_owner_its_mode_and_the_remedy() {
        let objection = objection(FOLDER | 0o750, 4_000_000_001, false, 0).unwrap();
        let why = refusal(Path::new("/run/dnsherald"), objection, 0).to_string();
        assert!(why.starts_with("/run/dnsherald belongs to user 4000000001 (mode 750), "), "{why}");
        assert!(why.ends_with(": run this as user 4000000001, or `chown root /run/dnsherald`"), "{why}");
    }
}
