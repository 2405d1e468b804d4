//! `backend hooks`, and the two commands that the drop-in runs around the stop and the start of a server.
//!
//! The latter two must not prevent the stop or the start of the unit: they print every problem and succeed.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::super::helper::Helper;
use super::super::{complain, host_name, named, runtime};
use crate::backend::Backend;
use crate::backend::hooks::install::{Installed, install, place_of};
use crate::backend::hooks::{StopTime, drop_in, longest_drain, stop_commands};
use crate::cli::{Configuration, Hooks, UnitHooks};
use crate::config::{Config, DEFAULT_PATH, absolute};
use crate::control::Request;
use crate::control::client::{AskError, Client};
use crate::engine::drain::{Holder, Lasts, Lift, Order, RESTARTS};
use crate::exit::Exit;
use crate::restart::{wait_until_acknowledged, wait_until_quiet};
use crate::status::Service;
use crate::text::period::Shown;
use crate::{systemd, text};

/// The drain ends this long after the longest wait for a quiet server if the unit does not return; then the checks
/// decide.
const LASTS: Duration = Duration::from_secs(300);

/// The wait for clients if the file does not name a backend: the default of `settle`.
const SETTLE: Duration = Duration::from_secs(3);

/// Prints or installs the drop-in for a unit of this host.
///
/// # Errors
/// If the unit cannot be read, or nothing can be printed or written.
pub(super) fn hooks(Hooks { unit: options, install: installs }: &Hooks) -> anyhow::Result<Exit> {
    let unit = &options.unit;
    let runtime = runtime()?;
    let (text, shown) = runtime.block_on(async {
        let text = systemd::unit_file(unit).await;
        let text = text.map_err(|ended| anyhow!("unit {unit}: systemctl cat {unit}: {ended}"))?;
        let shown = systemd::ask(unit, systemd::LIMIT).await;
        let shown = shown.map_err(|ended| anyhow!("unit {unit}: systemctl show {unit}: {ended}"))?;
        anyhow::Ok((text, shown))
    })?;
    let stop = StopTime::read(&shown.stop_timeout).unwrap_or(StopTime::DEFAULT);
    let Configuration { config: path } = &options.helper.configuration;
    let config = Config::load(path, &host_name()).ok();
    let waits = longest_wait(config.as_ref(), unit);
    if waits.is_none() {
        let file = path.display();
        writeln!(
            text::stderr(),
            "dnsherald: note: no backend in {file} has the unit {unit} so far: until then this drains nothing"
        )?;
    }
    let program =
        std::env::current_exe().map_or("/usr/bin/dnsherald".to_owned(), |path| path.display().to_string());
    let mut words = vec![program];
    if path.as_os_str() != DEFAULT_PATH {
        words.extend(["-c".to_owned(), absolute(path).display().to_string()]);
    }
    if let Some(directory) = &options.helper.control {
        words.extend(["--control".to_owned(), absolute(directory).display().to_string()]);
    }
    let drains = longest_drain(waits.unwrap_or(Duration::from_secs(10)));
    let made = drop_in(unit, &words, &stop_commands(&text), drains, stop);
    if !installs {
        write!(text::stdout(), "{made}")?;
        return Ok(Exit::Success);
    }
    let place = place_of(unit);
    let done = match install(&made, &place).map_err(anyhow::Error::msg)? {
        Installed::New => "written",
        Installed::Replaced => "replaced",
        Installed::Same => "as it is to be already",
    };
    // The drop-in takes effect once systemd has read it; the unit need not be restarted.
    let read = runtime.block_on(systemd::reload_unit_files());
    let read = read.map_err(|ended| anyhow!("unit {unit}: systemctl daemon-reload: {ended}"));
    read.with_context(|| {
        format!("{} is {done}; next: systemctl daemon-reload, which could not be done", place.display())
    })?;
    writeln!(text::stdout(), "{}: {done}; systemd has read it", place.display())?;
    Ok(Exit::Success)
}

/// Drains the services of the unit, and waits until its server is quiet.
pub(super) fn stopping(options: &UnitHooks) -> anyhow::Result<Exit> {
    // systemd reports no main process if it is dead already; then there is nothing to wait for.
    if std::env::var_os("MAINPID").is_some()
        && let Err(error) = drain(options)
    {
        complain(&error);
    }
    Ok(Exit::Success)
}

