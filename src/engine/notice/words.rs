//! The log line of each notice.

use std::fmt;
use std::time::Duration;

use super::parts::which_were_drained;
use super::{Desired, Fall, Notice, RouteState, Stated};
use crate::engine::dampening::{RESTARTS_EXCUSED, window::WINDOW};
use crate::engine::drain::RestartEnd;
use crate::engine::order::AskedBy;
use crate::exabgp::notification;
use crate::text::period::{Period, Shown};
use crate::text::{counted, foreign};

/// The usual causes of a refused route. Only ExaBGP 6 gives a reason.
const ROUTE_REFUSED: &str = "exabgp.conf has no such neighbor, the `api` section of no neighbor names this process, or \
                             `next-hop self` meets a session of the other family";

/// The usual causes of a refused end-of-RIB marker.
const MARKER_REFUSED: &str = "no BGP session is established, or none has this family";

/// The time of day after a period from now.
type Clock<'a> = &'a dyn Fn(Duration) -> String;

/// A notice with the time of day beside each period after which something ends, as in "held down for 19m 29s (until
/// 22:04:31 UTC)". The engine itself knows no time of day.
#[derive(Clone, Copy)]
pub(crate) struct Timed<'a>(pub &'a Notice, pub &'a dyn Fn(Duration) -> String);

impl fmt::Display for Timed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, Some(self.1))
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, None)
    }
}

/// The time of day in brackets, if there is a clock.
fn by_clock(clock: Option<Clock<'_>>, preposition: &str, period: Duration) -> String {
    clock.map_or_else(String::new, |clock| format!(" ({preposition} {})", clock(period)))
}

