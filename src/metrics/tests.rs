use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use super::*;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::api_session::Parent;
use crate::engine::event::{CheckId, Event, ServiceId};
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::metrics::tally::Tally;
use crate::outcome::{Cause, Failure, Outcome};
use crate::status::time::Clock;
use crate::status::totals::{BOUNDS, Durations, ListenerTotals};

/// A helper that has every metric.
pub(crate) fn full() -> Document {
    let prefix = |desired: &str, acknowledged: &str| json!({"prefix": "192.0.2.53/32", "desired": desired, "acknowledged": acknowledged});
    let order = json!({"holder": "alice", "reason": "maintenance", "for-seconds": 90_000.0, "returning": false,
        "expires-in-seconds": 60.0});
    let durations = json!({"counts": [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], "sum-seconds": 7.0});
    serde_json::from_value(json!({
        "format": "dnsherald status 1", "version": "0.1.0", "node": "a\"b\\c\nd", "pid": 1,
        "configuration": "/etc/dnsherald/dnsherald.toml", "configuration-hash": "0123456789abcdef",
        "trouble": "line 1", "last-good": "/var/lib/dnsherald/last-good.toml", "unwritten": "disk full",
        "running-seconds": 100.0, "at": "2026-11-27T02:04:31.250Z", "left-behind": [],
        "exabgp": {"version": "5.0.15", "dialect": "neighbor", "answers": true, "latency-seconds": 0.002,
            "refused": 3, "unanswered": 4, "bgp-sessions": [{"neighbor": "10.1.0.1", "state": "down"}]},
        "services": [{
            "name": "resolver", "state": "down", "for-seconds": 5.0, "reason": "check dns: timeout",
            "prefixes": [prefix("announce next-hop self", "withdraw"), prefix("withdraw", "withdraw")],
            "checks": [{"name": "dns", "state": "down", "streak": 0, "rise": 2, "fall": 3, "severity": "down"}],
            "dampening": {"mode": "enforce", "penalty": 3000, "suppress": 2500, "reuse": 750, "suppressed": true,
                "reuse-in-seconds": 60.0},
            "disabled": false, "drains": [order], "holds": [order],
        }],
        "totals": {
            "transitions": {"resolver": {"up": 1, "down": 2}},
            "checks": {"resolver": {"dns": {"passed": 3, "failed": {"timeout": 4}, "unknown": {"local": 5},
                "seconds": 7.0}}},
            "durations": {"resolver": durations},
            "listeners": [
                {"address": "192.0.2.53:53", "transport": "udp", "sockets": 2, "queue": 768, "drops": 9},
                {"address": "192.0.2.53:53", "transport": "tcp", "sockets": 2, "queue": 1, "drops": 0}],
            "hooks": {"succeeded": 1, "failed": 2, "dropped": 3},
            "heals": {"unbound": {"succeeded": 1, "failed": 0}},
            "watchdog-seconds": 1.5,
        },
    }))
    .unwrap()
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|written| written == line), "`{line}` is missing from\n{text}");
}

/// The words about a route toward named neighbors begin with those.
#[test]
fn an_announcement_to_named_neighbors_is_one() {
    let mut document = full();
    let to_one = "neighbor 10.1.0.1 , neighbor 10.2.0.1 announce next-hop self";
    document.services[0].prefixes.truncate(1);
    document.services[0].prefixes[0].desired = Some(to_one.to_owned());
    document.services[0].prefixes[0].acknowledged = Some(to_one.to_owned());
    let text = exposition(document.clone());
    let metric =
        |what: &str| format!("dnsherald_prefix_{what}{{service=\"resolver\",prefix=\"192.0.2.53/32\"}}");
    has(&text, &format!("{} 1.0", metric("desired_announced")));
    has(&text, &format!("{} 1.0", metric("acknowledged_announced")));
    let withdrawn = to_one.replace("announce next-hop self", "withdraw");
    document.services[0].prefixes[0].desired = Some(withdrawn);
    has(&exposition(document), &format!("{} 0.0", metric("desired_announced")));
}

