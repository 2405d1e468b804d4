//! The status document for people, in lines as wide as the terminal.

use std::fmt::{self, Write as _};

use super::view::{View, shown};
use super::{
    BgpSession, CheckStatus, Document, Drain, ExaBgp, Hold, Last, Prefix, RemovedService, Service,
    SessionState,
};
use crate::engine::service::ServiceState;
use crate::text::paint::Paint;
use crate::text::sentence;
use crate::text::wrap::wrapped;

/// Indentation of the further lines of an entry.
const FURTHER: usize = 4;

/// The display of a document.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    /// The document.
    pub(crate) document: &'a Document,
    /// Width, zone and colors.
    pub(crate) view: View,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let document = self.document;
        self.head(f)?;
        for drain in &document.drains_of_all {
            let drained = self.drain("", drain);
            self.entry(f, &format!("all services, those added later included, drained {drained}"))?;
        }
        for service in &document.services {
            writeln!(f)?;
            self.service(f, service)?;
        }
        for RemovedService { name, drains } in &document.removed_drained {
            writeln!(f)?;
            for drain in drains {
                let drained = self.drain("", drain);
                let undrain = match drain.expires_in_seconds {
                    Some(_) => format!("; to end it: {}", drain.undrain("")),
                    None => String::new(),
                };
                self.entry(f, &format!("{name} is no longer configured, and drained {drained}{undrain}"))?;
            }
        }
        for prefix in &document.stale_routes {
            writeln!(f)?;
            self.entry(f, &format!("{prefix} is no longer configured and not yet withdrawn"))?;
        }
        Ok(())
    }
}

impl Table<'_> {
    /// The helper, its configuration, and ExaBGP.
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Document { node, version, pid, running_seconds, .. } = self.document;
        let started = self.view.time_before(*running_seconds);
        self.entry(f, &format!("{node}: dnsherald {version}, process {pid}, running since {started}"))?;
        self.entry(f, &format!("as of {}", self.view.written()))?;
        self.entry(f, &self.document.configuration.to_string_lossy())?;
        if let Some(trouble) = &self.document.trouble {
            let (paint, consequence) = match &self.document.last_good {
                Some(_) => (Paint::Warning, "the LAST GOOD CONFIGURATION is in force"),
                None => (Paint::Bad, self.document.without_configuration()),
            };
            self.painted(f, paint, FURTHER, &format!("CONFIGURATION ERROR, {consequence}: {trouble}"))?;
            if let Some(file) = &self.document.last_good {
                self.entry(f, &format!("in force: {}", file.display()))?;
            }
        }
        if let Some(why) = &self.document.unwritten {
            self.entry(f, &format!("NOT ON DISK, a restart would forget the last drains: {why}"))?;
        }
        if let Some(why) = &self.document.unwritten_configuration {
            self.entry(f, &format!("NOT ON DISK: {why}"))?;
        }
        self.entry(f, &exabgp(&self.document.exabgp))?;
        self.bgp_sessions(f, &self.document.exabgp)
    }

    fn bgp_sessions(&self, f: &mut fmt::Formatter<'_>, exabgp: &ExaBgp) -> fmt::Result {
        let unknown = "not known (no neighbor-changes from ExaBGP yet)";
        if exabgp.bgp_sessions.is_empty() {
            return self.pair(f, "BGP sessions", unknown);
        }
        for session in &exabgp.bgp_sessions {
            let BgpSession { neighbor, for_seconds, .. } = session;
            let since = for_seconds
                .map_or_else(String::new, |seconds| format!(" {}", self.view.since_phrase(seconds)));
            let text = match session.state {
                SessionState::Up => format!("up{since}"),
                SessionState::Down => format!("DOWN{since}{}", session.because()),
                SessionState::Unknown => unknown.to_owned(),
            };
            let paint = if session.state == SessionState::Down { Paint::Bad } else { Paint::Plain };
            self.painted_pair(f, paint, &format!("BGP {neighbor}"), &text)?;
        }
        Ok(())
    }
}

