//! ExaBGP and the helper, BGP sessions, ways back, servers that share a port, their configuration.

use super::*;
use crate::backend::sharing::Holder;
use crate::doctor::facts::{HelperFact, SharedFact, WayFact};
use crate::status::{BgpSession, Document, SessionState};

fn silent() -> HelperFact {
    HelperFact::Silent(
        "no helper is running: there is no /run/dnsherald/status.sock; start ExaBGP".to_owned(),
    )
}

fn session(neighbor: &str, state: SessionState) -> BgpSession {
    let reason = (state == SessionState::Down).then(|| "peer reset".to_owned());
    BgpSession { neighbor: neighbor.to_owned(), state, since: None, for_seconds: Some(38.0), reason }
}

fn with_document(change: impl FnOnce(&mut Document)) -> HelperFact {
    let mut document = document();
    change(&mut document);
    HelperFact::Answers(Box::new(document))
}

#[test]
fn exabgp_and_the_helper_must_run() {
    assert_eq!(found(|facts| facts.helper = Ok(silent())), ["helper-missing"]);
    let frozen = "the helper (pid 7) behind /run/dnsherald/status.sock does not respond: no whole answer within 4s; is it \
                  stopped or overloaded?";
    let mut facts = healthy();
    facts.helper = Ok(HelperFact::Unresponsive(frozen.to_owned()));
    let report = Report::from_facts(&facts);
    let keeps = "no whole answer within 4s: it is stopped or overloaded, and ExaBGP keeps what it announced";
    assert!(
        report.findings[0].id.word() == "helper-missing" && report.findings[0].what.ends_with(keeps),
        "{report:?}"
    );
    let stopped = |facts: &mut Facts| {
        facts.helper = Ok(silent());
        facts.is_exabgp_running = false;
    };
    assert_eq!(found(stopped), ["exabgp-stopped"], "a helper cannot run without it");
    let two = "processes 12 and 34 are two ExaBGPs with /etc/exabgp/exabgp.conf";
    assert_eq!(found(|facts| facts.exabgp_twice = Some(two.to_owned())), ["exabgp-twice"]);
    // An ExaBGP of an unusual user is not found, but its helper answers.
    assert_eq!(found(|facts| facts.is_exabgp_running = false), [""; 0]);
    assert_eq!(found(|facts| facts.helper = Err("no permission".to_owned())), [""; 0]);
    let without_directory = found(|facts| {
        facts.helper = Ok(silent());
        let path = "/run/dnsherald".into();
        let denied = vec![Denied { path, backend: None, group: None, is_granted: false }];
        facts.access = Ok(Access { user: "exabgp".to_owned(), may_read_config: true, denied });
    });
    assert_eq!(without_directory, ["directory-access"], "it may run without sockets");
    let idle = found(|facts| {
        stopped(facts);
        facts.config = Ok(config(&CONFIG.replace("name = \"dns\"\n", "name = \"dns\"\nenabled = false\n")));
    });
    assert_eq!(idle, ["nothing-enabled"]);
}

#[test]
fn the_helper_knows_the_bgp_sessions() {
    let sessions = |states: &[SessionState]| {
        let sessions: Vec<_> = states.iter().map(|state| session("10.1.0.1", *state)).collect();
        found(|facts| facts.helper = Ok(with_document(|document| document.exabgp.bgp_sessions = sessions)))
    };
    use SessionState::{Down, Unknown, Up};
    assert_eq!(sessions(&[Down, Down]), ["sessions-down"]);
    assert_eq!(sessions(&[Up, Down]), ["session-down"]);
    assert_eq!(sessions(&[Unknown, Down]), ["session-down"]);
    assert_eq!(sessions(&[Unknown]), [""; 0]);
    let mut facts = healthy();
    let down = vec![session("10.1.0.1", Down)];
    facts.helper = Ok(with_document(|document| document.exabgp.bgp_sessions = down));
    let what = &Report::from_facts(&facts).findings[0].what;
    assert!(what.ends_with("route of this host: neighbor 10.1.0.1 for 38s: peer reset"), "{what}");
}

/// A helper that was started after the sessions came up has been told of none of them.
#[test]
fn a_session_that_is_not_reported_differs_from_sessions_that_never_are() {
    let mut facts = healthy();
    let mut why = |conf: &str| {
        let report = |sessions| {
            facts.helper = Ok(with_document(|document| {
                (document.pid, document.running_seconds) = (4711, 312.5);
                document.exabgp.bgp_sessions = sessions;
            }));
            facts.confs = Ok(confs(conf));
            let mut report = Report::from_facts(&facts);
            assert_eq!((report.findings, report.not_checked.len()), (vec![], 1));
            report.not_checked.remove(0).why
        };
        let unreported = [vec![], vec![session("10.1.0.1", SessionState::Unknown)]].map(report);
        assert_eq!(unreported[0], unreported[1]);
        unreported[0].clone()
    };
    let with = |changes: &str| CONF.replace("dnsherald ]; }", &format!("dnsherald ]; {changes} }}"));
    let told = "the helper (process 4711) was started 5m 12s ago, and no session has changed since: ExaBGP reports only \
                changes (`neighbor-changes`); `exabgp-cli show neighbor summary` shows the sessions";
    assert_eq!(why(&with("neighbor-changes;")), told);
    let never = "no neighbor of the helper has `neighbor-changes` in `api`: ExaBGP reports no session to it";
    assert_eq!(why(CONF), never);
    assert_eq!(why(&with("neighbor-changes false;")), never);
    let unclear = why(&with("neighbor-changes perhaps;"));
    assert!(unclear.starts_with("ExaBGP has reported no BGP session to the helper: "), "{unclear}");
}

