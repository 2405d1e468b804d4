//! Flap dampening: a service that keeps falling stays withdrawn for longer each time.
//!
//! As in RFC 2439, each fall adds a penalty that decays with a half-life. In mode `enforce`, a penalty
//! of `suppress` holds the service down until the penalty has decayed to `reuse`. It cannot exceed the ceiling
//! `reuse × 2^(max-suppress / half-life)`, so that no service is held down for longer than `max-suppress` after its last
//! fall. RFC 7196 advises larger thresholds for networks; here dampening acts on the operator's own prefix, before an
//! upstream dampens it.
//!
//! This holds a healthy server down for many minutes, so the default mode only observes. In every mode but `off`,
//! [`return_time`] lengthens each return after the first fall, up to `max-rise-time` (by default one minute).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::policy::{Mode, Policy, PolicyError, Values};
use self::return_time::ReturnTime;
use self::window::{Recent, counted_in_window};
use super::memory::Remembered;
use super::moment::Moment;
use crate::text::counted;

mod policy;
pub(crate) mod return_time;
pub(crate) mod window;

/// The number of restarts within `restart-grace` that are excused in [`window::WINDOW`]; the next one is a fall. A
/// server that crashes in a loop is back within the grace each time.
pub(crate) const RESTARTS_EXCUSED: u32 = 3;

/// The record of falls when it was cleared.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Cleared {
    /// The penalty, without its fraction.
    pub(crate) penalty: u32,
    /// Whether it held the service down.
    pub(crate) suppressed: bool,
    /// The falls that lengthened the return.
    pub(crate) falls: u32,
    /// The restarts that `restart-grace` excused.
    #[serde(default)]
    pub(crate) excused: u32,
}

/// "penalty 2472, suppression, 3 falls within 10m, 1 exit not counted as a fall".
impl fmt::Display for Cleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { penalty, suppressed, falls, excused } = *self;
        let has_fallen = penalty > 0 || suppressed || falls > 0;
        if has_fallen {
            let suppression = if suppressed { ", suppression" } else { "" };
            write!(f, "penalty {penalty}{suppression}, {}", counted_in_window(falls, "fall"))?;
        }
        match (excused, has_fallen) {
            (0, _) => Ok(()),
            (_, true) => write!(f, ", {} not counted as a fall", counted(excused as usize, "exit")),
            (_, false) => write!(f, "{} not counted as a fall", counted_in_window(excused, "exit")),
        }
    }
}

/// A penalty without its fraction.
fn whole(penalty: f64) -> u32 {
    penalty as u32
}

/// Serializes a number by its bits, because a decimal number in JSON may be read back with another last digit.
mod exact {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(number.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

/// The record of falls of one service.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Dampening {
    /// The rules.
    pub(crate) policy: Policy,
    /// The penalty at `since`; it decays from there.
    #[serde(with = "exact")]
    penalty: f64,
    since: Moment,
    /// Whether the penalty holds the service down, or would in mode `observe`.
    pub(crate) suppressed: bool,
    /// Whether the service has served since its last fall although it is `suppressed`, as it does in mode `observe`.
    #[serde(default)]
    pub(crate) served_since: bool,
    /// The recent falls, and the progress of a return.
    pub(crate) return_time: ReturnTime,
    /// Exits of a process that `restart-grace` has excused.
    pub(super) excused: Recent,
}

impl Dampening {
    /// A clean record.
    pub(crate) const fn new(policy: Policy) -> Self {
        Self {
            policy,
            penalty: 0.0,
            since: Moment::START,
            suppressed: false,
            served_since: false,
            return_time: ReturnTime::new(),
            excused: Recent::new(),
        }
    }

    /// Whether the penalty keeps the service withdrawn.
    pub(crate) fn enforced(&self) -> bool {
        self.suppressed && self.policy.mode == Mode::Enforce
    }

    /// The penalty at `now`.
    pub(crate) fn penalty(&self, now: Moment) -> f64 {
        self.policy.decayed(self.penalty, now.since(self.since))
    }

    /// The penalty at `now` without its fraction.
    pub(crate) fn whole_penalty(&self, now: Moment) -> u32 {
        whole(self.penalty(now))
    }

    /// Whether a service whose checks are up must stay withdrawn: it is suppressed, or its return takes longer.
    pub(crate) fn keeps_withdrawn(&self) -> bool {
        self.returns_at().is_some()
    }

    /// When a service whose checks are up returns; `None` if nothing delays it.
    pub(crate) fn returns_at(&self) -> Option<Moment> {
        let suppressed = self.reused_at().filter(|_| self.enforced());
        [suppressed, self.return_time.waits_until()].into_iter().flatten().max()
    }

    /// The next moment at which something changes without an event.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        [self.reused_at(), self.return_time.waits_until()].into_iter().flatten().min()
    }

    /// The service fell while it served.
    pub(crate) fn fall(&mut self, now: Moment) {
        if self.policy.mode == Mode::Off {
            return;
        }
        let penalty = self.penalty(now) + f64::from(self.policy.penalty);
        self.set(now, penalty);
        self.suppressed |= self.penalty >= f64::from(self.policy.suppress);
        self.served_since = false;
        self.return_time.fall(now);
    }

