//! `config-schema`: prints the reference of the configuration.

use std::io::{self, Write};

use crate::cli::ConfigSchema;
use crate::config::reference::{markdown, schema};
use crate::exit::Exit;

/// Prints the JSON Schema, or the tables of the documentation.
///
/// # Errors
/// Returns an error if the output is closed.
pub(crate) fn run(options: &ConfigSchema) -> anyhow::Result<Exit> {
    let text = if options.markdown { markdown::markdown() } else { schema::schema() };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Success)
}
