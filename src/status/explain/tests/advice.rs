//! Each state has advice.

use self::documents::*;
use super::*;
use crate::status::{AnswerResult, Answered, Drain, SessionState, WarmUp};

mod documents;
mod holds;

/// An announced service with one check that passes and one prefix, all acknowledged, at one BGP session.
pub(super) const ANNOUNCED: &str = r#"{
"format": "dnsherald status 1", "version": "0.2.0", "node": "fra1", "pid": 4711,
"configuration": "/etc/dnsherald/dnsherald.toml", "running-seconds": 90000.0, "at": "2026-11-27T03:04:31.250Z",
"exabgp": {"version": "5.0.15", "dialect": "neighbor", "answers": true, "latency-seconds": 0.0012, "refused": 0, "unanswered": 0,
  "bgp-sessions": [{"neighbor": "10.1.0.1", "state": "up"}, {"neighbor": "10.2.0.1", "state": "up"}]},
"services": [
  {"name": "resolver", "enabled": true, "state": "up", "for-seconds": 75.0, "reason": "required checks pass",
   "disabled": false, "drains": [],
   "prefixes": [{"prefix": "192.0.2.53/32", "desired": "announce next-hop 10.1.0.2", "acknowledged": "announce next-hop 10.1.0.2"}],
   "checks": [{"name": "answers", "interval-seconds": 1.0, "fast-interval-seconds": 0.25, "on-fail": "down",
    "state": "up", "streak": 0, "rise": 3, "fall": 3, "severity": "observe",
    "last": {"ago-seconds": 0.25, "passed": true, "latency-seconds": 0.00042}}],
   "dampening": {"penalty": 0, "suppressed": false, "reuse-in-seconds": null}}],
"left-behind": []}"#;

const SESSIONS: &str =
    "look at `exabgp-cli show neighbor summary`, at the router, and at the firewall for tcp/179";

/// A state: its name, the change that leads to it, and how the first and only or first advice reads.
type State = (&'static str, fn(&mut Document), &'static str);

const STATES: &[State] = &[
    ("announced", |_| (), "nothing to do: its checks pass, and ExaBGP has acknowledged its routes"),
    ("falling", |document| fails(document, "falling", Severity::Observe), "timeout: the server does not"),
    (
        "degraded",
        |document| becomes(document, ServiceState::Degraded, "down", Severity::Degraded),
        "timeout: ",
    ),
    ("down", |document| becomes(document, ServiceState::Down, "down", Severity::Down), "timeout: "),
    ("passes again", |document| rises(document, ServiceState::Down), PASSES_AGAIN),
    ("degraded, passes again", |document| rises(document, ServiceState::Degraded), PASSES_AGAIN),
    (
        "fails milder",
        fails_milder,
        "nothing to do: check answers passes again or fails milder, up after 2 more passes",
    ),
    (
        "recovery",
        |document| first(document).state = ServiceState::Degraded,
        "nothing to do: its checks pass, and it is up",
    ),
    ("upstream", upstream_is_dead, "timeout: the server answers the questions of other checks"),
    ("drained", drained, "to end it: `dnsherald undrain resolver --as alice`"),
    ("ends once healthy, and fails", ends_once_healthy, "timeout: the server does not answer, or hangs: "),
    ("drained by its unit", drained_by_unit, "start the server (`systemctl start unbound.service`)"),
    ("drained with all", drained_with_all, "to end it: `dnsherald undrain --as alice`"),
    ("after a drain", |document| rises(document, ServiceState::Drained), PASSES_AGAIN),
    ("disabled", disabled, "remove the disable-file"),
    ("not enabled", |document| first(document).enabled = false, "set `enabled = true`"),
    ("held", held, "to end it: `dnsherald unhold resolver`"),
    (
        "suppressed",
        |document| {
            first(document).state = ServiceState::Down;
            first(document).dampening.reuse_in_seconds = Some(60.0);
        },
        "to end it: `dnsherald undampen resolver`",
    ),
    ("down, and a check unknown", down_and_unknown, "source-address: add the source address"),
    ("port closed", port_closed, "port-closed: the server is not there: start the server"),
    ("port closed, and the process runs", port_closed_beside_a_process, NOT_LISTENING),
    ("port closed, and another service is served", port_closed_beside_a_service, NOT_LISTENING),
    ("address missing", address_missing, "address-missing: add the address to an interface of this host"),
    (
        "starting",
        starting,
        "nothing to do: its checks have no verdict yet, and decide by themselves (about 2s)",
    ),
    ("starting and failing", starting_and_failing, "timeout: "),
    ("warm-up", warm_up, "nothing to do: it returns once the names of `warm-up` are asked (about 2s)"),
    ("unknown", unknown, "local: this says nothing about the server: free descriptors"),
    ("refused", refused, "ExaBGP refuses a route: `dnsherald doctor`"),
    (
        "unacknowledged",
        unacknowledged,
        "ExaBGP has not acknowledged 192.0.2.53/32 yet, and the helper sends it again",
    ),
    (
        "acknowledgments off",
        |document| document.exabgp.answers = false,
        "ExaBGP answers no commands: set `exabgp.api.ack true`",
    ),
    ("on a terminal", on_a_terminal, "standard output is a terminal: it is not known whether"),
    (
        "sessions down",
        sessions_down,
        "every BGP session that ExaBGP has reported is down (10.1.0.1, 10.2.0.1), so that these routers have no route from here: look",
    ),
    (
        "one session down",
        |document| document.exabgp.bgp_sessions[1].state = SessionState::Down,
        "the BGP session with 10.2.0.1 is down: look",
    ),
    (
        "up, withdrawn by the configuration",
        withdrawn_by_file,
        "the configuration withdraws it while it is up; to announce it then, change its key `up`",
    ),
    (
        "crash loop",
        crash_loop,
        "its process has ended 4 times within 10m without a return of the service: see why (journalctl -u unbound.service)",
    ),
    (
        "reload failed",
        reload_failed,
        "correct the configuration of unbound as the WARNING says, then `dnsherald backend reload unbound`",
    ),
    (
        "reload failed, and the server is gone",
        |document| {
            port_closed(document);
            reload_failed(document);
            // The address of the service remains without a server.
            let service = first(document);
            let mut address = service.checks[0].clone();
            address.name = "address".to_owned();
            if let Some(last) = &mut address.last {
                (last.passed, last.cause, last.detail) = (true, None, None);
            }
            (address.state, address.severity) = ("up".to_owned(), Some(Severity::Observe));
            service.checks.push(address);
        },
        "correct the configuration of unbound as the WARNING and its log say, then `dnsherald backend restart unbound`",
    ),
    (
        "last good configuration",
        last_good,
        "correct /etc/dnsherald/dnsherald.toml, the helper reads it again by itself (`dnsherald check-config ",
    ),
    (
        "no configuration",
        without_configuration,
        "correct or restore /etc/dnsherald/dnsherald.toml, the helper reads it again by itself (`dnsherald check-config ",
    ),
];

