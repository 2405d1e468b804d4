use super::shown::Shown;
use super::*;
use crate::engine::check::Severity;
use crate::sys::local_time::Zone;

/// A service that rises, one that is suppressed, and one that ExaBGP refuses.
const DOCUMENT: &str = r#"{
"format": "dnsherald status 1", "version": "0.1.0", "node": "fra1", "pid": 4711,
"configuration": "/etc/dnsherald/dnsherald.toml", "running-seconds": 90000.0, "at": "2026-11-27T03:04:31.250Z",
"exabgp": {"version": "5.0.15", "dialect": "neighbor", "answers": true, "latency-seconds": 0.0012, "refused": 0, "unanswered": 0,
  "bgp-sessions": [{"neighbor": "10.1.0.9", "state": "down", "for-seconds": 61.5, "reason": "peer reset"}]},
"services": [
  {"name": "resolver", "enabled": true, "state": "down", "for-seconds": 75.0, "reason": "check answers: no answer within 500ms",
   "next": {"text": "announced at the earliest 2026-11-27T03:04:33.050Z (answers: 1 of 3 passes)", "at": "2026-11-27T03:04:33.050Z", "in-seconds": 1.8},
   "disabled": false, "drains": [],
   "prefixes": [
    {"prefix": "192.0.2.53/32", "desired": "withdraw", "acknowledged": "withdraw", "said": "withdraw",
     "answer": {"ago-seconds": 75.0, "result": "done"}},
    {"prefix": "192.0.2.54/32", "desired": "withdraw", "acknowledged": "withdraw", "said": "withdraw",
     "answer": {"ago-seconds": 75.0, "result": "done"}}],
   "checks": [{"name": "answers", "asks": ["192.0.2.53 udp . NS: NOERROR"], "interval-seconds": 1.0, "on-fail": "down",
    "state": "rising", "streak": 1, "rise": 3, "fall": 3, "severity": "down",
    "last": {"ago-seconds": 0.25, "passed": true, "latency-seconds": 0.00042}}],
   "dampening": {"penalty": 986, "suppressed": false, "reuse-in-seconds": null, "falls": 1}},
  {"name": "flapping", "enabled": true, "state": "down", "for-seconds": 300.0, "reason": "suppressed by dampening",
   "next": {"text": "suppressed until 2026-11-27T03:31:00.000Z, or `dnsherald undampen flapping`", "at": "2026-11-27T03:31:00.000Z", "in-seconds": 1588.75},
   "disabled": false, "prefixes": [], "checks": [], "drains": [],
   "dampening": {"mode": "enforce", "penalty": 2828, "suppressed": true, "reuse-in-seconds": 1588.75, "falls": 3}},
  {"name": "odd", "enabled": true, "state": "up", "for-seconds": 20.0, "reason": "required checks pass",
   "disabled": false, "drains": [], "dampening": {"penalty": 0, "suppressed": false, "reuse-in-seconds": null},
   "prefixes": [{"prefix": "192.0.2.55/32", "desired": "announce next-hop 10.1.0.2", "acknowledged": "unknown",
     "answer": {"ago-seconds": 1.0, "result": "refused", "why": "no route"}, "due-in-seconds": 2.0}],
   "checks": [{"name": "answers", "interval-seconds": 1.0, "fast-interval-seconds": 0.25, "due-in-seconds": 0.5, "on-fail": "down",
    "state": "up", "streak": 0, "rise": 3, "fall": 3, "severity": "observe",
    "last": {"ago-seconds": 0.5, "passed": false, "cause": "local", "detail": "no ports"}, "unknown-for-seconds": 3.0}]}],
"left-behind": []}"#;

fn shown(name: Option<&str>) -> String {
    shown_of(DOCUMENT, name)
}

fn shown_of(document: &str, name: Option<&str>) -> String {
    let document: Document = serde_json::from_str(document).unwrap();
    let view = View::new(&document, 100, Zone::default());
    let explanations = explain(&document, name, None, &view).unwrap();
    Shown { explanations: &explanations, view: &view }.to_string()
}