#[test]
fn every_fact_has_its_metric() {
    let text = exposition(full());
    for line in [
        "dnsherald_up 1.0",
        "dnsherald_build_info{version=\"0.1.0\"} 1.0",
        "dnsherald_configuration_valid 0.0",
        "dnsherald_last_good_configuration_in_force 1.0",
        "dnsherald_state_saved 0.0",
        "dnsherald_written_timestamp_seconds 1795745071.25",
        "dnsherald_watchdog_age_seconds 1.5",
        "dnsherald_service_state{service=\"resolver\",state=\"up\"} 0.0",
        "dnsherald_service_state{service=\"resolver\",state=\"down\"} 1.0",
        "dnsherald_service_state_age_seconds{service=\"resolver\"} 5.0",
        "dnsherald_transitions_total{service=\"resolver\",state=\"down\"} 2",
        "dnsherald_transitions_total{service=\"resolver\",state=\"drained\"} 0",
        "dnsherald_prefix_desired_announced{service=\"resolver\",prefix=\"192.0.2.53/32\"} 1.0",
        "dnsherald_prefix_acknowledged_announced{service=\"resolver\",prefix=\"192.0.2.53/32\"} 0.0",
        "dnsherald_prefix_acknowledged{service=\"resolver\",prefix=\"192.0.2.53/32\"} 0.0",
        "dnsherald_bgp_session_state{neighbor=\"10.1.0.1\",state=\"down\"} 1.0",
        "dnsherald_probes_total{service=\"resolver\",check=\"dns\",result=\"pass\"} 3",
        "dnsherald_probes_total{service=\"resolver\",check=\"dns\",result=\"fail\",cause=\"timeout\"} 4",
        "dnsherald_probes_total{service=\"resolver\",check=\"dns\",result=\"unknown\",cause=\"local\"} 5",
        "dnsherald_check_state{service=\"resolver\",check=\"dns\",state=\"down\"} 1.0",
        "dnsherald_probe_seconds_total{service=\"resolver\",check=\"dns\"} 7.0",
        "dnsherald_probe_duration_seconds_bucket{service=\"resolver\",le=\"0.001\"} 1",
        "dnsherald_probe_duration_seconds_bucket{service=\"resolver\",le=\"2.5\"} 1",
        "dnsherald_probe_duration_seconds_bucket{service=\"resolver\",le=\"+Inf\"} 3",
        "dnsherald_probe_duration_seconds_count{service=\"resolver\"} 3",
        "dnsherald_listener_receive_queue_bytes{address=\"192.0.2.53:53\"} 768.0",
        "dnsherald_listener_accept_queue_connections{address=\"192.0.2.53:53\",transport=\"tcp\"} 1.0",
        "dnsherald_listener_dropped_datagrams_total{address=\"192.0.2.53:53\"} 9",
        "dnsherald_dampening_penalty{service=\"resolver\"} 3000.0",
        "dnsherald_dampening_suppress_threshold{service=\"resolver\"} 2500.0",
        "dnsherald_dampening_reuse_threshold{service=\"resolver\"} 750.0",
        "dnsherald_dampening_suppressed{service=\"resolver\"} 1.0",
        "dnsherald_drain_age_seconds{service=\"resolver\",holder=\"alice\"} 90000.0",
        "dnsherald_hold_age_seconds{service=\"resolver\",holder=\"alice\"} 90000.0",
        "dnsherald_exabgp_late_answers_total 4",
        "dnsherald_exabgp_refused_commands_total 3",
        "dnsherald_hooks_total{result=\"dropped\"} 3",
        "dnsherald_heals_total{backend=\"unbound\",result=\"succeeded\"} 1",
    ] {
        has(&text, line);
    }
}

#[test]
fn label_values_are_escaped() {
    let text = exposition(full());
    let file = "file=\"/etc/dnsherald/dnsherald.toml\",hash=\"0123456789abcdef\"";
    has(&text, &format!("dnsherald_configuration_info{{node=\"a\\\"b\\\\c\\nd\",{file}}} 1.0"));
}

