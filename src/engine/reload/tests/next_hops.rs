//! A next hop that a reload changes: the former one stands until the service has decided.

use super::*;
use crate::exabgp::{NextHop, Route};

const HERE: &str = "a hop=10.1.0.2 192.0.2.1/32";
/// Another next hop, and checks that have to pass anew.
const ELSEWHERE: &str = "a hop=10.1.0.3 query=example. 192.0.2.1/32";

fn announce(hop: &str) -> String {
    format!("announce route 192.0.2.1/32 next-hop {hop} med 100")
}

/// No check has a result until after `unknown-after`.
fn stays_unknown(bench: &mut Bench) {
    finds_nothing_out(bench);
    bench.passes(Duration::from_secs(31));
    finds_nothing_out(bench);
}

/// A typo in it would be a black hole, announced without a check.
#[test]
fn another_next_hop_waits_for_a_verdict_as_the_checks_do() {
    let mut bench = Bench::up(HERE);
    bench.reload(ELSEWHERE);
    let kept = "configuration reloaded: changed: a (next-hop 10.1.0.3, check answers; route unchanged until a verdict)";
    assert!(bench.logged.contains(&kept.to_owned()), "{:?}", bench.logged);
    bench.finds(0, &[true]);
    assert_eq!(bench.commands(), [""; 0]);
    assert!(bench.engine.entries_of(0).all(RouteEntry::is_settled));
    bench.logged.clear();
    bench.finds(0, &[true]);
    assert_eq!(bench.commands(), [announce("10.1.0.3")]);
    let announced = "a: ANNOUNCED 192.0.2.1/32 med 100 (acknowledged): required checks pass";
    assert!(bench.logged.contains(&announced.to_owned()), "{:?}", bench.logged);
}

/// The log names the verdict that moves the next hop, though the state stays.
#[test]
fn a_late_verdict_that_moves_the_next_hop_is_logged() {
    let mut bench = Bench::up(HERE);
    bench.reload(ELSEWHERE);
    stays_unknown(&mut bench);
    bench.logged.clear();
    bench.finds(0, &[true, true]);
    let verdict = "service a: still up: required checks pass; announcing 192.0.2.1/32";
    assert!(bench.logged.contains(&verdict.to_owned()), "{:?}", bench.logged);
}

/// As with a management address that is not on this host: no query can be sent.
#[test]
fn without_a_verdict_the_next_hop_stays_for_good() {
    let mut bench = Bench::up(HERE);
    bench.reload(ELSEWHERE);
    stays_unknown(&mut bench);
    bench.passes(Duration::from_secs(3600));
    bench.reload("a hop=10.1.0.4 query=example. 192.0.2.1/32");
    bench.passes(Duration::from_secs(31));
    // The refresh, and a BGP session that comes up, state again what stands.
    bench.handle(Event::Received("neighbor 10.0.0.1 up".to_owned()));
    bench.passes(Duration::from_secs(31));
    let stated = bench.commands();
    assert!(!stated.is_empty() && stated.iter().all(|line| *line == announce("10.1.0.2")), "{stated:?}");
    bench.reload(HERE);
    assert_eq!(bench.commands(), [""; 0], "it never was another one");
}

#[test]
fn a_service_that_keeps_its_verdict_gets_the_next_hop_at_once() {
    let mut bench = Bench::up(HERE);
    bench.logged.clear();
    bench.reload("a hop=10.1.0.3 192.0.2.1/32");
    assert_eq!(bench.commands(), [announce("10.1.0.3")]);
    let says = |words: &str| bench.logged.iter().any(|line| line.contains(words));
    assert!(says("changed: a (next-hop 10.1.0.3)"), "{:?}", bench.logged);
    assert!(says("a: ANNOUNCED 192.0.2.1/32 med 100 (acknowledged)"), "{:?}", bench.logged);
}

#[test]
fn a_drain_withdraws_whatever_the_next_hop() {
    let mut bench = Bench::up(HERE);
    bench.reload(ELSEWHERE);
    bench.drain(0, Lasts::UntilLifted);
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32"]);
    bench.undrain(0);
    bench.finds(0, &[true, true]);
    assert_eq!(bench.commands(), [announce("10.1.0.3")]);
}