#[test]
fn the_chain_leads_from_the_probe_to_the_route() {
    let expected = "\
resolver is down:
  check answers
    probes every 1s: 192.0.2.53 udp . NS: NOERROR
    found at 03:04:31, 250ms ago: passed in 0.42ms
    is rising: 1 of 3 passes in a row; it brings the service down
  decision
    decided by the worst of its checks; down since 03:03:16 (1m 15s): check answers: no answer
      within 500ms
  192.0.2.53/32, 192.0.2.54/32
    sent ExaBGP `withdraw`; it answered `done` at 03:03:16
  BGP 10.1.0.9
    is DOWN since 03:03:29 (1m 1s): this neighbor has no route from here: peer reset
  next
    announced at the earliest 03:04:33 (answers: 1 of 3 passes)
  what to do
    every BGP session that ExaBGP has reported is down (10.1.0.9), so that these routers have no
      route from here: look at `exabgp-cli show neighbor summary`, at the router, and at the
      firewall for tcp/179
";
    let text = shown(Some("resolver"));
    assert_eq!(text, expected, "{text}");
}

/// What explain advises for a service that is down because of this cause, with a BGP session that is up.
fn advised(cause: &str, backend: Option<&str>, change: impl FnOnce(&mut Service)) -> Vec<String> {
    let mut document: Document = serde_json::from_str(DOCUMENT).unwrap();
    document.exabgp.bgp_sessions[0].state = crate::status::SessionState::Up;
    let service = &mut document.services[0];
    service.backend = backend.map(ToOwned::to_owned);
    let last = service.checks[0].last.as_mut().unwrap();
    (last.passed, last.cause, last.detail) = (false, Some(cause.to_owned()), Some("found".to_owned()));
    change(service);
    remedies_of(&document)
}

/// What explain advises for the first service.
fn remedies_of(document: &Document) -> Vec<String> {
    remedies_with(document, None)
}

fn remedies_with(document: &Document, fault: Option<FileFault>) -> Vec<String> {
    let view = View::new(document, 100, Zone::default());
    let steps = explain(document, None, fault, &view).unwrap().remove(0).steps;
    steps.into_iter().filter(|step| step.stage == Stage::Remedy).map(|step| step.text).collect()
}

#[test]
fn a_dead_server_is_started_and_a_hold_comes_last() {
    let commands = "`dnsherald backend status unbound`, then `dnsherald backend restart unbound`";
    let more = "more: /usr/share/doc/dnsherald/docs/runbook.md";
    let advice = advised("process-gone", Some("unbound"), |_| ());
    let [first, second, last] = &advice[..] else { panic!("{advice:?}") };
    assert_eq!(*first, format!("process-gone: the server is not there: {commands}"));
    assert_eq!(second, more);
    assert!(last.starts_with("last, and only if the server answers clients"), "{last}");
    assert_eq!(
        advised("port-closed", None, |_| ())[0],
        "port-closed: the server is not there: start the server"
    );
    let refused = advised("refused", Some("unbound"), |_| ());
    assert!(refused[0].starts_with("refused: permit the source address"), "{refused:?}");
    let missing = advised("address-missing", None, |_| ());
    assert_eq!(missing, ["address-missing: add the address to an interface of this host", more]);
}

#[test]
fn a_degraded_service_and_a_refused_route_have_advice_too() {
    let degraded = advised("no-route", None, |service| {
        service.state = ServiceState::Degraded;
        service.checks[0].severity = Some(Severity::Degraded);
    });
    assert!(degraded[0].starts_with("no-route: restore the route: `ip route show`"), "{degraded:?}");
    assert!(degraded.iter().all(|text| !text.contains("hold")), "{degraded:?}");
    let refused = advised("timeout", None, |service| service.prefixes[0].refused = true);
    assert!(refused.iter().any(|text| text.starts_with("ExaBGP refuses a route: ")), "{refused:?}");
}

