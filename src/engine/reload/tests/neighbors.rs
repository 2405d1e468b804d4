//! Changes of the neighbors, families and dialect by a reload.

use super::*;

const ANNOUNCE: &str = "announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100";

/// A neighbor that had the route and keeps it loses it at no time.
#[test]
fn a_change_of_neighbors_withdraws_only_from_those_that_lose_the_route() {
    let changes = [
        ("neighbor=10.0.0.1", "", vec![ANNOUNCE.to_owned()]),
        (
            "neighbor=10.0.0.1",
            "neighbor=10.0.0.1 neighbor=10.0.0.2",
            vec![format!("neighbor 10.0.0.1, neighbor 10.0.0.2 {ANNOUNCE}")],
        ),
        (
            "neighbor=10.0.0.1 neighbor=10.0.0.2",
            "neighbor=10.0.0.2",
            vec![
                "neighbor 10.0.0.1 withdraw route 192.0.2.1/32".to_owned(),
                format!("neighbor 10.0.0.2 {ANNOUNCE}"),
            ],
        ),
        // ExaBGP has no command for all neighbors but some.
        (
            "",
            "neighbor=10.0.0.2",
            vec!["withdraw route 192.0.2.1/32".to_owned(), format!("neighbor 10.0.0.2 {ANNOUNCE}")],
        ),
    ];
    for (from, to, commands) in changes {
        let [from, to] = [from, to].map(|neighbors| format!("a {neighbors} 192.0.2.1/32").replace("  ", " "));
        let mut bench = Bench::up(&from);
        bench.reload(&to);
        assert_eq!(bench.commands(), commands, "{from} -> {to}");
        // The same over a restart of the helper.
        let mut before = Bench::up(&from);
        let memory = before.engine.remember(before.now);
        let mut bench = Bench::started(memory, &to, Duration::from_secs(1));
        bench.finds(0, &[true, true]);
        assert_eq!(bench.commands(), commands, "{from} -> {to}, restarted");
    }
}

/// ExaBGP answers `done` for a group of which it has one neighbor. Its reports name only that one.
#[test]
fn a_neighbor_without_a_report_is_named_once_others_have_reports() {
    let group = "a neighbor=10.0.0.1 neighbor=10.0.0.9 192.0.2.1/32";
    let told = |bench: &mut Bench, seconds: u64| {
        for _ in 0..seconds {
            bench.passes(Duration::from_secs(1));
        }
        bench.logged.iter().filter(|line| line.contains("has told of no session with 10.0.0.9")).count()
    };
    let misses = |bench: &Bench| bench.engine.api_session().misses(&"10.0.0.9".parse().unwrap());
    let report = |bench: &mut Bench, line: &str| bench.handle(Event::Received(line.to_owned()));
    let mut bench = Bench::up(group);
    assert_eq!((told(&mut bench, 300), misses(&bench)), (0, false), "no session has a report");
    report(&mut bench, "neighbor 10.0.0.1 connected");
    report(&mut bench, "neighbor 10.0.0.1 up");
    assert_eq!((told(&mut bench, 58), misses(&bench)), (0, false), "it may still connect");
    assert_eq!((told(&mut bench, 300), misses(&bench)), (1, true));
    bench.reload(group);
    assert_eq!((told(&mut bench, 300), misses(&bench)), (1, true), "told once");
    report(&mut bench, "neighbor 10.0.0.9 connected");
    assert!(!misses(&bench));
    // A reload names it while the other session is up.
    let mut bench = Bench::up("a neighbor=10.0.0.1 192.0.2.1/32");
    report(&mut bench, "neighbor 10.0.0.1 up");
    told(&mut bench, 300);
    bench.reload(group);
    assert_eq!((told(&mut bench, 58), told(&mut bench, 5), misses(&bench)), (0, 1, true));
    bench.reload("a neighbor=10.0.0.1 192.0.2.1/32");
    assert!(!misses(&bench));
    // A session that is lost was up when this helper started, and so may others be.
    let mut bench = Bench::up(group);
    report(&mut bench, "neighbor 10.0.0.1 down - peer reset");
    report(&mut bench, "neighbor 10.0.0.1 up");
    assert_eq!((told(&mut bench, 300), misses(&bench)), (0, false));
    // ExaBGP refuses its only route: the log has that.
    let mut bench =
        Bench::started(Memory::default(), "a to=10.0.0.1/100 to=10.0.0.9/100 192.0.2.1/32", Duration::ZERO);
    bench.refuses = Some("10.0.0.9");
    bench.finds(0, &[true, true]);
    report(&mut bench, "neighbor 10.0.0.1 up");
    assert_eq!((told(&mut bench, 300), misses(&bench)), (0, false));
}

