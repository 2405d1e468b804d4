//! The lock that serializes reads, merges and writes of the state file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::O_NOFOLLOW;

use super::disk::FILE_MODE;
use crate::sys::trusted_path::is_own_where_shared;

/// How long to wait for another helper.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause between attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// Takes the lock of this state file. The lock file stays. The lock is released when dropped or when the process ends.
/// Returns `None` on a file system without locks.
///
/// # Errors
/// Returns an error if the lock file cannot be opened or another helper holds the lock for [`LOCK_TIMEOUT`].
pub(super) fn take(file: &Path) -> io::Result<Option<File>> {
    let path = file.with_extension("lock");
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(O_NOFOLLOW)
        .open(&path)?;
    let found = lock.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other(format!("the lock {} is not a regular file", path.display())));
    }
    is_own_where_shared(&path, &found)
        .map_err(|error| io::Error::other(format!("the lock {}: {error}", path.display())))?;
    let began = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(lock)),
            Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_TIMEOUT => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other(format!("another helper holds the lock {}", path.display())));
            }
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}
