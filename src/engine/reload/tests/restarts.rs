//! A restart with another configuration: the state that the next helper takes from the memory.

use super::*;

#[test]
fn a_drain_and_a_penalty_survive_a_restart_under_another_name() {
    let mut bench = Bench::up("a start=adopt 192.0.2.1/32\nb 192.0.2.3/32");
    bench.finds(1, &[false, false]);
    let penalty = bench.engine.services()[1].dampening.whole_penalty(bench.now);
    bench.drain(0, Lasts::UntilLifted);
    bench.drain(1, Lasts::UntilLifted);
    let next = bench.restarts("c start=adopt 192.0.2.1/32\nd 192.0.2.3/32");
    assert_eq!(next.states(), [("c", ServiceState::Drained), ("d", ServiceState::Drained)]);
    assert!(penalty > 0 && next.engine.services()[1].dampening.whole_penalty(next.now) >= penalty - 10);
    let why = "service d: takes over the saved state of b, which had one of its prefixes";
    assert!(next.logged.contains(&why.to_owned()), "{:?}", next.logged);
}

#[test]
fn a_renamed_disabled_service_stays_withdrawn_until_its_file_was_looked_for() {
    let mut bench = Bench::up("a disable-file=/off 192.0.2.1/32");
    bench.handle(Event::DisableFile(ServiceId(0), true));
    let next = bench.restarts("b disable-file=/off 192.0.2.1/32");
    assert_eq!(next.states(), [("b", ServiceState::Drained)]);
}

/// ExaBGP has acknowledged nothing for the other prefix; therefore the state is not adopted.
#[test]
fn a_name_that_changes_with_the_prefixes_is_not_adopted() {
    let mut bench = Bench::up("a start=adopt 192.0.2.1/32");
    let memory = bench.engine.remember(bench.now);
    let stated = |services: &str| {
        let config = config(services);
        let engine = Engine::new(&config.plan(), Parent::ExaBgp, memory.clone(), Duration::from_secs(1));
        engine.services()[0].stated(0).is_some()
    };
    assert!(stated("b start=adopt 192.0.2.1/32"));
    assert!(!stated("b start=adopt 192.0.2.1/32 192.0.2.2/32"));
}

#[test]
fn drains_move_with_prefixes_over_a_restart_as_over_a_reload() {
    let mut bench = Bench::up(TWO);
    bench.drain(0, Lasts::UntilLifted);
    let next = bench.restarts("a 192.0.2.9/32\nb 192.0.2.3/32\nc 192.0.2.2/32\nd 192.0.2.1/32 192.0.2.4/32");
    let drained = |name: &'static str| (name, ServiceState::Drained);
    assert_eq!(next.states(), [drained("a"), ("b", ServiceState::Up), drained("c"), ("d", ServiceState::Up)]);
    assert!(
        next.logged.iter().any(|line| line.contains("service d: not drained: it has a prefix of")),
        "{:?}",
        next.logged
    );
}

/// A helper that begins with this memory, of this age.
fn successor(memory: Memory, services: &str, age: Duration) -> Bench {
    let mut bench = Bench::started(memory, services, age);
    finds_nothing_out(&mut bench);
    bench
}

#[test]
fn after_a_drain_an_unknown_service_does_not_return_to_its_earlier_state() {
    let mut before = Bench::up("a 192.0.2.1/32");
    let memory = before.engine.remember(before.now);
    let mut bench = successor(memory, "a 192.0.2.1/32", Duration::from_secs(1));
    bench.passes(Duration::from_secs(5));
    bench.drain(0, Lasts::UntilLifted);
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32"]);
    bench.passes(Duration::from_secs(55));
    finds_nothing_out(&mut bench);
    bench.undrain(0);
    bench.passes(Duration::from_secs(60));
    assert!(!bench.commands().iter().any(|line| line.starts_with("announce")));
}

#[test]
fn a_route_withdrawn_at_a_stop_or_an_old_state_does_not_stand() {
    for (start, age, stops, announces) in [
        ("probe", 1, false, true),
        ("probe", 1, true, false),
        ("probe", 30 * 86_400, false, false),
        ("withdraw", 1, false, false),
    ] {
        let services = format!("a start={start} 192.0.2.1/32");
        let mut before = Bench::up(&services);
        if stops {
            before.handle(Event::Terminate);
        }
        let memory = before.engine.remember(before.now);
        let mut bench = successor(memory, &services, Duration::from_secs(age));
        bench.passes(Duration::from_secs(31));
        let announced = bench.commands().iter().any(|line| line.starts_with("announce"));
        assert_eq!(announced, announces, "{start} {age} {stops}");
    }
}

/// A service whose process ended, with a helper that starts `age` later. Returns the log of the next helper after this
/// outcome of the process check.
fn after_an_exit(age: Duration, is_back: bool) -> Vec<String> {
    let services = "a unit=srv.service 192.0.2.1/32";
    let mut bench = Bench::up(services);
    let alive = CheckId { service: ServiceId(0), check: 1 };
    for _ in 0..2 {
        bench.handle(Event::Outcome(alive, Outcome::pass(Duration::ZERO)));
    }
    let gone = || Failure::new(Cause::ProcessGone, "process 4711 (srv) has ended");
    bench.handle(Event::SuddenFailure(alive, gone()));
    assert_eq!(bench.states(), [("a", ServiceState::Down)]);
    let memory = bench.engine.remember(bench.now);
    let mut next = successor(memory, services, age);
    let found = if is_back { Outcome::pass(Duration::ZERO) } else { Outcome::Fail(gone()) };
    next.handle(Event::Outcome(alive, found));
    next.passes(Duration::from_secs(3));
    next.logged
}

#[test]
fn a_grace_that_a_restart_of_the_helper_interrupts_goes_on() {
    let has = |logged: &[String], words: &str| logged.iter().any(|line| line.contains(words));
    let back = after_an_exit(Duration::from_secs(1), true);
    assert!(has(&back, "its process is back after 1.0") && !has(&back, "fell"), "{back:?}");
    let gone = after_an_exit(Duration::from_secs(1), false);
    assert!(has(&gone, "service a: fell, penalty now"), "{gone:?}");
    let late = after_an_exit(Duration::from_secs(4), true);
    assert!(!has(&late, "is back") && !has(&late, "fell"), "not known: {late:?}");
}

/// ExaBGP died before it acknowledged the withdraw.
#[test]
fn a_fall_without_an_acknowledgment_stays_one_fall_over_a_restart() {
    for start in ["adopt", "probe"] {
        let services = format!("a start={start} 192.0.2.1/32");
        let mut bench = Bench::up(&services);
        bench.answers = false;
        bench.finds(0, &[false, false]);
        assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32"]);
        let memory = bench.engine.remember(bench.now);
        let mut next = Bench::started(memory, &services, Duration::from_secs(1));
        next.finds(0, &[false, false]);
        assert!(!next.commands().iter().any(|line| line.starts_with("announce")), "{start}");
        let fell = |line: &&String| line.contains("fell");
        assert_eq!(next.logged.iter().find(fell), None, "{start}");
    }
}
