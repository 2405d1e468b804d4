//! The end of the state in a notice.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::engine::moment::Moment;
use crate::engine::order::{Holder, Orders};
use crate::text::period::Shown;

/// The condition for the return of a withdrawn service.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Until {
    /// None: it serves, or the reason names the condition.
    #[default]
    Open,
    /// Its checks pass.
    ChecksPass,
    /// Its checks pass for this time: it has fallen repeatedly.
    ChecksPassFor(Duration),
    /// Its checks pass, and dampening has held it down for this time.
    ChecksPassAnd(Duration),
    /// Its address is back: it is held.
    AddressBack,
    /// The operator lifts the drain of this service.
    Undrained(String),
    /// The operator lifts the drains of all services: that of this holder, or of several.
    UndrainedAll(Option<Holder>),
    /// The operator removes the disable-file.
    FileGone,
    /// This helper exits.
    Exit,
    /// This time has passed.
    Over(Duration),
}

impl Until {
    /// The end of all `drains`, of which there is one at least; `undrain` where only the operator ends one of them.
    pub(crate) fn drains_end(now: Moment, drains: &Orders, undrain: Self) -> Self {
        match drains.all_over_at() {
            _ if drains.iter().all(|(_, drain)| drain.returning) => Self::ChecksPass,
            Some(at) => Self::Over(at.since(now)),
            None if drains.iter().all(|(_, drain)| drain.until_exit) => Self::Exit,
            None => undrain,
        }
    }

    /// The command for all services that ends these drains: of their holder, if they have one only.
    pub(crate) fn undrained_all(drains: &Orders) -> Self {
        let mut holders = drains.iter().map(|(holder, _)| holder.clone());
        Self::UndrainedAll(holders.next().filter(|_| holders.next().is_none()))
    }

    /// The time until it ends, or can end at the earliest.
    pub(crate) const fn ends_in(&self) -> Option<Duration> {
        match self {
            Self::Over(time) | Self::ChecksPassAnd(time) => Some(*time),
            _ => None,
        }
    }
}

/// The end of a sentence.
impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => Ok(()),
            Self::ChecksPass => f.write_str("; until its checks pass"),
            Self::ChecksPassFor(time) => write!(f, "; until its checks have passed for {}", Shown(*time)),
            Self::ChecksPassAnd(time) => {
                write!(f, "; until its checks pass, held down for {} at least", Shown(*time))
            }
            Self::AddressBack => f.write_str("; until its address is back: it is held"),
            Self::Undrained(service) => write!(f, "; until `dnsherald undrain {service}`"),
            Self::UndrainedAll(Some(holder)) => {
                write!(f, "; until `dnsherald undrain --as {holder}` (it ends the drain of all services)")
            }
            Self::UndrainedAll(None) => {
                f.write_str("; until `dnsherald undrain` (it ends the drains of all services)")
            }
            Self::FileGone => f.write_str("; until the file is removed"),
            Self::Exit => f.write_str("; until the helper exits"),
            Self::Over(time) => write!(f, "; for {} more", Shown(*time)),
        }
    }
}
