//! The status document as one line for monitoring: state, text, and performance data behind a bar, as in the guidelines
//! for monitoring plugins.
//!
//! `check --plugin` reports the result of probes; this reports whether the helper attracts traffic, and whether ExaBGP
//! has acknowledged that.

use super::view::shown;
use super::{BgpSession, CheckStatus, Document, Drain, Prefix, Service, SessionState};
use crate::engine::check::Severity;
use crate::engine::service::ServiceState;
use crate::exit::Exit;
use crate::text::{foreign_within, joined};

/// The number of seconds after which a missing acknowledgment, verdict or result is a fault.
const SETTLING_SECONDS: f64 = 30.0;

/// Maximum number of characters of one finding.
const LONGEST: usize = 200;

/// The findings, each with its exit status: a warning needs attention within the day; if it is critical, traffic is not
/// attracted, or it is unknown whether it is.
struct Findings(Vec<(Exit, String)>);

impl Findings {
    fn add(&mut self, exit: Exit, text: impl AsRef<str>) {
        // A bar begins the performance data.
        self.0.push((exit, foreign_within(text.as_ref(), LONGEST).replace('|', "/")));
    }
}

/// The exit status and the line, without its line break. With success, every service attracts traffic, and ExaBGP has
/// acknowledged that, or has had at most [`SETTLING_SECONDS`] for it. `ahead` is what a restart of the helper would do with a file that it cannot use.
pub(crate) fn line(document: &Document, ahead: Option<&str>) -> (Exit, String) {
    let mut found = Findings(vec![]);
    find_in_helper(document, &mut found);
    if let Some(ahead) = ahead {
        found.add(Exit::Warning, ahead);
    }
    for service in &document.services {
        find_in_service(document, service, &mut found);
    }
    let found = found.0;
    let exit = found.iter().map(|(exit, _)| *exit).max_by_key(|exit| exit.code()).unwrap_or(Exit::Success);
    let text = if found.is_empty() {
        let names = document.services.iter().map(|service| format!("{} up", service.name));
        foreign_within(&names.collect::<Vec<_>>().join(", "), LONGEST).replace('|', "/")
    } else {
        // The worst first.
        let (worst, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|(found, _)| *found == exit);
        joined(worst.into_iter().chain(others).map(|(_, text)| text), "; ")
    };
    (exit, format!("DNSHERALD {} - {text}{}", exit.plugin_word(), performance(document)))
}

/// Findings about the helper and its API session.
fn find_in_helper(document: &Document, found: &mut Findings) {
    match (&document.trouble, &document.last_good) {
        (Some(trouble), Some(_)) => {
            found.add(Exit::Warning, format!("last good configuration in force: {trouble}"));
        }
        (Some(trouble), None) => {
            found.add(
                Exit::Critical,
                format!("configuration unusable, {}: {trouble}", document.without_configuration()),
            );
        }
        (None, _) => {}
    }
    if let Some(why) = &document.unwritten {
        found.add(Exit::Warning, format!("state not on disk: {why}"));
    }
    if let Some(why) = &document.unwritten_configuration {
        found.add(Exit::Warning, why.clone());
    }
    if !document.exabgp.answers {
        let why = document.exabgp.silence.as_deref().unwrap_or("ExaBGP answers no commands");
        found.add(Exit::Critical, format!("acknowledgment unknown: {why}"));
    }
    find_in_sessions(&document.exabgp.bgp_sessions, found);
    for prefix in &document.stale_routes {
        found.add(Exit::Warning, format!("{prefix} is no longer configured and not yet withdrawn"));
    }
    if document.services.is_empty() && document.trouble.is_none() {
        found.add(Exit::Critical, "no service is configured");
    }
}

/// A BGP session that stays down is a warning. Once every session has stayed down, no router gets the routes of this PoP.
fn find_in_sessions(sessions: &[BgpSession], found: &mut Findings) {
    let stays_down = |session: &&BgpSession| {
        session.state == SessionState::Down
            && session.for_seconds.is_some_and(|seconds| seconds > SETTLING_SECONDS)
    };
    let down: Vec<_> = sessions.iter().filter(stays_down).collect();
    let for_seconds = |session: &BgpSession| session.for_seconds.unwrap_or_default();
    let last = down.iter().min_by(|one, other| for_seconds(one).total_cmp(&for_seconds(other)));
    if let Some(last) = last.filter(|_| down.len() == sessions.len()) {
        let neighbors = joined(down.iter().map(|session| &session.neighbor), ", ");
        let (seconds, why) = (shown(for_seconds(last)), last.because());
        let all = "every BGP session that ExaBGP has reported is down";
        return found.add(Exit::Critical, format!("{all} ({neighbors}), the last for {seconds}{why}"));
    }
    for session in down {
        let (neighbor, seconds, why) = (&session.neighbor, shown(for_seconds(session)), session.because());
        found.add(Exit::Warning, format!("BGP session with {neighbor} down for {seconds}{why}"));
    }
}