/// Runs promtool. A system without it passes, except in the full run.
fn promtool(arguments: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut promtool) = command.spawn() else {
        let is_full = std::env::var_os("DNSHERALD_FULL").is_some_and(|value| value == "1");
        assert!(!is_full, "DNSHERALD_FULL=1 leaves no test out, and this system has no promtool");
        return;
    };
    promtool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success() && err.trim().is_empty(), "{arguments:?}: {out}{err}\n{input}");
}

#[test]
fn promtool_has_nothing_to_criticize() {
    promtool(&["check", "metrics"], &exposition(full()));
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("dnsherald_")).collect()
}

#[test]
fn the_page_lists_every_metric_with_its_labels_and_help() {
    let text = exposition(full());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring.md");
    let page = fs::read_to_string(page).unwrap();
    let row = |help: &str| {
        let (name, help) = help.split_once(' ').unwrap();
        // A label without a value is absent, so the sample with the most labels has all.
        let samples = text.lines().filter(|line| line.starts_with(name));
        let sample = samples.max_by_key(|line| line.matches('=').count()).unwrap();
        let labels = sample.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
        let labels = labels.split(',').filter_map(|label| label.split_once('=')).map(|(label, _)| label);
        let labels: Vec<_> =
            labels.filter(|label| *label != "le").map(|label| format!("`{label}`")).collect();
        format!("| `{name}` | {} | {} |", labels.join(", "), help.trim_end_matches('.'))
    };
    let rows: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# HELP ")).map(row).collect();
    let written: Vec<_> = page.lines().filter(|line| line.starts_with("| `dnsherald_")).collect();
    assert_eq!(written, rows);
}

#[test]
fn dashboard_and_alerts_use_metrics_that_exist() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/monitoring");
    let text = exposition(full());
    let written = names(&text);
    for file in ["dashboard.json", "alerts.yml", "alerts_test.yml"] {
        let text = fs::read_to_string(directory.join(file)).unwrap();
        let used = names(&text);
        let missing: Vec<_> = used.difference(&written).collect();
        assert!(!used.is_empty() && missing.is_empty(), "{file}: {missing:?}");
    }
    let dashboard = fs::read_to_string(directory.join("dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(!names(panel["targets"][0]["expr"].as_str().unwrap()).is_empty(), "{panel}");
    }
    promtool(&["check", "rules", directory.join("alerts.yml").to_str().unwrap()], "");
    promtool(&["test", "rules", directory.join("alerts_test.yml").to_str().unwrap()], "");
}

fn engine(services: usize) -> Engine {
    let service = |number: usize| {
        let check = |name: &str| format!("[[service.check]]\nname = \"{name}\"\ncommand = \"exit 0\"\n");
        format!(
            "[[service]]\nname = \"service-{number}\"\nprefixes = [\"198.18.{}.{}/32\"]\naddress = false\n{}",
            number / 256,
            number % 256,
            ["dns", "management", "recursion", "validation", "process"].map(check).concat()
        )
    };
    engine_of(&(0..services).map(service).collect::<String>())
}

/// Services of both families with the checks of a role.
fn default_services(services: usize) -> Engine {
    let service = |number: usize| {
        format!(
            "[[service]]\nname = \"resolver-{number:03}\"\nbackend = \"unbound\"\n\
             prefixes = [\"198.18.100.{number}/32\", \"2001:db8:0:100::{number:x}/128\"]\n"
        )
    };
    engine_of(&((100..100 + services).map(service).collect::<String>() + "[backend.unbound]\n"))
}

fn engine_of(services: &str) -> Engine {
    let text = format!("[node]\nmanagement = [\"10.1.0.2\", \"2001:db8:1::2\"]\n{services}");
    let config = Config::parse(Path::new("a.toml"), &text, "host");
    let mut engine = Engine::new(&config.unwrap().plan(), Parent::ExaBgp, Memory::default(), Duration::ZERO);
    engine.handle(Moment::START, Event::Start);
    engine
}