/// What the successor withdraws was announced by the former route.
#[test]
fn a_successor_that_never_announced_withdraws_at_the_end() {
    let mut bench = Bench::up("a neighbor=10.0.0.1 192.0.2.1/32");
    bench.answers = false;
    bench.reload("a 192.0.2.1/32");
    assert_eq!(bench.commands(), [ANNOUNCE]);
    bench.handle(Event::Terminate);
    assert_eq!(bench.commands(), ["withdraw route 192.0.2.1/32"]);
}

/// A neighbor that exabgp.conf does not have: it has never announced anything.
#[test]
fn a_route_that_was_refused_from_the_start_is_forgotten_with_its_neighbor() {
    let mut bench =
        Bench::started(Memory::default(), "a to=10.0.0.1/100 to=10.0.0.9/100 192.0.2.1/32", Duration::ZERO);
    bench.refuses = Some("10.0.0.9");
    bench.finds(0, &[true, true]);
    bench.reload("a to=10.0.0.1/100 192.0.2.1/32");
    assert!(bench.engine.stale_routes().next().is_none());
    bench.handle(Event::Terminate);
    assert!(!bench.commands().contains(&"neighbor 10.0.0.9 withdraw route 192.0.2.1/32".to_owned()));
}

/// A router that was removed from exabgp.conf first, and from our file later. Its session was lost.
#[test]
fn a_withdraw_from_a_neighbor_that_exabgp_no_longer_has_ends() {
    let end = |last: &str| {
        let mut bench = Bench::up("a to=10.0.0.1/100 to=10.0.0.9/100 192.0.2.1/32");
        bench.handle(Event::Received("neighbor 10.0.0.9 up".to_owned()));
        bench.handle(Event::Received(format!("neighbor 10.0.0.9 {last}")));
        bench.refuses = Some("10.0.0.9");
        bench.reload("a to=10.0.0.1/100 192.0.2.1/32");
        for _ in 0..600 {
            bench.passes(Duration::from_millis(100));
        }
        let told = bench.logged.iter().filter(|line| line.contains("again and again")).count();
        let overdue = bench.engine.overdue_routes().count();
        // Its `api` section is back.
        bench.refuses = None;
        bench.said.clear();
        bench.handle(Event::Received("neighbor 10.0.0.9 up".to_owned()));
        bench.passes(Duration::from_secs(31));
        let withdraw = "neighbor 10.0.0.9 withdraw route 192.0.2.1/32".to_owned();
        assert!(bench.commands().contains(&withdraw) && bench.engine.stale_routes().next().is_none());
        (overdue, told)
    };
    assert_eq!(end("down - peer removed"), (0, 1));
    assert_eq!(end("up"), (1, 0), "a session that is up may have the route");
}

/// Without replies nothing tells that a withdraw was carried out.
#[test]
fn a_route_that_is_gone_is_withdrawn_twice_if_exabgp_answers_nothing() {
    let mut bench = Bench::begun(Memory::default(), "a 192.0.2.1/32", Duration::ZERO, false);
    for _ in 0..60 {
        bench.passes(Duration::from_secs(1));
    }
    bench.finds(0, &[true, true]);
    assert!(!bench.engine.api_session().answers && bench.commands().contains(&ANNOUNCE.to_owned()));
    bench.reload("a neighbor=10.0.0.2 192.0.2.1/32");
    for _ in 0..600 {
        bench.passes(Duration::from_secs(1));
    }
    let withdraws = bench.commands().iter().filter(|line| *line == "withdraw route 192.0.2.1/32").count();
    assert_eq!((withdraws, bench.engine.stale_routes().count()), (2, 0));
}

#[test]
fn a_new_neighbor_takes_over_nothing_from_those_that_others_have() {
    let mut bench = Bench::up("a neighbor=10.0.0.1 neighbor=10.0.0.2 192.0.2.1/32");
    bench.answers = false;
    bench.reload("a to=10.0.0.1/100 to=10.0.0.2/100 to=10.0.0.3/100 192.0.2.1/32");
    let perhaps: Vec<_> = bench.engine.entries_of(0).map(|entry| entry.perhaps_announced).collect();
    assert_eq!(perhaps, [true, true, false]);
}