#[test]
fn nothing_is_found_in_the_network_of_another_namespace() {
    let there = "helper (process 7) runs in another network namespace: run doctor there: nsenter -t 7 -n dnsherald doctor";
    let mut facts = healthy();
    facts.addresses.push(AddressFact { service: None, missing: Ok(Some("it is not here".to_owned())) });
    facts.listeners = vec![listener(Ok(false))];
    facts.answers = vec![answer(Outcome::from_cause(Cause::Refused, ""))];
    facts.backends[0].broken = Ok(Some("line 7".to_owned()));
    facts.backends[0].rate_limit = rate_limit(Limited::NotExempt, None);
    facts.reverse_path = Ok(Some("dropped".to_owned()));
    facts.confs = Ok(confs(&CONF.replace("hold-time 9;", "")));
    facts.elsewhere = vec![there.to_owned()];
    assert!(Report::from_facts(&facts).findings.len() >= 7, "another helper runs there");
    facts.network = Err(there.to_owned());
    let report = Report::from_facts(&facts);
    assert_eq!(report.findings, []);
    assert!(report.not_checked.iter().all(|skipped| skipped.why == there), "{:?}", report.not_checked);
    facts.helper = Ok(silent());
    assert_eq!(Report::from_facts(&facts).findings, [], "its sockets may be there as well");
}

#[test]
fn a_host_without_a_route_to_its_clients() {
    let way = |service: &str, cause, check: Option<&str>, once_up| WayFact {
        service: service.to_owned(),
        check: check.map(str::to_owned),
        once_up,
        outcome: Outcome::from_cause(cause, "198.41.0.4: no route"),
    };
    let ways = |ways: Vec<WayFact>| found(|facts| facts.ways = ways);
    assert_eq!(ways(vec![way("dns", Cause::NoRoute, Some("clients"), false)]), ["no-route"]);
    assert_eq!(ways(vec![way("dns", Cause::LinkDown, Some("clients"), false)]), ["no-route"]);
    assert_eq!(ways(vec![way("dns", Cause::NoRoute, None, true)]), ["no-default-route"]);
    assert_eq!(ways(vec![way("dns", Cause::NoRoute, Some("way-back"), true)]), ["no-default-route"]);
    assert_eq!(ways(vec![way("dns", Cause::RpFilter, None, true)]), [""; 0], "another check finds it");
    let was_up = found(|facts| {
        facts.ways = vec![way("dns", Cause::NoRoute, Some("way-back"), true)];
        facts.helper = Ok(with_document(|document| {
            let check =
                document.services[0].checks.iter_mut().find(|check| check.name == "way-back").unwrap();
            check.severity = Some(crate::engine::check::Severity::Degraded);
            check.unproven = false;
        }));
    });
    assert_eq!(was_up, ["no-route"], "there was one since the start of the helper");
    let two = ways(vec![way("a", Cause::NoRoute, None, true), way("b", Cause::NoRoute, None, true)]);
    assert_eq!(two, ["no-default-route"], "one fault of the host");
}

#[test]
fn two_servers_on_one_port_are_told_from_one_with_several_processes() {
    let holder = |pid, parent, name: &str, inodes: &[u64]| Holder {
        pid,
        parent,
        name: name.to_owned(),
        unit: None,
        inodes: inodes.to_vec(),
    };
    let of_unit = |holder: Holder, unit: &str| Holder { unit: Some(unit.to_owned()), ..holder };
    let shared = |holders: &[Holder]| {
        let at = "192.0.2.53:53".parse().unwrap();
        let places = [Protocol::Udp, Protocol::Tcp].map(|protocol| SharedFact {
            at,
            protocol,
            holders: holders.to_vec(),
            unseen: 0,
        });
        found(|facts| facts.shared = Ok(places.into()))
    };
    let (one, other) = (holder(10, 1, "unbound", &[1, 2]), holder(20, 1, "unbound", &[3]));
    assert_eq!(shared(&[one.clone(), other.clone()]), ["two-servers"], "one finding for both protocols");
    assert_eq!(shared(&[of_unit(one.clone(), "unbound.service"), other]), ["two-servers"]);
    assert_eq!(shared(&[one]), [""; 0], "threads");
    // A process hands its sockets on to its children, or each opens its own.
    let nsd = [holder(10, 1, "nsd", &[1, 2]), holder(11, 10, "nsd", &[1]), holder(12, 11, "nsd", &[2])];
    assert_eq!(shared(&nsd), [""; 0]);
    assert_eq!(
        shared(&[holder(11, 10, "d", &[1]), holder(12, 10, "d", &[2]), holder(10, 1, "d", &[3])]),
        [""; 0]
    );
    let workers = [holder(11, 1, "d", &[1]), holder(12, 1, "d", &[2])].map(|it| of_unit(it, "d.service"));
    assert_eq!(shared(&workers), [""; 0]);
    assert_eq!(shared(&[holder(11, 1, "kresd", &[1]), holder(12, 1, "kresd", &[2])]), [""; 0]);
    let mut facts = healthy();
    let at = "192.0.2.53:53".parse().unwrap();
    facts.shared = Ok(vec![SharedFact { at, protocol: Protocol::Udp, holders: vec![], unseen: 2 }]);
    let report = Report::from_facts(&facts);
    assert!(report.findings.is_empty() && report.not_checked[0].why.contains("root"), "{report:?}");
}

#[test]
fn a_configuration_with_which_the_server_does_not_start() {
    let broken = |broken| found(|facts| facts.backends[0].broken = broken);
    assert_eq!(broken(Ok(Some("the configuration is broken: line 3".to_owned()))), ["server-configuration"]);
    assert_eq!(broken(Err("unbound-checkconf is not installed".to_owned())), [""; 0]);
}