/// `done` for the command with the former next hop acknowledges nothing.
#[test]
fn a_reply_to_the_former_next_hop_does_not_acknowledge_the_new_one() {
    let mut bench = Bench::up("a hop=10.1.0.2 med=200 192.0.2.1/32");
    bench.answers = false;
    bench.reload(HERE);
    assert_eq!(bench.commands(), [announce("10.1.0.2")]);
    bench.reload("a hop=10.1.0.3 192.0.2.1/32");
    bench.handle(Event::Received("done".to_owned()));
    assert_eq!(bench.commands(), [announce("10.1.0.3")]);
    assert!(!bench.engine.entries_of(0).any(RouteEntry::is_settled));
    bench.handle(Event::Received("done".to_owned()));
    assert!(bench.engine.entries_of(0).all(RouteEntry::is_settled));
}

/// To a neighbor that had the prefix it is the same route; one that had it not gets what is configured.
#[test]
fn a_change_of_neighbors_keeps_the_next_hop_of_those_that_stay() {
    let mut bench = Bench::up("a hop=10.1.0.2 neighbor=10.0.0.1 192.0.2.1/32");
    bench.reload("a hop=10.1.0.3 query=example. neighbor=10.0.0.2 192.0.2.1/32");
    let sent = bench.commands();
    assert!(sent.contains(&format!("neighbor 10.0.0.2 {}", announce("10.1.0.3"))), "{sent:?}");
    let mut bench = Bench::up(HERE);
    bench.reload("a hop=10.1.0.3 query=example. neighbor=10.0.0.1 192.0.2.1/32");
    let sent = bench.commands();
    assert!(sent.contains(&format!("neighbor 10.0.0.1 {}", announce("10.1.0.2"))), "{sent:?}");
    assert!(!sent.iter().any(|line| line.contains("10.1.0.3")), "{sent:?}");
}

/// A hold announces what stands; no check has met the new next hop.
#[test]
fn a_hold_does_not_announce_an_unverified_next_hop() {
    let mut bench = Bench::up(HERE);
    bench.hold(0);
    bench.reload(ELSEWHERE);
    finds_nothing_out(&mut bench);
    bench.passes(Duration::from_secs(31));
    assert_eq!(bench.commands(), [""; 0]);
    bench.finds(0, &[true, true]);
    assert_eq!(bench.commands(), [announce("10.1.0.3")]);
}

#[test]
fn a_drain_that_announces_does_not_announce_an_unverified_next_hop() {
    let mut bench = Bench::up("a hop=10.1.0.2 drained=900 192.0.2.1/32");
    bench.drain(0, Lasts::UntilLifted);
    let drained = "announce route 192.0.2.1/32 next-hop 10.1.0.2 med 900";
    assert_eq!(bench.commands(), [drained]);
    bench.reload("a hop=10.1.0.3 drained=900 query=example. 192.0.2.1/32");
    bench.passes(Duration::from_secs(31));
    assert!(bench.commands().iter().all(|line| line == drained));
    bench.undrain(0);
    bench.finds(0, &[true, true]);
    assert_eq!(bench.commands().last(), Some(&announce("10.1.0.3")));
}

/// A crash, or a new ExaBGP, makes the configured next hop no better.
#[test]
fn the_next_helper_keeps_the_next_hop_until_it_has_a_verdict() {
    for start in ["probe", "adopt"] {
        let here = format!("a hop=10.1.0.2 start={start} 192.0.2.1/32");
        let elsewhere = format!("a hop=10.1.0.3 start={start} 192.0.2.1/32");
        let mut before = Bench::up(&here);
        let memory = before.engine.remember(before.now);
        let mut bench = Bench::started(memory, &elsewhere, Duration::from_secs(1));
        stays_unknown(&mut bench);
        let stated = bench.commands();
        assert!(!stated.is_empty() && stated.iter().all(|line| *line == announce("10.1.0.2")), "{stated:?}");
        bench.finds(0, &[true, true]);
        assert_eq!(bench.commands(), [announce("10.1.0.3")]);
    }
}

