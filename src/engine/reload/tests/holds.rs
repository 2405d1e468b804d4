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
/// Neither a helper that is replaced during the restart, nor a disable-file before it, changes which checks the hold overrode.
#[test]
fn the_checks_that_a_hold_overrode_outlive_the_helper() {
    let services = "a disable-file=/etc/off 192.0.2.1/32";
    for disabled in [false, true] {
        let mut bench = Bench::up(services);
        bench.finds(0, &[false, false]);
        bench.hold(0);
        if disabled {
            bench.handle(Event::DisableFile(ServiceId(0), true));
        }
        bench.drain(0, Lasts::UntilLifted);
        let memory = bench.engine.remember(bench.now);
        let mut next = Bench::started(memory, services, Duration::from_secs(1));
        next.handle(Event::DisableFile(ServiceId(0), false));
        let lift = Lift { holder: None, once_healthy: true, checks: vec![] };
        next.handle(Event::Undrain(ServiceId(0), lift));
        // The round under way began before, so its outcome says nothing.
        next.finds(0, &[false, false, false]);
        assert_eq!(next.states(), [("a", ServiceState::Up)], "{disabled}");
    }
}

#[test]
fn a_reload_with_a_new_check_withdraws_no_held_service() {
    let mut bench = held();
    bench.reload("a unit=other.service 192.0.2.1/32");
    let until =
        "its last announcement or withdraw stands until each has a result; the hold then announces it";
    assert!(bench.logged.iter().any(|line| line.ends_with(until)), "{:?}", bench.logged);
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
    let memory = bench.engine.remember(bench.now);
    let mut next = Bench::started(memory, "a unit=srv.service 192.0.2.1/32", Duration::from_secs(1));
    next.finds(0, &[false, false]);
    assert_eq!((next.commands(), next.states()[0].1), (vec![], ServiceState::Starting));
    next.handle(Event::Outcome(CheckId { service: ServiceId(0), check: 1 }, Outcome::pass(Duration::ZERO)));
    assert_eq!(next.commands(), ["announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100"]);
}

/// The checks of the held service fail; the prefix that moves to a service of its own must not be withdrawn for them.
#[test]
fn a_hold_goes_with_the_prefixes_of_its_service() {
    let mut bench = Bench::up("a 192.0.2.1/32 192.0.2.2/32");
    bench.hold(0);
    bench.finds(0, &[false, false]);
    bench.commands();
    bench.reload("a 192.0.2.1/32\nc 192.0.2.2/32");
    for service in 0..2 {
        bench.finds(service, &[false, false]);
    }
    assert_eq!(bench.states(), [("a", ServiceState::Up), ("c", ServiceState::Up)], "{:?}", bench.logged);
    assert!(!bench.commands().iter().any(|line| line.contains("withdraw")));
    let told = "service c: held: it now has the prefixes of a, which was held";
    assert!(bench.logged.contains(&told.to_owned()), "{:?}", bench.logged);
    bench.reload("e 192.0.2.1/32 192.0.2.2/32");
    bench.finds(0, &[false, false]);
    assert_eq!(bench.states(), [("e", ServiceState::Up)]);
    assert!(!bench.commands().iter().any(|line| line.contains("withdraw")));
    bench.handle(Event::Unhold(ServiceId(0), None));
    assert_eq!(bench.states(), [("e", ServiceState::Down)]);
}

#[test]
fn a_held_prefix_takes_no_other_along_and_the_log_warns() {
    let not_held = |service: &str, was: &str| {
        format!(
            "service {service}: not held: it has a prefix of {was}, which was held, but other prefixes as well; to hold \
             it: dnsherald hold {service} --for TIME --reason TEXT"
        )
    };
    for (before, after, warning) in [
        ("a 192.0.2.1/32", "c 192.0.2.1/32 192.0.2.9/32", not_held("c", "a")),
        ("a 192.0.2.1/32\nb 192.0.2.2/32", "b 192.0.2.1/32 192.0.2.2/32", not_held("b", "a")),
    ] {
        for restarts in [false, true] {
            let mut bench = Bench::up(before);
            bench.hold(0);
            if restarts {
                bench = bench.restarts(after);
            } else {
                bench.reload(after);
            }
            bench.finds(0, &[false, false]);
            assert_eq!(bench.states()[0].1, ServiceState::Down, "{after}");
            assert!(bench.logged.contains(&warning), "{after}: {:?}", bench.logged);
        }
    }
}

#[test]
fn a_service_keeps_its_own_hold_whatever_prefixes_it_gets() {
    let mut bench = Bench::up(TWO);
    bench.hold(0);
    bench.reload("a 192.0.2.1/32 192.0.2.3/32");
    bench.finds(0, &[false, false]);
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    assert!(!bench.logged.iter().any(|line| line.contains("held:")), "{:?}", bench.logged);
}
