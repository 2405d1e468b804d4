//! The first verdict after a reload that lets checks begin anew.

use super::*;

/// Nothing is announced yet, so that no route is kept.
#[test]
fn a_service_that_becomes_enabled_is_announced_once_its_checks_pass() {
    let enabled = |drained: bool| {
        let mut bench = Bench::up("a enabled=false 192.0.2.1/32");
        if drained {
            bench.drain(0, Lasts::UntilLifted);
        }
        bench.reload("a 192.0.2.1/32");
        bench.logged.iter().find_map(|line| line.strip_prefix("configuration reloaded: ").map(str::to_owned))
    };
    let begins = "changed: a (enabled; announced once its checks pass)";
    assert_eq!(enabled(false).as_deref(), Some(begins));
    assert_eq!(enabled(true).as_deref(), Some("changed: a (enabled)"));
}

/// The lines about a change of the service, and the states for which `on-change` ran, of a service that was in `former`
/// for a minute when a reload changed its check, which then found this.
fn after_a_reload(serves: bool, then: bool) -> (Vec<String>, Vec<String>) {
    let mut bench = Bench::up("a 192.0.2.1/32");
    if !serves {
        bench.finds(0, &[false, false]);
    }
    let since = bench.engine.services()[0].since;
    bench.passes(Duration::from_secs(60));
    bench.logged.clear();
    bench.entered.clear();
    bench.reload("a query=example. 192.0.2.1/32");
    assert_eq!(bench.states(), [("a", ServiceState::Starting)]);
    bench.finds(0, &[then, then]);
    let service = &bench.engine.services()[0];
    assert_eq!(service.since == since, serves == then, "a state that goes on began before the reload");
    let is_change = |line: &String| line.starts_with("service a: ") && line.contains(" -> ");
    (bench.logged.into_iter().filter(is_change).collect(), bench.entered)
}

/// A check with `once-up` does not count before it has been up, so the service has its verdict at once.
#[test]
fn a_new_check_that_does_not_count_yet_is_not_waited_for() {
    let mut bench = Bench::up("a 192.0.2.1/32");
    bench.logged.clear();
    bench.reload("a deep=1s 192.0.2.1/32");
    assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    assert!(!bench.logged.iter().any(|line| line.contains("no verdict yet")), "{:?}", bench.logged);
}

#[test]
fn a_state_that_goes_on_is_no_change() {
    for serves in [true, false] {
        assert_eq!(after_a_reload(serves, serves), (vec![], vec![]), "{serves}");
    }
}

#[test]
fn another_state_is_a_change_from_the_one_before_the_reload() {
    let (logged, entered) = after_a_reload(true, false);
    assert_eq!(logged, ["service a: up -> down: check answers: no answer; withdrawing 192.0.2.1/32"]);
    assert_eq!(entered, ["DOWN"]);
    let (logged, entered) = after_a_reload(false, true);
    assert_eq!(logged, ["service a: down -> up: required checks pass; announcing 192.0.2.1/32"]);
    assert_eq!(entered, ["UP"]);
}

/// Unknown checks delay a decision by `unknown-after`, 30 seconds, at most.
#[test]
fn reloads_that_change_a_service_prolong_no_wait_for_its_first_verdict() {
    for change in ["med=20", "query=example"] {
        let mut bench = Bench::up("a 192.0.2.1/32");
        let check = CheckId { service: ServiceId(1), check: 0 };
        for nth in 0..4 {
            bench.reload(&format!("a 192.0.2.1/32\nb {change}{nth} 192.0.2.2/32"));
            bench.handle(Event::Outcome(check, Outcome::from_cause(Cause::Local, "")));
            bench.passes(Duration::from_secs(10));
        }
        assert_eq!(bench.commands(), ["withdraw route 192.0.2.2/32"], "{change}");
    }
}

