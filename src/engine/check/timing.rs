//! How often a check probes, and how long a verdict takes.

use std::time::Duration;

use crate::engine::hysteresis::Thresholds;

/// When a check probes, and how many results in a row it believes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Timing {
    /// From the start of one round to the start of the next.
    pub(crate) interval: Duration,
    /// The same while falling, and until the first verdict.
    pub(crate) fast_interval: Duration,
    /// The longest a round can take.
    pub(crate) timeout: Duration,
    /// Results in a row.
    pub(crate) thresholds: Thresholds,
}

impl Timing {
    /// The longest from a fault that answers at once (a closed port, REFUSED) to the verdict.
    #[must_use]
    pub(crate) fn detects_refusal(&self) -> Duration {
        self.interval.saturating_add(self.fast_interval.saturating_mul(self.thresholds.fall.get() - 1))
    }

    /// The longest from a fault that is met with silence to the verdict.
    #[must_use]
    pub(crate) fn detects_hang(&self) -> Duration {
        let repeated = self.fast_interval.max(self.timeout);
        let first = self.interval.saturating_add(self.timeout);
        first.saturating_add(repeated.saturating_mul(self.thresholds.fall.get() - 1))
    }

    /// The longest from the end of a fault to the verdict.
    #[must_use]
    pub(crate) fn returns(&self) -> Duration {
        self.interval.saturating_mul(self.thresholds.rise.get())
    }

    /// From the start to the verdict of a server that is well.
    #[must_use]
    pub(crate) fn first_verdict(&self) -> Duration {
        self.fast_interval.saturating_mul(self.thresholds.rise.get() - 1)
    }
}
