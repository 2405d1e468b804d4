//! The subcommands, one file each. Each takes its options and returns the exit status.

use std::io::{self, ErrorKind, Write};

use crate::exit::Exit;
use crate::text;

pub mod backend;
mod caller;
pub mod check;
pub mod check_config;
pub mod completions;
pub mod demo;
pub mod drain;
pub mod healthcheck;
mod helper;
pub mod hold;
mod missing;
mod prospect;
pub mod reload;
pub mod run;
pub mod simulate;
pub mod status;
pub mod undampen;
pub mod usage;

/// The name of this host, for messages.
#[must_use]
pub(crate) fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "unknown".to_owned())
}

/// Reports that there was nothing to do, unless `quiet_if_none` is set.
fn nothing_to_do(quiet_if_none: bool, message: &str) -> io::Result<Exit> {
    if quiet_if_none {
        return Ok(Exit::Success);
    }
    writeln!(text::stderr(), "dnsherald: {message}")?;
    Ok(Exit::Failure)
}

/// Names from a helper, escaped for display.
fn named(services: &[String]) -> String {
    services.iter().map(|name| text::foreign(name)).collect::<Vec<_>>().join(", ")
}

/// Prints why a command failed to standard error, unless the reader of its output has closed the pipe.
pub fn complain(error: &anyhow::Error) {
    let gone = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    if !error.chain().any(gone) {
        let _ = writeln!(text::stderr(), "dnsherald: {error:#}");
    }
}

/// Creates a runtime with one thread.
///
/// # Errors
/// Returns an error if the system has no descriptor left.
pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
