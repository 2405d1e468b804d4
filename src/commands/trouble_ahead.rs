//! What a restart of a helper would do that runs with what it has read before, and could not use its file any more.

use std::fmt;
use std::path::Path;

use clap::Parser as _;
use nix::unistd::Pid;

use super::host_name;
use crate::cli::{Cli, Command, Run};
use crate::config::DEFAULT_STATE;
use crate::config::cite::ConfigError;
use crate::daemon::last_good::LastGood;
use crate::status::Document;
use crate::status::explain::FileFault;
use crate::sys::credentials::{Credentials, READ};
use crate::sys::procfs::command_line;

const WITHDRAW: &str = "a restart of the helper would withdraw every prefix";
const WITHDRAW_KNOWN: &str =
    "a restart of the helper would withdraw the prefixes that its state names, and announce nothing";
const RUN_LAST_GOOD: &str = "a restart of the helper would run the last good configuration";

/// What a restart of the helper would do with a file that it cannot use.
#[derive(Debug)]
pub(super) struct TroubleAhead {
    pub(super) then: &'static str,
    why: String,
    pub(super) fault: FileFault,
}

impl fmt::Display for TroubleAhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.then, self.why)
    }
}

impl TroubleAhead {
    /// Of a file at `path` that has errors, or is gone.
    pub(super) fn from_error(document: &Document, path: &Path, error: &ConfigError) -> Self {
        let then = if error.is_gone() { WITHDRAW } else { with_last_good(document, path) };
        Self { then, why: error.summary(), fault: FileFault::Broken }
    }

    /// Of a file that the user of this helper may not read, as far as this user can see it; else `None`. Without the file the
    /// helper knows no state directory but that of `--state`, or the default one.
    pub(super) fn from_denied(document: &Document) -> Option<Self> {
        let options = options_of(document)?;
        let credentials = Credentials::from_process(pid_of(document))?;
        let path = &document.configuration;
        if credentials.may(path, READ) != Ok(false) {
            return None;
        }
        let state = options.state.as_deref().unwrap_or(DEFAULT_STATE.as_ref());
        let then = match LastGood::new(state, path).load(&host_name()) {
            _ if options.exit_on_bad_config => WITHDRAW_KNOWN,
            Ok(Some(_)) => RUN_LAST_GOOD,
            Ok(None) => WITHDRAW_KNOWN,
            Err(_) => {
                "a restart of the helper would run the last good configuration, if it has one, or announce nothing"
            }
        };
        let why = format!("{}: user `{}` of the helper cannot read it", path.display(), credentials.user());
        Some(Self { then, why, fault: FileFault::Denied })
    }
}

/// The options with which a running helper was started; `None` if its process cannot be seen, such as in another container.
fn options_of(document: &Document) -> Option<Run> {
    match Cli::try_parse_from(command_line(pid_of(document))).ok()?.command {
        Command::Run(options) => Some(options),
        _ => None,
    }
}

fn pid_of(document: &Document) -> Pid {
    Pid::from_raw(document.pid.cast_signed())
}

/// What a start of this helper does with the last good configuration of a broken file.
fn with_last_good(document: &Document, path: &Path) -> &'static str {
    let options = options_of(document);
    if options.as_ref().is_some_and(|options| options.exit_on_bad_config) {
        return WITHDRAW;
    }
    let places = LastGood::places(options.as_ref().and_then(|options| options.state.as_deref()), path);
    let mut kept = places.into_iter().map(|place| place.load(&host_name()));
    match kept.find(|kept| !matches!(kept, Ok(None))) {
        Some(Ok(_)) => RUN_LAST_GOOD,
        Some(Err(_)) => {
            "a restart of the helper would withdraw every prefix, unless it can use the last good configuration"
        }
        None => WITHDRAW,
    }
}
