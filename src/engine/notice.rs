//! Notices of the engine for the log: what happened, and how urgent it is.
//!
//! [`words`] holds the sentences, [`prefixes`] and [`until`] parts of them.

use std::time::Duration;

use serde::Serialize;

use super::dampening::Cleared;
use super::drain::{FailedRestart, Holder, Lasts, Reason};
use super::hysteresis;
use super::service;
use crate::exabgp::{Advertisement, Dialect};
use crate::logging::entry::Urgency;

pub(crate) use self::parts::{DrainEnd, Fall};
use self::prefixes::Prefixes;
pub(super) use self::until::Until;
pub(crate) use self::words::Timed;

mod parts;
pub(crate) mod prefixes;
pub(crate) mod until;
mod words;

/// An event for the log. Services and checks are named as in the configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each variant's sentence stands in `words`")]
pub(crate) enum Notice {
    // From the engine.
    Check {
        service: String,
        check: String,
        from: hysteresis::CheckState,
        to: hysteresis::CheckState,
        why: String,
        planned: bool,
    },
    Service {
        service: String,
        from: service::ServiceState,
        to: service::ServiceState,
        why: String,
        asks: Vec<Desired>,
        /// Statements that a reload has left in force, once the service has its first verdict since.
        kept: Vec<Desired>,
        planned: bool,
    },
    Stated(Box<Stated>),
    CheckUnknown {
        service: String,
        check: String,
        why: String,
    },
    CheckKnown {
        service: String,
        check: String,
        after: Duration,
    },
    #[serde(rename = "blind")]
    AllUnknown {
        service: String,
        after: Duration,
        why: String,
    },
    #[serde(rename = "starts-blind")]
    StartsUnknown {
        service: String,
        after: Duration,
        stands: Option<service::ServiceState>,
        why: String,
    },
    #[serde(rename = "stays-blind")]
    StaysUnknown {
        service: String,
        stays: String,
        after: Duration,
        why: String,
    },
    Penalty {
        service: String,
        suppress: u32,
        fall: Fall,
    },
    Suppressed {
        service: String,
        reuse_in: Duration,
        fall: Fall,
    },
    Held {
        service: String,
        falls: u32,
        returns_in: Duration,
        suppressed: bool,
    },
    Forgiven {
        service: String,
        after: Duration,
        excused: u32,
    },
    Undampened {
        service: String,
        cleared: Cleared,
    },
    Reused {
        service: String,
        enforced: bool,
    },
    Restored {
        service: String,
        penalty: u32,
        suppressed: bool,
    },
    Adopted {
        service: String,
        state: service::ServiceState,
        age: Duration,
    },
    TooOldToAdopt {
        service: String,
        state: service::ServiceState,
        age: Duration,
        limit: Duration,
    },
    Drained {
        service: String,
        holder: Holder,
        reason: Reason,
        lasts: Lasts,
        uid: Option<u32>,
    },
    FileGone {
        service: String,
        file: String,
        /// Whether other drains remain.
        drained: bool,
    },
    Returning {
        service: String,
    },
    DrainOver {
        service: String,
        holder: Holder,
        end: DrainEnd,
    },
    HoldBegun {
        service: String,
        holder: Holder,
        reason: Reason,
        lasts: Duration,
        uid: Option<u32>,
    },
    HoldOver {
        service: String,
        holder: Holder,
        end: DrainEnd,
    },
    HeldOff {
        service: String,
        state: service::ServiceState,
        why: String,
    },
    RestartFailed {
        service: String,
        prefixes: Prefixes,
        failed: FailedRestart,
        until: Until,
    },
    Restarted {
        service: String,
        what: Reason,
    },
    LeftBehind {
        /// The prefix, and its neighbors if not all.
        route: String,
    },
    Reloaded {
        unchanged: usize,
        changed: Vec<String>,
        added: Vec<String>,
        removed: Vec<String>,
    },
    Renamed {
        service: String,
        was: String,
    },
    DrainedWithAll {
        service: String,
    },
    BeginsAnew {
        service: String,
        checks: Vec<String>,
        undecided_for: Option<Duration>,
    },
    DrainsMoved {
        service: String,
        from: Vec<String>,
        with_it: bool,
    },
    ParentGone,
    Terminating {
        withdrawn: Prefixes,
    },
    // From the API session.
    Detected {
        version: String,
        understood: Dialect,
        spoken: Dialect,
    },
    NoVersion {
        spoken: Dialect,
    },
    AnswersNothing,
    AnswersAfterAll,
    AnswerTooMany,
    Refused {
        line: String,
        why: Option<String>,
        retry: Duration,
    },
    EndOfRibRefused {
        line: String,
        why: Option<String>,
    },
    Unanswered {
        line: String,
        after: Duration,
    },
    Overtaken {
        withdraws: u32,
    },
    OutputBlocked,
    OutputUnblocked,
    SessionUp {
        neighbor: String,
        /// Whether it is up for the first time since this helper started.
        first: bool,
        /// Whether any service has a statement.
        decided: bool,
    },
    SessionDown {
        neighbor: String,
        reason: String,
        /// Whether it was not known to be down; otherwise an attempt to establish it has failed.
        lost: bool,
    },
    ShutdownAnnounced,
    OddLine {
        line: String,
    },
}

