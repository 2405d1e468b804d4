//! The command line: parse, log, dispatch, exit code.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use dnsherald::cli::{Cli, Command};
use dnsherald::exit::Exit;
use dnsherald::logging::{Way, aside};
use dnsherald::sys::signals::ignore_strays;
use dnsherald::sys::umask;
use dnsherald::{commands, logging, text};
use log::LevelFilter;

fn main() -> ExitCode {
    umask::keep_owner_permissions();
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "healthcheck") {
        survive_strays();
        return commands::healthcheck::run(words).into();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    let runs = matches!(cli.command, Command::Run(_));
    let way = if runs { Way::Aside } else { Way::Directly };
    let level = match cli.command {
        Command::Run(_) => LevelFilter::Info,
        Command::Backend(_) => LevelFilter::Warn,
        _ => LevelFilter::Off,
    };
    logging::start(level, way);
    if lasts(&cli.command) {
        survive_strays();
    }
    let result = match &cli.command {
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
    };
    let exit = result.unwrap_or_else(|error| {
        if runs {
            log::error!("{error:#}");
            commands::run::pause_before_exit();
        } else {
            commands::complain(&error);
        }
        Exit::Failure
    });
    aside::flush();
    exit.into()
}

/// Whether a signal that is meant for others may meet the command: ExaBGP has started it, or it waits for a server.
const fn lasts(command: &Command) -> bool {
    matches!(
        command,
        Command::Run(_)
            | Command::Healthcheck { .. }
            | Command::Backend(_)
            | Command::Drain(_)
            | Command::Undrain(_)
            | Command::Reload(_)
    )
}

/// Such a signal no longer ends the process.
fn survive_strays() {
    if let Err(error) = ignore_strays() {
        log::warn!(
            "cannot catch signals: {error}; a stray signal ends this process and leaves its prefixes announced"
        );
    }
}

/// Monitoring takes 2 for critical, so that bad usage of `check` is 3.
fn usage(error: &clap::Error) -> Exit {
    let command = std::env::args_os().nth(1);
    let is = |name: &str| command.as_ref().is_some_and(|command| command == name);
    // What ExaBGP has started says so as everything else, and owes it what every helper does.
    if is("run") && error.use_stderr() && !io::stdout().is_terminal() {
        logging::start(LevelFilter::Info, Way::Aside);
        survive_strays();
        log::error!("{}", error.to_string().trim_end());
        commands::run::pause_before_exit();
        aside::flush();
        return Exit::Usage;
    }
    text::usage(error);
    match error.use_stderr() {
        false => Exit::Success,
        true if is("check") => Exit::Unknown,
        true => Exit::Usage,
    }
}
