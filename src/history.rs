//! The history: what happened to services and sessions, with wall-clock times, kept over restarts.
//!
//! ```text
//!   Notice ──► Entry ──► writer thread ──► <state>/….history, JSON lines ──► Log ──► `dnsherald history`
//! ```
//!
//! The file is bounded: [`MAX_ENTRIES`] entries and [`MAX_SIZE`] bytes. A line that cannot be read is counted and named, and
//! hides no other.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::engine::notice::Notice;
use crate::status::time::Time;
use crate::text::words::words;
use crate::text::{counted, json};

pub(crate) mod file;

/// The format of a line.
const VERSION: u32 = 1;

/// Entries that are kept.
pub(crate) const MAX_ENTRIES: usize = 1000;

/// Bytes of the file.
pub(crate) const MAX_SIZE: usize = 256 << 10;

/// Characters of a text.
const LONGEST: usize = 1000;

words! {
    /// The subject of an entry.
    #[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
    pub(crate) enum Kind {
        /// The helper started.
        Start = "start",
        /// The helper got a signal to stop, or ExaBGP ended; or a helper finds that the one before was killed.
        Stop = "stop",
        /// A service changed its state.
        Transition = "transition",
        /// The process of a server ended while its service was not announced.
        Exit = "exit",
        /// A prefix was announced or withdrawn.
        Route = "route",
        /// Dampening suppressed a service, delayed its return, or let go.
        Dampening = "dampening",
        /// A drain began or ended.
        Drain = "drain",
        /// A hold began or ended.
        Hold = "hold",
        /// The restart of a server was done, or failed.
        Restart = "restart",
        /// A configuration was put in force, or refused.
        Reload = "reload",
        /// A BGP session went up or down.
        Session = "session",
        /// The helper did not run for a time: it was stopped, or the machine paused.
        Pause = "pause",
        /// The events before a service went down were kept in a file.
        Incident = "incident",
    }
}

/// One thing that happened.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Entry {
    /// The format of the line.
    v: u32,
    /// When, by the wall clock of then.
    pub(crate) at: Time,
    /// Its subject.
    pub(crate) kind: Kind,
    /// The service that it is about; absent where it is about all, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
    /// The sentence, as in the log.
    pub(crate) text: String,
}

impl Entry {
    /// At a time that can be written; else none.
    pub(crate) fn new(at: SystemTime, kind: Kind, service: Option<&str>, text: &str) -> Option<Self> {
        let (service, text) = (service.map(ToOwned::to_owned), text.chars().take(LONGEST).collect());
        Some(Self { v: VERSION, at: Time::new(at)?, kind, service, text })
    }

    /// What a notice of the engine comes to; `None` for one that is only for the log.
    pub(crate) fn from_notice(notice: &Notice, at: SystemTime) -> Option<Self> {
        let (kind, service) = kind_of(notice)?;
        Self::new(at, kind, service, &notice.to_string())
    }

    /// As a line of the file.
    pub(crate) fn line(&self) -> String {
        json(serde_json::to_string(self).unwrap_or_default()) + "\n"
    }
}

fn kind_of(notice: &Notice) -> Option<(Kind, Option<&str>)> {
    let (kind, service) = match notice {
        Notice::Service { service, .. } => (Kind::Transition, service),
        Notice::Stated(stated) if stated.moved => (Kind::Route, &stated.service),
        Notice::StaleWithdrawn { .. } => return Some((Kind::Route, None)),
        Notice::RoutesAtExit { service, .. } => (Kind::Route, service),
        Notice::Suppressed { service, .. }
        | Notice::ReturnDelayed { service, .. }
        | Notice::Enforced { suppresses: Some(_), service, .. }
        | Notice::Reused { service, .. }
        | Notice::Forgiven { service, .. }
        | Notice::Undampened { service, .. } => (Kind::Dampening, service),
        Notice::Exited { service, .. } => (Kind::Exit, service),
        Notice::Drained { service, .. }
        | Notice::DrainOver { service, .. }
        | Notice::Removed { service, .. } => (Kind::Drain, service),
        Notice::HoldBegun { service, .. }
        | Notice::HoldOver { service, .. }
        | Notice::HeldOff { service, .. } => (Kind::Hold, service),
        Notice::RestartFailed { service, .. } | Notice::Restarted { service, .. } => (Kind::Restart, service),
        Notice::Reloaded { .. } | Notice::ReloadRefused { .. } => return Some((Kind::Reload, None)),
        // Failed attempts to establish a session are no change.
        Notice::SessionUp { .. } | Notice::SessionDown { lost: true, .. } => {
            return Some((Kind::Session, None));
        }
        Notice::Terminating { .. } | Notice::ParentGone => return Some((Kind::Stop, None)),
        _ => return None,
    };
    Some((kind, Some(service)))
}

/// What a history file holds, and what could not be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Log {
    /// In the order in which they were written.
    pub(crate) entries: Vec<Entry>,
    /// Lines that are incomplete or damaged.
    damaged: usize,
    /// Lines of a version that is not understood.
    foreign: usize,
}

impl Log {
    /// Reads every line that can be read.
    pub(crate) fn parse(text: &str) -> Self {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let mut log = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match (serde_json::from_str::<Version>(line), serde_json::from_str::<Entry>(line)) {
                (Ok(Version { v: VERSION }), Ok(entry)) => log.entries.push(entry),
                (Ok(Version { v }), _) if v != VERSION => log.foreign += 1,
                _ => log.damaged += 1,
            }
        }
        log
    }

    /// What a reader should know of the file, in sentences.
    pub(crate) fn remarks(&self, now: SystemTime) -> Vec<String> {
        let ahead = self.entries.iter().filter(|entry| entry.at.system() > now).count();
        let lines = |number| counted(number, "line");
        let remarks = [
            (self.damaged, format!("left out as incomplete or damaged: {}", lines(self.damaged))),
            (self.foreign, format!("left out as of another version: {}", lines(self.foreign))),
            (ahead, format!("in the future: {}; the clock of this host is or was wrong", lines(ahead))),
        ];
        remarks.into_iter().filter(|(number, _)| *number > 0).map(|(_, text)| text).collect()
    }

    /// Those about this service or about none, not before `since`, and before `until`.
    pub(crate) fn select<'a>(
        &'a self,
        service: Option<&'a str>,
        since: Option<SystemTime>,
        until: Option<SystemTime>,
    ) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| {
            let concerned = service.is_none_or(|name| entry.service.as_deref().is_none_or(|of| of == name));
            let at = entry.at.system();
            concerned && since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
        })
    }
}

#[cfg(test)]
mod tests;
