//! A return from a withdraw while the configuration changes: warm-up and recovery.

use super::*;

/// The state of the first service.
fn state(bench: &Bench) -> ServiceState {
    bench.states()[0].1
}

const RECOVERS: &str = "a recovery=5m 192.0.2.1/32";

/// Its check is another one.
const CHANGED: &str = "a recovery=5m query=example. 192.0.2.1/32";

fn withdrawn(services: &str) -> Bench {
    let mut bench = Bench::up(services);
    bench.finds(0, &[false, false]);
    assert_eq!(state(&bench), ServiceState::Down);
    bench.said.clear();
    bench
}

#[test]
fn a_recovery_lasts_over_a_reload_that_changes_a_check() {
    let mut bench = withdrawn(RECOVERS);
    bench.finds(0, &[true, true]);
    assert_eq!(state(&bench), ServiceState::Degraded);
    bench.passes(Duration::from_secs(30));
    bench.reload(CHANGED);
    assert_eq!(state(&bench), ServiceState::Starting);
    bench.finds(0, &[true, true]);
    assert_eq!(state(&bench), ServiceState::Degraded, "270 s are left");
    bench.passes(Duration::from_secs(269));
    assert_eq!(state(&bench), ServiceState::Degraded);
    bench.passes(Duration::from_secs(2));
    assert_eq!(state(&bench), ServiceState::Up);
}

#[test]
fn a_recovery_begins_at_the_first_verdict_after_a_reload() {
    let mut bench = withdrawn(RECOVERS);
    bench.reload(CHANGED);
    bench.finds(0, &[true, true]);
    assert_eq!(state(&bench), ServiceState::Degraded);
    bench.passes(Duration::from_secs(301));
    assert_eq!(state(&bench), ServiceState::Up);
}

#[test]
fn a_service_that_served_before_a_reload_does_not_recover() {
    let mut bench = Bench::up(RECOVERS);
    bench.reload(CHANGED);
    bench.finds(0, &[true, true]);
    assert_eq!(state(&bench), ServiceState::Up);
}

#[test]
fn a_service_that_was_withdrawn_before_a_reload_warms_up() {
    let mut bench = withdrawn("a warm-up=www.example. 192.0.2.1/32");
    bench.reload("a warm-up=www.example. query=example. 192.0.2.1/32");
    bench.finds(0, &[true, true]);
    assert_eq!(state(&bench), ServiceState::Starting, "its names are asked");
    assert_eq!(bench.commands(), [""; 0]);
    bench.handle(Event::WarmedUp(ServiceId(0)));
    assert_eq!(state(&bench), ServiceState::Up);
    assert_eq!(bench.commands(), ["announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100"]);
}

/// The check of the process is changed while the service is drained; the outcomes of the other are from the maintenance.
#[test]
fn after_a_drain_no_check_goes_on_with_outcomes_from_before_its_end() {
    let mut bench = Bench::up("a 192.0.2.1/32");
    bench.drain(0, Lasts::UntilLifted);
    bench.reload("a unit=srv.service 192.0.2.1/32");
    bench.commands();
    bench.undrain(0);
    let again = "its checks begin anew, and it returns once they pass";
    assert!(bench.logged.iter().any(|line| line.contains(again)), "{:?}", bench.logged);
    let alive = CheckId { service: ServiceId(0), check: 1 };
    for _ in 0..2 {
        bench.handle(Event::Outcome(alive, Outcome::pass(Duration::ZERO)));
    }
    assert_eq!(bench.commands(), [""; 0], "the server may have died during the maintenance");
    bench.finds(0, &[true, true]);
    assert_eq!(bench.commands(), ["announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100"]);
}
