//! The main process of the DNS server: found, held on to, and noticed to be gone within a millisecond.
//!
//! ```text
//! ProcessSource ──► find: pid-file, else the unit's cgroup, else systemctl ──► ProcessHandle: pidfd, number, name
//!                  │ nothing                                                   │
//!                  ▼                                                           ▼
//!               Missing: surely, or not to be told         deaths: a thread that polls the pidfds
//!                  │                                                           │ readable: it has ended
//!                  ▼                                                           ▼
//!               watch: what a round of the check says  ◄───────────────────  watch: tells at once
//! ```
//!
//! None of it needs privileges. A number alone proves nothing, for numbers are used again. So a process is taken by
//! its pidfd first, then looked at in `/proc`, and if it is still alive after that, it was that process which was
//! looked at ([`handle`]).
//!
//! Only what is certain may move a route: that a process has ended which was held, or that systemd says that its unit
//! does not run. A pid-file that is missing, stale or nonsense proves nothing, and neither does a systemd that does
//! not answer.

use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) mod cgroup;
pub(crate) mod deaths;
pub(crate) mod find;
pub(crate) mod handle;
pub(crate) mod pid_file;
#[cfg(test)]
mod sleeper;
pub(crate) mod watch;

/// Where the main process is to be found; at least one of both.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct ProcessSource {
    /// The file into which it writes its number.
    pid_file: Option<PathBuf>,
    /// The systemd unit to which it belongs.
    unit: Option<String>,
}

impl ProcessSource {
    /// Both, or one of them.
    ///
    /// # Errors
    /// The end of the sentence that says that there is neither.
    pub(crate) fn new(pid_file: Option<PathBuf>, unit: Option<String>) -> Result<Self, &'static str> {
        if pid_file.is_none() && unit.is_none() {
            return Err("names neither pid-file nor unit");
        }
        Ok(Self { pid_file, unit })
    }

    /// The file into which it writes its number.
    #[must_use]
    pub(crate) fn pid_file(&self) -> Option<&Path> {
        self.pid_file.as_deref()
    }

    /// The systemd unit to which it belongs.
    #[must_use]
    pub(crate) fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }
}

impl fmt::Display for ProcessSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process of ")?;
        match (&self.unit, &self.pid_file) {
            (Some(unit), Some(path)) => write!(f, "{unit}, in {}", path.display()),
            (Some(unit), None) => f.write_str(unit),
            (None, path) => {
                f.write_str(&path.iter().map(|path| path.display().to_string()).collect::<String>())
            }
        }
    }
}

/// Why no process was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Missing {
    /// There is none.
    Surely(String),
    /// There may be one, or not.
    Perhaps(String),
}

impl Missing {
    /// The sentence.
    #[must_use]
    pub(crate) fn why(&self) -> &str {
        let (Self::Surely(why) | Self::Perhaps(why)) = self;
        why
    }
}