#[test]
fn a_statement_survives_two_reloads_while_checks_are_unknown() {
    let mut bench = Bench::up("a 192.0.2.1/32");
    bench.reload("x query=second. 192.0.2.1/32");
    finds_nothing_out(&mut bench);
    bench.passes(Duration::from_secs(5));
    bench.reload("x query=third. 192.0.2.1/32");
    finds_nothing_out(&mut bench);
    bench.passes(Duration::from_secs(31));
    assert!(!bench.commands().iter().any(|line| line.starts_with("withdraw")), "{:?}", bench.logged);
}

#[test]
fn reloads_prolong_no_return_after_falls() {
    let mut bench = Bench::up("a med=1 192.0.2.1/32");
    for _ in 0..4 {
        bench.finds(0, &[false, false, true, true]);
        bench.passes(Duration::from_secs(60));
        bench.passes(Duration::from_secs(1));
        assert_eq!(bench.states(), [("a", ServiceState::Up)]);
    }
    bench.finds(0, &[false, false, true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Down)], "the return waits");
    for nth in 2..20 {
        bench.passes(Duration::from_secs(5));
        bench.reload(&format!("a med={nth} 192.0.2.1/32"));
        bench.finds(0, &[true]);
    }
    assert_eq!(bench.states(), [("a", ServiceState::Up)], "after 90 s, and max-rise-time is 60 s");
}

#[test]
fn reloads_of_dampening_prolong_no_return_after_falls() {
    let mut bench = Bench::up("a 192.0.2.1/32");
    for _ in 0..2 {
        bench.finds(0, &[false, false, true, true]);
        bench.passes(Duration::from_secs(60));
        bench.passes(Duration::from_secs(1));
    }
    bench.finds(0, &[false, false, true, true]);
    let returns_at = |bench: &Bench| bench.engine.services()[0].dampening.returns_at();
    let promised = returns_at(&bench);
    assert!(promised.is_some());
    for suppress in [9001, 9002] {
        bench.passes(Duration::from_secs(1));
        bench.reload(&format!("a suppress={suppress} 192.0.2.1/32"));
        bench.finds(0, &[true]);
        assert_eq!(returns_at(&bench), promised);
    }
}

/// Otherwise its failures would be observed only, and the service announced as up.
#[test]
fn a_check_that_has_been_up_goes_on_to_degrade_with_another_interval() {
    let mut bench = Bench::up("a deep=10s 192.0.2.1/32");
    let deep = CheckId { service: ServiceId(0), check: 1 };
    let outcomes = |bench: &mut Bench, passes: bool| {
        for _ in 0..2 {
            let failed = Outcome::from_cause(Cause::Servfail, "no upstream");
            bench.handle(Event::Outcome(
                deep,
                if passes { Outcome::pass(Duration::from_millis(1)) } else { failed },
            ));
        }
    };
    outcomes(&mut bench, true);
    outcomes(&mut bench, false);
    assert_eq!(bench.states(), [("a", ServiceState::Degraded)]);
    bench.commands();
    bench.reload("a deep=20s 192.0.2.1/32");
    bench.finds(0, &[true, true]);
    assert_eq!(bench.states(), [("a", ServiceState::Starting)], "the check has no verdict");
    outcomes(&mut bench, false);
    assert_eq!(bench.commands(), [""; 0]);
    assert_eq!(bench.states(), [("a", ServiceState::Degraded)]);
}

/// As after a supplied check was pasted into the file.
#[test]
fn another_order_of_the_checks_is_named_and_changes_no_state() {
    let services = "a unit=a.service 192.0.2.1/32";
    let mut bench = Bench::up(services);
    for _ in 0..2 {
        let alive = CheckId { service: ServiceId(0), check: 1 };
        bench.handle(Event::Outcome(alive, Outcome::pass(Duration::ZERO)));
    }
    let (before, mut plan) = (bench.states().first().map(|(_, state)| *state), config(services).plan());
    plan.services[0].checks.reverse();
    let reloaded = bench.engine.reload(bench.now, &plan);
    bench.follow(&reloaded.actions);
    let named = "configuration reloaded: changed: a (order of its checks; route unchanged)".to_owned();
    assert!(bench.logged.contains(&named), "{:?}", bench.logged);
    assert_eq!(bench.states().first().map(|(_, state)| *state), before);
    assert_eq!(reloaded.kept.len(), 2);
}
