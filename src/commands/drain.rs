//! `drain` and `undrain`: maintenance.

use std::io::Write;

use anyhow::Context;

use super::helper::Helper;
use super::{named, runtime};
use crate::backend::transaction::{Withdrawn, quiet, wait_until_acknowledged};
use crate::cli::{Drain, Undrain};
use crate::control::Request;
use crate::engine::drain::{Lasts, Lift, Order};
use crate::exit::Exit;
use crate::status::Service;
use crate::text::{self, foreign};

/// Begins a drain.
///
/// # Errors
/// When there is no helper, no such service, or, where that is waited for, no acknowledgement.
pub fn drain(options: &Drain) -> anyhow::Result<Exit> {
    let helper = Helper::find(&options.helper);
    helper.complain();
    let order = Order {
        holder: options.holder.clone(),
        reason: options.reason.clone().into(),
        lasts: match options.lasts {
            Some(period) if options.until_exit => Lasts::ForUntilExit(period.0),
            Some(period) => Lasts::For(period.0),
            None if options.until_exit => Lasts::UntilExit,
            None => Lasts::UntilLifted,
        },
    };
    let until = order.lasts;
    let services = helper.client()?.ask(&Request::Drain { service: options.service.clone(), order })?;
    if options.wait {
        let runtime = runtime().context("cannot start the event loop")?;
        let withdrawn = runtime
            .block_on(wait_until_acknowledged(helper.client()?, &services))
            .map_err(|trouble| anyhow::anyhow!("{trouble}; see `dnsherald status`"))?;
        writeln!(text::stdout(), "drained {} {until}, {withdrawn}", named(&services))?;
        runtime.block_on(wait_until_quiet(&helper, &services))?;
        if matches!(withdrawn, Withdrawn::Unknown(_)) {
            return Ok(Exit::Unacknowledged);
        }
    } else {
        writeln!(text::stdout(), "draining {} {until}", named(&services))?;
    }
    Ok(Exit::Success)
}

/// Ends drains.
///
/// # Errors
/// When there is no helper, or no such service.
pub fn undrain(options: &Undrain) -> anyhow::Result<Exit> {
    let lift = Lift { holder: options.holder.clone(), once_healthy: options.once_healthy };
    let request = Request::Undrain { service: options.service.clone(), lift };
    let helper = Helper::find(&options.helper);
    helper.complain();
    let client = helper.client()?;
    let before = client.status().ok();
    let services = client.ask(&request)?;
    let services_named = named(&services);
    if options.once_healthy {
        writeln!(text::stdout(), "{services_named} may return as soon as the checks have passed anew")?;
        return Ok(Exit::Success);
    }
    let was_drained = |name: &String| {
        let mut known = before.iter().flat_map(|before| &before.services);
        known.any(|service| service.name == *name && service.is_held())
    };
    let after = client.status()?;
    let concerned: Vec<_> =
        after.services.iter().filter(|service| services.contains(&service.name)).collect();
    // What dampening holds down was perhaps never drained.
    let is_held_only =
        |service: &&&Service| service.dampening.held().is_some() && !was_drained(&service.name);
    if concerned.iter().filter(is_held_only).count() < services.len() {
        writeln!(text::stdout(), "undrained {services_named}")?;
    }
    for service in concerned {
        let name = &service.name;
        if service.is_held() {
            writeln!(text::stdout(), "{} is still drained: {}", foreign(name), foreign(&service.reason))?;
        } else if let Some(held) = service.dampening.held() {
            let not = if was_drained(name) { "" } else { "not drained, but " };
            writeln!(
                text::stdout(),
                "{name} is {not}{held}; to end it: dnsherald undampen {name}",
                name = foreign(name)
            )?;
        }
    }
    Ok(Exit::Success)
}

/// Waits until the servers behind these services are quiet, as far as the configuration tells which those are.
async fn wait_until_quiet(helper: &Helper, services: &[String]) -> anyhow::Result<()> {
    let Ok(config) = &helper.file else { return Ok(()) };
    for backend in &config.backends {
        if config.services_of(backend).any(|service| services.contains(&service.name)) {
            writeln!(text::stdout(), "{}: {}", backend.name, quiet(config, backend).await)?;
        }
    }
    Ok(())
}