impl Notice {
    fn write(&self, f: &mut fmt::Formatter<'_>, clock: Option<Clock<'_>>) -> fmt::Result {
        match self {
            Self::Check { service, check, from, to, why, .. } => {
                write!(f, "check {service}/{check}: {from} -> {to}: {why}")
            }
            Self::CheckUnknown { service, check, why } => write!(
                f,
                "check {service}/{check}: unknown: {why}; this says nothing about the server and moves no route"
            ),
            Self::CheckKnown { service, check, after } => {
                write!(f, "check {service}/{check}: no longer unknown, after {}", Shown(*after))
            }
            Self::AllUnknown { service, after, why } => write!(
                f,
                "service {service}: no check has had a result for {}, degraded until one has: {why}",
                Shown(*after)
            ),
            Self::StartsUnknown { service, after, stands: Some(state), why } => write!(
                f,
                "service {service}: no check has had a result within {} of the start; {state}, \
                 acknowledged before the start, stands: {why}",
                Shown(*after)
            ),
            Self::StartsUnknown { service, after, stands: None, why } => write!(
                f,
                "service {service}: no check has had a result within {} of the start, and no \
                 earlier state is known; withdrawing: {why}",
                Shown(*after)
            ),
            Self::StaysUnknown { service, stays, after, why } => write!(
                f,
                "service {service}: {stays}; no check has had a result for {}: {why}",
                Shown(*after)
            ),
            Self::Service { service, from, to, why, asks, kept, .. } => {
                write!(f, "service {service}: {from} -> {to}: {why}")?;
                asks.iter().try_for_each(|Desired { route, prefixes }| match route {
                    RouteState::Announced => write!(f, "; announcing {prefixes}"),
                    RouteState::Withdrawn => write!(f, "; withdrawing {prefixes}"),
                })?;
                kept.iter().try_for_each(|Desired { route, prefixes }| match route {
                    RouteState::Announced => write!(f, "; {prefixes} stays announced"),
                    RouteState::Withdrawn => write!(f, "; {prefixes} stays withdrawn"),
                })
            }
            Self::Stated(stated) => {
                write!(f, "{stated}")?;
                stated.until.ends_in().map_or(Ok(()), |time| f.write_str(&by_clock(clock, "until", time)))
            }
            Self::Penalty { service, suppress, fall } => {
                write!(f, "service {service}: fell{}, penalty now {} ", used_up(fall), fall.penalty)?;
                match fall.enforced {
                    true => write!(f, "(suppressed at {suppress})")?,
                    false => write!(f, "(would be suppressed at {suppress}; mode observe)")?,
                }
                longer(f, fall)
            }
            Self::Suppressed { service, reuse_in, fall: fall @ Fall { enforced: true, .. } } => write!(
                f,
                "service {service}: {}{}, penalty {}: held down for {}{}; to end it: dnsherald undampen \
                 {service}",
                counted(fall.falls as usize, "fall"),
                used_up(fall),
                fall.penalty,
                Shown(*reuse_in),
                by_clock(clock, "until", *reuse_in)
            ),
            Self::Suppressed { service, reuse_in, fall } => {
                write!(
                    f,
                    "service {service}: would be suppressed for {}: penalty {} from repeated falls{} (mode observe)",
                    Shown(*reuse_in),
                    fall.penalty,
                    used_up(fall)
                )?;
                longer(f, fall)
            }
            Self::Held { service, falls, returns_in, suppressed } => {
                let at = by_clock(clock, "at", *returns_in);
                write!(f, "service {service}: passes again; ")?;
                match suppressed {
                    true => write!(f, "suppressed, returns in {}{at}", Shown(*returns_in))?,
                    false => {
                        let falls = counted(*falls as usize, "fall");
                        write!(
                            f,
                            "returns in {}{at} after {falls} within {}",
                            Shown(*returns_in),
                            Period(WINDOW)
                        )?;
                    }
                }
                write!(f, "; to return at once: dnsherald undampen {service}")
            }
            Self::Forgiven { service, after, excused } => write!(
                f,
                "service {service}: its process is back after {}, within restart-grace: not counted as a fall \
                 ({excused} of at most {RESTARTS_EXCUSED} within {})",
                Shown(*after),
                Period(WINDOW)
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
            Self::Drained { service, holder, reason, lasts, uid } => {
                write!(f, "service {service}: drained by {} {lasts}: {reason}", AskedBy(holder, *uid))
            }
            Self::FileGone { service, file, drained } => {
                let then = if *drained { "other drains remain" } else { "it returns once its checks pass" };
                write!(f, "service {service}: the disable-file {file} is gone; {then}")
            }
            Self::Returning { service } => {
                write!(f, "service {service}: its drain ends as soon as its checks pass")
            }
            Self::DrainOver { service, holder, end } => {
                write!(f, "service {service}: the drain by {holder} {end}")
            }
            Self::HoldBegun { service, holder, reason, lasts, uid } => write!(
                f,
                "service {service}: held announced against its checks by {} for {}{}: {reason}; to end it: \
                 dnsherald unhold {service}",
                AskedBy(holder, *uid),
                Period(*lasts),
                by_clock(clock, "until", *lasts)
            ),
            Self::HoldOver { service, holder, end } => {
                write!(f, "service {service}: the hold by {holder} {end}")
            }
            Self::HeldOff { service, state, why } => write!(
                f,
                "service {service}: held announced, without the hold it would be {state}: {why}; to end it: \
                 dnsherald unhold {service}"
            ),
            Self::RestartFailed { service, prefixes, failed, until } => {
                write!(f, "service {service}: {}; ", failed.why)?;
                match failed.end {
                    RestartEnd::RolledBack => {
                        f.write_str("rolled back: the server runs with the configuration before")
                    }
                    RestartEnd::LeftDrained => {
                        match prefixes.is_empty() {
                            true => f.write_str("it stays drained")?,
                            false => write!(f, "{prefixes} stays withdrawn")?,
                        }
                        let at = until.ends_in().map(|time| by_clock(clock, "until", time));
                        write!(
                            f,
                            "{until}{}; to end it once the server is repaired: dnsherald undrain {service} --as {} \
                             --once-healthy",
                            at.unwrap_or_default(),
                            failed.holder
                        )
                    }
                }
            }
            Self::Restarted { service, what } => {
                write!(f, "service {service}: {what} done, and every step verified")
            }
            Self::LeftBehind { route } => {
                write!(f, "{route} is no longer configured, but may be announced: withdrawing it")
            }
            Self::Reloaded { unchanged, changed, added, removed } => {
                let named = |what, names: &[String]| match names {
                    [] => None,
                    names => Some(format!("{what}: {}", names.join(", "))),
                };
                let named = [named("changed", changed), named("new", added), named("gone", removed)];
                let mut parts: Vec<_> = named.into_iter().flatten().collect();
                if parts.is_empty() || *unchanged > 0 {
                    parts.insert(0, format!("{} unchanged", counted(*unchanged, "service")));
                }
                write!(f, "configuration reloaded: {}", parts.join(", "))
            }
            Self::Renamed { service, was } => {
                write!(
                    f,
                    "service {service}: takes over the saved state of {was}, which had one of its prefixes"
                )
            }
            Self::DrainedWithAll { service } => write!(
                f,
                "service {service}: new, and included in the drain of all services; to end that for it: dnsherald undrain {service}"
            ),
            Self::BeginsAnew { service, checks, undecided_for } => {
                let checks = checks.join(", ");
                write!(
                    f,
                    "service {service}: no verdict yet on checks that the reload added or changed: {checks}"
                )?;
                if let Some(time) = undecided_for {
                    write!(f, "; reloads have left it without a verdict for {}", Shown(*time))?;
                }
                f.write_str("; its last announcement or withdraw stands until its verdict")
            }
            Self::DrainsMoved { service, from, with_it } => {
                let from = which_were_drained(from);
                match with_it {
                    true => write!(f, "service {service}: drained: it now has the prefixes of {from}"),
                    false => write!(
                        f,
                        "service {service}: not drained: it has a prefix of {from}, but other prefixes as well; to \
                         drain it: dnsherald drain {service}"
                    ),
                }
            }
            Self::ParentGone => f.write_str("ExaBGP is gone (standard input or output closed): exiting"),
            Self::Terminating { withdrawn } if withdrawn.is_empty() => {
                f.write_str("stop requested: nothing to withdraw")
            }
            Self::Terminating { withdrawn } => write!(f, "stop requested: withdrawing {withdrawn}"),
            Self::Detected { version, understood, spoken } if understood == spoken => {
                write!(f, "ExaBGP {version}: using dialect `{}`", spoken.form())
            }
            Self::Detected { version, understood, spoken } => write!(
                f,
                "ExaBGP {version} understands `{}`, but exabgp.api in the configuration asks for `{}`; delete `api`: \
                 dnsherald then asks ExaBGP for its version",
                understood.form(),
                spoken.form()
            ),
            Self::NoVersion { spoken } => write!(
                f,
                "ExaBGP does not answer the question for its version; using dialect `{}` until it does",
                spoken.form()
            ),
            Self::AnswersNothing => f.write_str(
                "ExaBGP answers no commands (exabgp.api.ack is off?): a refused route would go unnoticed",
            ),
            Self::AnswersAfterAll => {
                f.write_str("ExaBGP answers commands after all: sending all routes again")
            }
            Self::AnswerTooMany => f.write_str("ExaBGP sent an unexpected answer: sending all routes again"),
            Self::Refused { line, why, retry } => {
                write!(
                    f,
                    "ExaBGP refused `{line}`: {}; again in {}",
                    reason(why.as_deref(), ROUTE_REFUSED),
                    Shown(*retry)
                )
            }
            Self::EndOfRibRefused { line, why } => {
                write!(f, "ExaBGP refused `{line}`: {}", reason(why.as_deref(), MARKER_REFUSED))
            }
            Self::Unanswered { line, after } => {
                write!(f, "ExaBGP has not answered `{line}` within {}: sending it again later", Shown(*after))
            }
            Self::Overtaken { withdraws } => write!(
                f,
                "ExaBGP is unresponsive: sending {} without waiting for its answers",
                counted(*withdraws as usize, "withdraw")
            ),
            Self::OutputBlocked => f.write_str("ExaBGP no longer reads our standard output: waiting"),
            Self::OutputUnblocked => f.write_str("ExaBGP reads our standard output again"),
            Self::SessionUp { neighbor, first, decided } => write!(
                f,
                "BGP session with {} is up: {}",
                foreign(neighbor),
                match (decided, first) {
                    (false, _) => "sending no route before the first verdict",
                    (true, true) => "sending all routes",
                    (true, false) => "sending all routes again",
                }
            ),
            Self::SessionDown { neighbor, reason, lost: true } => {
                let neighbor = foreign(neighbor);
                write!(
                    f,
                    "BGP session with {neighbor} is down: {}; {neighbor} gets no route from this host until it is up",
                    named(reason)
                )
            }
            Self::SessionDown { neighbor, reason, lost: false } => {
                write!(f, "BGP session with {} is still down: {}", foreign(neighbor), named(reason))
            }
            Self::ShutdownAnnounced => f.write_str("ExaBGP says that it is shutting down"),
            Self::OddLine { line } => write!(f, "ExaBGP said something unexpected: {}", foreign(line)),
        }
    }
}

impl fmt::Display for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, route, prefixes, moved, silence, why, until, .. } = self;
        let still = if *moved { "" } else { "still " };
        write!(f, "{service}: {still}{route} {prefixes} ")?;
        match silence {
            None => f.write_str("(acknowledged)")?,
            Some(silence) => write!(f, "(NOT acknowledged: {silence})")?,
        }
        write!(f, ": {why}{until}")
    }
}

