//! Notices of the engine for the log: what happened, and how urgent it is.
//!
//! [`words`] holds the sentences, [`prefixes`] and [`until`] parts of them.

use std::time::Duration;

use serde::Serialize;

use super::dampening::Cleared;
use super::drain::{DecidedBy, FailedRestart, Holder, Lasts, Reason};
use super::hysteresis::CheckState;
use super::order::Kind;
use super::service::ServiceState;
use crate::exabgp::{Advertisement, Dialect};
use crate::logging::entry::Urgency;

pub(crate) use self::parts::{Fall, LeftBehind, OrderEnd};
use self::prefixes::Prefixes;
pub(super) use self::until::Until;
pub(crate) use self::words::Timed;

mod parts;
pub(crate) mod prefixes;
pub(crate) mod until;
mod words;

/// An event for the log. Services and checks are named as in the configuration; `after` is how long something lasted.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Notice {
    // From the engine.
    /// A check has changed its state. That is expected during a restart by dnsherald, and of a check with `once-up` that has not
    /// been up or whose probes have not passed yet; and so is its first `up` after a start, a drain or a reload, where every
    /// check has to rise.
    Check {
        service: String,
        check: String,
        from: CheckState,
        to: CheckState,
        why: String,
        #[serde(rename = "planned")]
        expected: bool,
    },
    /// A service has changed its state, the check that degrades it, or after a reload the attributes of its routes.
    Service {
        service: String,
        from: ServiceState,
        to: ServiceState,
        why: String,
        asks: Vec<Desired>,
        /// Statements that a reload has left in force, once the service has its first verdict since.
        kept: Vec<Desired>,
        planned: bool,
    },
    /// ExaBGP has got a statement.
    Stated(Box<Stated>),
    /// The outcomes of a check are unknown from now on.
    CheckUnknown { service: String, check: String, why: String },
    /// They are no longer unknown.
    CheckKnown { service: String, check: String, after: Duration },
    /// Every witness is unknown, so the service is degraded.
    #[serde(rename = "blind")]
    AllUnknown { service: String, after: Duration, which: &'static str, why: String },
    /// No witness has a first verdict. The state that `stands`, or a withdraw, is stated without one.
    #[serde(rename = "starts-blind")]
    StartsUnknown {
        service: String,
        after: Duration,
        reloaded: bool,
        stands: Option<ServiceState>,
        /// Whether dampening suppresses the service, so that no earlier state stands.
        suppressed: bool,
        which: &'static str,
        why: String,
    },
    /// Every witness is unknown, so the service stays down or drained.
    #[serde(rename = "stays-blind")]
    StaysUnknown { service: String, stays: String, after: Duration, which: &'static str, why: String },
    /// A fall that suppresses nothing.
    Penalty { service: String, suppress: u32, fall: Fall },
    /// A fall that suppresses the service, or would in mode `observe`.
    Suppressed { service: String, reuse_in: Duration, fall: Fall },
    /// The checks pass again, and earlier falls delay the return.
    ReturnDelayed { service: String, falls: u32, returns_in: Duration, suppressed: bool },
    /// A process has ended while its service does not serve.
    Exited { service: String, why: String, exits: u32 },
    /// `restart-grace` has excused the exit of a process.
    Forgiven { service: String, after: Duration, excused: u32 },
    /// The operator has cleared the record of falls.
    Undampened { service: String, cleared: Cleared },
    /// The penalty has decayed to `reuse`.
    Reused { service: String, enforced: bool },
    /// A reload has switched dampening to `enforce`: the penalty counts from the next fall on, or `suppresses` the service,
    /// which does not serve, for this time. No suppression outlasts the last fall by more than `max_suppress`.
    Enforced {
        service: String,
        penalty: u32,
        suppress: u32,
        suppresses: Option<Duration>,
        max_suppress: Duration,
    },
    /// A reload has taken `enforce` back: the penalty suppresses nothing.
    NotEnforced { service: String, penalty: u32 },
    /// The penalty of an earlier helper still counts.
    Restored { service: String, penalty: u32, suppressed: bool, enforced: bool },
    /// The state that an earlier helper saved stands until the first verdict.
    Adopted { service: String, state: ServiceState, age: Duration },
    /// It is older than `adopt-max-age`.
    TooOldToAdopt { service: String, state: ServiceState, age: Duration, limit: Duration },
    /// A drain has begun.
    Drained { service: String, holder: Holder, reason: Reason, lasts: Lasts, uid: Option<u32> },
    /// The disable-file is gone; `then` says what follows.
    FileGone { service: String, file: String, then: String },
    /// Drains wait only for the checks.
    Returning { service: String, ends: &'static str },
    /// A drain has ended; `then` says what follows, if it was the last, and the checks must pass anew before the service
    /// returns.
    DrainOver {
        service: String,
        holder: Holder,
        end: OrderEnd,
        #[serde(skip)]
        then: String,
    },
    /// A hold has begun.
    HoldBegun {
        service: String,
        holder: Holder,
        reason: Reason,
        lasts: Duration,
        uid: Option<u32>,
        /// Why it stays withdrawn nevertheless: a drain, or a missing address.
        withdrawn: Option<String>,
    },
    /// A hold has ended.
    HoldOver { service: String, holder: Holder, end: OrderEnd },
    /// The checks contradict the hold.
    HeldOff { service: String, state: ServiceState, why: String },
    /// A restart by dnsherald has failed.
    RestartFailed {
        service: String,
        prefixes: Prefixes,
        failed: FailedRestart,
        decided_by: DecidedBy,
        until: Until,
    },
    /// A restart or reload by dnsherald has succeeded; `unverified` is what the operator has to look at.
    Restarted { service: String, what: Reason, unverified: Option<Reason>, but: String },
    /// A route is no longer configured.
    LeftBehind(LeftBehind),
    /// ExaBGP has got its withdraw, of which `silence` is as in [`Stated`]; `what` is its prefix, and its neighbors if not all.
    #[serde(rename = "stated")]
    StaleWithdrawn { what: String, route: RouteState, silence: Option<String> },
    /// Another configuration is in force.
    Reloaded { unchanged: usize, changed: Vec<String>, added: Vec<String>, removed: Vec<String> },
    /// A reload was refused, since the file has errors.
    ReloadRefused { why: String },
    /// A service takes over the saved state of one that is no longer configured.
    Renamed { service: String, was: String },
    /// A service is no longer configured: its drains go on, if it has any; its holds end.
    Removed { service: String, drained: Option<(String, Until)>, held: bool },
    /// A drain of all services includes a new one.
    DrainedWithAll { service: String },
    /// A reload leaves a service without a verdict.
    BeginsAnew { service: String, checks: Vec<String>, undecided_for: Option<Duration>, held: bool },
    /// A service has prefixes of drained or held ones; `orders_follow` if it is drained or held for it.
    OrdersMoved { kind: Kind, service: String, from: Vec<String>, orders_follow: bool },
    /// Standard input or output is closed.
    ParentGone,
    /// The helper got a signal to stop.
    Terminating { withdrawn: Prefixes },
    /// The end of the helper for routes of a service that ExaBGP may announce: they are `withdrawn`, or ExaBGP is gone.
    RoutesAtExit { service: String, prefixes: Prefixes, withdrawn: bool },
    // From the API session.
    /// ExaBGP has reported its version.
    Detected { version: String, understood: Dialect, spoken: Dialect },
    /// It has not.
    NoVersion { spoken: Dialect },
    /// No command is answered.
    AnswersNothing,
    /// A reply came although none was awaited any more.
    AnswersAfterAll,
    /// A reply came that no command awaited.
    AnswerTooMany,
    /// The answer to a route command was `error`; it is repeated after `retry`.
    Refused { line: String, why: Option<String>, retry: Duration },
    /// ExaBGP has refused for long to withdraw a route that is no longer configured; it may have no such neighbors.
    GivenUp { line: String, neighbors: String },
    /// ExaBGP reports the sessions of other neighbors, and none of these.
    NoSession { neighbors: String },
    /// The answer to an end-of-RIB marker was `error`.
    EndOfRibRefused { line: String, why: Option<String> },
    /// A command was not answered in time.
    Unanswered { line: String, after: Duration },
    /// Withdraws were sent out of turn.
    Overtaken { withdraws: u32, is_silent: bool },
    /// Standard output is full.
    OutputBlocked,
    /// It is no longer.
    OutputUnblocked,
    /// A BGP session is up, `first` since this helper started; `decided` if any service has a statement.
    SessionUp { neighbor: String, first: bool, decided: bool },
    /// A BGP session is `lost`, or an attempt to establish it has failed.
    SessionDown { neighbor: String, reason: String, lost: bool },
    /// ExaBGP says that it is shutting down.
    ShutdownAnnounced,
    /// Standard input had a line that is not understood.
    OddLine { line: String },
}

/// The commands that a decision requests from ExaBGP.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Desired {
    /// To announce or to withdraw.
    pub(crate) route: RouteState,
    /// All prefixes of the service.
    pub(crate) prefixes: Prefixes,
}

/// The statement for prefixes of a service, once ExaBGP has acknowledged it or is known to acknowledge nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Stated {
    /// The name, as configured.
    pub(crate) service: String,
    /// The state of the service.
    pub(crate) state: ServiceState,
    /// Whether they are announced or withdrawn.
    pub(crate) route: RouteState,
    /// The prefixes of the service with this statement, each with its MED.
    pub(crate) prefixes: Prefixes,
    /// Whether the statement before was another one.
    pub(crate) moved: bool,
    /// Whether the service was down or drained before, and is degraded or up.
    pub(crate) returns: bool,
    /// Why ExaBGP has not acknowledged it; `None` if it has.
    pub(crate) silence: Option<String>,
    /// The reason of the state.
    pub(crate) why: String,
    /// The condition for the return of the service.
    pub(crate) until: Until,
    /// Whether a restart by dnsherald is the reason.
    pub(crate) planned: bool,
}