/// The document of the engine after a round of each check.
fn document(engine: &mut Engine, tally: &mut Tally) -> Document {
    for service in 0..engine.services().len() {
        for check in 0..engine.services()[service].checks().len() {
            let id = CheckId { service: ServiceId(service), check };
            let event = Event::Outcome(id, Outcome::pass(Duration::from_millis(3)));
            tally.count_event(engine, &event);
            engine.handle(Moment::START, event).iter().for_each(|action| tally.count_action(action));
        }
    }
    let mut document =
        Document::from_engine(engine, &Clock::new(Moment::START, UNIX_EPOCH), "host", Path::new("a"));
    document.totals = tally.totals().clone();
    document
}

#[test]
fn a_hundred_services_stay_below_a_mebibyte() {
    let (mut engine, mut tally) = (default_services(100), Tally::default());
    let mut document = document(&mut engine, &mut tally);
    let checks = document.totals.checks.values_mut().flatten().collect::<Vec<_>>();
    assert_eq!(checks.len(), 1400, "fourteen checks per service");
    // A year of rounds. A check of the kernel's tables has few causes.
    for (name, check) in checks {
        check.passed = 31_536_000;
        check.seconds = 94_608.123_456;
        let is_of_host = ["process", "listener", "listener-tcp", "address", "way-back", "way-back-ipv6"]
            .contains(&&**name);
        let causes = if is_of_host { &["no-route"][..] } else { &["timeout", "servfail"] };
        check.failed = causes.iter().map(|cause| ((*cause).to_owned(), 12_345)).collect();
        check.unknown = [("local".to_owned(), 123)].into_iter().filter(|_| !is_of_host).collect();
    }
    for (service, durations) in &mut document.totals.durations {
        *durations = Durations { counts: [31_536_000; BOUNDS.len() + 1], sum_seconds: 757_000.123_456 };
        let address = |kind: &str| format!("[2001:db8:0:100::{}]:53", &service["resolver-".len()..]) + kind;
        document.totals.listeners.extend([("", "udp"), ("", "tcp"), ("0", "udp"), ("0", "tcp")].map(
            |(suffix, transport)| ListenerTotals {
                address: address(suffix),
                transport: transport.to_owned(),
                sockets: 16,
                queue: 12_345,
                drops: 1_234_567,
            },
        ));
    }
    let text = exposition(document);
    assert!(text.len() < 1 << 20, "{} bytes", text.len());
}

#[test]
fn rounds_and_transitions_are_counted_by_name_and_forgotten_with_it() {
    let (mut engine, mut tally) = (engine(1), Tally::default());
    let id = CheckId { service: ServiceId(0), check: 0 };
    let failures = [
        Event::SuddenFailure(id, Failure::new(Cause::ProcessGone, "gone")),
        Event::Outcome(id, Outcome::from_cause(Cause::Timeout, "late")),
        Event::Outcome(id, Outcome::from_cause(Cause::Local, "no port")),
        Event::Outcome(CheckId { service: ServiceId(7), check: 0 }, Outcome::pass(Duration::ZERO)),
    ];
    failures.iter().for_each(|event| tally.count_event(&engine, event));
    for _ in 0..10 {
        document(&mut engine, &mut tally);
    }
    let counted = tally.totals().checks["service-0"]["dns"].clone();
    assert_eq!((counted.passed, (counted.seconds * 1e3).round()), (10, 30.0));
    let durations = &tally.totals().durations["service-0"];
    assert_eq!(
        (durations.counts[2], durations.counts.iter().sum()),
        (50, 50_u64),
        "five checks of 3 ms each"
    );
    assert_eq!(counted.failed, [("process-gone".to_owned(), 1), ("timeout".to_owned(), 1)].into());
    assert_eq!(counted.unknown, [("local".to_owned(), 1)].into());
    let transitions = &tally.totals().transitions["service-0"];
    assert_eq!(transitions.values().sum::<u64>(), 1, "{transitions:?}");
    tally.retain(&engine);
    assert!(tally.totals().checks.contains_key("service-0"));
    let of_others =
        Event::Outcome(CheckId { service: ServiceId(1), check: 0 }, Outcome::pass(Duration::ZERO));
    tally.count_event(&self::engine(2), &of_others);
    assert!(tally.totals().checks.contains_key("service-1"));
    tally.retain(&engine);
    assert!(!tally.totals().checks.contains_key("service-1"), "no longer configured");
}