#[test]
fn a_reply_to_the_former_words_of_a_route_acknowledges_nothing() {
    let mut bench = Bench::up("a 192.0.2.1/32");
    bench.answers = false;
    bench.handle(Event::Received("neighbor 10.0.0.1 up".to_owned()));
    assert_eq!(bench.commands(), [ANNOUNCE]);
    bench.reload("a hop=10.1.0.9 192.0.2.1/32");
    bench.handle(Event::Received("done".to_owned()));
    assert_eq!(bench.commands(), [ANNOUNCE.replace("10.1.0.2", "10.1.0.9")]);
    assert!(!bench.engine.entries_of(0).any(RouteEntry::is_settled));
    bench.handle(Event::Received("done".to_owned()));
    assert!(bench.engine.entries_of(0).all(RouteEntry::is_settled));
}

/// To the neighbors that have lost the route meanwhile, it is no repetition.
#[test]
fn a_route_that_is_configured_again_is_announced_anew() {
    let mut bench = Bench::up("a 192.0.2.1/32");
    bench.reload("a neighbor=10.0.0.2 192.0.2.1/32");
    bench.logged.clear();
    bench.reload("a 192.0.2.1/32");
    let announced = |line: &&String| line.contains("ANNOUNCED 192.0.2.1/32");
    let told: Vec<_> = bench.logged.iter().filter(announced).collect();
    assert_eq!(told, ["a: ANNOUNCED 192.0.2.1/32 med 100 (acknowledged): required checks pass"]);
}

/// The service has no verdict yet, since its check is another. What it announced stands for a new neighbor, too, wherever the
/// file names it.
#[test]
fn a_new_neighbor_gets_what_stands_in_any_order() {
    for to in ["to=10.0.0.1/100 to=10.0.0.2/100", "to=10.0.0.2/100 to=10.0.0.1/100"] {
        let mut bench = Bench::up("a to=10.0.0.1/100 192.0.2.1/32");
        bench.reload(&format!("a query=example. {to} 192.0.2.1/32"));
        assert_eq!(bench.commands(), [format!("neighbor 10.0.0.2 {ANNOUNCE}")], "{to}");
    }
}

#[test]
fn a_new_family_is_marked_and_one_that_is_gone_is_not() {
    let mut bench = Bench::up("exabgp:end-of-rib = true\na 192.0.2.1/32");
    bench.reload("exabgp:end-of-rib = true\na 192.0.2.1/32\nb 2001:db8:53::1/128");
    bench.finds(1, &[true, true]);
    let route = "announce route 2001:db8:53::1/128 next-hop 2001:db8:1::2 med 100";
    assert_eq!(bench.commands(), [route, "announce eor ipv6 unicast"]);
    bench.reload("exabgp:end-of-rib = true\na 192.0.2.1/32\nc 2001:db8:53::2/128");
    bench.reload("exabgp:end-of-rib = true\na 192.0.2.1/32");
    bench.finds(0, &[true, true]);
    assert_eq!(bench.commands(), ["withdraw route 2001:db8:53::1/128"]);
}

#[test]
fn another_dialect_restates_everything() {
    let mut bench = Bench::up("a 192.0.2.1/32");
    bench.reload("exabgp:api = 6\na 192.0.2.1/32");
    assert_eq!(bench.commands(), ["peer * announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100"]);
}

const TO_TWO: &str = "a to=10.0.0.1/100 to=10.0.0.2/200 192.0.2.1/32";

#[test]
fn a_reload_resends_only_the_announcements_that_differ_per_neighbor() {
    let mut bench = Bench::up(TO_TWO);
    let desired = |bench: &Bench| {
        let entries = bench.engine.entries_of(0);
        entries.map(|entry| (entry.is_settled(), entry.desired.clone().unwrap())).collect::<Vec<_>>()
    };
    let med = |med| Advertisement::Announce(Attributes { med: Some(med), ..Attributes::default() });
    assert_eq!(desired(&bench), [(true, med(100)), (true, med(200))]);
    bench.reload(TO_TWO);
    assert_eq!(bench.said, [""; 0]);
    assert!(bench.engine.entries_of(0).all(RouteEntry::is_settled));
    // One neighbor gets another announcement; the other gets nothing.
    bench.reload("a to=10.0.0.1/100 to=10.0.0.2/300 192.0.2.1/32");
    let hop = "announce route 192.0.2.1/32 next-hop 10.1.0.2";
    assert_eq!(bench.said, [format!("neighbor 10.0.0.2 {hop} med 300")]);
    assert_eq!(desired(&bench), [(true, med(100)), (true, med(300))]);
}