const PASSES_AGAIN: &str = "nothing to do: check answers passes again, up after 2 more passes (about 2s)";

fn first(document: &mut Document) -> &mut Service {
    &mut document.services[0]
}

fn fails(document: &mut Document, state: &str, severity: Severity) {
    let check = &mut first(document).checks[0];
    (check.state, check.streak, check.severity) = (state.to_owned(), 1, Some(severity));
    let last = check.last.as_mut().unwrap();
    (last.passed, last.latency_seconds) = (false, None);
    (last.cause, last.detail) = (Some("timeout".to_owned()), Some("no answer within 500ms".to_owned()));
}

fn becomes(document: &mut Document, state: ServiceState, check: &str, severity: Severity) {
    fails(document, check, severity);
    first(document).state = state;
}

fn in_two_seconds(document: &mut Document) {
    let text = "announced at the earliest".to_owned();
    first(document).next = Some(crate::status::Next { text, at: None, in_seconds: Some(1.8) });
}

fn rises(document: &mut Document, state: ServiceState) {
    in_two_seconds(document);
    let service = first(document);
    service.state = state;
    let check = &mut service.checks[0];
    (check.state, check.streak, check.passes_ahead) = ("rising".to_owned(), 1, Some(2));
    check.severity = match state {
        ServiceState::Drained => None,
        ServiceState::Degraded => Some(Severity::Degraded),
        _ => Some(Severity::Down),
    };
}

fn fails_milder(document: &mut Document) {
    becomes(document, ServiceState::Down, "down", Severity::Down);
    let check = &mut first(document).checks[0];
    (check.fails_milder, check.passes_ahead) = (true, Some(2));
}

fn drained(document: &mut Document) {
    let drain = r#"{"holder": "alice", "reason": "disk", "for-seconds": 9.0, "expires-in-seconds": null, "returning": false}"#;
    let drain: Drain = serde_json::from_str(drain).unwrap();
    let service = first(document);
    service.state = ServiceState::Drained;
    service.drains.push(drain);
}

/// `undrain` alone brings no route back.
fn upstream_is_dead(document: &mut Document) {
    let passing = first(document).checks[0].clone();
    becomes(document, ServiceState::Degraded, "down", Severity::Degraded);
    first(document).checks.push(passing);
}

fn ends_once_healthy(document: &mut Document) {
    becomes(document, ServiceState::Drained, "down", Severity::Down);
    drained(document);
    first(document).drains[0].returning = true;
}

fn drained_by_unit(document: &mut Document) {
    drained(document);
    let service = first(document);
    service.unit = Some("unbound.service".to_owned());
    "unbound.service".clone_into(&mut service.drains[0].holder);
}