impl fmt::Display for RouteState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Announced => "ANNOUNCED",
            Self::Withdrawn => "WITHDRAWN",
        })
    }
}

/// Why the exit of a process is a fall at once, if it is.
fn used_up(fall: &Fall) -> String {
    if fall.grace_used_up {
        format!(" (restart-grace has excused {RESTARTS_EXCUSED} restarts within {})", Period(WINDOW))
    } else {
        String::new()
    }
}

/// The effect of repeated falls on the return, if any.
fn longer(f: &mut fmt::Formatter<'_>, fall: &Fall) -> fmt::Result {
    let Some(takes) = fall.return_takes else { return Ok(()) };
    let falls = counted(fall.falls as usize, "fall");
    write!(f, "; {falls} within {}: the return takes {}", Period(WINDOW), Shown(takes))
}

/// The reason why a BGP session ended, with the name of a NOTIFICATION.
fn named(reason: &str) -> String {
    let name = notification::name(reason).map_or_else(String::new, |name| format!(", {name}"));
    foreign(reason) + &name
}

fn reason(why: Option<&str>, usual: &str) -> String {
    let unsaid = || {
        format!(
            "no reason given; usual causes: {usual}; look at `exabgp-cli show neighbor summary` and at ExaBGP's own log"
        )
    };
    why.map_or_else(unsaid, foreign)
}
