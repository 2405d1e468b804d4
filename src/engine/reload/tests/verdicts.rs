//! The first verdict after a reload that lets checks begin anew.

use super::*;

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
