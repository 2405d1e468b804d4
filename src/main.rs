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
    let exit = dispatch(&command).unwrap_or_else(|error| fail(&command, &error));
    aside::flush();
    exit.into()
}

fn dispatch(command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run(options) => commands::run::run(options),
        Command::Check(options) => commands::check::run(options),
        Command::CheckConfig(options) => commands::check_config::run(options),
        Command::Status(options) => commands::status::run(options),
        Command::Drain(options) => commands::drain::drain(options),
        Command::Undrain(options) => commands::drain::undrain(options),
        Command::Hold(options) => commands::hold::hold(options),
        Command::Unhold(options) => commands::hold::unhold(options),
        Command::Undampen(options) => commands::undampen::run(options),
        Command::Reload(configuration) => commands::reload::run(configuration),
        Command::Simulate(options) => commands::simulate::run(options),
        Command::Backend(command) => commands::backend::run(command),
        Command::Completions { shell } => commands::completions::run(*shell),
        Command::Demo => commands::demo::run(),
        // Its words are another program's, and were looked at before.
        Command::Healthcheck { words } => Ok(commands::healthcheck::run(words.iter().cloned())),
    }
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