fn drain(options: &UnitHooks) -> anyhow::Result<()> {
    let Helper { client, file, .. } = Helper::find(&options.helper);
    let unit = &options.unit;
    if let Err(error) = &file {
        complain(&anyhow::anyhow!("note: the configuration cannot be used, the helper is asked: {error}"));
    }
    let config = file.ok();
    // If the status cannot be read, the drain is requested all the same.
    let document = client.status().ok();
    let answers = document.as_ref().is_none_or(|document| document.exabgp.answers);
    let running = document.map(|document| document.services);
    let names = match concerned(config.as_ref(), running.as_deref(), unit) {
        UnitServices::These(names) => names.into_iter().map(Some).collect(),
        UnitServices::None => {
            bail!("no service has a backend with the unit {unit}: nothing is drained")
        }
        // The services of the unit are unknown, and a server is about to stop: every service must be withdrawn.
        UnitServices::Unknown => vec![None],
    };
    let by_us = |name: &Option<String>| {
        let mut services = running.iter().flatten();
        let service = services.find(|service| name.as_ref() == Some(&service.name));
        service.is_some_and(|service| stays_drained_by_us(service) && (service.settled() || !answers))
    };
    if names.iter().all(by_us) {
        // `backend restart` has drained already, and continues after the start.
        return Ok(());
    }
    let runtime = runtime()?;
    let state = runtime.block_on(systemd::system_state());
    let longest = LASTS + longest_wait(config.as_ref(), unit).unwrap_or_default();
    let reason = format!("{unit} stops").into();
    let order = Order { holder: holder(options)?, reason, lasts: lasts(&state, longest), uid: None };
    let drain = |service: Option<String>| Request::Drain { service, order: order.clone() };
    runtime.block_on(async {
        let drained = ask_for_each(&client, names, drain).await;
        if drained.is_empty() {
            return Ok(());
        }
        wait_until_acknowledged(&client, &drained).await.map_err(anyhow::Error::msg)?;
        settle(config.as_ref(), &client, unit, &named(&drained)).await
    })
}

/// Whether `backend restart` drains it, and its drain does not end as soon as the checks pass: then the service may be
/// announced while the server stops.
fn stays_drained_by_us(service: &Service) -> bool {
    service.drains.iter().any(|drain| drain.holder.starts_with(RESTARTS) && !drain.returning)
}

/// Waits until the servers of the unit are quiet. Without a file that says how long, it waits for [`SETTLE`].
async fn settle(config: Option<&Config>, helper: &Client, unit: &str, names: &str) -> anyhow::Result<()> {
    let mut out = text::stdout();
    let Some(config) = config else {
        tokio::time::sleep(SETTLE).await;
        writeln!(out, "drained {names}: waited {}, the file does not say how long", Shown(SETTLE))?;
        return Ok(());
    };
    for backend in of_unit(config, unit) {
        writeln!(out, "drained {names}: {}", wait_until_quiet(config, backend, helper).await)?;
    }
    Ok(())
}

/// The services of a unit.
#[derive(Debug, Eq, PartialEq)]
enum UnitServices {
    These(Vec<String>),
    None,
    /// Neither the file nor the helper knows them.
    Unknown,
}

/// The services of the `running` helper count, since they attract traffic; so do those of the file, since the helper
/// may not report them.
fn concerned(config: Option<&Config>, running: Option<&[Service]>, unit: &str) -> UnitServices {
    let is_running = |service: &&Service| service.unit.as_deref() == Some(unit);
    let mut names: Vec<_> =
        running.into_iter().flatten().filter(is_running).map(|service| service.name.clone()).collect();
    let backends = |config| of_unit(config, unit).flat_map(|backend| config.services_of(backend));
    for service in config.into_iter().flat_map(backends) {
        if !names.contains(&service.name) {
            names.push(service.name.clone());
        }
    }
    match (config, running) {
        _ if !names.is_empty() => UnitServices::These(names),
        (None, None) => UnitServices::Unknown,
        _ => UnitServices::None,
    }
}

/// Sends a request for each service, and returns the services for which it succeeded. A refused one is reported and
/// does not affect the others: the file may have a service that the helper does not know before a reload.
async fn ask_for_each(
    helper: &Client,
    names: Vec<Option<String>>,
    request: impl Fn(Option<String>) -> Request,
) -> Vec<String> {
    let mut done = vec![];
    for name in names {
        let request = request(name);
        // Without sockets there is no helper to wait for: at boot the server may start before a helper.
        let asked = if helper.has_a_socket() {
            helper.ask_until_answered(&request).await
        } else {
            helper.request(&request).await
        };
        match asked {
            Ok(names) => done.extend(names),
            Err(AskError::Refused(why)) => complain(&anyhow::anyhow!(why)),
            Err(error @ AskError::Absent(_)) => {
                complain(&error.into());
                break;
            }
        }
    }
    done
}

