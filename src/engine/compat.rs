//! Compatibility with `exabgp healthcheck`: a switch for each difference between that program and `run`.
//!
//! `dnsherald healthcheck` is a drop-in replacement for it, on the same engine and the same session with ExaBGP. Each switch
//! is read where it applies. Two more differences are configured elsewhere: counters start anew at each relapse
//! ([`RelapsePolicy::StartsAnew`](super::hysteresis::RelapsePolicy)), and the service has one check and no dampening.

use serde::{Deserialize, Serialize};

use super::hysteresis;

/// How the engine behaves where `exabgp healthcheck` and `run` differ. [`Compat::NONE`] is `run`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Compat {
    /// Probe while the disable-file exists.
    pub(crate) probe_while_disabled: bool,
    /// When the disable-file is removed, forget every outcome and state nothing until there is a verdict; else the
    /// service stays drained until its checks have passed anew.
    pub(crate) start_anew_when_enabled: bool,
    /// Look for the disable-file only right before each round: a round starts at a tick, and the caller has looked
    /// before the tick. While disabled, there is a tick each interval.
    pub(crate) look_before_each_round: bool,
    /// State the route again in every round that finds the service up, down or disabled.
    pub(crate) repeat_each_round: bool,
    /// State the route again whenever the check becomes up, down or disabled, even if nothing else was stated in
    /// between.
    pub(crate) repeat_each_verdict: bool,
    /// Run hooks for the states of the check ([`HookState`]); else for those of the service.
    pub(crate) hooks_follow_check: bool,
    /// Exit once the first decision has been sent (`--interval 0`).
    pub(crate) exit_after_decision: bool,
    /// Expect replies of ExaBGP to commands (`--no-ack`: no).
    pub(crate) await_replies: bool,
    /// Send the next hop with a withdraw, too.
    pub(crate) withdraw_with_next_hop: bool,
    /// At the exit withdraw every route, whether it was announced or not.
    pub(crate) withdraw_all_at_exit: bool,
}

impl Compat {
    /// No compatibility: as `run` behaves.
    pub(crate) const NONE: Self = Self {
        probe_while_disabled: true,
        start_anew_when_enabled: false,
        look_before_each_round: false,
        repeat_each_round: false,
        repeat_each_verdict: false,
        hooks_follow_check: false,
        exit_after_decision: false,
        await_replies: true,
        withdraw_with_next_hop: false,
        withdraw_all_at_exit: false,
    };

    /// As `exabgp healthcheck` behaves without options.
    pub(crate) const HEALTHCHECK: Self = Self {
        probe_while_disabled: false,
        start_anew_when_enabled: true,
        look_before_each_round: true,
        repeat_each_round: true,
        repeat_each_verdict: true,
        hooks_follow_check: true,
        withdraw_with_next_hop: true,
        withdraw_all_at_exit: true,
        ..Self::NONE
    };
}

/// A state in which `exabgp healthcheck` runs hooks, for the variable `STATE`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum HookState {
    /// No outcome: before the first round, and after the disable-file was removed.
    Init,
    /// Passing, but not yet `rise` times in a row.
    Rising,
    /// Up.
    Up,
    /// Failing, but not yet `fall` times in a row.
    Falling,
    /// Down.
    Down,
    /// The disable-file exists.
    Disabled,
}

impl HookState {
    /// The state of a service with one check in this state.
    pub(crate) const fn new(disabled: bool, check: hysteresis::CheckState) -> Self {
        match check {
            _ if disabled => Self::Disabled,
            hysteresis::CheckState::Unknown => Self::Init,
            hysteresis::CheckState::Rising(_) => Self::Rising,
            hysteresis::CheckState::Up => Self::Up,
            hysteresis::CheckState::Falling(_) => Self::Falling,
            hysteresis::CheckState::Down => Self::Down,
        }
    }

    /// Whether a route is stated in this state.
    pub(crate) const fn has_route(self) -> bool {
        matches!(self, Self::Up | Self::Down | Self::Disabled)
    }

    /// The value of `STATE`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Rising => "RISING",
            Self::Up => "UP",
            Self::Falling => "FALLING",
            Self::Down => "DOWN",
            Self::Disabled => "DISABLED",
        }
    }
}