fn find_in_service(document: &Document, service: &Service, found: &mut Findings) {
    let Service { name, reason, .. } = service;
    let state = service.state;
    match state {
        ServiceState::Up if !service.holds.is_empty() => {
            found.add(Exit::Warning, format!("{name} up: {reason}"));
        }
        ServiceState::Up => {}
        ServiceState::Degraded => found.add(Exit::Warning, format!("{name} degraded: {reason}")),
        ServiceState::Down => found.add(Exit::Critical, format!("{name} down: {}", down(service))),
        ServiceState::Drained => {
            let (exit, how) = drained(service);
            found.add(exit, format!("{name} drained{how}: {reason}"));
        }
        ServiceState::Starting => {
            let stands = service.prefixes.iter().any(Prefix::announces);
            let waits = stands || service.for_seconds <= SETTLING_SECONDS;
            let exit = if waits { Exit::Warning } else { Exit::Critical };
            found.add(exit, format!("{name} starting for {}: {reason}", shown(service.for_seconds)));
        }
    }
    // ExaBGP has refused the command or not answered it. A helper of an earlier version tells only the age of the state.
    let is_overdue = |prefix: &&Prefix| {
        let seconds = prefix.unacknowledged_for_seconds.unwrap_or(service.for_seconds);
        !prefix.is_settled() && seconds > SETTLING_SECONDS
    };
    if document.exabgp.answers && state != ServiceState::Starting {
        for prefix in service.prefixes.iter().filter(is_overdue) {
            let desired = prefix.desired.as_deref().unwrap_or("nothing");
            let how = if prefix.refused { "refused by ExaBGP" } else { "not acknowledged" };
            found.add(Exit::Critical, format!("{name}: {}: `{desired}` {how}", prefix.prefix));
        }
    }
    if let Some(why) = &service.failed_reload {
        found.add(Exit::Warning, format!("{name}: {why}"));
    }
    for check in &service.checks {
        find_in_check(name, check, found);
    }
}

/// Findings that the state of the service does not include: an observed check that is down, and an unknown one. A `once-up`
/// check that has never been up, such as that of validation at a resolver that does not validate, is no finding.
fn find_in_check(service: &str, check: &CheckStatus, found: &mut Findings) {
    let detail = check.last.as_ref().and_then(|last| last.detail.as_deref()).unwrap_or("failed");
    let name = &check.name;
    if check.unproven {
        return;
    }
    match check.unknown_for_seconds {
        Some(seconds) if seconds > SETTLING_SECONDS => {
            let seconds = shown(seconds);
            found.add(Exit::Warning, format!("{service}: check {name} unknown for {seconds}: {detail}"));
        }
        None if check.state == "down" && check.severity == Some(Severity::Observe) => {
            found.add(Exit::Warning, format!("{service}: observed check {name} down: {detail}"));
        }
        _ => {}
    }
}

/// Why a service is down, and the remedy. If a check takes it down, the end of the suppression alone does not return it.
fn down(service: &Service) -> String {
    let is_unwell = service.checks.iter().any(|check| check.severity == Some(Severity::Down));
    match service.dampening.why_withdrawn() {
        Some(held) if is_unwell => format!("{}; beside that {held}", service.reason),
        Some(held) => format!("{held} ({})", service.dampening.remedy(&service.name)),
        None => service.reason.clone(),
    }
}

/// A drain is planned, unless its end has passed, or a failed operation on the server has left it, or it only waits for
/// checks that fail.
fn drained(service: &Service) -> (Exit, String) {
    if let Some(drain) = service.drains.iter().find(|drain| drain.left_by().is_some()) {
        let undrain = drain.undrain(&service.name);
        return (Exit::Critical, format!(" by a failed operation on its server, until `{undrain}`"));
    }
    let fails = service.checks.iter().any(|check| check.severity == Some(Severity::Down));
    let is_late = |drain: &Drain| drain.expires_in_seconds.is_some_and(|left| left <= 0.0);
    let waits = service.is_drained() && !service.is_drained_for_good() && fails;
    if service.drains.iter().any(is_late) {
        return (Exit::Critical, " past its end".to_owned());
    }
    if waits {
        return (Exit::Critical, " until its checks pass, and they fail".to_owned());
    }
    // The end of a drain does not return a service that is not enabled.
    let left = service.drains_end_in().filter(|left| *left > 0.0 && service.enabled);
    let left = left.map_or_else(String::new, |left| format!(" for {} more", shown(left)));
    let holders = joined(service.holds_after_drains().map(|hold| &hold.holder), ", ");
    let then = if holders.is_empty() { String::new() } else { format!(", then held announced by {holders}") };
    (Exit::Warning, format!("{left}{then}"))
}

/// For each service whether it is up or degraded, its penalty and its falls; for each check the slowest answer; and
/// ExaBGP.
fn performance(document: &Document) -> String {
    let mut values = vec![];
    for service in &document.services {
        let serves = u8::from(service.is_serving());
        values.push(format!("{}={serves};;;0;1", label(&service.name, "serving")));
        values.push(format!("{}={};;;0", label(&service.name, "penalty"), service.dampening.penalty));
        values.push(format!("{}={};;;0", label(&service.name, "falls"), service.dampening.falls));
        for check in &service.checks {
            if let Some(seconds) = check.last.as_ref().and_then(|last| last.latency_seconds) {
                values.push(format!("{}={seconds:.6}s;;;0", label(&service.name, &check.name)));
            }
        }
    }
    let sessions = &document.exabgp.bgp_sessions;
    let known = sessions.iter().filter(|session| session.state != SessionState::Unknown).count();
    if known > 0 {
        let up = sessions.iter().filter(|session| session.state == SessionState::Up).count();
        values.push(format!("'exabgp/sessions-up'={up};;;0;{known}"));
    }
    if let Some(seconds) = document.exabgp.latency_seconds {
        values.push(format!("'exabgp'={seconds:.6}s;;;0"));
    }
    if values.is_empty() { String::new() } else { format!(" | {}", values.join(" ")) }
}

/// The text in quotes, without characters that end a label or the line.
fn label(service: &str, value: &str) -> String {
    let name = foreign_within(&format!("{service}/{value}"), LONGEST);
    format!("'{}'", name.replace(['\'', '=', '|'], "_"))
}

#[cfg(test)]
mod tests;
