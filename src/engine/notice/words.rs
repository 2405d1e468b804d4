//! The log line of each notice.

use std::fmt;
use std::time::Duration;

use super::parts::acknowledgment;
use super::{Desired, Notice, RouteState, Stated, Until};
use crate::engine::dampening::RESTARTS_EXCUSED;
use crate::engine::dampening::window::{WINDOW, counted_in_window};
use crate::engine::drain::{FailedRestart, RestartEnd};
use crate::engine::order::{AskedBy, Kind};
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
pub(crate) struct Timed<'a>(pub &'a Notice, pub Clock<'a>);

impl fmt::Display for Timed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.sentence(Some(self.1)))
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(None))
    }
}

/// The time of day in brackets, if there is a clock.
fn by_clock(clock: Option<Clock<'_>>, preposition: &str, period: Duration) -> String {
    clock.map_or_else(String::new, |clock| format!(" ({preposition} {})", clock(period)))
}

impl Notice {
    fn sentence(&self, clock: Option<Clock<'_>>) -> String {
        match self {
            Self::Check { service, check, from, to, why, .. } => {
                format!("check {service}/{check}: {from} -> {to}: {why}")
            }
            Self::CheckUnknown { service, check, why } => format!(
                "check {service}/{check}: unknown: {why}; this says nothing about the server and moves no route"
            ),
            Self::CheckKnown { service, check, after } => {
                format!("check {service}/{check}: no longer unknown, after {}", Shown(*after))
            }
            Self::AllUnknown { service, after, which, why } => format!(
                "service {service}: no {which} has had a result for {}, degraded until one has: {why}",
                Shown(*after)
            ),
            Self::StartsUnknown { service, after, reloaded, stands, suppressed, which, why } => {
                let (after, since) = (Shown(*after), if *reloaded { "reload" } else { "start" });
                let then = match stands {
                    Some(state) if *reloaded => format!("; {state}, decided before the reload, stands"),
                    Some(state) => format!("; {state}, acknowledged before the start, stands"),
                    None if *suppressed => ", and dampening suppresses it; withdrawing".to_owned(),
                    None => ", and no earlier state is known; withdrawing".to_owned(),
                };
                format!(
                    "service {service}: no {which} has had a result within {after} of the {since}{then}: {why}"
                )
            }
            Self::StaysUnknown { service, stays, after, which, why } => {
                let after = Shown(*after);
                format!("service {service}: {stays}; no {which} has had a result for {after}: {why}")
            }
            Self::Service { service, from, to, why, asks, kept, .. } => {
                let asks = asks.iter().map(|Desired { route, prefixes }| match route {
                    RouteState::Announced => format!("; announcing {prefixes}"),
                    RouteState::Withdrawn => format!("; withdrawing {prefixes}"),
                });
                let kept = kept.iter().map(|Desired { route, prefixes }| match route {
                    RouteState::Announced => format!("; {prefixes} stays announced"),
                    RouteState::Withdrawn => format!("; {prefixes} stays withdrawn"),
                });
                let routes: String = asks.chain(kept).collect();
                let becomes = if from == to { format!("still {to}") } else { format!("{from} -> {to}") };
                format!("service {service}: {becomes}: {why}{routes}")
            }
            Self::Stated(stated) => {
                let Stated { service, route, prefixes, moved, silence, why, until, .. } = &**stated;
                let still = if *moved { "" } else { "still " };
                let (how, until) = (acknowledgment(silence.as_deref()), until_by_clock(clock, until));
                format!("{service}: {still}{route} {prefixes} ({how}): {why}{until}")
            }
            Self::StaleWithdrawn { what, route, silence } => {
                format!("{what}: {route} ({}): no longer configured", acknowledgment(silence.as_deref()))
            }
            Self::Penalty { service, suppress, fall } => {
                let (used_up, longer) = (fall.used_up(), fall.longer());
                let limit = match fall.enforced {
                    true => format!("suppressed at {suppress}"),
                    false => format!("would be suppressed at {suppress}; mode observe"),
                };
                format!("service {service}: fell{used_up}, penalty now {} ({limit}){longer}", fall.penalty)
            }
            Self::Suppressed { service, reuse_in, fall } => {
                let (used_up, longer, penalty) = (fall.used_up(), fall.longer(), fall.penalty);
                let reuse = Shown(*reuse_in);
                match fall.enforced {
                    true => format!(
                        "service {service}: {}{used_up}, penalty {penalty}: held down for {reuse}{} even if its checks pass; to \
                         end it: dnsherald undampen {service}",
                        counted(fall.falls as usize, "fall"),
                        by_clock(clock, "until", *reuse_in)
                    ),
                    false => format!(
                        "service {service}: would be suppressed for {reuse}: penalty {penalty} from repeated \
                         falls{used_up} (mode observe){longer}"
                    ),
                }
            }
            Self::ReturnDelayed { service, falls, returns_in, suppressed } => {
                let (returns, at) = (Shown(*returns_in), by_clock(clock, "at", *returns_in));
                let returns = match suppressed {
                    true => format!("suppressed, returns in {returns}{at}"),
                    false => format!("returns in {returns}{at} after {}", counted_in_window(*falls, "fall")),
                };
                format!(
                    "service {service}: passes again; {returns}; to return at once: dnsherald undampen {service}"
                )
            }
            Self::Exited { service, why, exits } => {
                let exits = counted_in_window(*exits, "exit");
                format!("service {service}: {why}: {exits} without a return")
            }
            Self::Forgiven { service, after, excused } => format!(
                "service {service}: its process is back after {}, within restart-grace: not counted as a fall \
                 ({excused} of at most {RESTARTS_EXCUSED} within {})",
                Shown(*after),
                Period(WINDOW)
            ),
            Self::Undampened { service, cleared } => {
                format!("service {service}: undampened by the operator: cleared {cleared}")
            }
            Self::Reused { service, enforced: true } => {
                format!("service {service}: no longer suppressed: the penalty has decayed")
            }
            Self::Reused { service, enforced: false } => {
                format!("service {service}: would no longer be suppressed (mode observe)")
            }
            Self::Enforced { service, penalty, suppress, suppresses: None, max_suppress } => format!(
                "service {service}: dampening is enforced from now on; penalty {penalty} (suppressed at {suppress}): from its \
                 next fall on, a penalty of {suppress} or more holds it withdrawn although its checks pass, at most \
                 until {} after its last fall; to end that then: dnsherald undampen {service}",
                Period(*max_suppress)
            ),
            Self::Enforced { service, penalty, suppresses: Some(time), .. } => format!(
                "service {service}: dampening is enforced from now on: held down for {}{} even if its checks pass, \
                 penalty {penalty}; to end it: dnsherald undampen {service}",
                Shown(*time),
                by_clock(clock, "until", *time)
            ),
            Self::NotEnforced { service, penalty } => {
                format!(
                    "service {service}: dampening is no longer enforced; penalty {penalty} suppresses nothing"
                )
            }
            Self::Restored { service, penalty, suppressed, enforced } => {
                let held = match (suppressed, enforced) {
                    (true, _) => ", still suppressed",
                    (false, true) => "",
                    (false, false) => " (mode observe)",
                };
                format!("service {service}: penalty {penalty} carried over from before the restart{held}")
            }
            Self::Adopted { service, state, age } => format!(
                "service {service}: adopting {state}, acknowledged {} ago, until the first verdict",
                Shown(*age)
            ),
            Self::TooOldToAdopt { service, state, age, limit } => format!(
                "service {service}: not adopting {state}, acknowledged {} ago and so beyond adopt-max-age {}",
                Shown(*age),
                Shown(*limit)
            ),
            Self::Drained { service, holder, reason, lasts, uid } => {
                format!("service {service}: drained by {} {lasts}: {reason}", AskedBy(holder, *uid))
            }
            Self::FileGone { service, file, then } => {
                format!("service {service}: the disable-file {file} is gone; {then}")
            }
            Self::Returning { service, ends } => format!("service {service}: its drain ends {ends}"),
            Self::DrainOver { service, holder, end, then } => {
                format!("service {service}: the drain by {holder} {end}{then}")
            }
            Self::HoldBegun { service, holder, reason, lasts, uid, withdrawn } => {
                let (by, lasts, until) =
                    (AskedBy(holder, *uid), Period(*lasts), by_clock(clock, "until", *lasts));
                let (held, stays) = match withdrawn {
                    None => ("held announced against its checks", String::new()),
                    Some(why) => {
                        ("hold", format!("; it stays withdrawn, since no hold overrides this: {why}"))
                    }
                };
                format!(
                    "service {service}: {held} by {by} for {lasts}{until}: {reason}{stays}; to end it: dnsherald \
                     unhold {service} --as {holder}"
                )
            }
            Self::HoldOver { service, holder, end } => {
                format!("service {service}: the hold by {holder} {end}")
            }
            Self::HeldOff { service, state, why } => format!(
                "service {service}: held announced, without the hold it would be {state}: {why}; to end it: \
                 dnsherald unhold {service}"
            ),
            Self::RestartFailed { service, prefixes, failed, decided_by, until } => {
                let FailedRestart { why, holder, end, .. } = failed;
                let ends = until_by_clock(clock, until);
                let end = match end {
                    RestartEnd::RolledBack => {
                        "rolled back: the server runs with the configuration before".to_owned()
                    }
                    RestartEnd::ReloadFailed => decided_by.words(&ends),
                    RestartEnd::LeftDrained => {
                        let stays = match prefixes.is_empty() {
                            true => "it stays drained".to_owned(),
                            false => format!("{prefixes} stays withdrawn"),
                        };
                        // The command that ends it follows.
                        let ends = if matches!(until, Until::Undrained(..)) { "" } else { &ends };
                        format!(
                            "{stays}{ends}; to end it once the server is repaired: dnsherald undrain {service} --as {holder} \
                             --once-healthy"
                        )
                    }
                };
                format!("service {service}: {why}; {end}")
            }
            Self::Restarted { service, what, unverified, but } => {
                let verified = || ", and every step verified".to_owned();
                let verified = unverified.as_ref().map_or_else(verified, |look_at| format!("; {look_at}"));
                format!("service {service}: {what} done{verified}{but}")
            }
            Self::LeftBehind(left) => left.to_string(),
            Self::Reloaded { unchanged, changed, added, removed } => {
                let kinds = [("changed", changed), ("new", added), ("gone", removed)];
                let named = kinds.into_iter().filter(|(_, names)| !names.is_empty());
                let mut parts: Vec<_> =
                    named.map(|(what, names)| format!("{what}: {}", names.join(", "))).collect();
                if parts.is_empty() || *unchanged > 0 {
                    parts.insert(0, format!("{} unchanged", counted(*unchanged, "service")));
                }
                format!("configuration reloaded: {}", parts.join(", "))
            }
            Self::ReloadRefused { why } => format!("reload refused, nothing is changed: {why}"),
            Self::Renamed { service, was } => format!(
                "service {service}: takes over the saved state of {was}, which had one of its prefixes"
            ),
            Self::Removed { service, drained, held } => {
                let hold = if *held { "; its hold has ended" } else { "" };
                let drain = drained.as_ref().map_or_else(String::new, |(why, until)| {
                    let until = until_by_clock(clock, until);
                    format!("; a service that gets its prefixes begins drained: {why}{until}")
                });
                format!("service {service}: no longer configured{hold}{drain}")
            }
            Self::DrainedWithAll { service } => format!(
                "service {service}: new, and included in the drain of all services; to end that for it: dnsherald \
                 undrain {service}"
            ),
            Self::BeginsAnew { service, checks, undecided_for, held } => {
                let until =
                    if *held { "each has a result; the hold then announces it" } else { "its verdict" };
                let reloads = undecided_for.map_or_else(String::new, |time| {
                    format!("; reloads have left it without a verdict for {}", Shown(time))
                });
                format!(
                    "service {service}: no verdict yet on checks that the reload added or changed: {}{reloads}; its \
                     last announcement or withdraw stands until {until}",
                    checks.join(", ")
                )
            }
            Self::OrdersMoved { kind, service, from, orders_follow } => {
                let were = if from.len() == 1 { "was" } else { "were" };
                let (done, options) = match kind {
                    Kind::Drain => ("drained", ""),
                    Kind::Hold => ("held", " --for TIME --reason TEXT"),
                };
                let from = format!("{}, which {were} {done}", from.join(", "));
                match orders_follow {
                    true => format!("service {service}: {done}: it now has the prefixes of {from}"),
                    false => format!(
                        "service {service}: not {done}: it has a prefix of {from}, but other prefixes as well; to \
                         {kind} it: dnsherald {kind} {service}{options}"
                    ),
                }
            }
            Self::ParentGone => "ExaBGP is gone (standard input or output closed): exiting".to_owned(),
            Self::Terminating { withdrawn } if withdrawn.is_empty() => {
                "stop requested: nothing to withdraw".to_owned()
            }
            Self::Terminating { withdrawn } => format!("stop requested: withdrawing {withdrawn}"),
            Self::RoutesAtExit { service, prefixes, withdrawn: true } => {
                format!("{service}: WITHDRAWN {prefixes}: the helper stops (signal)")
            }
            Self::RoutesAtExit { service, prefixes, withdrawn: false } => format!(
                "{service}: no withdraw sent for {prefixes}: ExaBGP is gone; the routes end with its BGP sessions, unless the \
                 next helper announces them"
            ),
            Self::Detected { version, understood, spoken } if understood == spoken => {
                format!("ExaBGP {version}: using dialect `{}`", spoken.form())
            }
            Self::Detected { version, understood, spoken } => format!(
                "ExaBGP {version} understands `{}`, but exabgp.api in the configuration asks for `{}`; delete `api`: \
                 dnsherald then asks ExaBGP for its version",
                understood.form(),
                spoken.form()
            ),
            Self::NoVersion { spoken } => format!(
                "ExaBGP does not answer the question for its version; using dialect `{}` until it does",
                spoken.form()
            ),
            Self::AnswersNothing => {
                "ExaBGP answers no commands (exabgp.api.ack is off?): a refused route would go unnoticed"
                    .to_owned()
            }
            Self::AnswersAfterAll => "ExaBGP answers commands after all: sending all routes again".to_owned(),
            Self::AnswerTooMany => "ExaBGP sent an unexpected answer: sending all routes again".to_owned(),
            Self::Refused { line, why, retry } => {
                let why = reason(why.as_deref(), ROUTE_REFUSED);
                format!("ExaBGP refused `{line}`: {why}; again in {}", Shown(*retry))
            }
            Self::GivenUp { line, neighbors } => format!(
                "ExaBGP refused `{line}` again and again: it seems to have no neighbor {neighbors}, so the withdraw is from \
                 now on sent only with all other routes; if exabgp.conf has {neighbors}, add its `api` section"
            ),
            Self::NoSession { neighbors } => super::parts::no_session(neighbors),
            Self::EndOfRibRefused { line, why } => {
                format!("ExaBGP refused `{line}`: {}", reason(why.as_deref(), MARKER_REFUSED))
            }
            Self::Unanswered { line, after } => {
                format!("ExaBGP has not answered `{line}` within {}: sending it again later", Shown(*after))
            }
            Self::Overtaken { withdraws, is_silent } => format!(
                "ExaBGP {}: sending {} without waiting for its answers",
                if *is_silent { "is unresponsive" } else { "answers slower than routes are to be withdrawn" },
                counted(*withdraws as usize, "withdraw")
            ),
            Self::OutputBlocked => "ExaBGP no longer reads our standard output: waiting".to_owned(),
            Self::OutputUnblocked => "ExaBGP reads our standard output again".to_owned(),
            Self::SessionUp { neighbor, first, decided } => {
                let then = match (decided, first) {
                    (false, _) => "sending no route before the first verdict",
                    (true, true) => "sending all routes",
                    (true, false) => "sending all routes again",
                };
                format!("BGP session with {} is up: {then}", foreign(neighbor))
            }
            Self::SessionDown { neighbor, reason, lost } => {
                let neighbor = foreign(neighbor);
                let why = if reason.is_empty() { String::new() } else { format!(": {}", named(reason)) };
                match lost {
                    true => format!(
                        "BGP session with {neighbor} is down{why}; {neighbor} gets no route from this host until it is \
                         up"
                    ),
                    false => format!("BGP session with {neighbor} is still down{why}"),
                }
            }
            Self::ShutdownAnnounced => "ExaBGP says that it is shutting down".to_owned(),
            Self::OddLine { line } => format!("ExaBGP said something unexpected: {}", foreign(line)),
        }
    }
}

/// The end of a state, and the time of day of it.
fn until_by_clock(clock: Option<Clock<'_>>, until: &Until) -> String {
    let at = until.ends_in().map(|time| by_clock(clock, "until", time));
    format!("{until}{}", at.unwrap_or_default())
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