/// The end of the drain, which depends on the state of the system. At a shutdown the drain ends with the helper: after
/// the boot the unit may start before there is a helper that could end it.
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

/// For every service: only drains whose holder is the unit end.
fn undrain(options: &UnitHooks) -> anyhow::Result<()> {
    let helper = Helper::find(&options.helper).client;
    let lift = Lift { holder: Some(holder(options)?), once_healthy: true, checks: vec![] };
    let undrain = |service: Option<String>| Request::Undrain { service, lift: lift.clone() };
    let runtime = runtime()?;
    runtime.block_on(ask_for_each(&helper, vec![None], undrain));
    Ok(())
}

fn holder(options: &UnitHooks) -> anyhow::Result<Holder> {
    options.unit.parse().map_err(anyhow::Error::msg)
}

/// The backends with this unit.
fn of_unit<'a>(config: &'a Config, unit: &'a str) -> impl Iterator<Item = &'a Backend> {
    let backends = config.backends.iter().map(AsRef::as_ref);
    backends.filter(move |backend: &&Backend| backend.unit.as_deref() == Some(unit))
}

/// The longest wait for a quiet server of this unit; `None` if the file has no backend with it.
fn longest_wait(config: Option<&Config>, unit: &str) -> Option<Duration> {
    let backends = config.into_iter().flat_map(|config| of_unit(config, unit));
    backends.map(|backend| backend.quiet.longest()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, unit: Option<&str>) -> Service {
        let text = format!(
            "{{\"name\": \"{name}\", \"state\": \"up\", \"for-seconds\": 1.0, \"reason\": \"\", \"prefixes\": [], \"checks\": [], \
             \"dampening\": {{\"penalty\": 0, \"suppressed\": false, \"reuse-in-seconds\": null}}, \"disabled\": false, \
             \"drains\": []}}"
        );
        Service { unit: unit.map(str::to_owned), ..serde_json::from_str(&text).unwrap() }
    }

    #[test]
    fn the_services_of_a_unit_are_those_of_the_running_helper_and_those_of_the_file() {
        let text = "[node]\nmanagement = [\"10.1.0.2\"]\n[backend.nsd]\n[backend.unbound]\n\
            [[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\nbackend = \"unbound\"\n\
            [[service]]\nname = \"b\"\nprefixes = [\"192.0.2.2/32\"]\nbackend = \"nsd\"\nzones = [\"example.org\"]\n";
        let config = Config::parse(std::path::Path::new("f"), text, "host").unwrap();
        let running = [service("a", None), service("c", Some("unbound.service"))];
        let these =
            |names: &[&str]| UnitServices::These(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(concerned(Some(&config), Some(&running), "unbound.service"), these(&["c", "a"]));
        assert_eq!(concerned(Some(&config), None, "nsd.service"), these(&["b"]));
        assert_eq!(concerned(None, Some(&running), "unbound.service"), these(&["c"]));
        assert_eq!(concerned(None, Some(&running), "cron.service"), UnitServices::None);
        assert_eq!(concerned(Some(&config), None, "cron.service"), UnitServices::None);
        assert_eq!(concerned(None, None, "unbound.service"), UnitServices::Unknown);
    }

    #[test]
    fn a_drain_that_is_about_to_end_is_not_trusted() {
        let drained = |holder: &str, returning: bool| {
            let drain = format!(
                "{{\"holder\": \"{holder}\", \"reason\": \"\", \"for-seconds\": 1.0, \"expires-in-seconds\": null, \
                 \"returning\": {returning}}}"
            );
            Service { drains: vec![serde_json::from_str(&drain).unwrap()], ..service("a", None) }
        };
        assert!(stays_drained_by_us(&drained("backend/unbound", false)));
        assert!(!stays_drained_by_us(&drained("backend/unbound", true)));
        assert!(!stays_drained_by_us(&drained("operator", false)));
    }

    #[test]
    fn the_drain_of_a_shutdown_is_not_there_after_the_boot() {
        assert_eq!(lasts("stopping\n", LASTS), Lasts::UntilExit);
        assert_eq!(lasts("running\n", LASTS), Lasts::For(LASTS));
        assert_eq!(lasts("", LASTS), Lasts::For(LASTS));
    }
}
