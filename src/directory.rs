//! Directories that are made where they are missing: of the sockets, of the state, of what is kept for a rollback.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Makes a directory and those above it that are missing, each with this mode. It is set explicitly: ExaBGP hands down
/// a umask under which no directory could be entered.
///
/// # Errors
/// When one of them cannot be made, or is something else than a directory.
pub(crate) fn make(directory: &Path, mode: u32) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    directory.parent().map_or(Ok(()), |above| make(above, mode))?;
    match fs::create_dir(directory) {
        Ok(()) => fs::set_permissions(directory, fs::Permissions::from_mode(mode)),
        // The other of two helpers was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn each_that_is_made_has_the_mode_and_what_was_there_keeps_its_own() {
        let folder = std::env::temp_dir().join(format!("dnsherald-directory-{}", std::process::id()));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        make(&folder, 0o751).unwrap();
        make(&folder.join("a/b"), 0o710).unwrap();
        make(&folder.join("a/b"), 0o700).unwrap();
        assert_eq!(["", "a", "a/b"].map(|name| mode(&folder.join(name))), [0o751, 0o710, 0o710]);
        fs::write(folder.join("file"), "").unwrap();
        assert!(make(&folder.join("file/a"), 0o700).is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn several_that_make_the_same_at_once_are_all_content() {
        let folder = std::env::temp_dir().join(format!("dnsherald-directory-race-{}", std::process::id()));
        let (deep, start) = (folder.join("a/b/c/d"), Barrier::new(8));
        let all = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        make(&deep, 0o755)
                    })
                })
                .collect();
            threads.into_iter().all(|thread| thread.join().unwrap().is_ok())
        });
        assert!(all && deep.is_dir());
        fs::remove_dir_all(folder).unwrap();
    }
}
