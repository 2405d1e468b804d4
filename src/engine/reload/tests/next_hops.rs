//! A next hop that a reload changes: the former one stands until the service has decided.

use super::*;

const HERE: &str = "a hop=10.1.0.2 192.0.2.1/32";
/// Another next hop, and checks that have to pass anew.
const ELSEWHERE: &str = "a hop=10.1.0.3 query=example. 192.0.2.1/32";

fn announce(hop: &str) -> String {
    format!("announce route 192.0.2.1/32 next-hop {hop} med 100")
}

/// A typo in it would be a black hole, announced without a check.
#[test]
fn another_next_hop_waits_for_a_verdict_as_the_checks_do() {
    let mut bench = Bench::up(HERE);
    bench.reload(ELSEWHERE);
    let kept = "configuration reloaded: changed: a (next-hop 10.1.0.3, check answers; route kept)";
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

/// As with a management address that is not on this host: no query can be sent.
#[test]
fn without_a_verdict_the_next_hop_stays_for_good() {
    let mut bench = Bench::up(HERE);
    bench.reload(ELSEWHERE);
    finds_nothing_out(&mut bench);
    bench.passes(Duration::from_secs(31));
    finds_nothing_out(&mut bench);
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
