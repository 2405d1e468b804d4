//! The main process of the DNS server: how it is found, and a handle that cannot refer to another process.
//!
//! ```text
//! ProcessSource ──► find: pid-file, else the unit's cgroup, else systemctl ──► ProcessHandle: pidfd, number, name
//!                    │ nothing found
//!                    ▼
//!                  Missing: certainly, or perhaps
//! ```
//!
//! [`work`] measures the CPU time of the process and its children. None of it needs privileges. A number alone proves
//! nothing, since the kernel reuses numbers. Therefore a process is first opened by its pidfd, then looked up in
//! `/proc`. If it still runs after that, `/proc` has shown this process ([`handle`]).
//!
//! Only facts may move a route: the exit of a process that was open, or a report of systemd that its unit does not run.
//! A pid-file that is missing, stale or invalid proves nothing, and neither does a systemd that does not answer.

use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) mod cgroup;
pub(crate) mod find;
pub(crate) mod handle;
pub(crate) mod pid_file;
pub(crate) mod work;

/// Where the main process is found: a pid-file, a unit, or both.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct ProcessSource {
    /// The file into which the process writes its number.
    pid_file: Option<PathBuf>,
    /// The systemd unit of the process.
    unit: Option<String>,
}

impl ProcessSource {
    /// At least one of both.
    ///
    /// # Errors
    /// The end of a sentence, if there is neither.
    pub(crate) fn new(pid_file: Option<PathBuf>, unit: Option<String>) -> Result<Self, &'static str> {
        if pid_file.is_none() && unit.is_none() {
            return Err("names neither pid-file nor unit");
        }
        Ok(Self { pid_file, unit })
    }

    /// The file into which the process writes its number.
    pub(crate) fn pid_file(&self) -> Option<&Path> {
        self.pid_file.as_deref()
    }

    /// The systemd unit of the process.
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
    /// It certainly does not run.
    Surely(String),
    /// It may run or not.
    Perhaps(String),
}

impl Missing {
    /// The sentence that says why.
    pub(crate) fn why(&self) -> &str {
        let (Self::Surely(why) | Self::Perhaps(why)) = self;
        why
    }
}
