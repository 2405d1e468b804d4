//! What an operator does about the state of a service: by the rule that decides, then about files, then about ExaBGP.

use super::routes::named;
use super::rule::Rule;
use super::{FileFault, advice, waiting};
use crate::engine::api_session::ACKS_OFF;
use crate::engine::dampening::window::WINDOW;
use crate::status::{Document, Drain, ExaBgp, Prefix, Service, SessionState};
use crate::text::joined;
use crate::text::period::Period;

/// At least one sentence: what to do, or that there is nothing to do.
pub(super) fn for_service(
    document: &Document,
    service: &Service,
    rule: Rule,
    fault: Option<FileFault>,
) -> Vec<String> {
    let exabgp = &document.exabgp;
    // Without a configuration it is withdrawn whatever the rule.
    let is_configured = document.trouble.is_none() || document.last_good.is_some();
    let mut remedies = if is_configured { by_rule(document, service, rule) } else { vec![] };
    let is_gone = advice::is_server_gone(document, service);
    let has_failing_check = rule == Rule::WorstCheck && !service.is_serving() && !remedies.is_empty();
    remedies.extend(about_exits(service));
    remedies.extend(about_file(document, fault));
    // A server that is not there does not start before its configuration is correct.
    let at = if is_gone { 0 } else { remedies.len() };
    remedies.splice(at..at, about_reload(service, is_gone || advice::lacks_listener(service)));
    remedies.extend(about_routes(exabgp, service));
    remedies.extend(about_sessions(exabgp));
    if rule != Rule::Dampening && service.dampening.suppressed {
        let name = &service.name;
        remedies.push(format!("dampening suppresses it, too; to end that: `dnsherald undampen {name}`"));
    }
    if has_failing_check {
        let name = &service.name;
        remedies.push(format!(
            "last, and only if the server answers clients and the check is wrong: `dnsherald hold {name} --for 1h --reason \
             '…'`"
        ));
    }
    if remedies.is_empty() {
        remedies.push(format!("nothing to do: {}", waiting::for_what(service, rule)));
    }
    remedies
}

fn by_rule(document: &Document, service: &Service, rule: Rule) -> Vec<String> {
    let name = &service.name;
    match rule {
        Rule::NotEnabled => vec!["set `enabled = true`, then `dnsherald reload`".to_owned()],
        Rule::DisableFile => vec!["remove the disable-file".to_owned()],
        Rule::Drain => {
            let of_drain = |drain: &Drain| match (drain.undrain(name), drain.left_by()) {
                (undrain, Some(backend)) => Some(format!(
                    "repair the server (`dnsherald backend status {backend}`), then `{undrain} --once-healthy`"
                )),
                // Only the checks keep it, and `undrain` would not return it either.
                _ if drain.returning => None,
                // The drop-in of the unit drains before it stops, and undrains after its start.
                (undrain, None) if service.unit.as_ref() == Some(&drain.holder) => Some(format!(
                    "start the server (`systemctl start {}`), which ends the drain once the checks pass; to end it alone: `{undrain}`",
                    drain.holder
                )),
                (undrain, None) => Some(format!("to end it: `{undrain}`")),
            };
            let mut remedies: Vec<_> = service.drains.iter().filter_map(of_drain).collect();
            remedies.extend(service.holds_after_drains().map(|hold| {
                format!(
                    "without its drains it is announced at once, whatever its checks say: held by {}; to end that: `{}`",
                    hold.holder,
                    hold.unhold(name)
                )
            }));
            if !service.is_drained_for_good() {
                remedies.extend(advice::for_service(document, service));
            }
            remedies
        }
        Rule::Hold => vec![format!("to end it: `dnsherald unhold {name}`")],
        Rule::Dampening => vec![format!("to end it: `dnsherald undampen {name}`")],
        Rule::Address | Rule::AfterDrain | Rule::WorstCheck | Rule::NoVerdict => {
            advice::for_service(document, service)
        }
        Rule::WarmUp => vec![],
    }
}

/// What to do about a process that ends again and again, so that the service does not return.
fn about_exits(service: &Service) -> Option<String> {
    let exits = service.recent_exits.filter(|exits| *exits > 1)?;
    let log = match &service.unit {
        Some(unit) => format!("journalctl -u {unit}"),
        None => "the log of the server".to_owned(),
    };
    Some(format!(
        "its process has ended {exits} times within {} without a return of the service: see why ({log})",
        Period(WINDOW)
    ))
}

