//! The habits of `exabgp healthcheck`, where they differ from ours.
//!
//! `dnsherald healthcheck` is a drop-in for that program, on the same engine and the same link. What it does
//! differently is listed here and nowhere else: it says everything again in every round, names the next hop of what
//! it withdraws, looks for the disable-file before each round and not during one, does not probe while disabled and
//! begins from nothing afterwards, counts anew at each relapse ([`Relapse::StartsAnew`](super::hysteresis::Relapse)),
//! can end after its first decision, and withdraws everything when it is told to stop.

use serde::{Deserialize, Serialize};

use super::hysteresis;

/// How far the imitation goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Habits {
    /// When to say again what has not changed.
    pub repeat: Repeat,
    /// End after the first decision has been said (`--interval 0`).
    pub once: bool,
    /// Whether answers are to be expected at all (`--no-ack`: no).
    pub answers: bool,
}

/// When to say again what has not changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Repeat {
    /// In every round that finds the service up, down or disabled.
    EachRound,
    /// When it comes to be up, down or disabled, even if nothing else was said in between (`--debounce`).
    EachVerdict,
}

/// The states as hooks are told of them, in the variable `STATE`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HookState {
    /// Nothing known: before the first round, and after having been disabled.
    Init,
    /// Passing, not yet often enough.
    Rising,
    /// Up.
    Up,
    /// Failing, not yet often enough.
    Falling,
    /// Down.
    Down,
    /// The disable-file exists.
    Disabled,
}

impl HookState {
    /// What hooks are told of a service with one check in this state.
    #[must_use]
    pub const fn of(disabled: bool, check: hysteresis::State) -> Self {
        match check {
            _ if disabled => Self::Disabled,
            hysteresis::State::Unknown => Self::Init,
            hysteresis::State::Rising(_) => Self::Rising,
            hysteresis::State::Up => Self::Up,
            hysteresis::State::Falling(_) => Self::Falling,
            hysteresis::State::Down => Self::Down,
        }
    }

    /// Whether something is said in it.
    #[must_use]
    pub const fn speaks(self) -> bool {
        matches!(self, Self::Up | Self::Down | Self::Disabled)
    }

    /// The value of `STATE`.
    #[must_use]
    pub const fn word(self) -> &'static str {
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
