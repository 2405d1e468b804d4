//! `reload`: has the running helper read its configuration again.

use std::io::{self, Write};

use super::running;
use crate::cli::Configuration;
use crate::control::Request;
use crate::exit::Exit;

/// Asks for it, and says which services there are now.
///
/// # Errors
/// When there is no helper, or it finds the file wanting: then nothing is changed.
pub fn run(configuration: &Configuration) -> anyhow::Result<Exit> {
    let services = running(configuration).ask(&Request::Reload)?;
    writeln!(io::stdout(), "reloaded: {}", services.join(", "))?;
    Ok(Exit::Success)
}
