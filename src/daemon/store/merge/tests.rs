use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn drain(reason: &str) -> RememberedOrder {
    RememberedOrder {
        reason: reason.to_owned().into(),
        remaining: None,
        age: Duration::ZERO,
        returning: false,
        needs: vec![],
        until_exit: false,
        uid: Some(1000),
    }
}

fn memory(drain: Option<RememberedOrder>) -> Memory {
    let drains = drain.into_iter().map(|drain| (Holder::operator(), drain)).collect();
    let remembered = Remembered { drains, ..Remembered::default() };
    Memory { services: BTreeMap::from([("resolver".to_owned(), remembered)]) }
}

fn of_now(memory: &Memory) -> DatedMemory<'_> {
    DatedMemory { memory, age: Duration::ZERO }
}

/// The result of the merge.
fn merged(known: Option<&str>, ours: Option<&str>, theirs: Option<&str>) -> Option<String> {
    let [known, mut ours, theirs] = [known, ours, theirs].map(|reason| memory(reason.map(drain)));
    for change in changes(of_now(&known), of_now(&theirs), false) {
        apply(&change, &mut ours, Duration::ZERO);
    }
    ours.services["resolver"].drains.values().next().map(|drain| drain.reason.to_string())
}

#[test]
fn applies_changes_of_one_side_and_prefers_a_drain() {
    let (a, b, c) = (Some("a"), Some("b"), Some("c"));
    let kept = |reason: Option<&str>| reason.map(ToOwned::to_owned);
    for (known, ours, theirs, expected) in [
        (None, None, a, a),
        (None, a, None, a),
        (a, a, None, None),
        (a, None, a, None),
        (a, a, b, b),
        (a, b, a, b),
        (a, b, c, b),
        (None, b, c, b),
        (a, None, b, b),
        (a, b, None, b),
        (a, a, a, a),
    ] {
        assert_eq!(merged(known, ours, theirs), kept(expected), "{known:?} {ours:?} {theirs:?}");
    }
}

#[test]
fn compares_ends_at_the_same_time() {
    let lasting = |remaining| memory(Some(RememberedOrder { remaining: Some(remaining), ..drain("a") }));
    let (known, later) = (lasting(2 * HOUR), lasting(HOUR));
    let known = DatedMemory { memory: &known, age: HOUR };
    assert_eq!(changes(known, of_now(&later), false), []);
    assert_eq!(changes(known, of_now(&lasting(3 * HOUR)), false).len(), 1);
    let mut old = memory(None);
    let change = &changes(known, of_now(&lasting(3 * HOUR)), false)[0];
    assert!(apply(change, &mut old, HOUR));
    let remaining = old.services["resolver"].drains[&Holder::operator()].remaining;
    assert_eq!(remaining, Some(4 * HOUR), "one of them has passed");
}

#[test]
fn ignores_expired_and_temporary_drains() {
    let nothing = memory(None);
    let until_exit = memory(Some(RememberedOrder { until_exit: true, ..drain("a") }));
    let over = memory(Some(RememberedOrder { remaining: Some(HOUR), ..drain("a") }));
    assert_eq!(changes(of_now(&nothing), of_now(&until_exit), false), []);
    assert_eq!(changes(of_now(&nothing), DatedMemory { memory: &over, age: HOUR }, false), []);
}

/// The service has another name there.
#[test]
fn a_missing_service_ends_no_drain() {
    let known = memory(Some(drain("a")));
    assert_eq!(changes(of_now(&known), of_now(&Memory::default()), false), []);
}

/// Each service has its own entry, so a drain of all ends with its entry.
#[test]
fn a_missing_entry_for_all_services_is_an_ended_drain() {
    let of = |name: &str, drain: Option<RememberedOrder>| {
        let mut memory = memory(drain);
        let entry = memory.services.remove("resolver").unwrap();
        memory.services.insert(name.to_owned(), entry);
        memory
    };
    let known = of(ALL_SERVICES, Some(drain("a")));
    let ended = changes(of_now(&known), of_now(&Memory::default()), false);
    assert!(matches!(ended.as_slice(), [Change { order: None, .. }]), "{ended:?}");
    let mut ours = known.clone();
    assert!(apply(&ended[0], &mut ours, Duration::ZERO));
    assert!(ours.drains_of_all().is_empty());
    assert_eq!(changes(of_now(&Memory::default()), of_now(&Memory::default()), false), []);
    // It begins for the services that the other helper does not have.
    let begun = changes(of_now(&of("resolver", None)), of_now(&known), false);
    let mut ours = of("resolver", None);
    assert!(apply(&begun[0], &mut ours, Duration::ZERO));
    assert_eq!(ours.services["resolver"].drains, known.services[ALL_SERVICES].drains);
}

#[test]
fn merges_holds_like_drains() {
    let with = |reason: Option<&str>| {
        let holds = reason.map(|reason| (Holder::operator(), drain(reason))).into_iter().collect();
        let remembered = Remembered { holds, ..Remembered::default() };
        Memory { services: BTreeMap::from([("resolver".to_owned(), remembered)]) }
    };
    let mut ours = with(None);
    let begun = changes(of_now(&ours), of_now(&with(Some("a"))), false);
    assert!(matches!(begun.as_slice(), [Change { kind: Kind::Hold, .. }]), "{begun:?}");
    assert!(apply(&begun[0], &mut ours, Duration::ZERO));
    assert_eq!(ours, with(Some("a")));
    let ended = changes(of_now(&ours.clone()), of_now(&with(None)), false);
    assert!(apply(&ended[0], &mut ours, Duration::ZERO));
    assert_eq!(ours, with(None));
}
