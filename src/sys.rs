//! The operating system: files, directories, signals, clocks, limits, and work for other threads.

pub(crate) mod clock;
pub(crate) mod credentials;
pub(crate) mod directory;
pub(crate) mod files;
pub(crate) mod handoff;
pub(crate) mod interfaces;
pub(crate) mod local_time;
pub(crate) mod pidfd;
pub(crate) mod places;
pub(crate) mod procfs;
pub(crate) mod resources;
pub(crate) mod signal_stream;
pub mod signals;
pub(crate) mod terminal;
pub(crate) mod trusted_path;
pub mod umask;
pub(crate) mod wake;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex even if a thread has panicked with it. No value in a mutex of this crate is ever changed in part.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