/// The commands that a decision requests from ExaBGP.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Desired {
    /// To announce or to withdraw.
    pub(crate) route: RouteState,
    /// All prefixes of the service.
    pub(crate) prefixes: Prefixes,
}

/// The acknowledged statement for prefixes of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Stated {
    /// The name, as configured.
    pub(crate) service: String,
    /// The state of the service.
    pub(crate) state: service::ServiceState,
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
    #[must_use]
    pub(crate) const fn new(advertisement: &Advertisement) -> Self {
        if advertisement.announces() { Self::Announced } else { Self::Withdrawn }
    }
}

impl Notice {
    /// The level: falls are warnings, unless a restart by dnsherald causes them; the end of a warning is a notice.
    #[must_use]
    pub(crate) fn urgency(&self) -> Urgency {
        match self {
            Self::Check { planned: true, .. }
            | Self::Service { planned: true, .. }
            | Self::Penalty { .. }
            | Self::Held { .. }
            | Self::Forgiven { .. }
            | Self::Undampened { .. }
            | Self::Restored { .. }
            | Self::Adopted { .. }
            | Self::Drained { .. }
            | Self::Returning { .. }
            | Self::FileGone { .. }
            | Self::Reloaded { .. }
            | Self::Renamed { .. }
            | Self::BeginsAnew { undecided_for: None, .. }
            | Self::DrainsMoved { with_it: true, .. }
            | Self::DrainOver { end: DrainEnd::Lifted | DrainEnd::Healthy, .. }
            | Self::HoldOver { end: DrainEnd::Lifted | DrainEnd::Healthy, .. }
            | Self::ShutdownAnnounced
            | Self::ParentGone
            | Self::Terminating { .. } => Urgency::Info,
            Self::Check { to: hysteresis::CheckState::Up, .. }
            | Self::CheckKnown { .. }
            | Self::Service { to: service::ServiceState::Up, .. }
            | Self::Service {
                from: service::ServiceState::Down | service::ServiceState::Drained,
                to: service::ServiceState::Degraded,
                ..
            }
            | Self::Reused { .. }
            | Self::AnswersAfterAll
            | Self::OutputUnblocked
            | Self::SessionUp { .. } => Urgency::Notice,
            Self::Check { to: hysteresis::CheckState::Down, .. } | Self::CheckUnknown { .. } => {
                Urgency::Warning
            }
            Self::Check { .. } | Self::Restarted { .. } => Urgency::Info,
            Self::Stated(stated) if stated.planned || !stated.moved => Urgency::Info,
            Self::Stated(stated) if stated.returns || stated.state == service::ServiceState::Up => {
                Urgency::Notice
            }
            Self::Stated(_) => Urgency::Warning,
            Self::Detected { understood, spoken, .. } if understood == spoken => Urgency::Info,
            Self::Refused { .. }
            | Self::Unanswered { .. }
            | Self::OutputBlocked
            | Self::AllUnknown { .. }
            | Self::StartsUnknown { .. } => Urgency::Error,
            Self::Service { .. }
            | Self::StaysUnknown { .. }
            | Self::Suppressed { .. }
            | Self::DrainOver { end: DrainEnd::Expired, .. }
            | Self::HoldBegun { .. }
            | Self::HoldOver { end: DrainEnd::Expired, .. }
            | Self::HeldOff { .. }
            | Self::RestartFailed { .. }
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
            | Self::OddLine { .. } => Urgency::Warning,
        }
    }
}

#[cfg(test)]
mod tests;
