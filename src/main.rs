//! The command line: parse, log, dispatch, exit status.

use std::process::ExitCode;

use clap::Parser;
use dnsherald::cli::{Cli, Command};
use dnsherald::exit::Exit;
use dnsherald::logging::aside;
use dnsherald::sys::signals::ignore_strays;
use dnsherald::sys::umask;
use dnsherald::{commands, logging};

fn main() -> ExitCode {
    umask::keep_owner_permissions();
    // `healthcheck` has a parser of its own, as the original.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "healthcheck") {
        ignore_strays();
        return commands::healthcheck::run(words).into();
    }
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return commands::usage::report(&error).into(),
    };
    let (level, way) = command.logging();
    logging::start(level, way);
    if command.is_long_lived() {
        ignore_strays();
    }
    let exit = commands::dispatch(&command).unwrap_or_else(|error| fail(&command, &error));
    aside::flush();
    exit.into()
}

/// Reports why the command failed. ExaBGP counts deaths within a minute, so `run` delays its exit.
fn fail(command: &Command, error: &anyhow::Error) -> Exit {
    if matches!(command, Command::Run(_)) {
        log::error!("{error:#}");
        commands::run::pause_before_exit();
    } else {
        commands::complain(error);
    }
    Exit::Failure
}
