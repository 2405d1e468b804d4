//! Every sentence of the engine and the link for the log, in one place.

use std::fmt;
use std::time::Duration;

use log::Level;
use serde::{Deserialize, Serialize};

use super::dampening::Cleared;
use super::dampening::return_time::WINDOW;
use super::drain::{Holder, Lasts, Reason};
use super::hysteresis;
use super::service;
use crate::exabgp::Dialect;
use crate::logging::counted;
use crate::period::{Period, Shown};
use crate::text::foreign;

/// Something that people should know. Services and checks are named as in the configuration.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each variant's sentence stands in Display below")]
pub enum Notice {
    // From the engine.
    Check { service: String, check: String, from: hysteresis::State, to: hysteresis::State, why: String },
    Service { service: String, from: service::State, to: service::State, why: String },
    CheckUnknown { service: String, check: String, why: String },
    CheckKnown { service: String, check: String, after: Duration },
    Blind { service: String, after: Duration, why: String },
    StartsBlind { service: String, after: Duration, stands: Option<service::State>, why: String },
    Penalty { service: String, suppress: u32, fall: Fall },
    Suppressed { service: String, reuse_in: Duration, fall: Fall },
    Held { service: String, falls: u32, returns_in: Duration, suppressed: bool },
    Forgiven { service: String, after: Duration },
    Undampened { service: String, cleared: Cleared },
    Reused { service: String, enforced: bool },
    Restored { service: String, penalty: u32, suppressed: bool },
    Adopted { service: String, state: service::State, age: Duration },
    TooOldToAdopt { service: String, state: service::State, age: Duration, limit: Duration },
    Drained { service: String, holder: Holder, reason: Reason, lasts: Lasts },
    Returning { service: String },
    DrainOver { service: String, holder: Holder, end: DrainEnd },
    LeftBehind { prefix: String },
    Reloaded { unchanged: usize, changed: Vec<String>, added: Vec<String>, removed: Vec<String> },
    Renamed { service: String, was: String },
    DrainedWithAll { service: String },
    BeginsAnew { service: String, checks: Vec<String>, undecided_for: Option<Duration> },
    DrainsMoved { service: String, from: Vec<String>, with_it: bool },
    ParentGone,
    Terminating { withdrawn: usize },
    // From the link.
    Detected { version: String, understood: Dialect, spoken: Dialect },
    NoVersion { spoken: Dialect },
    AnswersNothing,
    AnswersAfterAll,
    AnswerTooMany,
    Refused { line: String, why: Option<String>, retry: Duration },
    EndOfRibRefused { line: String, why: Option<String> },
    Unanswered { line: String, after: Duration },
    Overtaken { withdraws: u32 },
    OutputBlocked,
    OutputUnblocked,
    SessionUp { neighbor: String },
    SessionDown { neighbor: String, reason: String },
    ShutdownAnnounced,
    OddLine { line: String },
}

/// A fall from serving, and what it has led to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fall {
    /// The penalty after it, without its fraction.
    pub penalty: u32,
    /// Whether a suppression would hold the service down.
    pub enforced: bool,
    /// The falls of the last [`WINDOW`], this one among them.
    pub falls: u32,
    /// How long the return takes, where that is longer than usual.
    pub return_takes: Option<Duration>,
}

/// Why a drain is over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrainEnd {
    /// Its holder, or an operator, has lifted it.
    Lifted,
    /// Its time is over.
    Expired,
    /// It was to end as soon as the server is well.
    Healthy,
}

