//! One helper at a time reads the state file, merges and writes it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::O_NOFOLLOW;

use crate::sys::trusted_path::is_own_where_shared;

/// How long another helper is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

const MODE: u32 = 0o640;

/// Takes the lock of this state file, which lies beside it and stays there. It is held until it is dropped, or the
/// process is gone. `None` on a file system that has no locks.
///
/// # Errors
/// When the file of the lock cannot be opened, or another helper has held it for [`PATIENCE`].
pub(super) fn take(file: &Path) -> io::Result<Option<File>> {
    let path = file.with_extension("lock");
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        .custom_flags(O_NOFOLLOW)
        .open(&path)?;
    let found = lock.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other(format!("the lock {} is no plain file", path.display())));
    }
    is_own_where_shared(&path, &found)
        .map_err(|error| io::Error::other(format!("the lock {}: {error}", path.display())))?;
    let began = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(lock)),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other(format!("another helper holds the lock {}", path.display())));
            }
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}
