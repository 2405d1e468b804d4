//! Services that a hold announces, over a reload.

use super::*;

/// A held service whose first check is down.
fn held() -> Bench {
    let mut bench = Bench::up("a unit=srv.service 192.0.2.1/32");
    let alive = CheckId { service: ServiceId(0), check: 1 };
    for _ in 0..2 {
        bench.handle(Event::Outcome(alive, Outcome::pass(Duration::ZERO)));
    }
    bench.hold(0);
    bench.finds(0, &[false, false]);
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    bench.commands();
    bench
}

/// An operator whose two checks are wrong corrects one of them.
#[test]
fn a_reload_with_a_new_check_withdraws_no_held_service() {
    let mut bench = held();
    bench.reload("a unit=other.service 192.0.2.1/32");
    bench.passes(Duration::from_millis(100));
    assert_eq!((bench.commands(), bench.states()[0].1), (vec![], ServiceState::Starting));
    bench.handle(Event::Outcome(CheckId { service: ServiceId(0), check: 1 }, Outcome::pass(Duration::ZERO)));
    assert_eq!((bench.commands(), bench.states()[0].1), (vec![], ServiceState::Up), "{:?}", bench.logged);
    let falls = |line: &&String| line.contains("fell") || line.contains("suppressed");
    assert_eq!(bench.logged.iter().find(falls), None);
    bench.handle(Event::Unhold(ServiceId(0), None));
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32"]);
}

/// A check has failed for sure before another has its first result.
#[test]
fn a_restart_of_the_helper_withdraws_no_held_service() {
    let mut bench = held();
    let memory = bench.engine.remember(bench.now).clone();
    let mut next = Bench::started(memory, "a unit=srv.service 192.0.2.1/32", Duration::from_secs(1));
    next.finds(0, &[false, false]);
    assert_eq!((next.commands(), next.states()[0].1), (vec![], ServiceState::Starting));
    next.handle(Event::Outcome(CheckId { service: ServiceId(0), check: 1 }, Outcome::pass(Duration::ZERO)));
    assert_eq!(next.commands(), ["announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100"]);
}
