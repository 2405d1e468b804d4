use super::super::zone::{Here, Soa};
use super::*;

const LIMITS: Limits = Limits { max_lag: Duration::from_secs(300), expire_left: Duration::from_secs(3600) };
const EQUAL: fn(Cause) -> u8 = |_| 1;

fn speed(every: u64, max_queries: u32, cost: u32) -> Speed {
    let number = |number| NonZeroU32::new(number).unwrap();
    Speed { every: Duration::from_secs(every), max_queries: number(max_queries), cost: number(cost) }
}

fn at(millis: u64) -> Moment {
    Moment::after_start(Duration::from_millis(millis))
}

fn look(here: u32, reference: Result<u32, String>) -> Look {
    let (refresh, expire) = (Duration::from_secs(3600), Duration::from_secs(604_800));
    Look { here: Here::Serves(Soa { serial: here, refresh, expire, left: None }), reference }
}

fn ledger(count: usize) -> Ledger {
    let mut ledger = Ledger::default();
    ledger.set_zones((0..count).map(|number| format!("z{number:06}.")).collect());
    ledger
}

fn learn(ledger: &mut Ledger, second: u64, place: usize, look: Look) {
    let name = ledger.zones[place].name.clone();
    ledger.learn(at(1000 * second), place, &name, look, LIMITS);
}

fn verdict(ledger: &Ledger, second: u64) -> Outcome {
    ledger.verdict(at(1000 * second), LIMITS, Duration::ZERO, EQUAL)
}

#[test]
fn ten_thousand_zones_a_minute_are_spread_evenly() {
    let mut ledger = ledger(10_000);
    let speed = speed(60, 500, 2);
    assert_eq!(ledger.due(at(0), speed).len(), 250, "a second's worth at first");
    let counts: Vec<_> = (1..=60).map(|second| ledger.due(at(1000 * second), speed).len()).collect();
    assert!(counts.iter().all(|count| (166..=167).contains(count)), "{counts:?}");
    assert!((9_999..=10_000).contains(&counts.iter().sum::<usize>()), "{counts:?}");
}

#[test]
fn queries_are_limited_whatever_the_rounds() {
    let mut ledger = ledger(100_000);
    let speed = speed(60, 100, 4);
    let mut asked = 0;
    for tenth in 0..=600 {
        asked += ledger.due(at(100 * tenth), speed).len();
    }
    assert!((1500..=1525).contains(&asked), "{asked} zones, 25 a second");
    assert_eq!(ledger.due(at(3_600_000), speed).len(), 25, "a pause saves up no more than a second's worth");
}

#[test]
fn few_zones_are_asked_for_at_once_and_then_in_turn() {
    let mut ledger = ledger(3);
    let speed = speed(60, 500, 2);
    assert_eq!(ledger.due(at(0), speed).len(), 3);
    let mut asked = vec![];
    for second in 1..=120 {
        asked.extend(ledger.due(at(1000 * second), speed).into_iter().map(|(place, _)| place));
    }
    assert_eq!(asked[..6], [0, 1, 2, 0, 1, 2]);
    assert!(Ledger::default().due(at(0), speed).is_empty());
}

#[test]
fn a_new_list_keeps_the_state_of_remaining_zones() {
    let mut ledger = Ledger::default();
    ledger.set_zones(["b.", "a.", "b."].map(str::to_owned).into());
    assert_eq!(ledger.len(), 2);
    learn(&mut ledger, 0, 1, look(1, Ok(2)));
    ledger.set_zones(["0.", "b.", "c."].map(str::to_owned).into());
    let Outcome::Fail(failure) = verdict(&ledger, 301) else { panic!() };
    assert_eq!(
        (failure.cause, failure.detail.as_str()),
        (Cause::Stale, "1 of 3 zone is stale: b. has 1, expected 2, behind for 5m 1s")
    );
    // What was asked for by the old list is not taken for another zone.
    ledger.learn(at(0), 1, "a.", look(9, Ok(9)), LIMITS);
    assert!(matches!(verdict(&ledger, 302), Outcome::Fail(_)));
}

#[test]
fn the_detail_names_the_first_few_and_counts_all() {
    let mut ledger = ledger(10);
    (0..10).for_each(|place| learn(&mut ledger, 0, place, look(1, Ok(if place < 5 { 2 } else { 1 }))));
    assert!(verdict(&ledger, 300).passed());
    let Outcome::Fail(failure) = verdict(&ledger, 301) else { panic!() };
    assert!(failure.detail.starts_with("5 of 10 zones are stale: z000000. has 1"), "{failure}");
    assert!(
        failure.detail.ends_with("z000002. has 1, expected 2, behind for 5m 1s; and 2 more"),
        "{failure}"
    );
}

#[test]
fn no_reference_is_unknown_and_one_zone_compared_is_enough() {
    let mut ledger = ledger(2);
    let why = |outcome| match outcome {
        Outcome::Unknown(failure) => failure.to_string(),
        outcome => panic!("{outcome:?}"),
    };
    assert!(why(verdict(&ledger, 0)).ends_with("no zone was asked for yet"));
    learn(&mut ledger, 0, 0, look(1, Err("10.1.0.9:53 udp: no answer".to_owned())));
    assert_eq!(why(verdict(&ledger, 0)), "no zone of 2 can be compared: 10.1.0.9:53 udp: no answer");
    learn(&mut ledger, 0, 1, look(1, Ok(1)));
    assert!(verdict(&ledger, 0).passed());
    assert_eq!(ledger.summary(at(0), LIMITS), (1, 0));
}

#[test]
fn of_two_causes_the_severer_counts() {
    let mut ledger = ledger(2);
    let told = Soa {
        serial: 1,
        refresh: Duration::from_secs(3600),
        expire: Duration::from_secs(604_800),
        left: Some(Duration::from_secs(60)),
    };
    learn(&mut ledger, 0, 0, Look { here: Here::Serves(told), reference: Ok(1) });
    learn(&mut ledger, 0, 1, look(1, Ok(2)));
    let cause = |rank: fn(Cause) -> u8| {
        let outcome = ledger.verdict(at(400_000), LIMITS, Duration::ZERO, rank);
        outcome.failure().map(|failure| (failure.cause, failure.detail.clone())).unwrap()
    };
    let (first, detail) = cause(EQUAL);
    assert_eq!(first, Cause::Expired);
    assert!(
        detail.starts_with("1 of 2 zone expires soon: z000000. has expired; 1 of 2 zone is stale"),
        "{detail}"
    );
    assert_eq!(cause(|cause| u8::from(cause == Cause::Stale)).0, Cause::Stale);
}
