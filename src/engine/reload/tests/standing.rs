//! The state that an earlier helper saved: which helper states it without a verdict, and for how long.

use super::*;
use crate::engine::memory::Remembered;

const DAY: u64 = 24 * 60 * 60;

impl Bench {
    fn saves(&mut self) -> Memory {
        self.engine.remember(self.now)
    }

    fn announces(&mut self) -> bool {
        self.commands().iter().any(|line| line.starts_with("announce"))
    }

    /// Another helper starts this many seconds later, and lives for so long; its check is unknown.
    fn is_followed(&mut self, services: &str, seconds: u64, lives: u64) -> Self {
        let mut next = Self::started(self.saves(), services, Duration::from_secs(seconds));
        finds_nothing_out(&mut next);
        next.passes(Duration::from_secs(lives));
        next
    }
}

/// It was too old, was withdrawn at a stop, or `start` withdraws it.
#[test]
fn a_state_that_no_longer_stands_is_not_saved_as_new() {
    for (start, age, stops, lives) in [
        ("probe", 1, true, 31),
        ("probe", 1, true, 1),
        ("probe", DAY, false, 31),
        ("probe", DAY, false, 1),
        ("adopt", DAY, false, 1),
        ("withdraw", 1, false, 1),
    ] {
        let services = format!("a start={start} 192.0.2.1/32");
        let mut helper = Bench::up(&services);
        if stops {
            helper.handle(Event::Terminate);
        }
        for seconds in [age, 1, 1] {
            helper = helper.is_followed(&services, seconds, lives);
            assert!(!helper.announces(), "{start} {age} {stops} {lives}");
            assert_eq!(helper.saves().services["a"].acknowledged, None, "{start} {age} {stops} {lives}");
        }
    }
}

/// An announcement that ExaBGP has not acknowledged makes an earlier state no better.
#[test]
fn a_state_that_no_longer_stands_is_not_saved_after_a_verdict_either() {
    let services = "a 192.0.2.1/32";
    let memory = Bench::up(services).saves();
    let mut bench = Bench::begun(memory, services, Duration::from_secs(DAY), false);
    bench.finds(0, &[true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    assert_eq!(bench.saves().services["a"].acknowledged, None);
}

/// No helper of a crash loop lives long enough to state anything.
#[test]
fn a_state_that_no_helper_states_keeps_its_age() {
    let services = "a 192.0.2.1/32";
    let mut helper = Bench::up(services);
    for _ in 0..30 {
        helper = helper.is_followed(services, 1, 20);
        let saved = helper.saves();
        assert_eq!(saved.services["a"].announced.len(), 1, "a later helper withdraws it");
    }
    let mut last = helper.is_followed(services, 1, 31);
    assert_eq!(last.commands(), ["withdraw route 192.0.2.1/32"]);
}

#[test]
fn a_state_that_a_helper_states_again_stands_for_the_next() {
    for start in ["probe", "adopt"] {
        let services = format!("a start={start} 192.0.2.1/32");
        let mut helper = Bench::up(&services);
        for _ in 0..20 {
            helper = helper.is_followed(&services, 1, 40);
            assert!(helper.announces(), "{start}");
        }
    }
}

/// A reload without a verdict is no reason to forget it either.
#[test]
fn a_state_that_a_reload_leaves_standing_is_as_new_as_before() {
    let mut helper = Bench::up("a 192.0.2.1/32");
    helper.reload("a query=example. 192.0.2.1/32");
    helper.passes(Duration::from_secs(3600));
    assert_eq!(helper.states(), [("a", ServiceState::Starting)]);
    assert!(helper.is_followed("a query=example. 192.0.2.1/32", 1, 31).announces());
}

#[test]
fn a_withdraw_of_a_suppressed_service_without_a_verdict_outlasts_its_suppression() {
    let services = "a mode=enforce 192.0.2.1/32";
    let up = Remembered {
        penalty: 3000.0,
        suppressed: true,
        served_since: Some(false),
        acknowledged: Some(ServiceState::Up),
        ..Remembered::default()
    };
    let memory = Memory { services: [("a".to_owned(), up)].into() };
    let mut bench = Bench::started(memory, services, Duration::from_secs(1));
    finds_nothing_out(&mut bench);
    bench.passes(Duration::from_secs(31));
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32"]);
    assert_eq!(bench.saves().services["a"].acknowledged, None);
    bench.handle(Event::Undampen(ServiceId(0)));
    bench.reload("a query=example. 192.0.2.1/32");
    finds_nothing_out(&mut bench);
    bench.passes(Duration::from_secs(31));
    assert!(!bench.announces());
    bench.finds(0, &[false, false]);
    assert!(!bench.logged.iter().any(|line| line.contains("fell")), "it was withdrawn: {:?}", bench.logged);
}

/// `start` concerns a start of the helper.
#[test]
fn a_reload_before_the_first_verdict_adopts_nothing() {
    for (start, age, stops) in
        [("adopt", DAY, false), ("adopt", 300, false), ("probe", 1, true), ("probe", 1, false)]
    {
        let mut before = Bench::up("a 192.0.2.1/32");
        if stops {
            before.handle(Event::Terminate);
        }
        let services = format!("a start={start} 192.0.2.1/32");
        let mut bench = Bench::started(before.saves(), &services, Duration::from_secs(age));
        bench.reload("a start=adopt med=200 192.0.2.1/32");
        bench.passes(Duration::from_secs(1));
        assert_eq!(bench.commands(), [""; 0], "{start} {age} {stops}");
    }
}

#[test]
fn an_adopted_state_stays_adopted_over_a_reload() {
    for stops in [false, true] {
        let mut before = Bench::up("a start=adopt 192.0.2.1/32");
        if stops {
            before.handle(Event::Terminate);
        }
        let mut bench = Bench::started(before.saves(), "a start=adopt 192.0.2.1/32", Duration::from_secs(1));
        assert_eq!(bench.commands(), ["announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100"]);
        bench.reload("a start=adopt med=200 192.0.2.1/32");
        assert_eq!(bench.commands(), ["announce route 192.0.2.1/32 next-hop 10.1.0.2 med 200"]);
        finds_nothing_out(&mut bench);
        bench.passes(Duration::from_secs(31));
        assert_eq!(bench.commands(), [""; 0], "it stands");
        bench.finds(0, &[false, false]);
        assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32"]);
        let fell = bench.logged.iter().any(|line| line.contains("fell"));
        assert_eq!(fell, !stops, "a failure after an orderly stop is no fall: {:?}", bench.logged);
    }
}

/// The age of the memory is the time since it was saved, for every service whose state may stand.
#[test]
fn the_age_of_a_state_that_may_stand_is_renewed() {
    let mut bench = Bench::up("a 192.0.2.1/32");
    let at = bench.engine.heartbeat_at;
    assert!(at.is_some_and(|at| at.since(bench.now) < Duration::from_secs(5 * 60)));
    bench = Bench::up("a start=withdraw 192.0.2.1/32");
    assert_eq!(bench.engine.heartbeat_at, None);
}