fn drained_with_all(document: &mut Document) {
    drained(document);
    first(document).drains[0].of_all = true;
}

fn disabled(document: &mut Document) {
    let service = first(document);
    (service.state, service.disabled) = (ServiceState::Drained, true);
}

fn held(document: &mut Document) {
    fails(document, "down", Severity::Down);
    let hold = r#"{"holder": "alice", "reason": "wrong", "for-seconds": 9.0, "expires-in-seconds": 60.0}"#;
    first(document).holds.push(serde_json::from_str(hold).unwrap());
}

fn address_missing(document: &mut Document) {
    becomes(document, ServiceState::Down, "down", Severity::Down);
    first(document).checks[0].last.as_mut().unwrap().cause = Some("address-missing".to_owned());
}

const NOT_LISTENING: &str = "port-closed: the server runs, and does not listen at the address: see its log, let it listen there, which may take a restart";

/// The failure that brought it down is over, and the checks that would have to pass have no result.
fn down_and_unknown(document: &mut Document) {
    first(document).state = ServiceState::Down;
    let check = &mut first(document).checks[0];
    check.unknown_for_seconds = Some(31.0);
    let last = check.last.as_mut().unwrap();
    (last.passed, last.cause) = (false, Some("source-address".to_owned()));
}

fn port_closed(document: &mut Document) {
    becomes(document, ServiceState::Down, "down", Severity::Down);
    first(document).checks[0].last.as_mut().unwrap().cause = Some("port-closed".to_owned());
}

fn port_closed_beside_a_process(document: &mut Document) {
    let mut process = first(document).checks[0].clone();
    port_closed(document);
    process.name = "process".to_owned();
    first(document).checks.push(process);
}

fn port_closed_beside_a_service(document: &mut Document) {
    first(document).backend = Some("unbound".to_owned());
    let mut other = first(document).clone();
    port_closed(document);
    other.name = "second".to_owned();
    document.services.push(other);
}

/// The last round of the other service fails as well: the server may have just ended.
#[test]
fn a_service_that_falls_does_not_show_that_the_server_runs() {
    let mut document: Document = serde_json::from_str(ANNOUNCED).unwrap();
    port_closed_beside_a_service(&mut document);
    document.services[1].checks[0].last.as_mut().unwrap().passed = false;
    let advice = remedies_of(&document);
    assert!(
        advice[0].starts_with("port-closed: the server is not there: `dnsherald backend status"),
        "{advice:?}"
    );
}

/// The helper runs with what it has read before.
#[test]
fn a_file_that_a_restart_could_not_use_has_advice() {
    let document: Document = serde_json::from_str(ANNOUNCED).unwrap();
    let file = "/etc/dnsherald/dnsherald.toml";
    let expected =
        format!("correct {file}, then `dnsherald reload` (`dnsherald check-config {file}` shows the errors)");
    assert_eq!(remedies_with(&document, Some(FileFault::Broken)), [expected]);
    let denied = remedies_with(&document, Some(FileFault::Denied));
    assert!(
        denied[0].starts_with("let the user of the helper read /etc/dnsherald/dnsherald.toml and "),
        "{denied:?}"
    );
}

#[test]
fn each_state_has_advice() {
    for (name, change, expected) in STATES {
        let mut document: Document = serde_json::from_str(ANNOUNCED).unwrap();
        change(&mut document);
        let advice = remedies_of(&document);
        assert!(advice.first().is_some_and(|text| text.starts_with(expected)), "{name}: {advice:?}");
        let is_last = |text: &String| text.starts_with("last, ") && *text != advice[advice.len() - 1];
        assert!(!advice.iter().any(is_last), "{name}: {advice:?}");
        // With the sessions down a service has their advice, too.
        sessions_down(&mut document);
        let advice = remedies_of(&document);
        assert!(advice.iter().any(|text| text.ends_with(SESSIONS)), "{name}, sessions down: {advice:?}");
        let is_last = |text: &String| text.starts_with("last, ") && *text != advice[advice.len() - 1];
        assert!(!advice.iter().any(is_last), "{name}, sessions down: {advice:?}");
    }
}

/// Of the checks with an effect, only those that still fail have advice by cause.
#[test]
fn a_check_that_passes_again_beside_one_that_fails_has_no_advice() {
    let mut document: Document = serde_json::from_str(ANNOUNCED).unwrap();
    let rising = {
        rises(&mut document, ServiceState::Down);
        first(&mut document).checks[0].clone()
    };
    fails(&mut document, "down", Severity::Down);
    first(&mut document).checks.push(rising);
    let advice = remedies_of(&document);
    assert!(
        advice[0].starts_with("timeout: ") && !advice.iter().any(|text| text.contains("nothing")),
        "{advice:?}"
    );
}
