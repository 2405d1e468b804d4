//! `config-schema`: prints the reference of the configuration.

use std::io::Write;

use crate::cli::ConfigSchema;
use crate::config::reference::{markdown, schema};
use crate::exit::Exit;
use crate::text;

/// Prints the JSON Schema, or the tables of the documentation.
///
/// # Errors
/// Returns an error if the output is closed.
pub(crate) fn run(options: &ConfigSchema) -> anyhow::Result<Exit> {
    let reference = if options.markdown { markdown::markdown() } else { schema::schema() };
    write!(text::stdout(), "{reference}")?;
    Ok(Exit::Success)
}
