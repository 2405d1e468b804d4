//! `reload`: has the running helper read its configuration again.

use std::io::Write;

use super::{named, running};
use crate::cli::Configuration;
use crate::control::Request;
use crate::exit::Exit;
use crate::text;

/// Asks for it, and says which services there are now.
///
/// # Errors
/// When there is no helper, or it finds the file wanting: then nothing is changed.
pub fn run(configuration: &Configuration) -> anyhow::Result<Exit> {
    let services = running(configuration).ask(&Request::Reload)?;
    writeln!(text::stdout(), "reloaded: {}", named(&services))?;
    Ok(Exit::Success)
}
