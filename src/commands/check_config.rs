//! `check-config`: what is wrong with a file, or what it means.

use std::io::Write;

use super::host_name;
use crate::cli::CheckConfig;
use crate::config::Config;
use crate::config::describe::Description;
use crate::exit::Exit;
use crate::text;

/// Prints what the configuration means, or why it is refused.
///
/// # Errors
/// When nothing can be printed.
pub fn run(options: &CheckConfig) -> anyhow::Result<Exit> {
    let file = options.config.as_ref().unwrap_or(&options.file);
    match Config::load(file, &host_name()) {
        Ok(config) => {
            if !options.quiet {
                let mut out = text::stdout();
                writeln!(out, "{}: in order\n\n{}", file.display(), Description(&config))?;
            }
            Ok(Exit::Success)
        }
        Err(error) => {
            writeln!(text::stderr(), "{error}")?;
            Ok(Exit::Config)
        }
    }
}
