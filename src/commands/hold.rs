//! `hold` and `unhold`: keep a service announced against its checks for a limited time.

use std::io::Write;

use super::caller::caller;
use super::helper::{self, Helper};
use super::{await_announced, named, note_lost_sessions, nothing_to_do, print_not_announced};
use crate::cli::{Hold, Unhold};
use crate::control::Request;
use crate::engine::drain::Holder;
use crate::engine::hold::HoldOrder;
use crate::exit::Exit;
use crate::restart::AnnouncedBy;
use crate::status::{Document, Service};
use crate::text::{self, foreign};

/// Keeps a service announced.
///
/// # Errors
/// Returns an error if there is no helper or no such service, or with `--wait` if the service is not announced. Without
/// `--wait` it fails if an address of the service is missing, or if the service is not enabled. A drain that overrides the
/// hold is printed, and is no failure: the hold takes effect at its end.
pub(crate) fn hold(options: &Hold) -> anyhow::Result<Exit> {
    let holder = options.holder.clone().unwrap_or_else(caller);
    let order = HoldOrder {
        holder: holder.clone(),
        reason: options.reason.clone().into(),
        lasts: options.lasts,
        uid: None,
    };
    let request = Request::Hold { service: options.service.clone(), order };
    let (client, held) = helper::ask(&options.helper, &request)?;
    writeln!(text::stdout(), "holding {} announced for {}", named(&held), options.lasts)?;
    let document = client.status()?;
    print_not_announced(&document, |name| held.contains(name))?;
    if options.wait {
        return await_announced(&client, &held, AnnouncedBy::Hold).inspect_err(|_| {
            // The hold may have ended meanwhile, and the helper, too.
            let _ = client.status().map(|document| note_obstacle(&document, &held, &holder));
        });
    }
    note_lost_sessions(&document)?;
    Ok(if note_obstacle(&document, &held, &holder)? { Exit::Failure } else { Exit::Success })
}

/// Notes why the hold by this holder has no effect on these services at present, and that it stays. True if that is so.
fn note_obstacle(document: &Document, held: &[String], holder: &Holder) -> std::io::Result<bool> {
    let is_held = |service: &&Service| {
        held.contains(&service.name) && service.holds.iter().any(|hold| hold.holder == holder.as_str())
    };
    let services = || document.services.iter().filter(is_held);
    let obstacle = if services().any(|service| !service.enabled) {
        "while it has `enabled = false`"
    } else if services().any(Service::lacks_address) {
        "as long as the address is missing"
    } else {
        return Ok(false);
    };
    let name = named(held);
    writeln!(
        text::stderr(),
        "dnsherald: the hold of {name} has no effect {obstacle}; it stays, and then announces the service, whatever its \
         checks say; to end it: dnsherald unhold {name} --as {holder}"
    )?;
    Ok(true)
}

/// Ends holds.
///
/// # Errors
/// Returns an error if there is no helper or no such service.
pub(crate) fn unhold(options: &Unhold) -> anyhow::Result<Exit> {
    let request = Request::Unhold { service: options.service.clone(), holder: options.holder.clone() };
    let helper = Helper::find(&options.helper);
    // Without a helper the request reports that.
    let before = helper.status().map_or_else(|_| vec![], |document| document.services);
    let (client, ended) = helper.ask(&request)?;
    let services = client.status()?.services;
    let by = options.holder.as_ref().map_or_else(String::new, |holder| format!(" by {holder}"));
    let is_held =
        |name: &String| services.iter().any(|service| service.name == *name && !service.holds.is_empty());
    let (held, free): (Vec<_>, Vec<_>) = ended.iter().cloned().partition(is_held);
    let mut exit = Exit::Success;
    if ended.is_empty() {
        let service = options.service.as_deref();
        exit = nothing_to_do(options.quiet_if_none, "nothing to end: no hold", service, &by)?;
        if options.quiet_if_none {
            return Ok(exit);
        }
    }
    if !held.is_empty() {
        writeln!(text::stdout(), "no longer held{by}: {}", named(&held))?;
    }
    if !free.is_empty() {
        writeln!(text::stdout(), "no longer held: {}; the checks decide", named(&free))?;
    }
    for service in
        services.iter().filter(|service| options.service.as_ref().is_none_or(|name| service.name == *name))
    {
        let name = foreign(&service.name);
        for hold in &service.holds {
            let (holder, reason, unhold) =
                (foreign(&hold.holder), foreign(&hold.reason), hold.unhold(&service.name));
            writeln!(text::stdout(), "{name} is still held by {holder}: {reason}; to end that: {unhold}")?;
        }
        let before = before.iter().find(|before| before.name == service.name);
        if let Some(effect) = service.after_holds(before).filter(|_| ended.contains(&service.name)) {
            writeln!(text::stdout(), "{name} {effect}")?;
        }
    }
    Ok(exit)
}
