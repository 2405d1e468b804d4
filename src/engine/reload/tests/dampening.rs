//! Only a fall from serving begins a suppression: neither a reload nor a restart of the helper does.

use super::*;
use crate::engine::memory::Remembered;

/// A service that has fallen three times in mode `observe`, and serves: it would be suppressed.
fn fell_thrice() -> Bench {
    let mut bench = Bench::up("a 192.0.2.1/32");
    for _ in 0..3 {
        bench.finds(0, &[false, false, true, true]);
        bench.passes(Duration::from_secs(30));
        bench.handle(Event::Tick);
    }
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    let dampening = &bench.engine.services()[0].dampening;
    assert!(dampening.suppressed && !dampening.enforced());
    bench.commands();
    bench.logged.clear();
    bench
}

fn is_suppressed(bench: &Bench) -> bool {
    bench.engine.services()[0].dampening.enforced()
}

fn still_serves(bench: &mut Bench) {
    assert_eq!(bench.commands(), [""; 0], "{:?}", bench.logged);
    assert_eq!(bench.states(), [("a", ServiceState::Up)], "{:?}", bench.logged);
}

fn logs(bench: &Bench, words: &str) -> bool {
    bench.logged.iter().any(|line| line.contains(words))
}

#[test]
fn a_reload_that_enforces_dampening_withdraws_no_serving_service_before_its_next_fall() {
    let mut bench = fell_thrice();
    bench.reload("a mode=enforce 192.0.2.1/32");
    bench.finds(0, &[true, true]);
    still_serves(&mut bench);
    assert!(
        logs(&bench, "configuration reloaded: changed: a (dampening; route unchanged)"),
        "{:?}",
        bench.logged
    );
    assert!(logs(&bench, "service a: dampening is enforced from now on; penalty 2"), "{:?}", bench.logged);
    let meaning = "(suppressed at 2000): from its next fall on, a penalty of 2000 or more holds it withdrawn although its \
                   checks pass, at most until 1h after its last fall; to end that then: dnsherald undampen a";
    assert!(logs(&bench, meaning), "{:?}", bench.logged);
    bench.finds(0, &[false, false, true, true]);
    bench.passes(Duration::from_secs(300));
    bench.handle(Event::Tick);
    assert_eq!(bench.states(), [("a", ServiceState::Down)], "the next fall suppresses");
    assert!(is_suppressed(&bench) && logs(&bench, "held down for"), "{:?}", bench.logged);
}

#[test]
fn the_log_says_that_a_reload_takes_enforce_back() {
    let mut bench = fell_thrice();
    bench.reload("a mode=enforce 192.0.2.1/32");
    bench.reload("a 192.0.2.1/32");
    assert!(logs(&bench, "service a: dampening is no longer enforced; penalty 2"), "{:?}", bench.logged);
    still_serves(&mut bench);
}

#[test]
fn a_service_that_does_not_serve_at_the_reload_is_held_for_its_falls() {
    let mut bench = fell_thrice();
    bench.finds(0, &[false, false]);
    bench.reload("a mode=enforce 192.0.2.1/32");
    assert!(is_suppressed(&bench));
    assert!(
        logs(&bench, "service a: dampening is enforced from now on: held down for"),
        "{:?}",
        bench.logged
    );
    bench.finds(0, &[true, true]);
    bench.passes(Duration::from_secs(300));
    bench.handle(Event::Tick);
    assert_eq!(bench.states(), [("a", ServiceState::Down)]);
}

/// It served before the drain, so that no fall has begun a suppression.
#[test]
fn a_drained_service_that_served_before_is_not_suppressed_by_the_reload() {
    let mut bench = fell_thrice();
    bench.drain(0, Lasts::UntilLifted);
    bench.reload("a mode=enforce 192.0.2.1/32");
    bench.undrain(0);
    bench.finds(0, &[true, true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Up)], "{:?}", bench.logged);
}

