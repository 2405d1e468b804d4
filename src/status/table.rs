//! The status document for people, in 80 columns.

use std::fmt;
use std::time::Duration;

use super::{CheckStatus, Document, Drain, ExaBgp, Hold, Last, Prefix, Service};
use crate::engine::dampening::window::WINDOW;
use crate::logging::counted;
use crate::period::{Period, Shown};
use crate::text::foreign_within;

/// Lines are broken before they are longer.
const WIDTH: usize = 80;

/// Characters of one entry. Each part that a helper bounds is shorter.
const LONGEST: usize = 2000;

/// Column of what is said about a name.
const VALUE: usize = 26;

/// A document, to be shown.
#[derive(Debug)]
pub struct Table<'a>(pub &'a Document);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let document = self.0;
        let running = shown(document.running_seconds);
        let Document { node, version, pid, .. } = document;
        entry(f, 0, &format!("{node}: dnsherald {version}, process {pid}, for {running}"))?;
        entry(f, 0, &document.configuration.to_string_lossy())?;
        if let Some(trouble) = &document.trouble {
            match &document.last_good {
                Some(file) => {
                    entry(
                        f,
                        0,
                        &format!("NOT IN ORDER, the LAST GOOD CONFIGURATION is in force: {trouble}"),
                    )?;
                    entry(f, 0, &format!("in force: {}", file.display()))?;
                }
                None => entry(f, 0, &format!("NOT IN ORDER, so that everything is withdrawn: {trouble}"))?,
            }
        }
        if let Some(why) = &document.unwritten {
            entry(f, 0, &format!("NOT ON DISK, so that a restart would forget the last drains: {why}"))?;
        }
        entry(f, 0, &exabgp(&document.exabgp))?;
        for drain in &document.drains_of_all {
            entry(f, 0, &format!("all services, those added later included, drained {}", show_drain(drain)))?;
        }
        for service in &document.services {
            writeln!(f)?;
            show_service(f, service)?;
        }
        for prefix in &document.left_behind {
            writeln!(f)?;
            entry(f, 0, &format!("{prefix} is no longer configured and not yet withdrawn"))?;
        }
        Ok(())
    }
}

fn exabgp(exabgp: &ExaBgp) -> String {
    let mut text = match &exabgp.version {
        Some(version) => format!("exabgp {version}"),
        None => "exabgp has not said its version".to_owned(),
    };
    text += &format!(", spoken to as `{}`", exabgp.dialect.form());
    match exabgp.latency_seconds {
        _ if !exabgp.answers => {
            let why = exabgp.silence.as_deref().unwrap_or("exabgp.api.ack is off");
            text += &format!(", answers no commands: {why}, and what it did is unknown");
        }
        Some(latency) => text += &format!(", answers within {}", shown(latency)),
        None => {}
    }
    for (count, what) in [(exabgp.refused, "refused"), (exabgp.unanswered, "unanswered")] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    text
}

fn show_service(f: &mut fmt::Formatter<'_>, service: &Service) -> fmt::Result {
    let state = if service.enabled { service.state.to_string() } else { "not enabled".to_owned() };
    let heading = format!("{}: {state} for {}", service.name, shown(service.for_seconds));
    entry(f, 0, &format!("{heading}: {}", service.reason))?;
    if let Some(backend) = &service.backend {
        pair(f, "backend", backend)?;
    }
    for prefix in &service.prefixes {
        pair(f, &prefix.prefix, &show_prefix(prefix))?;
    }
    for check in &service.checks {
        pair(f, &format!("check {}", check.name), &show_check(check))?;
    }
    if let Some(text) = show_dampening(service) {
        pair(f, "dampening", &text)?;
    }
    for hold in &service.holds {
        pair(f, "held announced", &show_hold(hold))?;
    }
    for drain in &service.drains {
        pair(f, "drained", &show_drain(drain))?;
    }
    Ok(())
}

fn show_drain(drain: &Drain) -> String {
    let mut text = format!("by {} for {}", asked_by(&drain.holder, drain.uid), shown(drain.for_seconds));
    match drain.expires_in_seconds {
        Some(left) if drain.until_exit => {
            text += &format!(", {} left or until the helper exits", shown(left));
        }
        Some(left) => text += &format!(", {} left", shown(left)),
        None if drain.until_exit => text += ", until the helper exits",
        None => text += ", until undrained",
    }
    if drain.returning {
        text += ", or until the checks pass";
    }
    text + &format!(": {}", drain.reason)
}