impl Notice {
    /// How urgent it is.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::Service { to: service::State::Up, .. }
            | Self::Reused { .. }
            | Self::Penalty { .. }
            | Self::Held { .. }
            | Self::Forgiven { .. }
            | Self::Undampened { .. }
            | Self::Restored { .. }
            | Self::Adopted { .. }
            | Self::Drained { .. }
            | Self::Returning { .. }
            | Self::Reloaded { .. }
            | Self::Renamed { .. }
            | Self::BeginsAnew { undecided_for: None, .. }
            | Self::DrainsMoved { with_it: true, .. }
            | Self::DrainOver { end: DrainEnd::Lifted | DrainEnd::Healthy, .. }
            | Self::AnswersAfterAll
            | Self::OutputUnblocked
            | Self::SessionUp { .. }
            | Self::ShutdownAnnounced
            | Self::ParentGone
            | Self::Terminating { .. } => Level::Info,
            Self::Check { to: hysteresis::State::Down, .. } | Self::CheckUnknown { .. } => Level::Warn,
            Self::Check { .. } | Self::CheckKnown { .. } => Level::Info,
            Self::Detected { understood, spoken, .. } if understood == spoken => Level::Info,
            Self::Refused { .. }
            | Self::Unanswered { .. }
            | Self::OutputBlocked
            | Self::Blind { .. }
            | Self::StartsBlind { .. } => Level::Error,
            Self::Service { .. }
            | Self::Suppressed { .. }
            | Self::DrainOver { end: DrainEnd::Expired, .. }
            | Self::LeftBehind { .. }
            | Self::TooOldToAdopt { .. }
            | Self::DrainedWithAll { .. }
            | Self::BeginsAnew { .. }
            | Self::DrainsMoved { .. }
            | Self::Detected { .. }
            | Self::NoVersion { .. }
            | Self::AnswersNothing
            | Self::AnswerTooMany
            | Self::Overtaken { .. }
            | Self::EndOfRibRefused { .. }
            | Self::SessionDown { .. }
            | Self::OddLine { .. } => Level::Warn,
        }
    }

    /// Whether it tells of a change of state, as opposed to the conversation with ExaBGP.
    #[must_use]
    pub const fn is_transition(&self) -> bool {
        matches!(
            self,
            Self::Check { .. }
                | Self::CheckUnknown { .. }
                | Self::CheckKnown { .. }
                | Self::Blind { .. }
                | Self::StartsBlind { .. }
                | Self::Service { .. }
                | Self::Suppressed { .. }
                | Self::Held { .. }
                | Self::Reused { .. }
        )
    }

    /// The end of what it tells of, where that is worth the time of day: what happens then, and in how long.
    #[must_use]
    pub const fn ends(&self) -> Option<(&'static str, Duration)> {
        match self {
            Self::Suppressed { reuse_in, fall: Fall { enforced: true, .. }, .. } => {
                Some(("until", *reuse_in))
            }
            Self::Held { returns_in, .. } => Some(("at", *returns_in)),
            _ => None,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check { service, check, from, to, why } => {
                write!(f, "check {service}/{check}: {from} -> {to}: {why}")
            }
            Self::CheckUnknown { service, check, why } => write!(
                f,
                "check {service}/{check}: unknown: {why}; this says nothing about the server and moves no route"
            ),
            Self::CheckKnown { service, check, after } => {
                write!(f, "check {service}/{check}: no longer unknown, after {}", Shown(*after))
            }
            Self::Blind { service, after, why } => write!(
                f,
                "service {service}: no check has found out anything about the server for {}, degraded until one does: {why}",
                Shown(*after)
            ),
            Self::StartsBlind { service, after, stands: Some(state), why } => write!(
                f,
                "service {service}: no check has found out anything about the server within {} of the start; {state}, \
                 acknowledged before the start, stands: {why}",
                Shown(*after)
            ),
            Self::StartsBlind { service, after, stands: None, why } => write!(
                f,
                "service {service}: no check has found out anything about the server within {} of the start, and no \
                 earlier state is known; withdrawing: {why}",
                Shown(*after)
            ),
            Self::Service { service, from, to, why } => write!(f, "service {service}: {from} -> {to}: {why}"),
            Self::Penalty { service, suppress, fall } => {
                write!(f, "service {service}: fell, penalty now {} ", fall.penalty)?;
                match fall.enforced {
                    true => write!(f, "(suppressed at {suppress})")?,
                    false => write!(f, "(would be suppressed at {suppress}; mode observe)")?,
                }
                longer(f, fall)
            }
            Self::Suppressed { service, reuse_in, fall: fall @ Fall { enforced: true, .. } } => write!(
                f,
                "service {service}: {}, penalty {}: held down for {} even if healthy; to end it: dnsherald undampen {service}",
                counted(fall.falls as usize, "fall"),
                fall.penalty,
                Shown(*reuse_in)
            ),
            Self::Suppressed { service, reuse_in, fall } => {
                write!(
                    f,
                    "service {service}: would be suppressed for {}: penalty {} from repeated falls (mode observe)",
                    Shown(*reuse_in),
                    fall.penalty
                )?;
                longer(f, fall)
            }
            Self::Held { service, falls, returns_in, suppressed } => {
                write!(f, "service {service}: passes again; ")?;
                match suppressed {
                    true => write!(f, "suppressed, returns in {}", Shown(*returns_in))?,
                    false => {
                        let falls = counted(*falls as usize, "fall");
                        write!(
                            f,
                            "returns in {} after {falls} within {}",
                            Shown(*returns_in),
                            Period(WINDOW)
                        )?;
                    }
                }
                write!(f, "; to end it: dnsherald undampen {service}")
            }
            Self::Forgiven { service, after } => write!(
                f,
                "service {service}: its process is back after {}, within restart-grace: that was no fall",
                Shown(*after)
            ),
            Self::Undampened { service, cleared } => {
                write!(f, "service {service}: undampened by the operator: cleared {cleared}")
            }
            Self::Reused { service, enforced: true } => {
                write!(f, "service {service}: no longer suppressed: the penalty has decayed")
            }
            Self::Reused { service, enforced: false } => {
                write!(f, "service {service}: would no longer be suppressed (mode observe)")
            }
            Self::Restored { service, penalty, suppressed } => {
                let held = if *suppressed { ", still suppressed" } else { "" };
                write!(f, "service {service}: penalty {penalty} carried over from before the restart{held}")
            }
            Self::Adopted { service, state, age } => write!(
                f,
                "service {service}: adopting {state}, acknowledged {} ago, until the first verdict",
                Shown(*age)
            ),
            Self::TooOldToAdopt { service, state, age, limit } => write!(
                f,
                "service {service}: not adopting {state}, acknowledged {} ago and so beyond adopt-max-age {}",
                Shown(*age),
                Shown(*limit)
            ),
            Self::Drained { service, holder, reason, lasts } => {
                write!(f, "service {service}: to be drained {lasts}, says {holder}: {reason}")
            }
            Self::Returning { service } => {
                write!(f, "service {service}: its drain ends as soon as its checks pass")
            }
            Self::DrainOver { service, holder, end } => {
                let why = match end {
                    DrainEnd::Lifted => "is lifted",
                    DrainEnd::Expired => "has expired",
                    DrainEnd::Healthy => "is over: the checks pass",
                };
                write!(f, "service {service}: the drain of {holder} {why}")
            }
            Self::LeftBehind { prefix } => {
                write!(f, "{prefix} is no longer configured, but may be announced: withdrawing")
            }
            Self::Reloaded { unchanged, changed, added, removed } => {
                write!(f, "configuration reloaded: {} unchanged", counted(*unchanged, "service"))?;
                for (names, what) in [(changed, "changed"), (added, "new"), (removed, "gone")] {
                    if !names.is_empty() {
                        write!(f, ", {what}: {}", names.join(" "))?;
                    }
                }
                Ok(())
            }
            Self::Renamed { service, was } => {
                write!(
                    f,
                    "service {service}: takes over what is remembered of {was}, which had a prefix of it"
                )
            }
            Self::DrainedWithAll { service } => write!(
                f,
                "service {service}: new, and drained as all services are; to take it out: dnsherald undrain {service}"
            ),
            Self::BeginsAnew { service, checks, undecided_for } => {
                let checks = checks.join(", ");
                write!(
                    f,
                    "service {service}: new or changed by the reload, so asked from the beginning: {checks}"
                )?;
                if let Some(time) = undecided_for {
                    write!(f, "; reloads have left it without a verdict for {}", Shown(*time))?;
                }
                f.write_str("; its last announcement or withdraw stands until its verdict")
            }
            Self::DrainsMoved { service, from, with_it: true } => {
                write!(f, "service {service}: drained as {} was, whose prefixes it has now", from.join(" "))
            }
            Self::DrainsMoved { service, from, with_it: false } => write!(
                f,
                "service {service}: not drained, though it has a prefix of {}, which was, beside others; to drain all \
                 of it: dnsherald drain {service}",
                from.join(" ")
            ),
            Self::ParentGone => f.write_str("exabgp is gone (standard input or output closed): exiting"),
            Self::Terminating { withdrawn } => {
                write!(f, "told to stop: withdrawing {}", counted(*withdrawn, "announced prefix"))
            }
            Self::Detected { version, understood, spoken } if understood == spoken => {
                write!(f, "exabgp {version}: speaking `{}`", spoken.form())
            }
            Self::Detected { version, understood, spoken } => write!(
                f,
                "exabgp {version} understands `{}`, but exabgp.api in the configuration asks for `{}`; delete `api`, and \
                 exabgp is asked",
                understood.form(),
                spoken.form()
            ),
            Self::NoVersion { spoken } => write!(
                f,
                "exabgp does not answer the question for its version; speaking `{}` until it does",
                spoken.form()
            ),
            Self::AnswersNothing => f.write_str(
                "exabgp answers no commands (exabgp.api.ack is off?): a refused route would go unnoticed",
            ),
            Self::AnswersAfterAll => {
                f.write_str("exabgp answers commands after all: stating everything again")
            }
            Self::AnswerTooMany => {
                f.write_str("exabgp has answered once more than it was told: stating everything again")
            }
            Self::Refused { line, why, retry } => {
                write!(f, "exabgp refused `{line}`: {}; again in {}", reason(why.as_deref()), Shown(*retry))
            }
            Self::EndOfRibRefused { line, why } => {
                write!(f, "exabgp refused `{line}`: {}", reason(why.as_deref()))
            }
            Self::Unanswered { line, after } => {
                write!(f, "exabgp has not answered `{line}` within {}: will say it again", Shown(*after))
            }
            Self::Overtaken { withdraws } => write!(
                f,
                "exabgp is unresponsive: sending {} without waiting for its answers",
                counted(*withdraws as usize, "withdraw")
            ),
            Self::OutputBlocked => f.write_str("exabgp reads no more of our standard output: waiting for it"),
            Self::OutputUnblocked => f.write_str("exabgp reads our standard output again"),
            Self::SessionUp { neighbor } => {
                write!(f, "session with {} is up: stating everything again", foreign(neighbor))
            }
            Self::SessionDown { neighbor, reason } => {
                write!(f, "session with {} is down: {}", foreign(neighbor), foreign(reason))
            }
            Self::ShutdownAnnounced => f.write_str("exabgp says that it is shutting down"),
            Self::OddLine { line } => write!(f, "exabgp said something unexpected: {}", foreign(line)),
        }
    }
}

/// What repeated falls mean for the return, where they mean anything.
fn longer(f: &mut fmt::Formatter<'_>, fall: &Fall) -> fmt::Result {
    let Some(takes) = fall.return_takes else { return Ok(()) };
    let falls = counted(fall.falls as usize, "fall");
    write!(f, "; {falls} within {}: the return takes {}", Period(WINDOW), Shown(takes))
}

fn reason(why: Option<&str>) -> String {
    foreign(why.unwrap_or("no reason given; exabgp's own log has it"))
}