    /// The service serves. True if it does so for the first time since the fall that suppresses it, in mode `observe`: the
    /// memory has to be saved.
    pub(crate) const fn note_serving(&mut self) -> bool {
        let is_news = self.suppressed && !self.served_since;
        self.served_since = self.suppressed;
        is_news
    }

    /// Whether the exit of a process may turn out to be no fall: a grace is configured, and not used up.
    pub(crate) fn may_excuse(&self, now: Moment) -> bool {
        !self.policy.restart_grace.is_zero() && self.excused.count(now) < RESTARTS_EXCUSED
    }

    /// The process is back within `restart-grace`. Returns the number of restarts excused so far.
    pub(crate) fn excuse(&mut self, now: Moment) -> u32 {
        self.excused.add(now);
        self.excused.count(now)
    }

    /// What [`Dampening::clear`] would clear; `None` if there is nothing.
    pub(crate) fn record(&self, now: Moment) -> Option<Cleared> {
        // Falls that lengthen the present return do so even once they are older than the window.
        let lengthening = self.return_time.withdrawn_by();
        let lengthening = if lengthening > 1 { lengthening } else { 0 };
        let record = Cleared {
            penalty: self.whole_penalty(now),
            suppressed: self.enforced(),
            falls: self.return_time.falls(now).max(lengthening),
            excused: self.excused.count(now),
        };
        let has_any = record.penalty > 0 || record.suppressed || record.falls > 0 || record.excused > 0;
        has_any.then_some(record)
    }

    /// Forgets every fall, and returns what was cleared; `None` if there was nothing.
    pub(crate) fn clear(&mut self, now: Moment) -> Option<Cleared> {
        let record = self.record(now);
        *self = Self::new(self.policy);
        record
    }

    /// Restores the record that was saved `age` ago, perhaps under another policy; the penalty has decayed since.
    ///
    /// Only a fall begins a suppression. A lower `suppress` begins none, and `enforce` none for a service that has served
    /// since its last fall.
    pub(crate) fn recall(&mut self, now: Moment, remembered: &Remembered, age: Duration) {
        self.excused = Recent::restored(now, &remembered.excused_restarts, age);
        if self.policy.mode == Mode::Off {
            return;
        }
        self.return_time = ReturnTime::restored(now, &remembered.falls, age, remembered.withdrawn_by_fall);
        if remembered.penalty.is_finite() {
            let penalty = self.policy.decayed(remembered.penalty.max(0.0), age);
            let is_over = penalty <= f64::from(self.policy.reuse)
                || (self.policy.mode == Mode::Enforce && remembered.served_since_its_fall());
            self.suppressed = remembered.suppressed && !is_over;
            self.served_since = self.suppressed && remembered.served_since_its_fall();
            self.set(now, penalty);
        }
    }

    fn set(&mut self, now: Moment, penalty: f64) {
        self.penalty = penalty.min(self.policy.ceiling());
        self.since = now;
    }

    /// When the penalty will have decayed to `reuse`; `None` if the service is not suppressed.
    pub(crate) fn reused_at(&self) -> Option<Moment> {
        self.suppressed.then(|| {
            let half_lives = libm::log2(self.penalty / f64::from(self.policy.reuse)).max(0.0);
            self.since + self.policy.half_life.mul_f64(half_lives)
        })
    }

