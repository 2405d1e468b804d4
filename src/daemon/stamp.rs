//! When something was written down, so that its age is known when it is read again, perhaps by another process.
//!
//! The wall clock can be set: a host without a battery begins in the past, and jumps when the network tells it the time.
//! The clock that counts from the boot cannot, so within one boot that one counts. Over a reboot there is only the wall
//! clock; what it says was written in the future is of an age that nobody knows.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::sys::clock::since_boot;

/// Fresh at every boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A moment by both clocks, in milliseconds.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Stamp {
    /// Since 1970.
    saved_at: u64,
    /// Not where the system does not say which boot this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uptime: Option<Uptime>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Uptime {
    boot: String,
    milliseconds: u64,
}

/// How old something is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Age {
    /// So old.
    Known(Duration),
    /// By the wall clock it is of the future, by so much.
    Unknown(Duration),
}

impl Stamp {
    /// This moment.
    #[must_use]
    pub(crate) fn now() -> Self {
        let boot = fs::read_to_string(BOOT_ID).ok().map(|text| text.trim().to_owned());
        Self {
            saved_at: milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            uptime: boot
                .filter(|boot| !boot.is_empty())
                .map(|boot| Uptime { boot, milliseconds: milliseconds(since_boot()) }),
        }
    }

    /// How old it is at another moment.
    #[must_use]
    pub(crate) fn age_at(&self, now: &Self) -> Age {
        if let (Some(then), Some(now)) = (&self.uptime, &now.uptime)
            && then.boot == now.boot
        {
            return Age::Known(Duration::from_millis(now.milliseconds.saturating_sub(then.milliseconds)));
        }
        match now.saved_at.checked_sub(self.saved_at) {
            Some(age) => Age::Known(Duration::from_millis(age)),
            None => Age::Unknown(Duration::from_millis(self.saved_at - now.saved_at)),
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

    fn stamp(saved_at: u64, boot: &str, milliseconds: u64) -> Stamp {
        Stamp { saved_at, uptime: Some(Uptime { boot: boot.to_owned(), milliseconds }) }
    }

    #[test]
    fn within_a_boot_a_clock_that_is_set_changes_no_age() {
        let second = Age::Known(Duration::from_secs(1));
        let then = stamp(20_000 * DAY, "a", 5_000);
        for set in [20_000 * DAY + 1_000, 0, 24_000 * DAY] {
            assert_eq!(then.age_at(&stamp(set, "a", 6_000)), second);
        }
        assert_eq!(then.age_at(&stamp(20_000 * DAY, "a", 4_999)), Age::Known(Duration::ZERO));
    }

    #[test]
    fn over_a_reboot_the_wall_clock_counts_and_the_future_is_of_no_known_age() {
        let (day, then) = (Duration::from_millis(DAY), stamp(20_000 * DAY, "a", 5_000));
        assert_eq!(then.age_at(&stamp(20_001 * DAY, "b", 6_000)), Age::Known(day));
        assert_eq!(then.age_at(&stamp(19_999 * DAY, "b", 6_000)), Age::Unknown(day));
        let nameless = Stamp { saved_at: 20_001 * DAY, uptime: None };
        assert_eq!(then.age_at(&nameless), Age::Known(day), "a system that does not say which boot it is");
    }

    #[test]
    fn this_system_says_which_boot_it_is() {
        let then = Stamp::now();
        assert!(then.uptime.is_some());
        assert!(matches!(then.age_at(&Stamp::now()), Age::Known(age) if age < Duration::from_secs(60)));
    }
}
