//! `drain` and `undrain`: withdraw services for maintenance and return them.

use std::io::Write;

use super::caller::caller;
use super::helper::Helper;
use super::{await_announced, complain, named, note_lost_sessions, nothing_to_do, runtime};
use crate::cli::{Drain, Undrain};
use crate::control::Request;
use crate::control::client::{AskError, Client};
use crate::engine::drain::{Lasts, Lift, Order};
use crate::exit::Exit;
use crate::restart::{self, AnnouncedBy, Confirmed, wait_until_acknowledged};
use crate::status::{self, Document, Service};
use crate::text::{self, foreign};

mod left;

/// Starts a drain.
///
/// # Errors
/// Returns an error if there is no helper or no such service, or with `--wait` if ExaBGP does not acknowledge
/// the withdraw in time. If ExaBGP acknowledges nothing: [`Exit::Unacknowledged`].
pub(crate) fn drain(options: &Drain) -> anyhow::Result<Exit> {
    let helper = Helper::find(&options.helper);
    helper.print_file_error();
    let order = Order {
        holder: options.holder.clone().unwrap_or_else(caller),
        reason: options.reason.clone().unwrap_or_default().into(),
        lasts: match options.lasts {
            Some(period) if options.until_exit => Lasts::ForUntilExit(period.0),
            Some(period) => Lasts::For(period.0),
            None if options.until_exit => Lasts::UntilExit,
            None => Lasts::UntilLifted,
        },
        uid: None,
    };
    let until = order.lasts;
    let has_neither = options.reason.is_none() && until == Lasts::UntilLifted;
    let holder = order.holder.clone();
    let client = helper.client()?.clone();
    let request = Request::Drain { service: options.service.clone(), order };
    let services = match client.ask(&request) {
        // `--until-exit` is for a unit that is about to stop ExaBGP, which ends the routes.
        Err(AskError::Absent(error)) if !options.until_exit && !client.is_there() => {
            anyhow::bail!(
                "{error:#}. To withdraw without a helper: `systemctl stop exabgp` ends every route, and a disable-file \
                 keeps the services withdrawn at its next start"
            )
        }
        answer => answer?,
    };
    if has_neither {
        writeln!(
            text::stderr(),
            "dnsherald: note: this drain has neither an end nor a reason; to give it both: dnsherald drain{}{} --for 2h \
             --reason TEXT",
            options.service.as_deref().map_or_else(String::new, |name| format!(" {}", foreign(name))),
            options.holder.as_ref().map_or_else(String::new, |holder| format!(" --as {holder}"))
        )?;
    }
    if options.wait {
        let runtime = runtime()?;
        let withdrawn = runtime
            .block_on(wait_until_acknowledged(&client, &services))
            .map_err(|trouble| anyhow::anyhow!("{trouble}; see `dnsherald status`"))?;
        writeln!(text::stdout(), "drained {} {until}, {withdrawn}", named(&services))?;
        runtime.block_on(wait_until_quiet(helper, &client, &services))?;
        if matches!(withdrawn, Confirmed::Unknown(_)) {
            return Ok(Exit::Unacknowledged);
        }
    } else {
        writeln!(text::stdout(), "draining {} {until}", named(&services))?;
    }
    let document = client.status()?;
    print_other_drains(&document, &services, &|drain| drain.holder != holder.as_str())?;
    let mut drained = document.services.iter().filter(|service| services.contains(&service.name));
    drained.try_for_each(print_holds)?;
    note_lost_sessions(&document)?;
    Ok(Exit::Success)
}

/// Ends drains.
///
/// # Errors
/// Returns an error if there is no helper or no such service, or with `--wait` if a service is not announced.
pub(crate) fn undrain(options: &Undrain) -> anyhow::Result<Exit> {
    let helper = Helper::find(&options.helper);
    if options.once_healthy {
        left::note_or_refuse(&helper, options)?;
    }
    let lift = Lift { holder: options.holder.clone(), once_healthy: options.once_healthy, checks: vec![] };
    let request = Request::Undrain { service: options.service.clone(), lift };
    let (client, lifted) = helper.ask(&request)?;
    let document = client.status()?;
    let wanted = |service: &&Service| options.service.as_ref().is_none_or(|name| service.name == *name);
    let concerned: Vec<_> = document.services.iter().filter(wanted).collect();
    let mut exit = Exit::Success;
    if lifted.is_empty() {
        let held = options.holder.as_ref().map_or_else(String::new, |holder| format!(" held by {holder}"));
        let service = options.service.as_deref();
        exit = nothing_to_do(options.quiet_if_none, "nothing to undrain: no drain", service, &held)?;
    } else if options.once_healthy {
        print_return(&document, &lifted)?;
    } else {
        writeln!(text::stdout(), "undrained {}", named(&lifted))?;
        let undrained = |service: &&&Service| lifted.contains(&service.name);
        concerned.iter().filter(undrained).try_for_each(|service| print_holds(service))?;
    }
    let is_quiet = if lifted.is_empty() { options.quiet_if_none } else { options.once_healthy };
    if !is_quiet {
        concerned.iter().try_for_each(|service| print_remaining_reasons(service, &lifted))?;
    }
    if !options.wait || lifted.is_empty() {
        if !lifted.is_empty() {
            note_lost_sessions(&document)?;
        }
        return Ok(exit);
    }
    let names: Vec<_> = concerned.iter().map(|service| service.name.clone()).collect();
    await_announced(&client, &names, AnnouncedBy::Checks)
}

