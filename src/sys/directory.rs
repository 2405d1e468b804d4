//! Directories that are made where they are missing: of the sockets, of the state, of what is kept for a rollback.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::files::set_mode;

/// Makes a directory and those above it that are missing, each with this mode. It is set explicitly: ExaBGP hands
/// down a umask under which no directory could be entered.
///
/// # Errors
/// When one of them cannot be made, or is something else than a directory.
pub(crate) fn make(directory: &Path, mode: u32) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    directory.parent().map_or(Ok(()), |above| make(above, mode))?;
    // Nobody sees it before it has its mode: another helper that makes the same would take it, and could not enter.
    let private = make_private(directory)?;
    let made = set_mode(&private, mode, fs::Metadata::is_dir)
        .and_then(|()| rename_onto_nothing(&private, directory));
    if made.is_err() {
        let _ = fs::remove_dir(&private);
    }
    match made {
        // The other of two helpers was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        made => made,
    }
}

/// Makes a directory beside it, under a name of its own.
fn make_private(directory: &Path) -> io::Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let private = directory.with_file_name(format!(".dnsherald.{}.{number}", process::id()));
        match fs::create_dir(&private) {
            // Left behind by one that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| private),
        }
    }
}

/// A plain rename would take the place of an empty directory, which another helper is about to put its files into.
fn rename_onto_nothing(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can: not NFS.
        Err(Errno::INVAL | Errno::NOSYS) => match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                Err(io::ErrorKind::AlreadyExists.into())
            }
            renamed => renamed,
        },
        renamed => renamed.map_err(io::Error::from),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn each_that_is_made_has_the_mode_and_what_was_there_keeps_its_own() {
        let folder = std::env::temp_dir().join(format!("dnsherald-directory-{}", process::id()));
        make(&folder, 0o751).unwrap();
        make(&folder.join("a/b"), 0o710).unwrap();
        make(&folder.join("a/b"), 0o700).unwrap();
        assert_eq!(["", "a", "a/b"].map(|name| mode(&folder.join(name))), [0o751, 0o710, 0o710]);
        fs::write(folder.join("file"), "").unwrap();
        assert!(make(&folder.join("file/a"), 0o700).is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    /// As nobody, and under the umask of ExaBGP, one that is there but has not its mode yet could not be entered.
    #[test]
    fn several_that_make_the_same_at_once_are_all_content_and_see_it_with_its_mode_only() {
        let folder = std::env::temp_dir().join(format!("dnsherald-directory-race-{}", process::id()));
        for _ in 0..50 {
            let (deep, start) = (folder.join("a/b/c/d"), Barrier::new(8));
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        start.wait();
                        make(&deep, 0o711).unwrap();
                        assert_eq!(mode(&deep), 0o711);
                        fs::write(deep.join("file"), "").unwrap();
                    });
                }
            });
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left behind");
            fs::remove_dir_all(&folder).unwrap();
        }
    }
}
