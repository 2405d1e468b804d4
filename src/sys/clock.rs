//! The clock that counts from the boot. A change of the time of day does not affect it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time since the boot, with the time in suspend: the clock of the start times in `/proc`.
pub(crate) fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.try_into().unwrap_or_default(), now.tv_nsec.try_into().unwrap_or_default())
}
