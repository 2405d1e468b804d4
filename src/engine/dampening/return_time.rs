//! The length of a return: it doubles with each fall from serving in a short time.
//!
//! A server that alternates between failure and recovery moves its clients from PoP to PoP each time. The first fall
//! adds no delay. After the n-th fall within [`WINDOW`](super::window::WINDOW) the return takes `rise` × `interval` ×
//! 2^(n-1), at most `max-rise-time`: the checks come up as always, and have to stay up for the rest of that time.
//!
//! ```text
//!                 fell                        checks are up
//!   Free ─────────────────────► Fallen(n) ─────────────────────► Waiting
//!    ▲ ▲                          ▲  │                            │   │
//!    │ └──────── forgiven ────────┼──┘         a check is down    │   │
//!    │                            └───────────────────────────────┘   │
//!    └───────────────────── the time is over, forgiven ───────────────┘
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::window::Recent;
use crate::engine::moment::Moment;

/// The progress of a return.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Stage {
    /// None: the service serves, or was withdrawn for a reason that does not count as a fall.
    Free,
    /// The fall with this number in the window, from 1, withdrew the service.
    Fallen(u32),
    /// Its checks are up, and have to stay up until then.
    Waiting { falls: u32, until: Moment },
}

/// An event of the service.
#[derive(Clone, Copy, Debug)]
enum ServiceEvent {
    /// It fell from serving, for this time in the window.
    Fell(u32),
    /// Its checks are up; the return is due then.
    Well(Moment),
    /// A check has brought it down.
    Unwell,
    /// It serves, or is withdrawn for a reason that does not count as a fall.
    Forgiven,
}

impl Stage {
    const fn after(self, news: ServiceEvent) -> Self {
        match (self, news) {
            (_, ServiceEvent::Fell(falls)) | (Self::Waiting { falls, .. }, ServiceEvent::Unwell) => {
                Self::Fallen(falls)
            }
            (Self::Fallen(falls), ServiceEvent::Well(until)) => Self::Waiting { falls, until },
            (_, ServiceEvent::Forgiven) => Self::Free,
            (stage, ServiceEvent::Well(_) | ServiceEvent::Unwell) => stage,
        }
    }
}

/// The recent falls of a service, and the progress of its return.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ReturnTime {
    falls: Recent,
    stage: Stage,
}

impl ReturnTime {
    /// No fall.
    pub(crate) const fn new() -> Self {
        Self { falls: Recent::new(), stage: Stage::Free }
    }

    /// Restored from an earlier helper: the ages of its falls, saved `ago`, and the number of the fall that had
    /// withdrawn the service, 0 if none had.
    pub(crate) fn restored(now: Moment, ages: &[Duration], ago: Duration, withdrawn_by: u32) -> Self {
        let falls = Recent::restored(now, ages, ago);
        let is_withdrawn = withdrawn_by > 0 && falls.count(now) > 0;
        Self { falls, stage: if is_withdrawn { Stage::Fallen(withdrawn_by) } else { Stage::Free } }
    }

    /// The age of each fall of the window, the oldest first.
    pub(crate) fn ages(&self, now: Moment) -> impl Iterator<Item = Duration> {
        self.falls.ages(now)
    }

    /// The number of falls in the window.
    pub(crate) fn falls(&self, now: Moment) -> u32 {
        self.falls.count(now)
    }

    /// The number of the fall that withdrew the service, if it has not returned yet; 0 if there is none.
    pub(crate) const fn withdrawn_by(&self) -> u32 {
        match self.stage {
            Stage::Free => 0,
            Stage::Fallen(falls) | Stage::Waiting { falls, .. } => falls,
        }
    }

    /// When a service whose checks are up returns; `None` if it need not wait.
    pub(crate) const fn waits_until(&self) -> Option<Moment> {
        match self.stage {
            Stage::Waiting { until, .. } => Some(until),
            Stage::Free | Stage::Fallen(_) => None,
        }
    }

    /// The service fell from serving.
    pub(crate) fn fall(&mut self, now: Moment) {
        self.falls.add(now);
        self.stage = self.stage.after(ServiceEvent::Fell(self.falls(now)));
    }

    /// The checks of the service are up; `rises_in` is the time that this takes them.
    pub(crate) fn on_checks_up(&mut self, now: Moment, rises_in: Duration, longest: Duration) {
        let rest = takes(self.withdrawn_by(), rises_in, longest).saturating_sub(rises_in);
        self.stage = self.stage.after(ServiceEvent::Well(now + rest));
        self.expire(now);
    }

    /// Takes over the wait of `before`, which `former` limited, as `longest` limits it.
    pub(crate) fn continue_from(
        &mut self,
        now: Moment,
        before: &Self,
        rises_in: Duration,
        (former, longest): (Duration, Duration),
    ) {
        if let Stage::Waiting { falls, until } = before.stage {
            let of = |longest| takes(falls, rises_in, longest);
            let rest = (until.since(now) + of(longest)).saturating_sub(of(former));
            self.stage = Stage::Waiting { falls, until: now + rest };
        }
    }

