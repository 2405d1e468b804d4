//! Creates missing directories: for the sockets, the state, and the snapshots of a rollback.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::files::set_mode;

/// Creates a directory and its missing parents with this mode. Sets the mode explicitly: with the umask that ExaBGP
/// passes on, the owner could not enter the directory.
///
/// # Errors
/// If one of them cannot be created, or is not a directory.
pub(crate) fn make(directory: &Path, mode: u32) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    directory.parent().map_or(Ok(()), |above| make(above, mode))?;
    // It gets its mode before its name: a second helper would otherwise find it and could not enter it.
    let private = make_private(directory)?;
    let made = set_mode(&private, mode, fs::Metadata::is_dir)
        .and_then(|()| rename_onto_nothing(&private, directory));
    if made.is_err() {
        let _ = fs::remove_dir(&private);
    }
    match made {
        // A second helper has created it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        made => made,
    }
}

/// Creates a directory beside it with a unique name.
fn make_private(directory: &Path) -> io::Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let private = directory.with_file_name(format!(".dnsherald.{}.{number}", process::id()));
        match fs::create_dir(&private) {
            // A killed process left it behind.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| private),
        }
    }
}

/// Does not replace an existing directory: a second helper may be about to put its files into it.
fn rename_onto_nothing(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system supports this; NFS does not.
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
    fn new_directories_get_the_mode_and_existing_ones_keep_theirs() {
        let directory = std::env::temp_dir().join(format!("dnsherald-directory-{}", process::id()));
        make(&directory, 0o751).unwrap();
        make(&directory.join("a/b"), 0o710).unwrap();
        make(&directory.join("a/b"), 0o700).unwrap();
        assert_eq!(["", "a", "a/b"].map(|name| mode(&directory.join(name))), [0o751, 0o710, 0o710]);
        fs::write(directory.join("file"), "").unwrap();
        assert!(make(&directory.join("file/a"), 0o700).is_err());
        fs::remove_dir_all(directory).unwrap();
    }

    /// As user nobody with ExaBGP's umask, a directory without its final mode could not be entered.
    #[test]
    fn concurrent_creations_of_one_directory_all_succeed_with_its_mode() {
        let directory = std::env::temp_dir().join(format!("dnsherald-directory-race-{}", process::id()));
        for _ in 0..50 {
            let (deep, start) = (directory.join("a/b/c/d"), Barrier::new(8));
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
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is left behind");
            fs::remove_dir_all(&directory).unwrap();
        }
    }
}
