//! Drains over a reload.

use super::*;

#[test]
fn a_drain_outlives_the_change_of_its_service() {
    let mut bench = Bench::up(TWO);
    bench.drain(1, Lasts::UntilLifted);
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.3/32"]);
    bench.reload("b med=200 192.0.2.3/32");
    bench.finds(0, &[true, true]);
    assert_eq!(bench.states(), [("b", ServiceState::Drained)]);
    assert!(!bench.commands().iter().any(|line| line.contains("announce")));
}

#[test]
fn a_drain_goes_with_the_prefixes_of_its_service() {
    let mut bench = Bench::up(TWO);
    bench.drain(0, Lasts::UntilLifted);
    bench.commands();
    bench.reload("a 192.0.2.1/32\nb 192.0.2.3/32\nc 192.0.2.2/32\nd 192.0.2.4/32");
    for service in 0..4 {
        bench.finds(service, &[true, true]);
    }
    let drained = |name: &'static str| (name, ServiceState::Drained);
    assert_eq!(
        bench.states(),
        [drained("a"), ("b", ServiceState::Up), drained("c"), ("d", ServiceState::Up)]
    );
    bench.reload("e 192.0.2.1/32 192.0.2.2/32\nb 192.0.2.3/32");
    bench.finds(0, &[true, true]);
    assert_eq!(bench.states(), [drained("e"), ("b", ServiceState::Up)]);
}