#[test]
fn a_reload_with_lower_bounds_suppresses_nothing() {
    let mut bench = Bench::up("a mode=enforce 192.0.2.1/32");
    bench.finds(0, &[false, false, true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    bench.commands();
    for lower in ["suppress=900", "suppress=900 reuse=100"] {
        bench.reload(&format!("a mode=enforce {lower} 192.0.2.1/32"));
        still_serves(&mut bench);
    }
    bench.finds(0, &[false, false, true, true]);
    assert!(is_suppressed(&bench), "by its next fall");
    let mut bench = fell_thrice();
    bench.reload("a mode=enforce suppress=900 reuse=100 192.0.2.1/32");
    still_serves(&mut bench);
}

#[test]
fn a_hold_over_the_reload_does_not_turn_into_a_suppression() {
    let mut bench = fell_thrice();
    bench.hold(0);
    bench.reload("a mode=enforce 192.0.2.1/32");
    bench.handle(Event::Unhold(ServiceId(0), None));
    assert_eq!(bench.states(), [("a", ServiceState::Up)], "{:?}", bench.logged);
}

#[test]
fn a_helper_that_starts_with_enforce_suppresses_no_service_that_served_under_observe() {
    for stops in [false, true] {
        let mut bench = fell_thrice();
        if stops {
            bench.handle(Event::Terminate);
        }
        let next = bench.restarts("a mode=enforce 192.0.2.1/32");
        assert_eq!(next.states(), [("a", ServiceState::Up)], "{:?}", next.logged);
        assert!(logs(&next, "carried over from before the restart"), "{:?}", next.logged);
        assert!(!logs(&next, "suppressed"), "{:?}", next.logged);
    }
}

/// ExaBGP has not acknowledged the withdraw when the helper ends.
#[test]
fn a_helper_that_starts_with_enforce_suppresses_a_service_that_did_not_serve() {
    let mut bench = fell_thrice();
    bench.answers = false;
    bench.finds(0, &[false, false]);
    let next = bench.restarts("a mode=enforce 192.0.2.1/32");
    assert!(is_suppressed(&next) && next.states() == [("a", ServiceState::Down)], "{:?}", next.logged);
}

#[test]
fn a_suppressed_service_stays_suppressed_over_a_restart_whatever_is_acknowledged() {
    let mut bench = Bench::up("a mode=enforce 192.0.2.1/32");
    for _ in 0..2 {
        bench.finds(0, &[false, false, true, true]);
        bench.passes(Duration::from_secs(30));
        bench.handle(Event::Tick);
    }
    bench.finds(0, &[false, false, true, true]);
    assert!(is_suppressed(&bench));
    bench.hold(0);
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    let next = bench.restarts("a mode=enforce 192.0.2.1/32");
    assert!(is_suppressed(&next), "the hold announces it, no pass of its checks");
}

/// A memory of version 0.1 does not tell whether the service has served since.
#[test]
fn an_older_memory_is_read_by_the_state_that_was_acknowledged() {
    for (state, suppressed) in [(ServiceState::Up, false), (ServiceState::Down, true)] {
        let remembered =
            Remembered { penalty: 2400.0, suppressed: true, acknowledged: Some(state), ..Default::default() };
        let memory = Memory { services: [("a".to_owned(), remembered)].into() };
        let bench = Bench::started(memory, "a mode=enforce 192.0.2.1/32", Duration::from_secs(1));
        assert_eq!(is_suppressed(&bench), suppressed, "{state}");
    }
}

/// The reload takes away the check that was down.
#[test]
fn a_route_that_the_reload_moves_is_not_called_kept() {
    let mut bench = Bench::up("a unit=srv.service 192.0.2.1/32");
    let alive = CheckId { service: ServiceId(0), check: 1 };
    let gone = Failure::new(Cause::ProcessGone, "process 4711 (srv) has ended");
    bench.handle(Event::SuddenFailure(alive, gone));
    assert_eq!(bench.states(), [("a", ServiceState::Down)]);
    bench.reload("a 192.0.2.1/32");
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    assert!(logs(&bench, "configuration reloaded: changed: a (no more check alive)"), "{:?}", bench.logged);
}