#[test]
fn an_acknowledgment_survives_the_change_to_commands_per_neighbor() {
    let mut bench = Bench::up("a med=100 neighbor=10.0.0.1 192.0.2.1/32");
    bench.reload(TO_TWO);
    let hop = "announce route 192.0.2.1/32 next-hop 10.1.0.2";
    assert_eq!(bench.said, [format!("neighbor 10.0.0.2 {hop} med 200")], "never what the other is told");
    bench.said.clear();
    bench.reload("a to=10.0.0.2/200 192.0.2.1/32");
    assert_eq!(bench.said, ["neighbor 10.0.0.1 withdraw route 192.0.2.1/32"]);
}

#[test]
fn another_number_of_neighbors_is_no_change_of_prefixes() {
    let mut bench = Bench::up("a to=10.0.0.1/100 192.0.2.1/32");
    bench.reload(TO_TWO);
    let changed = "configuration reloaded: changed: a (neighbors, what its states advertise)";
    assert!(bench.logged.contains(&changed.to_owned()), "{:?}", bench.logged);
}

/// The prefix stays configured: only the neighbors that lose it are named.
#[test]
fn the_log_names_the_neighbors_that_lose_a_prefix() {
    let reloaded = |from: &str, to: &str| {
        let mut bench = Bench::up(from);
        bench.reload(to);
        let about = |line: &&String| line.starts_with("192.0.2.1/32 is ");
        bench.logged.iter().filter(about).cloned().collect::<Vec<_>>()
    };
    let (plain, one) = ("a 192.0.2.1/32", "a to=10.0.0.1/100 192.0.2.1/32");
    assert_eq!(
        reloaded(plain, one),
        [
            "192.0.2.1/32 is now configured for 10.0.0.1 only: withdrawing it from every neighbor first, since ExaBGP \
             has no command for all neighbors but some; the next announcement returns the route to 10.0.0.1"
        ]
    );
    assert_eq!(
        reloaded(one, plain),
        [
            "192.0.2.1/32 is now configured for every neighbor, no longer for 10.0.0.1 alone: replacing the route to \
          10.0.0.1"
        ]
    );
    assert_eq!(
        reloaded(TO_TWO, one),
        [
            "192.0.2.1/32 is now configured for 10.0.0.1, no longer for 10.0.0.2: withdrawing the route to 10.0.0.2"
        ]
    );
    assert_eq!(
        reloaded(one, "a neighbor=10.0.0.1 neighbor=10.0.0.2 192.0.2.1/32"),
        [
            "192.0.2.1/32 is now configured for 10.0.0.1, 10.0.0.2, no longer for 10.0.0.1 alone: replacing the route to \
          10.0.0.1"
        ]
    );
    let gone = "192.0.2.1/32 is no longer configured: withdrawing it";
    assert_eq!(reloaded(plain, "a 192.0.2.2/32"), [gone]);
}

/// The lines about withdraws after a reload from the first configuration to the second one.
fn removed(mut bench: Bench, to: &str) -> Vec<String> {
    bench.logged.clear();
    bench.reload(to);
    bench.passes(Duration::from_secs(1));
    bench.logged.retain(|line| line.contains(": WITHDRAWN "));
    bench.logged
}

#[test]
fn the_withdraw_of_a_route_that_is_no_longer_configured_is_logged_once() {
    let one = "a neighbor=10.0.0.1 192.0.2.1/32\nb 192.0.2.3/32";
    let withdrawn = "192.0.2.1/32 to 10.0.0.1: WITHDRAWN (acknowledged): no longer configured";
    assert_eq!(removed(Bench::up(one), "b 192.0.2.3/32"), [withdrawn]);
    let narrowed = "192.0.2.1/32 to every neighbor: WITHDRAWN (acknowledged): no longer configured";
    assert_eq!(removed(Bench::up("a 192.0.2.1/32"), "a neighbor=10.0.0.1 192.0.2.1/32"), [narrowed]);
    let mut refusing = Bench::up(one);
    refusing.refuses = Some("10.0.0.1 withdraw");
    assert_eq!(removed(refusing, "b 192.0.2.3/32"), [""; 0], "a refusal has a line of its own");
    let mut silent = Bench::begun(Memory::default(), one, Duration::ZERO, false);
    // Timeouts of the greeting, of the question for the version, and of a command.
    for _ in 0..30 {
        silent.passes(Duration::from_secs(1));
    }
    silent.finds(0, &[true, true]);
    let unknown =
        "192.0.2.1/32 to 10.0.0.1: WITHDRAWN (NOT acknowledged: exabgp.api.ack is off): no longer configured";
    assert_eq!(removed(silent, "b 192.0.2.3/32"), [unknown]);
}
