//! Checks of the server's own counters of its clients' queries.
//!
//! ```text
//! source: counters ─► window: two readings become shares ─► outcome
//!   └─ no answer: does the server answer DNS? ─► `control-hung`
//! ```
//!
//! A round reads the counters when they are due, and returns the last outcome otherwise. The [`window`] is pure.
//! The state belongs to the probe and survives its rounds, and a reload that does not change the check.
//!
//! A server with few queries passes: few queries prove nothing, and a withdrawn server, which gets none, could never
//! return. Unreadable counters are an unknown outcome.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;

use self::window::{Limits, Reading, Window};
use crate::engine::moment::Moment;
use crate::engine::probe_only::ProbeOnly;
use crate::outcome::{Cause, Outcome};
use crate::probe::dns::{DnsProbe, ProbePath};
use crate::probe::now;
use crate::sys::lock;

mod others;
pub(crate) mod window;

/// Readings within a window.
const READINGS: u32 = 3;

/// A server with counters.
pub(crate) trait CounterSource: fmt::Debug + Send + Sync {
    /// Reads them.
    fn read(&self) -> BoxFuture<'_, Read>;

    /// The shortest time between two readings that does the server no harm.
    fn pause(&self) -> BoxFuture<'_, Duration>;

    /// The name of the server in the configuration.
    fn name(&self) -> &str;
}

/// The result of reading the counters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Read {
    /// The counters.
    Counted(Reading),
    /// The control channel did not answer in time.
    Hung(String),
    /// They cannot be read, for this reason.
    Unknown(String),
}

/// The counters of a server.
#[derive(Clone, Debug)]
pub(crate) struct CountersProbe {
    pub(crate) source: Arc<dyn CounterSource>,
    /// The limits beyond which they fail.
    pub(crate) limits: Limits,
    /// Whether the server has one service address, so that the counts tell of the path of its probes: a server with an
    /// address of each family answers at one while packets to the other are lost.
    pub(crate) has_one_address: bool,
    /// Any answer to it shows that the server answers while its control channel does not.
    pub(crate) witness: DnsProbe,
    /// The state.
    pub(crate) memory: Memory,
}

/// The state of the counters. Copies share it; it does not count in comparisons.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<Known>>);

#[derive(Debug)]
struct Known {
    window: Window,
    /// What the server answers others, and the failing probes of its service.
    others: ProbeOnly<ProbePath>,
    /// A task reads the counters.
    is_read: bool,
    /// The outcome of the last reading, and when the next is due.
    standing: Option<(Outcome, Moment)>,
    /// The pause between two readings that the server needs.
    pause: Option<Duration>,
}

impl Default for Known {
    fn default() -> Self {
        let (window, others) = (Window::default(), ProbeOnly::from_counters());
        Self { window, others, is_read: false, standing: None, pause: None }
    }
}

impl PartialEq for CountersProbe {
    fn eq(&self, other: &Self) -> bool {
        // Two sources are equal if their `Debug` output is.
        (&self.limits, &self.witness, self.has_one_address)
            == (&other.limits, &other.witness, other.has_one_address)
            && format!("{:?}", self.source) == format!("{:?}", other.source)
    }
}

impl CountersProbe {
    /// Reads the counters when they are due, and returns the outcome of the window.
    ///
    /// Await it on a tokio runtime with I/O and time enabled.
    pub(crate) async fn ask(&self) -> Outcome {
        let asked = now();
        if let Some((outcome, due)) = &lock(&self.memory.0).standing
            && asked < *due
        {
            return outcome.clone();
        }
        let pause = self.pause().await;
        let read = self.read().await;
        let answers = match &read {
            Read::Hung(_) => self.answers().await,
            Read::Counted(_) | Read::Unknown(_) => true,
        };
        let mut known = lock(&self.memory.0);
        let outcome = known.window.learn(now(), read, answers, &self.limits);
        known.standing = Some((outcome.clone(), asked + self.every(pause)));
        outcome
    }

    /// Time between two readings.
    fn every(&self, pause: Duration) -> Duration {
        (self.limits.window / READINGS).max(pause)
    }

    async fn pause(&self) -> Duration {
        if let Some(pause) = lock(&self.memory.0).pause {
            return pause;
        }
        let pause = self.source.pause().await;
        *lock(&self.memory.0).pause.insert(pause)
    }

    /// Whether the server gives any answer over DNS.
    async fn answers(&self) -> bool {
        self.witness.ask().await.response.is_some()
    }
}

/// The outcome of counters that are not known.
fn not_known(why: &str) -> Outcome {
    Outcome::from_cause(Cause::NoCounters, why)
}

impl fmt::Display for CountersProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counters of backend {}", self.source.name())
    }
}

#[cfg(test)]
pub(crate) mod tests;
