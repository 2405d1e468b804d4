//! `completions`: prints shell completions.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::cli::{Cli, CompletedShell};
use crate::exit::Exit;

/// Prints the script for this shell.
///
/// # Errors
/// Returns an error if the output is closed.
pub(crate) fn run(shell: CompletedShell) -> anyhow::Result<Exit> {
    let shell = match shell {
        CompletedShell::Bash => Shell::Bash,
        CompletedShell::Zsh => Shell::Zsh,
        CompletedShell::Fish => Shell::Fish,
    };
    let mut script = vec![];
    generate(shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &mut script);
    io::stdout().write_all(&script)?;
    Ok(Exit::Success)
}
