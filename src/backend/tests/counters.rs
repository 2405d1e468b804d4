//! The counters that the servers of Debian 12 print, read for a `counters` check.

use std::time::Duration;

use super::super::{Kind, Reading};

fn read(kind: Kind, text: &str) -> Reading {
    kind.driver().read_counters(text).unwrap_or_else(|| panic!("{kind} reads nothing in {text}"))
}

const fn reading(queries: u64, servfail: u64, dropped: u64, pending: Option<u64>) -> Reading {
    Reading { queries, servfail: Some(servfail), dropped: Some(dropped), pending }
}

#[test]
fn unbound_counts_codes_with_extended_statistics_only() {
    let plain = "thread0.num.queries=12\nthread0.num.queries_ip_ratelimited=3\ntotal.num.queries=12\n\
                 total.num.queries_ip_ratelimited=3\ntotal.requestlist.max=9\ntotal.requestlist.overwritten=1\n\
                 total.requestlist.exceeded=2\ntotal.requestlist.current.all=5\ntotal.requestlist.current.user=4\n";
    let extended = format!("{plain}num.answer.rcode.NOERROR=0\nnum.answer.rcode.SERVFAIL=7\n");
    assert_eq!(read(Kind::Unbound, &extended), reading(12, 7, 6, Some(4)));
    assert_eq!(read(Kind::Unbound, plain), Reading { servfail: None, ..reading(12, 0, 6, Some(4)) });
}

#[test]
fn a_counter_that_bind_omits_is_zero() {
    let quiet = r#"{"opcodes":{"QUERY":12,"IQUERY":0},"rcodes":{"NOERROR":12,"SERVFAIL":0},"nsstats":{"Requestv4":12}}"#;
    assert_eq!(read(Kind::Bind, quiet), reading(12, 0, 0, Some(0)));
    let busy = r#"{"opcodes":{"QUERY":12},"rcodes":{"SERVFAIL":4},
        "nsstats":{"QryDropped":3,"RateDropped":2,"RecLimitDropped":1,"RecursClients":900}}"#;
    assert_eq!(read(Kind::Bind, busy), reading(12, 4, 4, Some(900)));
    assert_eq!(Kind::Bind.driver().read_counters("{}"), None);
}

#[test]
fn nsd_before_4_8_is_read_once_a_minute() {
    let text = "server0.queries=12\nnum.queries=12\nnum.rcode.SERVFAIL=5\nnum.rxerr=0\nnum.dropped=2\n";
    assert_eq!(read(Kind::Nsd, text), Reading { dropped: None, ..reading(12, 5, 0, None) });
    let pause = |version| Kind::Nsd.driver().counters_pause(version);
    for slow in [Some("4.6.1"), Some("4.7.0"), Some("3.9"), Some("odd"), None] {
        assert_eq!(pause(slow), Duration::from_secs(60), "{slow:?}");
    }
    for fast in ["4.8.0", "4.10.1", "5.0"] {
        assert_eq!(pause(Some(fast)), Duration::ZERO, "{fast}");
    }
    assert!(Kind::ALL.iter().all(|kind| *kind == Kind::Nsd || kind.driver().counters_pause(None).is_zero()));
}

#[test]
fn knot_counts_with_its_statistics_modules() {
    let text = "server.zone-count = 1\nmod-rrl.slipped = 3\nmod-rrl.dropped = 4\nmod-stats.request-protocol[udp4] = 12\n\
                mod-stats.server-operation[query] = 12\nmod-stats.response-code[NOERROR] = 10\n";
    assert_eq!(read(Kind::Knot, text), reading(12, 0, 7, None));
    assert_eq!(read(Kind::Knot, &format!("{text}mod-stats.response-code[SERVFAIL] = 2\n")).servfail, Some(2));
    let bare = "server.zone-count = 1\nmod-stats.server-operation[query] = 9\n";
    assert_eq!(read(Kind::Knot, bare), Reading { queries: 9, ..Reading::default() });
    assert_eq!(Kind::Knot.driver().read_counters("server.zone-count = 1\n"), None, "without mod-stats");
}

#[test]
fn knot_resolver_prints_a_table() {
    let text = "{\n    ['answer.servfail'] = 3,\n    ['answer.slow'] = 0,\n    ['answer.total'] = 12,\n    \
                ['request.internal'] = 2,\n    ['request.total'] = 19,\n    ['request.udp'] = 17,\n}";
    let expected = Reading { dropped: None, ..reading(17, 3, 0, Some(5)) };
    assert_eq!(read(Kind::KnotResolver, text), expected);
    assert_eq!(Kind::KnotResolver.driver().read_queries(text), Some(12));
}

#[test]
fn powerdns_names_its_counters_itself() {
    let text = "overload-drops=3,servfail-packets=5,tcp-queries=2,timedout-packets=4,udp-queries=10,qsize-q=6,uptime=4,";
    assert_eq!(read(Kind::PowerDns, text), reading(12, 5, 7, Some(6)));
    assert_eq!(read(Kind::PowerDnsRecursor, "12\n3\n1\n2\n4\n9\n"), reading(12, 3, 7, Some(9)));
    assert_eq!(read(Kind::PowerDnsRecursor, "12\n"), Reading { queries: 12, ..Reading::default() });
    assert_eq!(Kind::PowerDnsRecursor.driver().read_queries("12\n3\n"), Some(12));
    let table = "acl-drops  \t  9    no-policy  \t  2\ndownstream-timeouts \t 3  queries \t 12\n\
                 dyn-blocked \t 1  frontend-servfail \t 4\nservfail-responses \t 7   uptime 4\n";
    assert_eq!(read(Kind::Dnsdist, table), reading(12, 4, 6, None));
}

#[test]
fn dnsmasq_counts_queries_only() {
    assert_eq!(read(Kind::Dnsmasq, "3\n4\n0"), Reading { queries: 7, ..Reading::default() });
    assert_eq!(read(Kind::Generic, "8"), Reading { queries: 8, ..Reading::default() });
}
