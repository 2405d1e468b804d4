//! One short file per subcommand. Each is handed its options and returns how it ended; what it prints goes through
//! the writer it takes from here.

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

/// The name of this host, for people.
#[must_use]
pub(crate) fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "unknown".to_owned())
}

/// There was nothing to do: says what was looked for, unless that is no news.
fn nothing_to_do(quiet_if_none: bool, sentence: &str) -> io::Result<Exit> {
    if quiet_if_none {
        return Ok(Exit::Success);
    }
    writeln!(text::stderr(), "dnsherald: {sentence}")?;
    Ok(Exit::Failure)
}

/// Names that a helper has given, safe to show.
fn named(services: &[String]) -> String {
    services.iter().map(|name| text::foreign(name)).collect::<Vec<_>>().join(", ")
}

/// Says on standard error why a command failed, unless whoever read its output has merely gone.
pub fn complain(error: &anyhow::Error) {
    let gone = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    if !error.chain().any(gone) {
        let _ = writeln!(text::stderr(), "dnsherald: {error:#}");
    }
}

/// A runtime of one thread.
///
/// # Errors
/// When the system has no descriptor left.
pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