    /// Ends a suppression whose penalty has decayed to `reuse`. True if it ended one.
    pub(crate) fn release(&mut self, now: Moment) -> bool {
        self.return_time.expire(now);
        let due = self.reused_at().is_some_and(|at| at <= now);
        if due {
            self.suppressed = false;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    const VALUES: Values = Values {
        mode: Mode::Enforce,
        penalty: 1000,
        suppress: 2000,
        reuse: 750,
        half_life: Duration::from_secs(15 * 60),
        max_suppress: Duration::from_secs(60 * 60),
        max_rise_time: MINUTE,
        restart_grace: Duration::from_secs(3),
    };

    fn dampening(mode: Mode) -> Dampening {
        Dampening::new(Policy::new(Values { mode, ..VALUES }).unwrap())
    }

    fn minute(count: u32) -> Moment {
        Moment::START + count * MINUTE
    }

    #[test]
    fn the_third_fall_in_a_short_time_suppresses() {
        let mut dampening = dampening(Mode::Enforce);
        let suppressed = [0, 1, 2].map(|count| {
            dampening.fall(minute(count));
            dampening.enforced()
        });
        assert_eq!(suppressed, [false, false, true]);
    }

    #[test]
    fn the_penalty_halves_in_a_half_life() {
        let mut dampening = dampening(Mode::Enforce);
        dampening.fall(minute(0));
        assert!((dampening.penalty(minute(15)) - 500.0).abs() < 1e-9);
    }

    #[test]
    fn a_suppression_ends_exactly_at_its_forecast() {
        let mut dampening = dampening(Mode::Enforce);
        for second in 0..3 {
            dampening.fall(Moment::START + Duration::from_secs(second));
        }
        let end = dampening.reused_at().unwrap();
        assert!(dampening.penalty(end) <= 750.0 + 1e-3);
        assert!(!dampening.release(Moment::after_start(end.since_start() - Duration::from_micros(1))));
        assert!(dampening.release(end));
        assert!(!dampening.suppressed);
    }

    #[test]
    fn a_suppression_lasts_at_most_max_suppress_after_the_last_fall() {
        let mut dampening = dampening(Mode::Enforce);
        for _ in 0..1000 {
            dampening.fall(minute(7));
        }
        let held = dampening.reused_at().unwrap().since(minute(7));
        assert!(held <= 60 * MINUTE + Duration::from_micros(1), "{held:?}");
    }

    #[test]
    fn observing_suppresses_without_consequence_and_off_does_nothing() {
        let mut observed = dampening(Mode::Observe);
        let mut off = dampening(Mode::Off);
        for _ in 0..3 {
            observed.fall(minute(0));
            off.fall(minute(0));
        }
        assert!(observed.suppressed && !observed.enforced());
        assert!(!off.suppressed);
    }

    #[test]
    fn a_restored_penalty_has_decayed_by_its_age() {
        let recalled = |penalty| {
            let mut dampening = dampening(Mode::Enforce);
            let remembered = Remembered { penalty, suppressed: true, ..Remembered::default() };
            dampening.recall(minute(0), &remembered, 15 * MINUTE);
            (dampening.penalty(minute(0)), dampening.suppressed)
        };
        let (penalty, suppressed) = recalled(3000.0);
        assert!((penalty - 1500.0).abs() < 1e-9 && suppressed);
        assert_eq!(recalled(f64::NAN), (0.0, false));
    }

    #[test]
    fn clearing_forgets_every_fall_and_says_so_once() {
        let mut dampening = dampening(Mode::Enforce);
        assert_eq!(dampening.clear(minute(0)), None);
        for _ in 0..3 {
            dampening.fall(minute(1));
        }
        dampening.return_time.on_checks_up(minute(1), Duration::from_secs(5), MINUTE);
        assert!(dampening.keeps_withdrawn());
        let cleared = dampening.clear(minute(1)).unwrap();
        assert_eq!(cleared.to_string(), "penalty 3000, suppression, 3 falls within 10m");
        assert!(!dampening.keeps_withdrawn() && dampening.return_time.falls(minute(1)) == 0);
        assert_eq!(dampening.clear(minute(1)), None);
    }

    /// Their penalty has decayed, too. A single fall lengthens no return, so there is nothing to clear.
    #[test]
    fn falls_older_than_the_window_are_cleared_while_a_return_waits_for_them() {
        let values = Values { half_life: MINUTE / 2, max_suppress: 3 * MINUTE, ..VALUES };
        let after = |falls| {
            let mut dampening = Dampening::new(Policy::new(values).unwrap());
            (0..falls).for_each(|count| dampening.fall(minute(count)));
            dampening.release(minute(13));
            dampening.return_time.on_checks_up(minute(13), Duration::from_secs(5), MINUTE);
            let waits = dampening.keeps_withdrawn();
            (waits, dampening.clear(minute(13)).map(|cleared| cleared.to_string()))
        };
        assert_eq!(after(3), (true, Some("penalty 0, 3 falls within 10m".to_owned())));
        assert_eq!(after(1), (false, None));
        let mut down = Dampening::new(Policy::new(values).unwrap());
        down.fall(minute(0));
        assert_eq!(down.record(minute(13)), None, "its return takes no longer");
    }

    #[test]
    fn repeated_falls_lengthen_the_return_in_every_mode_but_off() {
        let holds = |mode| {
            let mut dampening = dampening(mode);
            dampening.fall(minute(0));
            dampening.fall(minute(1));
            dampening.return_time.on_checks_up(minute(1), Duration::from_secs(5), MINUTE);
            dampening.returns_at()
        };
        assert_eq!(holds(Mode::Observe), Some(minute(1) + Duration::from_secs(5)));
        assert_eq!(holds(Mode::Enforce), holds(Mode::Observe));
        assert_eq!(holds(Mode::Off), None);
    }

    #[test]
    fn a_policy_that_could_never_suppress_is_refused() {
        let refused = Policy::new(Values { suppress: 20_000, ..VALUES });
        assert_eq!(refused, Err(PolicyError::SuppressAboveCeiling { ceiling: 12_000 }));
    }

    #[test]
    fn excused_restarts_are_cleared_and_named_even_where_there_is_nothing_else() {
        let mut dampening = dampening(Mode::Enforce);
        dampening.excuse(minute(0));
        dampening.excuse(minute(1));
        let cleared = dampening.clear(minute(2)).unwrap();
        assert_eq!(cleared.to_string(), "2 exits within 10m not counted as a fall");
        assert!(dampening.may_excuse(minute(2)));
        dampening.excuse(minute(2));
        dampening.fall(minute(2));
        let cleared = dampening.clear(minute(2)).unwrap();
        assert_eq!(cleared.to_string(), "penalty 1000, 1 fall within 10m, 1 exit not counted as a fall");
        assert_eq!(dampening.clear(minute(2)), None);
    }
}
