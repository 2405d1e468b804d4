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
    let exit = match &cli.command {
        Command::Run(options) => commands::run::run(options),
        Command::Check(options) => commands::check::run(options),
        Command::CheckConfig(options) => commands::check_config::run(options),
        Command::Simulate(options) => commands::simulate::run(options),
        Command::Demo => commands::demo::run(),
    };
    exit.unwrap_or_else(|error| {
        commands::complain(&error);
        Exit::Failure
    })
    .into()
}

/// Monitoring takes 2 for critical, so that bad usage of `check` is 3.
fn usage(error: &clap::Error) -> Exit {
    let _ = error.print();
    let checking = std::env::args_os().nth(1).is_some_and(|argument| argument == "check");
    match error.use_stderr() {
        false => Exit::Success,
        true if checking => Exit::Unknown,
        true => Exit::Usage,
    }
}
