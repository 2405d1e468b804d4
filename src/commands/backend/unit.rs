//! `backend hooks`, and the two commands that the drop-in runs around the stop and the start of a server.
//!
//! Whatever is in the way of the latter two, the unit must stop and start all the same: they say what it was and succeed.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};

use super::super::{complain, host_name, runtime};
use crate::backend::hooks::{StopTime, drop_in, stop_commands};
use crate::backend::run::run;
use crate::backend::transaction::{quiet, wait_until_acknowledged};
use crate::backend::{Backend, Program};
use crate::cli::UnitHooks;
use crate::config::{Config, DEFAULT_PATH};
use crate::control::Request;
use crate::control::client::{AskError, Client};
use crate::engine::drain::{Holder, Lasts, Lift, Order, Reason};
use crate::exit::Exit;
use crate::period::Period;
use crate::text;

/// How long a drain lasts beyond the wait for the server to be quiet if the unit does not come back; then the checks
/// decide.
const LASTS: Duration = Duration::from_secs(300);

/// What is not waiting for the server to be quiet: ExaBGP, and the helper.
const ELSE: Duration = Duration::from_secs(40);

/// systemd answers in milliseconds.
const LIMIT: Duration = Duration::from_secs(5);

/// Prints the drop-in for a unit of this host.
///
/// # Errors
/// When the unit cannot be read, or nothing can be printed.
pub(super) fn hooks(options: &UnitHooks) -> anyhow::Result<Exit> {
    let unit = &options.unit.0;
    let runtime = runtime().context("cannot start the event loop")?;
    let ask = |words: &[&str]| {
        let program = Program::new("systemctl", words);
        let ended = runtime.block_on(run(&program, LIMIT));
        if ended.succeeded() { Ok(ended.out) } else { bail!("cannot read unit {unit}: {program}: {ended}") }
    };
    let text = ask(&["cat", "--no-pager", "--", unit.as_str()])?;
    let stop = ask(&["show", "-p", "TimeoutStopUSec", "--value", "--", unit.as_str()])?;
    let stop = match stop.trim() {
        "infinity" => StopTime::Infinite,
        time => time.parse().map_or(StopTime::DEFAULT, |Period(time)| StopTime::Within(time)),
    };
    let config = Config::load(&options.configuration.config, &host_name()).ok();
    let waits =
        config.iter().flat_map(|config| of_unit(config, unit)).map(|backend| backend.quiet.longest()).max();
    if waits.is_none() {
        let file = options.configuration.config.display();
        writeln!(
            text::stderr(),
            "dnsherald: note: no backend in {file} has the unit {unit} so far: until then this drains nothing"
        )?;
    }
    let program =
        std::env::current_exe().map_or("/usr/bin/dnsherald".to_owned(), |path| path.display().to_string());
    let path = &options.configuration.config;
    let mut words = vec![program];
    if path.as_os_str() != DEFAULT_PATH {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        words.extend(["-c".to_owned(), path.display().to_string()]);
    }
    let drains = waits.unwrap_or(Duration::from_secs(10)) + ELSE;
    write!(text::stdout(), "{}", drop_in(unit, &words, &stop_commands(&text), drains, stop))?;
    Ok(Exit::Success)
}

/// Drains what the unit answers for, and waits until it is quiet.
pub(super) fn stopping(options: &UnitHooks) -> anyhow::Result<Exit> {
    // systemd names the main process unless it is dead already, and then there is nothing to wait for.
    if std::env::var_os("MAINPID").is_some()
        && let Err(error) = drain(options)
    {
        complain(&error);
    }
    Ok(Exit::Success)
}