    /// A check has brought the service down.
    pub(crate) fn on_checks_down(&mut self) {
        self.stage = self.stage.after(ServiceEvent::Unwell);
    }

    /// The service serves, or is withdrawn for a reason that does not count as a fall.
    pub(crate) fn forgive(&mut self) {
        self.stage = self.stage.after(ServiceEvent::Forgiven);
    }

    /// Ends a wait that is over.
    pub(crate) fn expire(&mut self, now: Moment) {
        if self.waits_until().is_some_and(|until| until <= now) {
            self.forgive();
        }
    }
}

/// The time from the end of a fault to the return, after this number of falls in the window. `rises_in` is the time
/// without any fall; `longest` is `max-rise-time`, which never shortens it.
pub(crate) fn takes(falls: u32, rises_in: Duration, longest: Duration) -> Duration {
    let doubled = 2_u32.saturating_pow(falls.saturating_sub(1));
    rises_in.saturating_mul(doubled).min(longest.max(rises_in))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const RISES_IN: Duration = Duration::from_secs(5);
    const LONGEST: Duration = Duration::from_secs(60);

    fn second(count: u32) -> Moment {
        Moment::START + count * SECOND
    }

    #[test]
    fn each_fall_but_the_first_doubles_the_time_up_to_the_longest() {
        let times = [0, 1, 2, 3, 4, 5, 6, u32::MAX].map(|falls| takes(falls, RISES_IN, LONGEST).as_secs());
        assert_eq!(times, [5, 5, 10, 20, 40, 60, 60, 60]);
        assert_eq!(takes(9, RISES_IN, Duration::ZERO), RISES_IN, "switched off");
        assert_eq!(takes(9, 20 * RISES_IN, LONGEST), 20 * RISES_IN, "never shortened");
    }

    #[test]
    fn the_second_fall_waits_and_the_first_does_not() {
        let mut time = ReturnTime::new();
        time.fall(second(0));
        time.on_checks_up(second(5), RISES_IN, LONGEST);
        assert_eq!((time.waits_until(), time.withdrawn_by()), (None, 0));
        time.fall(second(10));
        time.on_checks_up(second(15), RISES_IN, LONGEST);
        assert_eq!((time.waits_until(), time.withdrawn_by()), (Some(second(20)), 2));
        time.expire(second(19));
        assert_eq!(time.waits_until(), Some(second(20)));
        time.expire(second(20));
        assert_eq!((time.waits_until(), time.falls(second(20))), (None, 2));
    }

    #[test]
    fn a_wait_goes_on_under_another_limit() {
        let mut before = ReturnTime::new();
        (0..4).for_each(|at| before.fall(second(at)));
        before.on_checks_up(second(15), RISES_IN, LONGEST);
        assert_eq!(before.waits_until(), Some(second(50)));
        let waits_until = |now, former: u32, longest: u32| {
            let mut time = ReturnTime::new();
            time.continue_from(second(now), &before, RISES_IN, (former * SECOND, longest * SECOND));
            time.waits_until()
        };
        assert_eq!(waits_until(30, 60, 60), Some(second(50)));
        assert_eq!(waits_until(30, 60, 35), Some(second(45)), "shorter");
        assert_eq!(waits_until(30, 60, 10), Some(second(30)), "over");
        assert_eq!(waits_until(30, 35, 60), Some(second(55)), "longer");
    }

    #[test]
    fn a_relapse_waits_anew_and_is_no_further_fall() {
        let mut time = ReturnTime::new();
        time.fall(second(0));
        time.fall(second(10));
        time.on_checks_up(second(15), RISES_IN, LONGEST);
        time.on_checks_down();
        assert_eq!(time.waits_until(), None);
        time.on_checks_up(second(30), RISES_IN, LONGEST);
        assert_eq!((time.waits_until(), time.falls(second(30))), (Some(second(35)), 2));
    }

    #[test]
    fn falls_count_for_ten_minutes() {
        let mut time = ReturnTime::new();
        time.fall(second(0));
        time.fall(second(300));
        assert_eq!([599, 600, 899, 900].map(|at| time.falls(second(at))), [2, 1, 1, 0]);
        time.fall(second(1000));
        time.on_checks_up(second(1005), RISES_IN, LONGEST);
        assert_eq!(time.waits_until(), None, "the first of its window");
    }

    #[test]
    fn it_survives_a_restart_of_the_helper() {
        let mut time = ReturnTime::new();
        time.fall(second(0));
        time.fall(second(300));
        let ages: Vec<_> = time.ages(second(400)).collect();
        assert_eq!(ages, [400 * SECOND, 100 * SECOND]);
        let later = |ago: u32| ReturnTime::restored(Moment::START, &ages, ago * SECOND, time.withdrawn_by());
        assert_eq!((later(10).falls(Moment::START), later(10).withdrawn_by()), (2, 2));
        assert_eq!((later(10).falls(second(190)), later(10).falls(second(490))), (1, 0));
        assert_eq!((later(600).falls(Moment::START), later(600).withdrawn_by()), (0, 0));
        let endless = ReturnTime::restored(Moment::START, &[Duration::MAX], SECOND, 1);
        assert_eq!(endless.falls(Moment::START), 0);
    }
}
