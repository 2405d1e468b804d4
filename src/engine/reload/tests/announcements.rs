//! Announcements that are under way, or whose prefix moves or ends, when the configuration changes.

use super::*;

use rustix::time::{ClockId, clock_gettime};

#[test]
fn routes_of_an_earlier_helper_are_withdrawn_if_removed_before_the_first_verdict() {
    let mut before = Bench::up(TWO);
    let memory = before.engine.remember(before.now);
    let mut bench = Bench::started(memory, TWO, Duration::from_secs(1));
    assert_eq!(bench.commands(), [""; 0]);
    bench.reload("a 192.0.2.2/32\nb 192.0.2.3/32");
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32"]);
    let kept = bench.engine.remember(bench.now).announced().count();
    assert_eq!(kept, 2, "the others stand until they have decided");
}

#[test]
fn a_command_in_flight_is_answered_for_its_own_route() {
    let mut bench = Bench::up(TWO);
    bench.answers = false;
    bench.finds(1, &[false, false]);
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.3/32"]);
    bench.reload("b 192.0.2.3/32");
    assert_eq!(bench.commands(), [""; 0], "one command at a time");
    bench.answers = true;
    bench.handle(Event::Received("done".to_owned()));
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32", "withdraw route 192.0.2.2/32"]);
    assert!(bench.engine.api_session().entries().iter().all(|entry| !entry.perhaps_announced));
}

#[test]
fn two_reloads_while_a_command_is_unanswered() {
    let mut bench = Bench::up(TWO);
    bench.answers = false;
    bench.finds(1, &[false, false]);
    bench.reload("a 192.0.2.1/32");
    bench.reload("c 192.0.2.9/32\na 192.0.2.1/32 192.0.2.2/32");
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.3/32"]);
    bench.answers = true;
    bench.handle(Event::Received("done".to_owned()));
    // The second reload restores the route that the first would have withdrawn.
    assert_eq!(bench.commands(), ["announce route 192.0.2.2/32 next-hop 10.1.0.2 med 100"]);
    assert!(bench.engine.stale_routes().next().is_none());
}

#[test]
fn a_reload_of_forty_thousand_prefixes_is_fast() {
    let prefixes: Vec<_> = (0..40_000).map(|nth| format!("198.18.{}.{}/32", nth / 256, nth % 256)).collect();
    let (some, all) = (format!("a {}", prefixes[1..].join(" ")), format!("a {}", prefixes.join(" ")));
    let plans = [config(&all).plan(), config(&some).plan()];
    let mut engine = Engine::new(&plans[0], Parent::Terminal, Memory::default(), Duration::ZERO);
    engine.handle(Moment::START, Event::Start);
    // CPU time of this thread, so that other load does not count.
    let worked = || clock_gettime(ClockId::ThreadCPUTime).tv_sec;
    let before = worked();
    engine.reload(Moment::START, &plans[1]);
    engine.reload(Moment::START, &plans[0]);
    let seconds = worked() - before;
    assert!(seconds < 20, "took {seconds} s");
}

#[test]
fn a_moved_prefix_keeps_its_state_until_its_new_service_decides() {
    let mut bench = Bench::up(TWO);
    bench.finds(1, &[false, false]);
    bench.commands();
    bench.reload("a 192.0.2.1/32\nb query=example. 192.0.2.3/32 192.0.2.2/32");
    assert_eq!(bench.commands(), [""; 0]);
    bench.finds(1, &[false, false]);
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.2/32"]);
}
