//! What a check asks: a round of DNS probes, a shell command, a process, addresses, or nothing at all.

use std::fmt;
use std::time::Duration;

use super::address;
use super::command::Command;
use super::dns::Finding;
use super::process;
use super::round::Round;
use crate::outcome::{Cause, Outcome};

/// What a check asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Inquiry {
    /// DNS servers.
    Dns(Round),
    /// A shell command.
    Command(Command),
    /// Whether a process is there.
    Process(process::Probe),
    /// Whether addresses are on this host.
    Address(address::Probe),
    /// Nothing: all is well.
    Nothing,
}

impl Inquiry {
    /// Asks, and folds what was found into one outcome; of several failures `severity` chooses, see [`Round::ask`].
    pub async fn ask<K: Ord>(&self, severity: impl Fn(Cause) -> K) -> Outcome {
        match self {
            Self::Dns(round) => round.ask(severity).await,
            Self::Command(command) => command.ask().await,
            Self::Process(process) => process.ask().await.1,
            Self::Address(address) => address.ask().await,
            Self::Nothing => Outcome::pass(Duration::ZERO),
        }
    }

    /// Asks, waits for all that is asked, and returns what each found behind its label.
    pub async fn ask_all(&self) -> Vec<(String, Finding)> {
        let finding = |outcome| Finding { outcome, strays: 0, lost: 0, response: None };
        match self {
            Self::Dns(round) => round.ask_all().await,
            Self::Command(command) => vec![(command.to_string(), finding(command.ask().await))],
            Self::Process(process) => {
                let (label, outcome) = process.ask().await;
                vec![(label, finding(outcome))]
            }
            Self::Address(address) => vec![(address.to_string(), finding(address.ask().await))],
            Self::Nothing => vec![(self.to_string(), finding(Outcome::pass(Duration::ZERO)))],
        }
    }

    /// How many of those have to pass.
    #[must_use]
    pub const fn need(&self) -> usize {
        match self {
            Self::Dns(round) => round.need(),
            Self::Command(_) | Self::Process(_) | Self::Address(_) | Self::Nothing => 1,
        }
    }
}

/// In a few words, for the log.
impl fmt::Display for Inquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(round) => write!(f, "{} probes", round.probes().len()),
            Self::Command(command) => command.fmt(f),
            Self::Process(process) => process.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}
