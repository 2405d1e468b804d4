//! Intervals of a check, and the time to a verdict.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::hysteresis::Thresholds;

/// The intervals and thresholds of a check.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Timing {
    /// From the start of one round to the start of the next.
    pub(crate) interval: Duration,
    /// The interval while falling, and until the first verdict.
    pub(crate) fast_interval: Duration,
    /// The timeout of a round.
    pub(crate) timeout: Duration,
    /// Results in a row.
    pub(crate) thresholds: Thresholds,
}

impl Timing {
    /// The same, where only failures in a row count.
    #[must_use]
    pub(crate) const fn without_window(self) -> Self {
        Self { thresholds: Thresholds { window: None, ..self.thresholds }, ..self }
    }

    /// The longest time to the verdict on a fault that answers at once (a closed port, REFUSED).
    pub(crate) fn detects_refusal(&self) -> Duration {
        self.interval.saturating_add(self.fast_interval.saturating_mul(self.thresholds.fall.get() - 1))
    }

    /// The longest time to the verdict on a fault without any answer.
    pub(crate) fn detects_hang(&self) -> Duration {
        let repeated = self.fast_interval.max(self.timeout);
        let first = self.interval.saturating_add(self.timeout);
        first.saturating_add(repeated.saturating_mul(self.thresholds.fall.get() - 1))
    }

    /// The longest time from the end of a fault to the verdict.
    pub(crate) fn returns(&self) -> Duration {
        self.interval.saturating_mul(self.thresholds.rise.get())
    }

    /// The time from the start to the verdict of a healthy server.
    pub(crate) fn first_verdict(&self) -> Duration {
        self.fast_interval.saturating_mul(self.thresholds.rise.get() - 1)
    }
}
