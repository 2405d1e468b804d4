//! Changes of the neighbors, families and dialect by a reload.

use super::*;

/// A route to other neighbors is another route to ExaBGP, but not to a neighbor that has both.
#[test]
fn new_neighbors_get_the_standing_announcement_at_once() {
    let mut bench = Bench::up("a neighbor=10.0.0.1 192.0.2.1/32");
    bench.answers = false;
    bench.reload("a neighbor=10.0.0.1 neighbor=10.0.0.2 192.0.2.1/32");
    let withdraw = "neighbor 10.0.0.1 withdraw route 192.0.2.1/32";
    let announce =
        "neighbor 10.0.0.1, neighbor 10.0.0.2 announce route 192.0.2.1/32 next-hop 10.1.0.2 med 100";
    assert_eq!(bench.commands(), [withdraw]);
    // ExaBGP has not answered it; therefore it is sent again behind the announcement.
    bench.answers = true;
    bench.passes(Duration::from_secs(2));
    bench.passes(Duration::from_millis(100));
    assert_eq!(bench.commands(), [announce]);
    bench.passes(Duration::from_secs(1));
    assert_eq!(bench.commands(), [withdraw, announce]);
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
    let changed = "configuration reloaded: changed: a (next-hop or neighbors, what its states advertise)";
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
            "192.0.2.1/32 is now configured for 10.0.0.1, no longer for every neighbor: withdrawing the route to every \
          neighbor"
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
    assert_eq!(
        reloaded(plain, "a 192.0.2.2/32"),
        ["192.0.2.1/32 is no longer configured, but may be announced: withdrawing it"]
    );
}