/// Prints when the `lifted` services return: drains of others, or dampening, may keep them after their checks have passed.
fn print_return(document: &Document, lifted: &[String]) -> std::io::Result<()> {
    let remains = |drain: &status::Drain| !drain.returning;
    let (mut drains, mut reuse) = ("", "");
    for service in document.services.iter().filter(|service| lifted.contains(&service.name)) {
        if service.drains.iter().any(remains) {
            drains = " and its other drains have ended";
        }
        if service.dampening.reuse_in_seconds.is_some() {
            reuse = " and dampening releases it";
        }
    }
    writeln!(text::stdout(), "{} returns once no check takes it down{drains}{reuse}", named(lifted))?;
    print_other_drains(document, lifted, &remains)
}

/// Prints the drains of these services to which `applies` is true, beside the one that the command is about.
fn print_other_drains(
    document: &Document,
    drained: &[String],
    applies: &dyn Fn(&status::Drain) -> bool,
) -> std::io::Result<()> {
    for service in document.services.iter().filter(|service| drained.contains(&service.name)) {
        let name = foreign(&service.name);
        for drain in service.drains.iter().filter(|drain| applies(drain)) {
            let (other, reason) = (foreign(&drain.holder), foreign(&drain.reason));
            let undrain = drain.undrain(&service.name);
            writeln!(text::stdout(), "{name} is also drained by {other}: {reason}; to end that: {undrain}")?;
        }
    }
    Ok(())
}

/// Prints the holds that announce a service without a pass once its drains have ended.
fn print_holds(service: &Service) -> std::io::Result<()> {
    let returns = match service.is_drained() {
        true => "while that lasts, it returns at once when it is no longer drained",
        false => "it returns at once",
    };
    for hold in service.holds_after_drains() {
        let (name, holder, reason) = (foreign(&service.name), foreign(&hold.holder), foreign(&hold.reason));
        let unhold = hold.unhold(&service.name);
        writeln!(
            text::stdout(),
            "{holder} holds {name} announced: {reason}; {returns}, whatever its checks say; to end that: {unhold}"
        )?;
    }
    Ok(())
}

/// Prints why a service stays withdrawn after drains of the `lifted` services have ended.
fn print_remaining_reasons(service: &Service, lifted: &[String]) -> std::io::Result<()> {
    let name = foreign(&service.name);
    if let Some(why) = service.dampening.why_withdrawn().filter(|_| !service.is_drained()) {
        // A service that dampening holds down may not have been drained.
        let not = if lifted.contains(&service.name) { "" } else { "not drained, but " };
        return writeln!(text::stdout(), "{name} is {not}{why}; {}", service.dampening.remedy(&name));
    }
    match service.why_not_announced() {
        Some(why) => writeln!(text::stdout(), "{name} {why}"),
        None => Ok(()),
    }
}

/// Waits until the servers of these services receive few queries, for services with a backend. Without a file that can be
/// used, the backends are those of the last good configuration, which the helper runs.
async fn wait_until_quiet(helper: Helper, client: &Client, services: &[String]) -> anyhow::Result<()> {
    let config = match helper.into_config() {
        Ok(config) => config,
        Err(error) => {
            complain(&error.context("note: without the configuration no backend is known to wait for"));
            return Ok(());
        }
    };
    for backend in &config.backends {
        if config.services_of(backend).any(|service| services.contains(&service.name)) {
            writeln!(
                text::stdout(),
                "{}: {}",
                backend.name,
                restart::wait_until_quiet(&config, backend, client).await
            )?;
        }
    }
    Ok(())
}
