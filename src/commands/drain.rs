//! `drain` and `undrain`: maintenance.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::running;
use crate::cli::{Drain, Undrain};
use crate::control::Request;
use crate::control::client::Client;
use crate::engine::drain::{Lift, Order};
use crate::engine::service::State;
use crate::exit::Exit;
use crate::period::Shown;
use crate::status::Document;

/// The longest wait for ExaBGP.
const LIMIT: Duration = Duration::from_secs(30);

/// Between two looks at the status.
const PAUSE: Duration = Duration::from_millis(20);

/// Where ExaBGP answers nothing, it is given as long to have read what it was told.
const UNANSWERED: Duration = Duration::from_secs(1);

/// Begins a drain.
///
/// # Errors
/// When there is no helper, no such service, or, where that is waited for, no acknowledgement.
pub fn drain(options: &Drain) -> anyhow::Result<Exit> {
    let helper = running(&options.configuration);
    let order = Order {
        holder: options.holder.clone(),
        reason: options.reason.clone().into(),
        lasts: options.lasts.map(|period| period.0),
    };
    let services = helper.ask(&Request::Drain { service: options.service.clone(), order })?;
    let until =
        options.lasts.map_or("until `dnsherald undrain`".to_owned(), |period| format!("for {period}"));
    if options.wait {
        let took = wait_until_withdrawn(&helper, &services, LIMIT)?;
        writeln!(
            io::stdout(),
            "drained {} {until}, acknowledged within {}",
            services.join(", "),
            Shown(took)
        )?;
    } else {
        writeln!(io::stdout(), "draining {} {until}", services.join(", "))?;
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
    let helper = running(&options.configuration);
    let services = helper.ask(&request)?;
    writeln!(io::stdout(), "undrained {}", services.join(", "))?;
    let still = helper.status()?;
    let still = still
        .services
        .iter()
        .filter(|service| services.contains(&service.name) && service.state == State::Drained);
    for service in still {
        writeln!(io::stdout(), "{} is still drained: {}", service.name, service.reason)?;
    }
    Ok(Exit::Success)
}

/// Waits until ExaBGP has acknowledged what these drained services say, and tells how long it took.
///
/// # Errors
/// When it has not within `limit`, or the helper is gone.
pub fn wait_until_withdrawn(
    helper: &Client,
    services: &[String],
    limit: Duration,
) -> anyhow::Result<Duration> {
    let began = Instant::now();
    loop {
        let document = helper.status()?;
        let missing = unsettled(&document, services);
        if missing.is_empty() || (!document.exabgp.answers && began.elapsed() >= UNANSWERED) {
            return Ok(began.elapsed());
        }
        if began.elapsed() >= limit {
            bail!(
                "exabgp has not acknowledged the withdraw of {} within {}: it may still be announced",
                missing.join(", "),
                Shown(limit)
            );
        }
        thread::sleep(PAUSE);
    }
}

/// The prefixes of these services that are not yet known to be as the drain wants them.
fn unsettled(document: &Document, services: &[String]) -> Vec<String> {
    let concerned = document.services.iter().filter(|service| services.contains(&service.name));
    concerned
        .flat_map(|service| &service.prefixes)
        .filter(|prefix| prefix.desired.is_none() || prefix.desired != prefix.acknowledged)
        .map(|prefix| prefix.prefix.clone())
        .collect()
}
