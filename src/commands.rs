//! The subcommands, one file each. Each takes its options and returns the exit status.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;

use crate::cli::{Cli, Command};
use crate::control::client::Client;
use crate::exit::Exit;
use crate::logging::{self, aside};
use crate::restart::{AnnouncedBy, Confirmed, wait_until_announced};
use crate::status::{Document, SessionState};
use crate::sys::signals::ignore_strays;
use crate::text::{self, foreign, joined};

pub(crate) mod backend;
mod caller;
pub(crate) mod check;
pub(crate) mod check_config;
pub(crate) mod complete_names;
mod completions;
pub(crate) mod config_schema;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod drain;
pub(crate) mod explain;
pub mod healthcheck;
mod helper;
pub(crate) mod history;
pub(crate) mod hold;
pub(crate) mod identify;
pub(crate) mod metrics;
mod missing;
mod progress;
pub(crate) mod reload;
pub(crate) mod run;
pub(crate) mod simulate;
mod start_forecast;
pub(crate) mod status;
mod trouble_ahead;
pub(crate) mod undampen;
pub mod usage;

/// Starts the log, runs the command, and reports why it failed.
#[must_use]
pub fn run_logged(cli: &Cli) -> Exit {
    let command = &cli.command;
    let (level, way, format) = command.logging();
    logging::start(level, way, format);
    if command.ignores_stray_signals() {
        ignore_strays();
    }
    let exit = dispatch(command).unwrap_or_else(|error| fail(command, &error));
    aside::flush();
    exit
}

/// Reports the failure of a command. ExaBGP counts deaths within a minute, so `run` delays its exit.
fn fail(command: &Command, error: &anyhow::Error) -> Exit {
    if matches!(command, Command::Run(_)) {
        log::error!("{error:#}");
        run::pause_before_exit();
    } else {
        complain(error);
    }
    Exit::Failure
}

/// Runs one command.
///
/// # Errors
///
/// Those of the command, for people.
fn dispatch(command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run(options) => run::run(options),
        Command::Check(options) => Ok(check::run(options)),
        Command::CheckConfig(options) => check_config::run(options),
        Command::ConfigSchema(options) => config_schema::run(options),
        Command::Status(options) => status::run(options),
        Command::Explain(options) => explain::run(options),
        Command::History(options) => history::run(options),
        Command::Metrics(options) => metrics::run(options),
        Command::Drain(options) => drain::drain(options),
        Command::Undrain(options) => drain::undrain(options),
        Command::Hold(options) => hold::hold(options),
        Command::Unhold(options) => hold::unhold(options),
        Command::Undampen(options) => undampen::run(options),
        Command::Reload(configuration) => reload::run(configuration),
        Command::Identify(options) => identify::run(options),
        Command::Doctor(options) => doctor::run(options),
        Command::Simulate(options) => simulate::run(options),
        Command::Backend(command) => backend::run(command),
        Command::CompleteNames(options) => Ok(complete_names::run(options)),
        Command::Completions { shell } => completions::run(*shell),
        Command::Demo(options) => demo::run(options),
        // The parser of `healthcheck` has read these arguments before.
        Command::Healthcheck { words } => Ok(healthcheck::run(words.iter().cloned())),
    }
}

/// The name of this host, for messages.
pub(crate) fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "unknown".to_owned())
}

/// Reports that there is `nothing` of this service, or of any, unless `quiet_if_none` is set. `held` ends the sentence.
fn nothing_to_do(
    quiet_if_none: bool,
    nothing: &str,
    service: Option<&str>,
    held: &str,
) -> anyhow::Result<Exit> {
    if quiet_if_none {
        return Ok(Exit::Success);
    }
    let whose = foreign(service.unwrap_or("any service"));
    writeln!(text::stderr(), "dnsherald: {nothing} of {whose}{held}")?;
    Ok(Exit::Failure)
}

/// Prints the result of a command.
fn print(result: &str) -> io::Result<()> {
    let mut out = text::stdout();
    out.write_all(result.as_bytes())?;
    out.flush()
}

/// Prints why each of these services is still not announced, if the helper knows it.
fn print_not_announced(document: &Document, concerns: impl Fn(&String) -> bool) -> io::Result<()> {
    for service in document.services.iter().filter(|service| concerns(&service.name)) {
        if let Some(why) = service.why_not_announced() {
            writeln!(text::stdout(), "{} {why}", foreign(&service.name))?;
        }
    }
    Ok(())
}

/// Waits until these services are announced, and prints how ExaBGP confirmed it.
fn await_announced(client: &Client, names: &[String], by: AnnouncedBy) -> anyhow::Result<Exit> {
    let announced = runtime()?
        .block_on(wait_until_announced(client, names, by))
        .map_err(|trouble| anyhow::anyhow!("{trouble}; see `dnsherald status`"))?;
    writeln!(text::stdout(), "announced {}, {announced}", named(names))?;
    note_lost_sessions(&client.status()?)?;
    let is_unknown = matches!(announced.how, Confirmed::Unknown(_));
    Ok(if is_unknown { Exit::Unacknowledged } else { Exit::Success })
}

/// Notes that routers do not learn of a change of routes while every reported BGP session is down.
fn note_lost_sessions(document: &Document) -> io::Result<()> {
    let sessions = &document.exabgp.bgp_sessions;
    if sessions.is_empty() || sessions.iter().any(|session| session.state != SessionState::Down) {
        return Ok(());
    }
    let neighbors = joined(sessions.iter().map(|session| foreign(&session.neighbor)), ", ");
    writeln!(
        text::stderr(),
        "dnsherald: note: every BGP session that ExaBGP has reported is down ({neighbors}): these routers do not learn of this change"
    )
}

/// Names from a helper, escaped for display.
fn named(services: &[String]) -> String {
    joined(services.iter().map(|name| foreign(name)), ", ")
}

/// Prints why a command failed to standard error, unless the reader of its output has closed the pipe.
fn complain(error: &anyhow::Error) {
    let gone = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    };
    if !error.chain().any(gone) {
        let _ = writeln!(text::stderr(), "dnsherald: {error:#}");
    }
}

/// Creates a runtime with one thread.
///
/// # Errors
/// Returns an error if the system has no descriptor left.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the event loop")
}
