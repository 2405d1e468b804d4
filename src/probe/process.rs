//! Checks of a process: whether the main process of the DNS server is there.
//!
//! Asked once, for `dnsherald check`, one looks for it and lets go again. The daemon keeps hold of it instead, see
//! [`crate::process::watch`].

use std::fmt;
use std::time::{Duration, Instant};

use crate::outcome::{Cause, Outcome};
use crate::process::find::Finder;
use crate::process::{Missing, ProcessSource};

/// A process, and how long looking for it may take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ProcessProbe {
    /// Where to look for it.
    pub(crate) source: ProcessSource,
    /// How long that may take.
    pub(crate) timeout: Duration,
}

impl ProcessProbe {
    /// Looks for it once, and says what was found behind its label. To be awaited on a tokio runtime with I/O and time
    /// enabled.
    pub(crate) async fn ask(&self) -> (String, Outcome) {
        let began = Instant::now();
        match Finder::new(self.source.clone()).find(self.timeout).await {
            Ok(held) => {
                let stopped = if held.is_stopped() { ", which is stopped" } else { "" };
                (format!("{held}{stopped}"), Outcome::pass(began.elapsed()))
            }
            Err(Missing::Surely(why)) => (self.to_string(), Outcome::fail(Cause::ProcessGone, why)),
            Err(Missing::Perhaps(why)) => (self.to_string(), Outcome::fail(Cause::ProcessUnknown, why)),
        }
    }
}

impl fmt::Display for ProcessProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}