/// What to do about a configuration file that cannot be used. A helper that could not use it reads it again by itself; one
/// that runs with what it has read before does not.
fn about_file(document: &Document, fault: Option<FileFault>) -> Option<String> {
    let file = document.configuration.display();
    // Without a last good configuration the file may be gone.
    let (correct, then) = match (&document.trouble, fault) {
        (Some(_), _) if document.last_good.is_none() => {
            ("correct or restore", "the helper reads it again by itself")
        }
        (Some(_), _) => ("correct", "the helper reads it again by itself"),
        (None, Some(FileFault::Broken)) => ("correct", "then `dnsherald reload`"),
        (None, Some(FileFault::Denied)) => {
            return Some(format!(
                "let the user of the helper read {file} and enter the directories above it: `chmod a+r`, or `chgrp` and `chmod g+r`"
            ));
        }
        (None, None) => return None,
    };
    Some(format!("{correct} {file}, {then} (`dnsherald check-config {file}` shows the errors)"))
}

/// What to do about the failed reload of its server. One that is gone, or lacks a listener, `needs_restart`.
fn about_reload(service: &Service, needs_restart: bool) -> Option<String> {
    let backend = service.backend.as_ref().filter(|_| service.failed_reload.is_some())?;
    let (operation, source) = if needs_restart {
        ("restart", "the WARNING and its log say")
    } else {
        ("reload", "the WARNING says")
    };
    Some(format!(
        "correct the configuration of {backend} as {source}, then `dnsherald backend {operation} {backend}`"
    ))
}

/// What to do where the routes are not as ExaBGP should have them.
fn about_routes(exabgp: &ExaBgp, service: &Service) -> Vec<String> {
    let mut remedies = vec![];
    if service.is_serving() && !service.prefixes.is_empty() && !service.is_announced() {
        let state = service.state;
        remedies.push(format!(
            "the configuration withdraws it while it is {state}; to announce it then, change its key `{state}` and \
             `dnsherald reload`"
        ));
    }
    if !exabgp.answers {
        remedies.push(match exabgp.why_silent() {
            ACKS_OFF => "ExaBGP answers no commands: set `exabgp.api.ack true` (`ack = true` under [exabgp.api] in \
                         exabgp.env), and restart ExaBGP; until then it is not known whether it has carried out or refused \
                         a command"
                .to_owned(),
            why => format!("{why}: it is not known whether ExaBGP has carried out a command"),
        });
    } else if service.prefixes.iter().any(|prefix| prefix.refused) {
        remedies.push(
            "ExaBGP refuses a route: `dnsherald doctor` compares the neighbors with exabgp.conf".to_owned(),
        );
    } else {
        let waits = |prefix: &&Prefix| prefix.desired.is_some() && !prefix.is_settled();
        let waiting: Vec<_> = service.prefixes.iter().filter(waits).map(|prefix| &*prefix.prefix).collect();
        if !waiting.is_empty() {
            remedies.push(format!(
                "ExaBGP has not acknowledged {} yet, and the helper sends it again; if that lasts, look at ExaBGP's own \
                 log, then `dnsherald doctor`",
                named(&waiting)
            ));
        }
    }
    remedies
}

/// What to do about BGP sessions that are down.
fn about_sessions(exabgp: &ExaBgp) -> Option<String> {
    let sessions = &exabgp.bgp_sessions;
    let down: Vec<_> = sessions.iter().filter(|session| session.state == SessionState::Down).collect();
    let neighbors = joined(down.iter().map(|session| &session.neighbor), ", ");
    let who = match down.len() {
        0 => return None,
        all if all == sessions.len() => {
            format!(
                "every BGP session that ExaBGP has reported is down ({neighbors}), so that these routers have no route from here"
            )
        }
        1 => format!("the BGP session with {neighbors} is down"),
        _ => format!("the BGP sessions with {neighbors} are down"),
    };
    Some(format!(
        "{who}: look at `exabgp-cli show neighbor summary`, at the router, and at the firewall for tcp/179"
    ))
}
