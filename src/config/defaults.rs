//! All defaults.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::engine::check::Timing;
use crate::engine::hysteresis::{RelapsePolicy, Thresholds, WindowRule};

/// The port of a DNS server.
pub(crate) const PORT: u16 = 53;

/// `[defaults]`: detects a hang within 2.5 seconds and a closed port within 1.2.
pub(crate) const TIMING: Timing = Timing {
    interval: Duration::from_secs(1),
    fast_interval: Duration::from_millis(100),
    timeout: Duration::from_millis(500),
    thresholds: Thresholds {
        rise: NonZeroU32::new(5).expect("not zero"),
        fall: NonZeroU32::new(3).expect("not zero"),
        relapse: RelapsePolicy::Returns,
        window: Some(WINDOW),
    },
};

/// `fall` of a `dns` check beside that: a loss of half of the questions, and of a quarter of them to degrade. A test computes
/// how rarely a random loss of 5 % brings down, and simulates how soon one of 30 % degrades and one of 60 % brings down.
pub(crate) const WINDOW: WindowRule = WindowRule {
    failures: NonZeroU32::new(30).expect("not zero"),
    of: NonZeroU32::new(60).expect("not zero"),
};

/// `stall` of a `listener` check: a reload of 100,000 records takes half of it.
pub(crate) const STALL: Duration = Duration::from_secs(1);

/// `exabgp.ack-timeout`: ExaBGP answers within milliseconds unless it handles a full table.
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_secs(2);

/// `exabgp.refresh`: the time until a route that others removed is restored.
pub(crate) const REFRESH: Duration = Duration::from_secs(5 * 60);

/// `control.recorder`, in bytes.
pub(crate) const RECORDER: usize = 512 << 10;

/// `adopt-max-age`: ExaBGP restarts a helper within a second.
pub(crate) const ADOPT_MAX_AGE: Duration = Duration::from_secs(60);

/// `after` of a `recovery`: most of what clients ask for is in the cache of a resolver by then.
pub(crate) const RECOVERY: Duration = Duration::from_secs(10);

/// `unknown-after`: a shortage of resources on the host usually passes within this time.
pub(crate) const UNKNOWN_AFTER: Duration = Duration::from_secs(30);

/// `[service.dampening]`: the usual values since RFC 2439.
pub(crate) mod dampening {
    use std::time::Duration;

    /// Penalty per fall.
    pub(crate) const PENALTY: u32 = 1000;
    /// The third fall within 15 minutes suppresses.
    pub(crate) const SUPPRESS: u32 = 2000;
    /// The penalty reaches it about 30 minutes after three quick falls, and no earlier than 21 minutes after one that suppresses.
    pub(crate) const REUSE: u32 = 750;
    /// The penalty halves in this time.
    pub(crate) const HALF_LIFE: Duration = Duration::from_secs(15 * 60);
    /// Longest suppression after the last fall.
    pub(crate) const MAX_SUPPRESS: Duration = Duration::from_secs(60 * 60);
    /// A flapping server stays withdrawn for a minute at a time, and a recovered one returns soon.
    pub(crate) const MAX_RISE_TIME: Duration = Duration::from_secs(60);
    /// systemd restarts a process after 100 ms; most servers are ready within a second.
    pub(crate) const RESTART_GRACE: Duration = Duration::from_secs(3);
}

/// `[backend.NAME]`.
pub(crate) mod backend {
    use std::num::NonZeroU32;
    use std::time::Duration;

    /// Timeout of control commands, which answer within milliseconds unless the server hangs.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);
    /// Timeout of a configuration check; a large server loads every zone.
    pub(crate) const CHECK_TIMEOUT: Duration = Duration::from_secs(60);
    /// Queries per second that count as none: health checks and resolvers with stale routes.
    pub(crate) const QUIET_BELOW: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
    /// How long the rate must stay below.
    pub(crate) const QUIET_FOR: Duration = Duration::from_secs(1);
    /// Limit of the wait, because some clients never leave.
    pub(crate) const MAX_WAIT: Duration = Duration::from_secs(10);
    /// BGP within a site converges faster than this.
    pub(crate) const SETTLE: Duration = Duration::from_secs(3);
    /// Most servers answer within a second after a start; those with very many zones need longer.
    pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(30);
    /// systemd restarts a dead unit within two seconds.
    pub(crate) const HEAL_AFTER: Duration = Duration::from_secs(30);
    /// If three restarts do not help, a fourth does not either.
    pub(crate) const HEAL_AT_MOST: NonZeroU32 = NonZeroU32::new(3).expect("not zero");
    /// The period in which restarts are counted.
    pub(crate) const HEAL_PER: Duration = Duration::from_secs(60 * 60);
}