#[test]
fn a_drained_prefix_does_not_take_others_along() {
    let mut bench = Bench::up(TWO);
    bench.drain(1, Lasts::UntilLifted);
    bench.commands();
    bench.reload("a 192.0.2.1/32 192.0.2.2/32 192.0.2.3/32");
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    assert_eq!(bench.commands(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 100"]);
}

#[test]
fn a_drain_outlives_the_name_of_its_service() {
    let mut bench = Bench::up(TWO);
    bench.drain(1, Lasts::UntilLifted);
    bench.commands();
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nc 192.0.2.3/32");
    bench.finds(1, &[true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Up), ("c", ServiceState::Drained)]);
    assert_eq!(bench.commands(), [""; 0]);
}

/// An inventory that lacks the service for one run must not bring it back.
#[test]
fn a_drain_outlives_the_removal_of_its_service() {
    let without = "a 192.0.2.1/32 192.0.2.2/32";
    let mut bench = Bench::up(TWO);
    bench.drain(1, Lasts::For(Duration::from_secs(100)));
    bench.reload(without);
    let stays = "service b: no longer configured; a service that gets its prefixes begins drained: operator drains it: no reason \
                 given; for 1m 40s more";
    assert!(bench.logged.contains(&stays.to_owned()), "{:?}", bench.logged);
    bench.reload(without);
    assert_eq!(bench.logged.iter().filter(|line| *line == stays).count(), 1);
    bench.passes(Duration::from_secs(50));
    bench.commands();
    // Its own name, and another one that gets its prefix.
    for again in [TWO, "a 192.0.2.1/32 192.0.2.2/32\nc 192.0.2.3/32"] {
        bench.reload(without);
        bench.reload(again);
        bench.finds(1, &[true, true]);
        assert_eq!(bench.states()[1].1, ServiceState::Drained);
        assert!(!bench.commands().iter().any(|line| line.contains("announce")));
    }
    // Another helper, which is started twice.
    bench.reload(without);
    let memory = bench.engine.remember(bench.now);
    let mut between = Bench::started(memory, without, Duration::from_secs(1));
    let mut next = Bench::started(between.engine.remember(between.now), TWO, Duration::ZERO);
    next.finds(1, &[true, true]);
    assert_eq!(next.states()[1].1, ServiceState::Drained);
    // The drain ends by itself, or with those of all.
    next.passes(Duration::from_secs(50));
    next.finds(1, &[true, true]);
    assert_eq!(next.states()[1].1, ServiceState::Up);
    let lift = Lift { holder: None, once_healthy: false, checks: vec![] };
    assert_eq!(bench.engine.removed_services().drained_by(None).count(), 1);
    bench.handle(Event::UndrainAll(lift));
    assert_eq!(bench.engine.removed_services().drained_by(None).count(), 0);
    bench.reload(TWO);
    bench.finds(1, &[true, true]);
    assert_eq!(bench.states()[1].1, ServiceState::Up);
}

#[test]
fn a_drain_of_a_removed_service_that_has_expired_is_not_named() {
    let mut bench = Bench::up(TWO);
    bench.drain(1, Lasts::For(Duration::from_secs(10)));
    let bob: Holder = "bob".parse().unwrap();
    let (reason, lasts) = (String::new().into(), Lasts::UntilLifted);
    bench.handle(Event::Drain(ServiceId(1), Order { holder: bob.clone(), reason, lasts, uid: None }));
    bench.reload("a 192.0.2.1/32 192.0.2.2/32");
    let begins = "no longer configured; a service that gets its prefixes begins drained: bob drains it: no reason given; operator \
                  drains it: no reason given; until `dnsherald undrain --as bob` (it ends the drain of all services)";
    assert!(bench.logged.contains(&format!("service b: {begins}")), "{:?}", bench.logged);
    let drained = |bench: &Bench, holder| bench.engine.removed_services().drained_by(Some(holder)).count();
    let operator = Holder::operator();
    assert_eq!((drained(&bench, &operator), drained(&bench, &bob)), (1, 1));
    bench.passes(Duration::from_secs(11));
    assert_eq!((drained(&bench, &operator), drained(&bench, &bob)), (0, 1));
    assert!(bench.logged.contains(&"service b: the drain by operator has expired".to_owned()));
}

/// Nothing else may be due then: the configuration can have other services, or none that is probed.
#[test]
fn the_end_of_the_last_drain_of_a_removed_service_is_logged_in_time() {
    let mut bench = Bench::up(TWO);
    bench.drain(1, Lasts::For(Duration::from_secs(10)));
    bench.reload("a 192.0.2.1/32 192.0.2.2/32");
    let memory = bench.engine.remember(bench.now);
    let end = bench.now + Duration::from_secs(10);
    while bench.now < end {
        let next = bench.engine.deadline().unwrap();
        assert!(next <= end, "{next:?}");
        bench.passes(next.since(bench.now));
    }
    let over = "service b: the drain by operator has expired; a service that gets its prefixes no longer begins drained";
    assert!(bench.logged.contains(&over.to_owned()), "{:?}", bench.logged);
    // A helper that starts after the end names no drain.
    let next = Bench::started(memory, "a 192.0.2.1/32 192.0.2.2/32", Duration::from_secs(10));
    assert!(!next.logged.iter().any(|line| line.contains("begins drained")), "{:?}", next.logged);
}

#[test]
fn a_hold_ends_with_its_service() {
    let mut bench = Bench::up(TWO);
    bench.hold(1);
    bench.reload("a 192.0.2.1/32 192.0.2.2/32");
    let ended = "service b: no longer configured; its hold has ended";
    assert!(bench.logged.contains(&ended.to_owned()), "{:?}", bench.logged);
}

/// It has a drain of its own, so it needs no other.
#[test]
fn a_drained_service_that_gets_prefixes_of_others_is_not_said_to_attract_traffic() {
    let mut bench = Bench::up("a 192.0.2.1/32\nb 192.0.2.2/32\nc 192.0.2.3/32");
    bench.drain(0, Lasts::UntilLifted);
    bench.drain(1, Lasts::UntilLifted);
    bench.reload("a 192.0.2.1/32 192.0.2.2/32 192.0.2.3/32");
    assert_eq!(bench.states(), [("a", ServiceState::Drained)]);
    assert!(!bench.logged.iter().any(|line| line.contains("not drained")), "{:?}", bench.logged);
}

#[test]
fn a_drain_that_returns_does_so_under_another_configuration() {
    let mut bench = Bench::up(TWO);
    bench.drain(1, Lasts::UntilLifted);
    bench.handle(Event::Undrain(ServiceId(1), Lift { holder: None, once_healthy: true, checks: vec![] }));
    bench.reload("b med=200 192.0.2.3/32\na 192.0.2.1/32 192.0.2.2/32");
    bench.commands();
    bench.finds(0, &[true]);
    assert_eq!(bench.states()[0], ("b", ServiceState::Drained));
    bench.finds(0, &[true]);
    assert_eq!(bench.commands(), ["announce route 192.0.2.3/32 next-hop 10.1.0.2 med 200"]);
}

#[test]
fn a_drain_of_all_includes_services_added_later() {
    let mut bench = Bench::up(TWO);
    bench.drain_all();
    bench.commands();
    bench.reload("a 192.0.2.1/32 192.0.2.2/32\nb 192.0.2.3/32\nc 192.0.2.9/32");
    bench.finds(2, &[true, true]);
    assert_eq!(bench.states()[2], ("c", ServiceState::Drained));
    assert!(
        bench
            .logged
            .iter()
            .any(|line| line.contains("service c: new, and included in the drain of all services"))
    );
    let mut next = bench.restarts("c 192.0.2.9/32\nd 192.0.2.10/32");
    assert_eq!(next.states(), [("c", ServiceState::Drained), ("d", ServiceState::Drained)]);
    next.handle(Event::UndrainAll(Lift { holder: None, once_healthy: false, checks: vec![] }));
    next.reload("e 192.0.2.11/32");
    next.finds(0, &[true, true]);
    assert_eq!(next.states(), [("e", ServiceState::Up)]);
}

#[test]
fn a_service_that_was_taken_out_of_a_drain_of_all_stays_out() {
    let mut bench = Bench::up(TWO);
    bench.drain_all();
    bench.undrain(1);
    bench.reload("b 192.0.2.3/32 192.0.2.4/32\na 192.0.2.1/32\nc 192.0.2.9/32");
    let next = bench.restarts("e 192.0.2.3/32 192.0.2.4/32\na 192.0.2.1/32\nc 192.0.2.9/32\nd 192.0.2.5/32");
    let drained = |name: &'static str| (name, ServiceState::Drained);
    assert_eq!(next.states(), [("e", ServiceState::Up), drained("a"), drained("c"), drained("d")]);
}

#[test]
fn a_drain_of_all_is_over_with_the_last_service_that_had_it() {
    for expires in [false, true] {
        let mut bench = Bench::up(TWO);
        let lasts = if expires { Lasts::For(Duration::from_secs(60)) } else { Lasts::UntilLifted };
        let order = Order { holder: Holder::operator(), reason: String::new().into(), lasts, uid: None };
        bench.handle(Event::DrainAll(order));
        if expires {
            bench.passes(Duration::from_secs(60));
        } else {
            bench.undrain(0);
            assert!(!bench.engine.drains_of_all().is_empty());
            bench.undrain(1);
        }
        assert!(bench.engine.drains_of_all().is_empty());
        bench.reload("c 192.0.2.9/32");
        bench.finds(0, &[true, true]);
        assert_eq!(bench.states(), [("c", ServiceState::Up)]);
    }
}

#[test]
fn a_drain_of_all_ends_with_the_last_service_that_had_it() {
    let mut bench = Bench::up("a 192.0.2.1/32\nb 192.0.2.3/32");
    bench.drain_all();
    bench.undrain(0);
    bench.finds(0, &[true, true, true]);
    bench.reload("a 192.0.2.1/32");
    assert!(bench.engine.drains_of_all().is_empty());
    bench.reload("a 192.0.2.1/32\nc 192.0.2.4/32");
    bench.finds(1, &[true, true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Up), ("c", ServiceState::Up)]);
}

/// The outcomes are from before the end of the drain, as if the server had died since.
#[test]
fn a_drain_that_ends_in_the_turn_of_a_reload_returns_by_new_outcomes() {
    for changed in ["a med=200 192.0.2.1/32", "a 192.0.2.1/32"] {
        let mut bench = Bench::up("a 192.0.2.1/32");
        bench.drain(0, Lasts::For(Duration::from_secs(5)));
        bench.commands();
        bench.now = bench.now + Duration::from_secs(6);
        bench.reload(changed);
        bench.passes(Duration::from_millis(10));
        assert_eq!(bench.commands(), [""; 0], "{changed}: {:?}", bench.logged);
        bench.finds(0, &[true, true]);
        assert_eq!(bench.states(), [("a", ServiceState::Up)], "{changed}");
    }
}