/// Announced or withdrawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RouteState {
    /// It attracts traffic.
    Announced,
    /// It attracts none.
    Withdrawn,
}

impl RouteState {
    /// Whether an advertisement announces or withdraws.
    pub(crate) const fn new(advertisement: &Advertisement) -> Self {
        if advertisement.announces() { Self::Announced } else { Self::Withdrawn }
    }
}

impl Notice {
    /// The level: falls are warnings, unless a restart by dnsherald causes them; the end of a warning is a notice. A
    /// notice that is not listed here is a warning.
    pub(crate) fn urgency(&self) -> Urgency {
        match self {
            Self::Check { to: CheckState::Up, expected: false, .. }
            | Self::CheckKnown { .. }
            | Self::Reused { .. }
            | Self::AnswersAfterAll
            | Self::OutputUnblocked
            | Self::SessionUp { .. } => Urgency::Notice,
            Self::Check { to: CheckState::Down, expected: false, .. } => Urgency::Warning,
            Self::Service { planned: true, .. } => Urgency::Info,
            Self::Service { from, to, .. }
                if *to == ServiceState::Up || from == to || to.returns_from(*from) =>
            {
                Urgency::Notice
            }
            Self::Stated(stated) if stated.planned || !stated.moved => Urgency::Info,
            Self::Stated(stated)
                if stated.returns || matches!(stated.state, ServiceState::Up | ServiceState::Starting) =>
            {
                Urgency::Notice
            }
            Self::StaleWithdrawn { silence: None, .. } => Urgency::Notice,
            Self::Detected { understood, spoken, .. } if understood == spoken => Urgency::Info,
            Self::Check { .. }
            | Self::Restarted { unverified: None, .. }
            | Self::Penalty { .. }
            | Self::ReturnDelayed { .. }
            | Self::Exited { .. }
            | Self::Forgiven { .. }
            | Self::Undampened { .. }
            | Self::Restored { .. }
            | Self::Enforced { suppresses: None, .. }
            | Self::NotEnforced { .. }
            | Self::Adopted { .. }
            | Self::Drained { .. }
            | Self::Returning { .. }
            | Self::FileGone { .. }
            | Self::Reloaded { .. }
            | Self::Renamed { .. }
            | Self::BeginsAnew { undecided_for: None, .. }
            | Self::OrdersMoved { orders_follow: true, .. }
            | Self::LeftBehind(LeftBehind::Replaced { .. })
            | Self::DrainOver { end: OrderEnd::Lifted | OrderEnd::Healthy, .. }
            | Self::HoldOver { end: OrderEnd::Lifted | OrderEnd::Healthy, .. }
            | Self::ShutdownAnnounced
            | Self::RoutesAtExit { withdrawn: true, .. }
            | Self::Terminating { .. } => Urgency::Info,
            Self::Refused { .. }
            | Self::Unanswered { .. }
            | Self::OutputBlocked
            | Self::AllUnknown { .. }
            | Self::StartsUnknown { .. } => Urgency::Error,
            _ => Urgency::Warning,
        }
    }
}

#[cfg(test)]
mod tests;
