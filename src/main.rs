//! The command line: parse, dispatch, exit status.

use std::process::ExitCode;

use clap::Parser;
use dnsherald::cli::Cli;
use dnsherald::commands;
use dnsherald::sys::signals::ignore_strays;
use dnsherald::sys::umask;

fn main() -> ExitCode {
    umask::keep_owner_permissions();
    // `healthcheck` takes the options of `exabgp healthcheck`, by a parser of its own.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "healthcheck") {
        ignore_strays();
        return commands::healthcheck::run(words).into();
    }
    match Cli::try_parse() {
        Ok(cli) => commands::run_logged(&cli).into(),
        Err(error) => commands::usage::report(&error).into(),
    }
}
