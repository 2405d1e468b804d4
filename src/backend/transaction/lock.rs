//! One restart at a time on a host: who holds the lock writes down who that is, and the kernel forgets it at the end.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::backend::Trouble;

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
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o660).open(&path);
        let mut file = opened.map_err(|error| cannot(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.take(200).read_to_string(&mut holder);
                return Err(Trouble::new(format!(
                    "another restart is under way: {}",
                    holder.trim().escape_debug()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(&error)),
        }
        file.set_len(0).map_err(|error| cannot(&error))?;
        let _ = writeln!(file, "process {} restarts {backend}", std::process::id());
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = std::env::temp_dir().join(format!("dnsherald-lock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let first = Lock::take(&folder, "unbound").unwrap();
        let refused = Lock::take(&folder, "named").unwrap_err().why;
        assert_eq!(
            refused,
            format!("another restart is under way: process {} restarts unbound", std::process::id())
        );
        drop(first);
        assert!(Lock::take(&folder, "named").is_ok());
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(Lock::take(&folder, "named").unwrap_err().why.starts_with("cannot lock "));
    }
}