fn drain(options: &UnitHooks) -> anyhow::Result<()> {
    let config = load(options)?;
    let helper = Client::new(&config.control);
    let unit = &options.unit.0;
    let names = names(&config, unit);
    if names.is_empty() {
        bail!("no service has a backend with the unit {unit}, so that nothing is drained");
    }
    // Whatever keeps the status from us does not keep us from draining.
    let document = helper.status().ok();
    let answers = document.as_ref().is_none_or(|document| document.exabgp.answers);
    let services = document.map(|document| document.services).unwrap_or_default();
    let by_us = |name: &String| {
        let service = services.iter().find(|service| service.name == *name);
        service.is_some_and(|service| {
            service.drains.iter().any(|drain| drain.holder.starts_with("backend/"))
                && (service.settled() || !answers)
        })
    };
    if names.iter().all(by_us) {
        // `backend restart` has done all this, and goes on after the start.
        return Ok(());
    }
    let runtime = runtime().context("cannot start the event loop")?;
    let state = runtime.block_on(run(&Program::new("systemctl", &["is-system-running"]), LIMIT)).out;
    let quiets = of_unit(&config, unit).map(|backend| backend.quiet.longest());
    let longest = LASTS + quiets.max().unwrap_or_default();
    let reason: Reason = format!("{unit} stops").into();
    let order = Order { holder: holder(options)?, reason, lasts: lasts(&state, longest) };
    let drain = |name: &str| Request::Drain { service: Some(name.to_owned()), order: order.clone() };
    runtime.block_on(async {
        let drained = ask_for_each(&helper, names, drain).await;
        if drained.is_empty() {
            return Ok(());
        }
        wait_until_acknowledged(&helper, &drained).await.map_err(anyhow::Error::msg)?;
        for backend in of_unit(&config, unit) {
            writeln!(text::stdout(), "drained {}: {}", drained.join(", "), quiet(&config, backend).await)?;
        }
        Ok(())
    })
}

/// Asks for each of the services, and returns those for which it was done. One that is refused, such as one that the file
/// has and the helper has not, since it was not told to reload, is complained about, and leaves the others as they are.
async fn ask_for_each(helper: &Client, names: Vec<String>, request: impl Fn(&str) -> Request) -> Vec<String> {
    let mut done = vec![];
    for name in names {
        let request = request(&name);
        // Without sockets there is no helper to wait for: at the boot the server may well start before one.
        let asked = if helper.has_a_socket() { helper.insist(&request).await } else { helper.ask(&request) };
        match asked {
            Ok(_) => done.push(name),
            Err(AskError::Refused(why)) => complain(&anyhow::anyhow!(why)),
            Err(error @ AskError::Absent(_)) => {
                complain(&error.into());
                break;
            }
        }
    }
    done
}

/// How long the drain lasts, in this state of the whole system. At a shutdown it ends with the helper: after the boot
/// the unit may well start before there is a helper to be told so.
fn lasts(state: &str, longest: Duration) -> Lasts {
    if state.trim() == "stopping" { Lasts::UntilExit } else { Lasts::For(longest) }
}

/// Lets the services return once their checks pass.
pub(super) fn started(options: &UnitHooks) -> anyhow::Result<Exit> {
    if let Err(error) = undrain(options) {
        complain(&error);
    }
    Ok(Exit::Success)
}

fn undrain(options: &UnitHooks) -> anyhow::Result<()> {
    let config = load(options)?;
    let helper = Client::new(&config.control);
    let lift = Lift { holder: Some(holder(options)?), once_healthy: true };
    let undrain = |name: &str| Request::Undrain { service: Some(name.to_owned()), lift: lift.clone() };
    let runtime = runtime().context("cannot start the event loop")?;
    runtime.block_on(ask_for_each(&helper, names(&config, &options.unit.0), undrain));
    Ok(())
}

fn load(options: &UnitHooks) -> anyhow::Result<Config> {
    Config::load(&options.configuration.config, &host_name()).map_err(anyhow::Error::msg)
}

fn holder(options: &UnitHooks) -> anyhow::Result<Holder> {
    options.unit.0.parse().map_err(anyhow::Error::msg)
}

fn of_unit<'a>(config: &'a Config, unit: &str) -> impl Iterator<Item = &'a Backend> {
    let unit = unit.to_owned();
    config
        .backends
        .iter()
        .map(AsRef::as_ref)
        .filter(move |backend: &&Backend| backend.unit.as_ref() == Some(&unit))
}

fn names(config: &Config, unit: &str) -> Vec<String> {
    let services = config.services.iter();
    let of_unit = |backend: &std::sync::Arc<Backend>| backend.unit.as_deref() == Some(unit);
    services
        .filter(|service| service.backend.as_ref().is_some_and(of_unit))
        .map(|service| service.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drain_of_a_shutdown_is_not_there_after_the_boot() {
        assert_eq!(lasts("stopping\n", LASTS), Lasts::UntilExit);
        assert_eq!(lasts("running\n", LASTS), Lasts::For(LASTS));
        assert_eq!(lasts("", LASTS), Lasts::For(LASTS));
    }
}
