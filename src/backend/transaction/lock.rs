//! One restart at a time on a host: who holds the lock writes down who that is, and the kernel forgets it at the end.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use nix::libc::O_NOFOLLOW;

use crate::backend::Trouble;
use crate::text::foreign;

/// The lock, held until it is dropped, or the process is gone.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock in this directory, in the name of a backend.
    ///
    /// # Errors
    /// When somebody else holds it, or there is no place for it.
    pub fn take(directory: &Path, backend: &str) -> Result<Self, Trouble> {
        let path = directory.join("restart.lock");
        let cannot =
            |what: &dyn std::fmt::Display| Trouble::new(format!("cannot lock {}: {what}", path.display()));
        let mut file = open(&path, directory).map_err(|error| cannot(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.take(200).read_to_string(&mut holder);
                return Err(Trouble::new(format!(
                    "another restart is under way: {}",
                    foreign(holder.trim())
                )));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(&error)),
        }
        file.set_len(0).map_err(|error| cannot(&error))?;
        let _ = writeln!(file, "process {} restarts {backend}", std::process::id());
        Ok(Self { _file: file })
    }
}

/// The file of the lock. A new one belongs to whom the directory belongs to: root restarts, and so does the helper's
/// user after it. That user may have put a link there, which root does not follow.
fn open(path: &Path, directory: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o660).custom_flags(O_NOFOLLOW);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            let owner = fs::metadata(directory)?;
            // Only root may, and only for root it matters.
            let _ = fchown(&file, Some(owner.uid()), Some(owner.gid()));
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = std::env::temp_dir().join(format!("dnsherald-lock-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let first = Lock::take(&folder, "unbound").unwrap();
        let refused = Lock::take(&folder, "named").unwrap_err().why;
        assert_eq!(
            refused,
            format!("another restart is under way: process {} restarts unbound", std::process::id())
        );
        drop(first);
        assert!(Lock::take(&folder, "named").is_ok());
        fs::remove_dir_all(&folder).unwrap();
        assert!(Lock::take(&folder, "named").unwrap_err().why.starts_with("cannot lock "));
    }

    #[test]
    fn who_owns_the_directory_can_take_the_lock_after_root() {
        let folder = std::env::temp_dir().join(format!("dnsherald-lock-owner-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // Where the test is not run by root, the directory stays its own, and so does the lock.
        let _ = chown(&folder, Some(65534), Some(65534));
        let owner = |path: &Path| fs::metadata(path).unwrap().uid();
        let _lock = Lock::take(&folder, "unbound").unwrap();
        assert_eq!(owner(&folder.join("restart.lock")), owner(&folder));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = std::env::temp_dir().join(format!("dnsherald-lock-link-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("precious"), "kept").unwrap();
        symlink(folder.join("precious"), folder.join("restart.lock")).unwrap();
        assert!(Lock::take(&folder, "unbound").unwrap_err().why.starts_with("cannot lock "));
        assert_eq!(fs::read_to_string(folder.join("precious")).unwrap(), "kept");
        fs::remove_dir_all(folder).unwrap();
    }
}
