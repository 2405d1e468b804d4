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
    /// Its checks pass, and the drains that do not wait for them have lasted for this time.
    ChecksPassAfter(Duration),
    /// The operator lifts the drains of this service: that of this holder if others end by themselves.
    Undrained(String, Option<Holder>),
    /// The operator lifts the drains of all services: that of this holder, or of several.
    UndrainedAll(Option<Holder>),
    /// The operator removes the disable-file.
    FileGone,
    /// The operator enables the service in the file and reloads.
    Enabled,
    /// This helper exits.
    Exit,
    /// This time has passed.
    Over(Duration),
}

impl Until {
    /// The end of all `drains`, of which there is one at least; `undrain` where only the operator ends one of them.
    pub(crate) fn drains_end(now: Moment, drains: &Orders, undrain: Self) -> Self {
        let mut lasting = drains.lasting().map(|(_, drain)| drain);
        match drains.lasting_over_at() {
            Some(at) if drains.all_over_at().is_some_and(|end| end <= at) => Self::Over(at.since(now)),
            Some(at) => Self::ChecksPassAfter(at.since(now)),
            None if lasting.clone().next().is_none() => Self::ChecksPass,
            None if lasting.all(|drain| drain.until_exit) => Self::Exit,
            None => undrain,
        }
    }

    /// The command that ends these drains of this service, or the only one of them that does not end by itself.
    pub(crate) fn undrained(service: &str, drains: &Orders) -> Self {
        Self::Undrained(service.to_owned(), drains.only_endless().cloned())
    }

    /// The command for all services that ends these drains: of their holder, if they have one only, or of the only one
    /// that does not end by itself.
    pub(crate) fn undrained_all(drains: &Orders) -> Self {
        let mut holders = drains.iter().map(|(holder, _)| holder);
        let only = holders.next().filter(|_| holders.next().is_none());
        Self::UndrainedAll(only.or_else(|| drains.only_endless()).cloned())
    }

    /// The time until it ends, or can end at the earliest.
    pub(crate) const fn ends_in(&self) -> Option<Duration> {
        match self {
            Self::Over(time) | Self::ChecksPassAnd(time) | Self::ChecksPassAfter(time) => Some(*time),
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
            Self::ChecksPassAfter(time) => {
                write!(f, "; until its checks pass, drained for {} at least", Shown(*time))
            }
            Self::Undrained(service, None) => write!(f, "; until `dnsherald undrain {service}`"),
            Self::Undrained(service, Some(holder)) => {
                write!(f, "; until `dnsherald undrain {service} --as {holder}`")
            }
            Self::UndrainedAll(Some(holder)) => {
                write!(f, "; until `dnsherald undrain --as {holder}` (it ends the drain of all services)")
            }
            Self::UndrainedAll(None) => {
                f.write_str("; until `dnsherald undrain` (it ends the drains of all services)")
            }
            Self::FileGone => f.write_str("; until the file is removed"),
            Self::Enabled => f.write_str("; until `enabled = true` and `dnsherald reload`"),
            Self::Exit => f.write_str("; until the helper exits"),
            Self::Over(time) => write!(f, "; for {} more", Shown(*time)),
        }
    }
}
