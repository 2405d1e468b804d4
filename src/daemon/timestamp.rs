//! Timestamps of stored data, to compute its age later, perhaps in another process.
//!
//! The wall clock can be set: a host without a battery starts in the past and jumps when it synchronizes. The clock
//! that counts from the boot cannot be set, so it is used within one boot. After a reboot only the wall clock is left;
//! the age of data from the future is unknown.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::sys::clock::since_boot;

/// Changes at every boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A time by both clocks, in milliseconds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Timestamp {
    /// Since 1970-01-01.
    saved_at: u64,
    /// `None` if the system has no boot ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uptime: Option<Uptime>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Uptime {
    boot: String,
    milliseconds: u64,
}

impl Timestamp {
    /// The current time.
    pub(crate) fn now() -> Self {
        let boot = fs::read_to_string(BOOT_ID).ok().map(|text| text.trim().to_owned());
        Self {
            saved_at: milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            uptime: boot
                .filter(|boot| !boot.is_empty())
                .map(|boot| Uptime { boot, milliseconds: milliseconds(since_boot()) }),
        }
    }

    /// The age of this timestamp.
    ///
    /// # Errors
    /// By the wall clock, the only one left after a reboot, it is this far in the future.
    pub(crate) fn age(&self) -> Result<Duration, Duration> {
        self.age_at(&Self::now())
    }

    /// The time from the boot to this timestamp; `None` if it is of another boot.
    pub(crate) fn since_this_boot(&self) -> Option<Duration> {
        let (then, now) = (self.uptime.as_ref()?, Self::now().uptime?);
        (then.boot == now.boot).then_some(Duration::from_millis(then.milliseconds))
    }

    /// By the wall clock of then.
    pub(crate) fn wall(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.saved_at)).unwrap_or(UNIX_EPOCH)
    }

    fn age_at(&self, now: &Self) -> Result<Duration, Duration> {
        if let (Some(then), Some(now)) = (&self.uptime, &now.uptime)
            && then.boot == now.boot
        {
            return Ok(Duration::from_millis(now.milliseconds.saturating_sub(then.milliseconds)));
        }
        match now.saved_at.checked_sub(self.saved_at) {
            Some(age) => Ok(Duration::from_millis(age)),
            None => Err(Duration::from_millis(self.saved_at - now.saved_at)),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400_000;

    fn timestamp(saved_at: u64, boot: &str, milliseconds: u64) -> Timestamp {
        Timestamp { saved_at, uptime: Some(Uptime { boot: boot.to_owned(), milliseconds }) }
    }

    #[test]
    fn setting_the_clock_changes_no_age_within_a_boot() {
        let second = Ok(Duration::from_secs(1));
        let then = timestamp(20_000 * DAY, "a", 5_000);
        for set in [20_000 * DAY + 1_000, 0, 24_000 * DAY] {
            assert_eq!(then.age_at(&timestamp(set, "a", 6_000)), second);
        }
        assert_eq!(then.age_at(&timestamp(20_000 * DAY, "a", 4_999)), Ok(Duration::ZERO));
    }

    #[test]
    fn after_a_reboot_the_wall_clock_counts() {
        let (day, then) = (Duration::from_millis(DAY), timestamp(20_000 * DAY, "a", 5_000));
        assert_eq!(then.age_at(&timestamp(20_001 * DAY, "b", 6_000)), Ok(day));
        assert_eq!(then.age_at(&timestamp(19_999 * DAY, "b", 6_000)), Err(day));
        let nameless = Timestamp { saved_at: 20_001 * DAY, uptime: None };
        assert_eq!(then.age_at(&nameless), Ok(day), "a system without a boot ID");
    }

    #[test]
    fn this_system_has_a_boot_id() {
        let then = Timestamp::now();
        assert!(then.uptime.is_some());
        assert!(then.age().is_ok_and(|age| age < Duration::from_secs(60)));
        assert!(then.since_this_boot().is_some_and(|then| then <= since_boot()));
        assert_eq!(timestamp(0, "another", 5_000).since_this_boot(), None);
    }
}