fn exabgp(exabgp: &ExaBgp) -> String {
    let mut text = match &exabgp.version {
        Some(version) => format!("ExaBGP {version}"),
        None => "ExaBGP has not reported its version".to_owned(),
    };
    text += &format!(", using dialect `{}`", exabgp.dialect.form());
    match exabgp.latency_seconds {
        _ if !exabgp.answers => {
            let why = exabgp.why_silent();
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

impl Table<'_> {
    fn service(&self, f: &mut fmt::Formatter<'_>, service: &Service) -> fmt::Result {
        let state = if service.enabled { service.state.to_string() } else { "not enabled".to_owned() };
        let since = self.view.since_phrase(service.for_seconds);
        let heading = format!("{}: {state} {since}: {}", service.name, service.reason);
        self.painted(f, paint_of(service), FURTHER, &heading)?;
        if let Some(next) = &service.next {
            self.pair(f, "next", &self.view.next(next))?;
        }
        if let Some(backend) = &service.backend {
            self.pair(f, "backend", backend)?;
        }
        if let Some(failure) = service.reload_failure() {
            self.painted_pair(f, Paint::Warning, "WARNING", &failure)?;
        }
        for prefix in &service.prefixes {
            let is_known = prefix.is_settled() && prefix.not_known().is_empty();
            let paint = if is_known { Paint::Plain } else { Paint::Warning };
            self.painted_pair(f, paint, &prefix.prefix, &show_prefix(prefix, &self.document.exabgp))?;
        }
        for check in &service.checks {
            let paint = match check.state.as_str() {
                "down" => Paint::Bad,
                "falling" => Paint::Warning,
                _ => Paint::Plain,
            };
            self.painted_pair(f, paint, &format!("check {}", check.name), &self.check(check))?;
        }
        if let Some(text) = self.dampening(service) {
            self.pair(f, "dampening", &text)?;
        }
        for hold in &service.holds {
            self.pair(f, "held announced", &self.hold(hold))?;
        }
        for drain in &service.drains {
            self.pair(f, "drained", &self.drain(&service.name, drain))?;
        }
        Ok(())
    }

    fn drain(&self, service: &str, drain: &Drain) -> String {
        let mut text = format!(
            "by {} since {}",
            asked_by(&drain.holder, drain.uid),
            self.view.time_before(drain.for_seconds)
        );
        match drain.expires_in_seconds.map(|left| self.view.time_after(left)) {
            Some(end) if drain.until_exit => text += &format!(", until {end} or until the helper exits"),
            Some(end) => text += &format!(", until {end}"),
            None if drain.until_exit => text += ", until the helper exits",
            None => text += &format!(", until `{}`", drain.undrain(service)),
        }
        if drain.returning {
            text += ", or until the checks pass";
        }
        text + &format!(": {}", drain.reason)
    }

    fn hold(&self, hold: &Hold) -> String {
        let (since, end) =
            (self.view.time_before(hold.for_seconds), self.view.time_after(hold.expires_in_seconds));
        format!("by {} since {since}, until {end}: {}", asked_by(&hold.holder, hold.uid), hold.reason)
    }

    /// Its falls, and their consequence; `None` if there are none.
    fn dampening(&self, service: &Service) -> Option<String> {
        let dampening = &service.dampening;
        let penalty = format!("penalty {}", dampening.penalty);
        let held = match (dampening.reuse_in_seconds, dampening.returns_in_seconds) {
            (Some(left), _) => Some(format!("suppressed until {}", self.view.time_after(left))),
            (None, Some(left)) => Some(format!(
                "passing again, and returns at {} after {}",
                self.view.time_after(left),
                dampening.counted_falls()
            )),
            (None, None) => None,
        };
        if let Some(held) = held {
            return Some(format!("{held}, {penalty}; {}", dampening.remedy(&service.name)));
        }
        if dampening.penalty == 0 && dampening.falls == 0 {
            return None;
        }
        let observed =
            if dampening.would_be_suppressed { ", would be suppressed (mode observe)" } else { "" };
        let falls =
            if dampening.falls == 0 { String::new() } else { format!(", {}", dampening.counted_falls()) };
        Some(format!("{penalty}{observed}{falls}"))
    }

    fn check(&self, check: &CheckStatus) -> String {
        let mut text = check.state.clone();
        // Writing to a string cannot fail.
        let _ = match check.state.as_str() {
            "rising" => write!(text, " ({} of {})", check.streak, check.rise),
            "falling" => write!(text, " ({} of {})", check.streak, check.fall),
            _ => Ok(()),
        };
        if check.unproven && check.state == "down" {
            text += ", not counted: it has not been up yet";
        }
        if let Some(seconds) = check.unknown_for_seconds {
            let unknown = if check.state == "unknown" { "" } else { ", unknown" };
            let _ = write!(text, "{unknown} since {}", self.view.time_before(seconds));
        }
        if let Some(last) = &check.last {
            let _ = write!(text, ": {}, {} ago", show_last(last), shown(last.ago_seconds));
        }
        text
    }

    /// A name, with a text from a column on.
    fn pair(&self, f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
        self.painted_pair(f, Paint::Plain, name, value)
    }

    fn painted_pair(&self, f: &mut fmt::Formatter<'_>, paint: Paint, name: &str, value: &str) -> fmt::Result {
        let column = self.view.value_column();
        let name = format!("  {name}");
        if name.chars().count() < column {
            self.painted(f, paint, column + 2, &format!("{name:column$}{value}"))
        } else {
            self.painted(f, paint, FURTHER, &name)?;
            self.painted(f, paint, column + 2, &format!("{:column$}{value}", ""))
        }
    }

    /// A text, broken at blanks where it would be too wide; further lines are indented. The text may come from another
    /// program; it is escaped and its length bounded.
    fn entry(&self, f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
        self.painted(f, Paint::Plain, FURTHER, text)
    }

    /// As [`Self::entry`], in a color if the view has colors, and with this indentation of further lines.
    fn painted(&self, f: &mut fmt::Formatter<'_>, paint: Paint, further: usize, text: &str) -> fmt::Result {
        let paint = if self.view.is_colored { paint } else { Paint::Plain };
        let text = sentence(text);
        for line in wrapped(&text, self.view.width, further) {
            writeln!(f, "{}", paint.on(&line))?;
        }
        Ok(())
    }
}

/// The holder that the request named, and the user id that the kernel reported.
fn asked_by(holder: &str, uid: Option<u32>) -> String {
    uid.map_or_else(|| holder.to_owned(), |uid| format!("{holder} (uid {uid})"))
}

/// The color of the state of a service.
fn paint_of(service: &Service) -> Paint {
    match service.state {
        ServiceState::Up if service.holds.is_empty() => Paint::Good,
        ServiceState::Up | ServiceState::Degraded | ServiceState::Drained => Paint::Warning,
        ServiceState::Down => Paint::Bad,
        ServiceState::Starting => Paint::Plain,
    }
}

fn show_prefix(prefix: &Prefix, exabgp: &ExaBgp) -> String {
    match (&prefix.desired, &prefix.acknowledged) {
        (None, _) => "nothing said yet".to_owned(),
        (Some(desired), Some(acknowledged)) if desired == acknowledged => match prefix.not_known() {
            none if none.is_empty() => format!("{desired} (acknowledged)"),
            not_known => format!("{desired} ({not_known})"),
        },
        (Some(desired), _) if prefix.refused => {
            format!("{desired} (REFUSED by ExaBGP, see the log)")
        }
        (Some(desired), None) if !exabgp.answers => {
            format!("{desired} (acknowledgment unknown: {})", exabgp.why_silent())
        }
        (Some(desired), Some(acknowledged)) => {
            format!("{desired} (NOT acknowledged; before: {acknowledged})")
        }
        (Some(desired), None) => format!("{desired} (NOT acknowledged)"),
    }
}

/// The last outcome: how long a pass took, or the detail of another outcome. A pass without an answer to measure, such as
/// that of a process, has the latency zero. A pass that does not count yet has no latency and says why
/// ([`Last::tell_unseen`]).
pub(super) fn show_last(last: &Last) -> String {
    match (last.latency_seconds, &last.detail) {
        (Some(latency), _) if latency > 0.0 => format!("passed in {}", shown(latency)),
        (None, Some(detail)) => detail.clone(),
        _ if last.passed => "passed".to_owned(),
        _ => "failed".to_owned(),
    }
}

#[cfg(test)]
mod tests;
