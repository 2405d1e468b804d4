use std::net::Ipv4Addr;

use futures_util::future::BoxFuture;
use hickory_resolver::proto::rr::RecordType;

use super::list::ZoneLister;
use super::*;
use crate::outcome::Failure;
use crate::probe::dns::{Transport, record_data};
use crate::responder::{Fault, Responder};

const EQUAL: fn(Cause) -> u8 = |_| 1;

async fn responder(serial: u32) -> Responder {
    let responder = Responder::bind(Ipv4Addr::LOCALHOST.into()).await.unwrap();
    serves(&responder, serial);
    responder
}

fn serves(responder: &Responder, serial: u32) {
    let data = format!("ns.invalid. nobody.invalid. {serial} 3600 600 604800 60");
    responder.answer_with(vec![record_data(RecordType::SOA, &data).unwrap()]);
}

fn server(responder: &Responder) -> Server {
    Server { address: responder.address(), source: None, locality: Arc::default() }
}

/// A check without patience.
fn probe(zones: ZoneSource, here: &Responder, primary: &Responder) -> FreshnessProbe {
    FreshnessProbe {
        zones,
        here: server(here),
        references: References::Primaries(vec![server(primary)]),
        limits: Limits { max_lag: Duration::ZERO, expire_left: Duration::ZERO },
        zone_interval: Duration::from_millis(1),
        max_queries: NonZeroU32::new(1000).unwrap(),
        timeout: Duration::from_secs(5),
        memory: Memory::default(),
    }
}

fn named(count: usize) -> ZoneSource {
    ZoneSource::Named((0..count).map(|number| format!("z{number}.example.")).collect())
}

fn failure(outcome: &Outcome) -> Failure {
    outcome.failure().cloned().unwrap_or_else(|| panic!("{outcome:?}"))
}

#[tokio::test]
async fn zones_that_the_primary_moved_on_with_are_stale() {
    let (here, primary) = (responder(7).await, responder(7).await);
    let probe = probe(named(3), &here, &primary);
    assert!(probe.ask(EQUAL).await.passed());
    serves(&primary, 8);
    // Zones are asked for in turn.
    let stale = loop {
        let outcome = probe.ask(EQUAL).await;
        if outcome.failure().is_some_and(|failure| failure.detail.starts_with("3 of 3 zones are stale")) {
            break failure(&outcome);
        }
    };
    assert_eq!(stale.cause, Cause::Stale);
    assert!(stale.detail.contains("z0.example. has 7, expected 8"), "{stale}");
    let (label, outcome) = probe.ask_all().await;
    assert_eq!(label, "3 zones: 3 behind, 0 not compared");
    assert_eq!(failure(&outcome).cause, Cause::Stale);
    serves(&here, 9);
    assert!(probe.ask_all().await.1.passed(), "ahead is no failure");
    // A copy remembers the same, and a primary that is silent says nothing.
    primary.set(Fault::Refuse).await;
    let (label, outcome) = probe.clone().ask_all().await;
    assert_eq!(label, "3 zones: 0 behind, 3 not compared");
    assert!(matches!(outcome, Outcome::Unknown(failure) if failure.cause == Cause::NoReference));
}

#[tokio::test]
async fn a_round_asks_for_no_more_zones_than_a_second_permits() {
    let (here, primary) = (responder(1).await, responder(1).await);
    let probe =
        FreshnessProbe { zone_interval: Duration::from_secs(3600), ..probe(named(5000), &here, &primary) };
    assert!(probe.ask(EQUAL).await.passed());
    let asked = here.count(Transport::Udp);
    assert!((1..=600).contains(&asked), "{asked} queries, 500 zones a second are permitted");
}

#[tokio::test]
async fn zones_by_the_hundred_thousand_take_bounded_time_and_memory() {
    let (here, primary) = (responder(1).await, responder(1).await);
    let path = std::env::temp_dir().join(format!("dnsherald-many-zones-{}", std::process::id()));
    let text: String = (0..600_000).map(|number| format!("z{number}.example.\n")).collect();
    std::fs::write(&path, text).unwrap();
    let many = FreshnessProbe {
        zone_interval: Duration::from_secs(3600),
        ..probe(ZoneSource::File(path.clone()), &here, &primary)
    };
    let began = Instant::now();
    // The round that reads the list may have no time left to ask.
    while !many.ask(EQUAL).await.passed() {
        // In a debug build on a busy machine; alone it takes eight seconds.
        assert!(began.elapsed() < Duration::from_secs(90), "{:?}", began.elapsed());
        let mut known = lock(&many.memory.0);
        if known.ledger.len() == 0 {
            // It took longer than a list may: read it once more.
            known.listed = None;
        }
    }
    std::fs::remove_file(path).unwrap();
    assert_eq!(lock(&many.memory.0).ledger.len(), ledger::MOST_ZONES);
    let complaint = lock(&many.memory.0).complaint.clone().unwrap();
    assert!(complaint.contains("100000 entries left out"), "{complaint}");
}

#[derive(Debug)]
struct Lister(Mutex<Vec<Result<Vec<String>, String>>>);

impl ZoneLister for Lister {
    fn list(&self) -> BoxFuture<'_, Result<Vec<String>, String>> {
        Box::pin(async { lock(&self.0).pop().unwrap_or_else(|| Err("no more".to_owned())) })
    }

    fn name(&self) -> &'static str {
        "nsd"
    }
}

#[tokio::test]
async fn the_former_list_stands_where_the_next_cannot_be_read() {
    let (here, primary) = (responder(1).await, responder(1).await);
    let lists = vec![Err("hung".to_owned()), Ok(vec!["a.".to_owned(), "b..c".to_owned()]), Ok(vec![])];
    let source = ZoneSource::Listed(Arc::new(Lister(Mutex::new(lists))));
    let probe = probe(source, &here, &primary);
    let empty = failure(&probe.ask_all().await.1);
    assert_eq!(empty, Failure::new(Cause::NoReference, "no zones to compare: the list is empty"));
    tokio::time::sleep(probe.zone_interval).await;
    assert!(probe.ask_all().await.1.passed());
    assert!(lock(&probe.memory.0).complaint.as_ref().unwrap().contains("b..c"));
    tokio::time::sleep(probe.zone_interval).await;
    assert!(probe.ask_all().await.1.passed());
    assert_eq!(lock(&probe.memory.0).complaint.as_deref(), Some("hung"));
}

#[test]
fn equal_configurations_are_equal_whatever_is_in_memory() {
    assert_eq!(named(2), named(2));
    let listed = |name: &str| {
        let list = Ok(vec![name.to_owned()]);
        ZoneSource::Listed(Arc::new(Lister(Mutex::new(vec![list]))))
    };
    assert_eq!(listed("a."), listed("a."));
    assert_ne!(listed("a."), listed("b."));
    assert_eq!(Memory::default(), Memory::default());
}
