//! The command line: parse, log, dispatch, exit code.

use std::process::ExitCode;

use clap::Parser;
use dnsherald::cli::{Cli, Command};
use dnsherald::exit::Exit;
use dnsherald::{commands, logging};
use log::LevelFilter;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    let quiet = matches!(cli.command, Command::Demo | Command::Check(_) | Command::Simulate(_));
    logging::start(if quiet { LevelFilter::Off } else { LevelFilter::Info });
    let result = match &cli.command {
        Command::Run(options) => commands::run::run(options),
        Command::Check(options) => commands::check::run(options),
        Command::CheckConfig(options) => commands::check_config::run(options),
        Command::Simulate(options) => commands::simulate::run(options),
        Command::Demo => commands::demo::run(),
    };
    let exit = result.unwrap_or_else(|error| {
        commands::complain(&error);
        if matches!(cli.command, Command::Run(_)) {
            commands::run::pause_before_exit();
        }
        Exit::Failure
    });
    exit.into()
}

/// Monitoring takes 2 for critical, so that bad usage of `check` is 3.
fn usage(error: &clap::Error) -> Exit {
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Success;
    }
    match std::env::args_os().nth(1) {
        Some(command) if command == "check" => return Exit::Unknown,
        Some(command) if command == "run" => commands::run::pause_before_exit(),
        _ => {}
    }
    Exit::Usage
}
