//! Checks of a process: whether the main process of the DNS server runs.
//!
//! `dnsherald check` looks for it once ([`ProcessProbe::ask`]). The daemon keeps a [`Watch`](watch::Watch) on it, which
//! reports its exit within milliseconds.

use std::fmt;
use std::time::{Duration, Instant};

use crate::outcome::{Cause, Outcome};
use crate::process::find::Finder;
use crate::process::{Missing, ProcessSource};

mod state;
mod succession;
pub(crate) mod watch;

/// A process, and the time that the search for it may take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ProcessProbe {
    /// Where the process is found.
    pub(crate) source: ProcessSource,
    /// Limit of the search.
    pub(crate) timeout: Duration,
}

impl ProcessProbe {
    /// Looks for the process once. Returns the outcome behind its label. Await it on a tokio runtime with I/O and time
    /// enabled.
    pub(crate) async fn ask(&self) -> (String, Outcome) {
        let began = Instant::now();
        match Finder::new(self.source.clone()).find(self.timeout).await {
            Ok(process) => {
                let stopped = if process.is_stopped() { ", which is stopped" } else { "" };
                (format!("{process}{stopped}"), Outcome::pass(began.elapsed()))
            }
            Err(Missing::Surely(why)) => (self.to_string(), Outcome::from_cause(Cause::ProcessGone, why)),
            Err(Missing::Perhaps(why)) => (self.to_string(), Outcome::from_cause(Cause::ProcessUnknown, why)),
        }
    }
}

impl fmt::Display for ProcessProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
