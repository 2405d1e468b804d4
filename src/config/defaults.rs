//! Every default in one place.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::engine::check::Timing;
use crate::engine::hysteresis::{Relapse, Thresholds};

/// `[defaults]`: a hang is noticed after 2.5 seconds at most, a closed port after 1.2.
pub(crate) const TIMING: Timing = Timing {
    interval: Duration::from_secs(1),
    fast_interval: Duration::from_millis(100),
    timeout: Duration::from_millis(500),
    thresholds: Thresholds {
        rise: NonZeroU32::new(5).expect("not zero"),
        fall: NonZeroU32::new(3).expect("not zero"),
        relapse: Relapse::Returns,
    },
};

/// `exabgp.ack-timeout`: ExaBGP answers within milliseconds, unless it is busy with a full table.
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_secs(2);

/// `exabgp.refresh`: how long a mistake of others can last.
pub(crate) const REFRESH: Duration = Duration::from_secs(5 * 60);

/// `adopt-max-age`: a helper that comes back does so within a second.
pub(crate) const ADOPT_MAX_AGE: Duration = Duration::from_secs(60);

/// `unknown-after`: what exhausts a host passes within that time, or an operator has to act.
pub(crate) const UNKNOWN_AFTER: Duration = Duration::from_secs(30);

/// `[service.dampening]`, the values that RFC 2439 made customary.
pub(crate) mod dampening {
    use std::time::Duration;

    /// Per fall.
    pub(crate) const PENALTY: u32 = 1000;
    /// The third fall within a quarter of an hour suppresses.
    pub(crate) const SUPPRESS: u32 = 2000;
    /// Reached some twenty minutes after three quick falls.
    pub(crate) const REUSE: u32 = 750;
    /// In this time half of the penalty is forgiven.
    pub(crate) const HALF_LIFE: Duration = Duration::from_secs(15 * 60);
    /// The longest suppression after the last fall.
    pub(crate) const MAX_SUPPRESS: Duration = Duration::from_secs(60 * 60);
    /// A server that flaps for hours is out for a minute at a time, and one that is well again is not missed for long.
    pub(crate) const MAX_RISE_TIME: Duration = Duration::from_secs(60);
    /// systemd starts the next process after 100 ms, most servers within a second.
    pub(crate) const RESTART_GRACE: Duration = Duration::from_secs(3);
}

/// `[backend.NAME]`.
pub(crate) mod backend {
    use std::num::NonZeroU32;
    use std::time::Duration;

    /// Of control commands, which answer within milliseconds unless the server hangs.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
    /// A big server loads every zone to check them.
    pub(crate) const CHECK_TIMEOUT: Duration = Duration::from_secs(60);
    /// Queries per second that count as none: health checks and stray resolvers.
    pub(crate) const QUIET_BELOW: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
    /// For so long.
    pub(crate) const QUIET_FOR: Duration = Duration::from_secs(1);
    /// Some clients never leave.
    pub(crate) const MAX_WAIT: Duration = Duration::from_secs(10);
    /// BGP within a site converges in less.
    pub(crate) const SETTLE: Duration = Duration::from_secs(3);
    /// Most servers answer within a second, but for those with very many zones.
    pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(30);
    /// systemd restarts what dies within two seconds.
    pub(crate) const HEAL_AFTER: Duration = Duration::from_secs(30);
    /// What three restarts did not heal, the fourth does not.
    pub(crate) const HEAL_AT_MOST: NonZeroU32 = NonZeroU32::new(3).expect("not zero");
    /// Within this time.
    pub(crate) const HEAL_PER: Duration = Duration::from_secs(60 * 60);
}