/// A withdrawn prefix moves to a service that is announced without a verdict. Nothing may announce its former next hop.
#[test]
fn a_withdrawn_route_keeps_no_next_hop() {
    let two = "a hop=10.1.0.2 192.0.2.1/32\nb hop=10.1.0.9 192.0.2.2/32";
    let mut bench = Bench::up(two);
    bench.finds(1, &[false, false]);
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.2/32"]);
    bench.reload("a hop=10.1.0.2 query=example. 192.0.2.1/32 192.0.2.2/32");
    stays_unknown(&mut bench);
    bench.finds(0, &[true, true]);
    let said = bench.commands();
    assert!(said.iter().any(|line| line.contains("192.0.2.2/32 next-hop 10.1.0.2")), "{said:?}");
    assert!(!said.iter().any(|line| line.contains("10.1.0.9")), "{said:?}");
}

/// Each entry of `announce` has its own advertisement for a state.
#[test]
fn a_new_neighbor_gets_what_stands_for_those_beside_it() {
    let start = "a to=10.0.0.1/100 to=10.0.0.2/200 192.0.2.1/32";
    let degraded = |withdrawn: usize, plan: &mut Plan| {
        for (place, ladder) in plan.services[0].ladders.iter_mut().enumerate() {
            let med = ladder.up.clone();
            ladder.up = if place == withdrawn { Advertisement::Withdraw } else { med };
        }
    };
    for withdrawn in 0..2 {
        let mut bench = Bench::up("a 192.0.2.1/32");
        for (query, neighbors) in [("localhost.", "10.0.0.2"), ("example.", "10.0.0.2 10.0.0.3")] {
            bench.said.clear();
            let mut plan = config(&format!("{start} query={query}")).plan();
            plan.services[0].routes[1].neighbors =
                neighbors.split(' ').map(|one| one.parse().unwrap()).collect();
            degraded(withdrawn, &mut plan);
            let reloaded = bench.engine.reload(bench.now, &plan);
            bench.follow(&reloaded.actions);
        }
        let said = bench.commands();
        let (gets, other) = if withdrawn == 0 { ("announce", "withdraw") } else { ("withdraw", "announce") };
        assert!(!said.iter().any(|line| line.contains(other)), "{withdrawn}: {said:?}");
        assert!(said.iter().all(|line| line.contains(gets)), "{withdrawn}: {said:?}");
    }
}

/// Two neighbors with a next hop each become one entry of the configuration. Neither gets that of the other.
#[test]
fn neighbors_with_different_next_hops_get_the_configured_one() {
    let config = |entries: &[(&str, &str)], query: &str| {
        let mut plan = config(&format!("a query={query} 192.0.2.1/32")).plan();
        let (first, ladder) = (plan.services[0].routes[0].clone(), plan.services[0].ladders[0].clone());
        let route = |(hop, neighbors): &(&str, &str)| Route {
            next_hop: NextHop::Address(hop.parse().unwrap()),
            neighbors: neighbors.split(' ').map(|one| one.parse().unwrap()).collect(),
            ..first.clone()
        };
        plan.services[0].routes = entries.iter().map(route).collect();
        plan.services[0].ladders = vec![ladder; entries.len()];
        plan
    };
    let reloaded = |before: &[(&str, &str)]| {
        let mut bench = Bench::up("a 192.0.2.1/32");
        for plan in [config(before, "localhost."), config(&[("10.1.0.3", "10.0.0.1 10.0.0.2")], "example.")] {
            bench.said.clear();
            let reloaded = bench.engine.reload(bench.now, &plan);
            bench.follow(&reloaded.actions);
        }
        bench.commands()
    };
    let has = |said: &[String], hop: &str| said.iter().any(|line| line.contains(hop));
    let same = reloaded(&[("10.1.0.2", "10.0.0.1"), ("10.1.0.2", "10.0.0.2")]);
    assert!(!has(&same, "10.1.0.3"), "{same:?}");
    let different = reloaded(&[("10.1.0.2", "10.0.0.1"), ("10.1.0.4", "10.0.0.2")]);
    assert!(has(&different, "10.1.0.3") && !has(&different, "10.1.0.2"), "{different:?}");
    // One of them had no route yet.
    let new = reloaded(&[("10.1.0.2", "10.0.0.1")]);
    assert!(has(&new, "10.1.0.3") && !has(&new, "10.1.0.2"), "{new:?}");
}