fn show_hold(hold: &Hold) -> String {
    let (lasted, left) = (shown(hold.for_seconds), shown(hold.expires_in_seconds));
    format!("by {} for {lasted}, {left} left: {}", asked_by(&hold.holder, hold.uid), hold.reason)
}

/// The holder that the request named, and the user id that the kernel reported.
fn asked_by(holder: &str, uid: Option<u32>) -> String {
    uid.map_or_else(|| holder.to_owned(), |uid| format!("{holder} (uid {uid})"))
}

/// Its falls, and what they lead to; `None` if there are none.
fn show_dampening(service: &Service) -> Option<String> {
    let dampening = &service.dampening;
    let penalty = format!("penalty {}", dampening.penalty);
    if let Some(held) = dampening.held() {
        return Some(format!("{held}, {penalty}; to end it: dnsherald undampen {}", service.name));
    }
    if dampening.penalty == 0 && dampening.falls == 0 {
        return None;
    }
    let observed = if dampening.would_be_suppressed { ", would be suppressed (mode observe)" } else { "" };
    let falls = match dampening.falls {
        0 => String::new(),
        falls => format!(", {} within {}", counted(falls as usize, "fall"), Period(WINDOW)),
    };
    Some(format!("{penalty}{observed}{falls}"))
}

fn show_prefix(prefix: &Prefix) -> String {
    match (&prefix.desired, &prefix.acknowledged) {
        (None, _) => "nothing said yet".to_owned(),
        (Some(desired), Some(acknowledged)) if desired == acknowledged => format!("{desired} (acknowledged)"),
        (Some(desired), Some(acknowledged)) => {
            format!("{desired} (NOT acknowledged; before: {acknowledged})")
        }
        (Some(desired), None) => format!("{desired} (NOT acknowledged: unknown)"),
    }
}

fn show_check(check: &CheckStatus) -> String {
    let mut text = check.state.clone();
    match check.state.as_str() {
        "rising" => text += &format!(" ({} of {})", check.streak, check.rise),
        "falling" => text += &format!(" ({} of {})", check.streak, check.fall),
        _ => {}
    }
    if let Some(seconds) = check.unknown_for_seconds {
        text += &format!(", unknown for {}", shown(seconds));
    }
    if let Some(last) = &check.last {
        text += &format!(": {}, {} ago", show_last(last), shown(last.ago_seconds));
    }
    text
}

fn show_last(last: &Last) -> String {
    match (last.latency_seconds, &last.detail) {
        (Some(latency), _) if latency > 0.0 => format!("passed in {}", shown(latency)),
        (None, Some(detail)) => detail.clone(),
        _ if last.passed => "passed".to_owned(),
        _ => "failed".to_owned(),
    }
}

fn shown(seconds: f64) -> Shown {
    Shown(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO))
}

/// A name, and what is said of it from a column on.
fn pair(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    let name = format!("  {name}");
    if name.chars().count() < VALUE {
        let width = VALUE;
        entry(f, VALUE, &format!("{name:width$}{value}"))
    } else {
        entry(f, 2, &name)?;
        entry(f, VALUE, &format!("{:VALUE$}{value}", ""))
    }
}

/// A text, broken at blanks where it would be too wide; what follows is indented, by four more than the rest. The text
/// may come from elsewhere, so that it is escaped and its length bounded.
fn entry(f: &mut fmt::Formatter<'_>, indent: usize, text: &str) -> fmt::Result {
    let text = foreign_within(text, LONGEST);
    let mut line = String::new();
    for piece in text.split_inclusive(' ') {
        let length = line.chars().count() + piece.trim_end().chars().count();
        if length > WIDTH && !line.trim().is_empty() {
            writeln!(f, "{}", line.trim_end())?;
            line = " ".repeat(indent + if indent == 0 { 4 } else { 2 });
        }
        line.push_str(piece);
    }
    writeln!(f, "{}", line.trim_end())
}