#[test]
fn a_suppressed_service_shows_its_end_and_the_command_that_ends_it() {
    let text = shown(Some("flapping"));
    for words in
        ["decided by dampening", "suppressed until 03:31:00", "to end it: `dnsherald undampen flapping`"]
    {
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
}

#[test]
fn an_answer_that_may_belong_to_an_earlier_command_is_shown_as_such() {
    let answered = r#""said": "announce next-hop 10.1.0.2", "answer": {"ago-seconds": 1.0, "result": "done""#;
    let document = DOCUMENT
        .replace(r#""answer": {"ago-seconds": 1.0, "result": "refused", "why": "no route""#, answered);
    let text = shown_of(&document, Some("odd"));
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = "sent ExaBGP `announce next-hop 10.1.0.2`; it answered `done` at 03:04:30, perhaps to an earlier command; \
                 sent again in 2s";
    assert!(flat.contains(words), "{words} is not in:\n{text}");
}

#[test]
fn a_refusal_an_unknown_outcome_and_the_earliest_fall_are_shown() {
    let text = shown(Some("odd"));
    let words = [
        "(local): no ports",
        "is up: 3 failures in a row make it down; its last outcome says nothing about the server",
        "wants `announce next-hop 10.1.0.2`; it refused the command at 03:04:30 (no route); sent again in 2s",
        "it can go down at 03:04:32 at the earliest: 3 in a row of check",
    ];
    for words in words {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words} is not in:\n{text}");
    }
}

#[test]
fn another_name_is_no_service() {
    let document: Document = serde_json::from_str(DOCUMENT).unwrap();
    let view = View::new(&document, 80, Zone::default());
    assert_eq!(explain(&document, Some("other"), None, &view), None);
    assert_eq!(explain(&document, None, None, &view).unwrap().len(), 3);
}

#[test]
fn the_checks_of_a_service_that_is_not_enabled_are_not_probed() {
    let mut document: Document = serde_json::from_str(DOCUMENT).unwrap();
    document.services[0].enabled = false;
    let view = View::new(&document, 80, Zone::default());
    let chain = &explain(&document, Some("resolver"), None, &view).unwrap()[0];
    let of_checks: Vec<_> =
        chain.steps.iter().filter(|step| step.subject.as_deref() == Some("answers")).collect();
    let [step] = of_checks[..] else { panic!("{of_checks:?}") };
    assert!(step.text.starts_with("is not probed: "), "{}", step.text);
}

/// Each rule decides as the engine does: what stands above overrides what stands below.
#[test]
fn the_first_rule_that_applies_is_named() {
    let document: Document = serde_json::from_str(DOCUMENT).unwrap();
    let of = |change: &dyn Fn(&mut Service)| {
        let mut service = document.services[0].clone();
        change(&mut service);
        Rule::from_service(&service)
    };
    assert_eq!(of(&|_| ()), Rule::WorstCheck);
    assert_eq!(of(&|service| service.enabled = false), Rule::NotEnabled);
    assert_eq!(of(&|service| service.state = ServiceState::Starting), Rule::NoVerdict);
    assert_eq!(of(&|service| service.state = ServiceState::Drained), Rule::AfterDrain);
    assert_eq!(of(&|service| service.checks.clear()), Rule::WorstCheck, "an earlier verdict stands");
    let suppressed = |service: &mut Service| {
        service.checks.clear();
        service.dampening.reuse_in_seconds = Some(60.0);
    };
    assert_eq!(of(&suppressed), Rule::Dampening);
    let disabled = |service: &mut Service| {
        service.state = ServiceState::Drained;
        service.disabled = true;
    };
    assert_eq!(of(&disabled), Rule::DisableFile);
    let missing = |service: &mut Service| {
        if let Some(last) = &mut service.checks[0].last {
            last.cause = Some("address-missing".to_owned());
            last.detail = Some("192.0.2.53 is not on this host".to_owned());
        }
    };
    assert_eq!(of(&missing), Rule::Address);
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_what_is_in_force() {
    let mut document: Document = serde_json::from_str(DOCUMENT).unwrap();
    document.trouble = Some("dnsherald.toml:3:1: unknown key `rize`".to_owned());
    let view = View::new(&document, 100, Zone::default());
    let decided = |document: &Document| {
        let steps = explain(document, Some("odd"), None, &view).unwrap().remove(0).steps;
        let decided = steps.into_iter().filter(|step| step.stage == Stage::Decided);
        decided.map(|step| step.text).nth(1).unwrap()
    };
    let text = decided(&document);
    assert!(text.starts_with("/etc/dnsherald/dnsherald.toml cannot be used, every prefix"), "{text}");
    document.last_good = Some("/var/lib/dnsherald/last-good.toml".into());
    let text = decided(&document);
    let expected = "by the LAST GOOD CONFIGURATION in /var/lib/dnsherald/last-good.toml, until \
        /etc/dnsherald/dnsherald.toml is corrected: dnsherald.toml:3:1: unknown key `rize`";
    assert_eq!(text, expected);
}

mod advice;
mod counted;
