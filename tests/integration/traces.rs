//! Tests the syntax of traces and the limits of their numbers.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use dnsherald::config::Config;
use dnsherald::engine::event::Event;
use dnsherald::engine::moment::Moment;
use dnsherald::outcome::{Cause, Outcome};
use dnsherald::trace::names::Names;
use dnsherald::trace::{Effect, Trace};

use crate::support::binary;

const TOML: &str = "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"resolver\"\n\
                    prefixes = [\"192.0.2.53/32\"]\n[[service.check]]\nname = \"answers\"\n\
                    dns = { query = \"localhost. A\" }\n";

fn read(trace: &str) -> Result<Trace, String> {
    let config = Config::parse(Path::new("trace.toml"), TOML, "host").unwrap();
    Trace::read(trace, &Names::new(&config)).map_err(|error| error.to_string())
}

fn refused(trace: &str, words: &str) {
    match read(trace) {
        Ok(read) => panic!("`{trace}` was read as {read:?}"),
        Err(error) => assert!(error.contains(words), "`{trace}`: {error}"),
    }
}

/// Plays a trace with this configuration.
fn simulate(toml: &str, trace: &str) -> Output {
    let header: String = toml.lines().map(|line| format!("| {line}\n")).collect();
    let mut child = Command::new(binary())
        .args(["simulate", "--trace", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{header}{trace}").as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn longest() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/good/longest-periods.toml");
    fs::read_to_string(path).unwrap()
}

#[test]
fn exabgp_is_a_version_or_one_of_four_words() {
    refused("exabgp slient\n0 start\n", "line 1: `exabgp slient` is unknown");
    refused("exabgp\n0 start\n", "expected a version that begins with a digit");
    for word in ["silent", "recorded", "recorded-terminal", "terminal", "4.2.21", "6.0.0-x"] {
        assert!(read(&format!("exabgp {word}\n0 start\n")).is_ok(), "{word}");
    }
}

#[test]
fn a_header_precedes_the_first_event() {
    for line in ["exabgp silent", "host fra1", "memory 1s {}", "| [node]"] {
        refused(&format!("0 start\n{line}\n1 end\n"), "line 2: `");
        refused(&format!("# comment\n0 start\n\n{line}\n"), "before the first event, line 2");
    }
}

#[test]
fn only_complete_repetitions_count() {
    let one = |line: &str| read(&format!("{line}\n")).unwrap().steps.remove(0);
    let step = one("1 fail answers servfail upstream is gone x3 every 100ms");
    assert_eq!((step.count, step.every), (3, Duration::from_millis(100)));
    let failed = |detail: &str| {
        Effect::Event(Event::Outcome(
            Names::new(&Config::parse(Path::new("trace.toml"), TOML, "host").unwrap())
                .find_check("answers")
                .unwrap(),
            Outcome::from_cause(Cause::WrongAnswer, detail),
        ))
    };
    for detail in
        ["`a x5 every b`, expected `c`", "each xN every 1s", "every 1s", "x every 1s", "x-1 every 1s"]
    {
        let step = one(&format!("1 fail answers wrong-answer {detail}"));
        assert_eq!((step.count, step.what), (1, failed(detail)));
    }
    let recorded = read("exabgp recorded\n0 start\n1 fail answers wrong-answer x0 every 1s\n").unwrap();
    assert_eq!(recorded.steps[1].what, failed("x0 every 1s"));
}

#[test]
fn refuses_invalid_numbers() {
    refused("0 pass answers x0 every 1s\n", "line 1: `x0` is not a number of repetitions");
    refused("0 pass answers x99999999999999999999 every 1s\n", "is not a number of repetitions");
    refused("0 pass answers x2 every 0s\n", "expected a period of at least 1us");
    refused("0 pass answers x1000 every 1000000000000000000s\n", "line 1: ");
    refused("0 pass answers x1000 every 1year\n", "expected at most ten years from the start");
    refused("0 pass answers x18446744073709551615 every 10years\n", "expected at most ten years");
    refused("1000000000000000000 start\n", "expected at most ten years");
    refused("1e300 start\n", "is not a time");
    refused("-1 start\n", "is not a time");
}

/// With 32 bits, these would end after 71 minutes.
#[test]
fn the_end_of_a_series_has_64_bits() {
    let step = read("0 pass answers x10000000001 every 1us\n").unwrap().steps.remove(0);
    assert_eq!(step.end(), Moment::START + Duration::from_secs(10_000));
    let step = read("0 pass answers x3 every 1ns\n").unwrap().steps.remove(0);
    assert_eq!(step.end(), Moment::START + Duration::from_micros(2));
}

#[test]
fn a_trace_without_a_start_is_an_error() {
    let output = simulate(TOML, "0 becomes answers pass\n10 end\n");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the trace has no line `start`"), "{said}");
}

#[test]
fn the_timeline_extends_to_the_end() {
    let silent = "[exabgp]\nrefresh = \"0s\"\n";
    let output = simulate(&format!("{silent}{TOML}"), "0 start\n0 pass answers x5 every 100ms\n600 end\n");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("10m\n") && shown.contains("one column is 10s"), "{shown}");
}

#[test]
fn the_timeline_shows_a_delayed_return() {
    let up_and_down =
        |at: u32| format!("{at} pass answers x5 every 1s\n{} fail answers timeout x3 every 100ms\n", at + 10);
    let output = simulate(
        TOML,
        &format!("0 start\n{}{}40 pass answers x5 every 1s\n60 end\n", up_and_down(0), up_and_down(20)),
    );
    let shown = String::from_utf8_lossy(&output.stdout);
    let row = shown
        .lines()
        .find(|line| line.starts_with("resolver "))
        .unwrap_or_else(|| panic!("{shown}{}", String::from_utf8_lossy(&output.stderr)));
    assert!(row.contains("_===") && shown.contains("= held by dampening"), "{shown}");
}

/// The longest periods and highest counts of a configuration, over the longest time of a trace.
#[test]
fn accepts_huge_values() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/good/longest-periods.toml");
    let output = Command::new(binary()).args(["check-config", file]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // Its addresses are on no host.
    let is_expected = |line: &str| line.starts_with("warning: ") && line.contains("not on this host");
    assert!(output.status.success() && said.lines().all(is_expected), "{said}");
    let events = "0 becomes alive pass\n0 becomes alive-tcp pass\n0 start\n1year becomes alive timeout\n2years < neighbor 10.0.0.1 up\n10years end\n";
    let output = simulate(&longest(), events);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    // A single result decides, and routes have the highest MED.
    let decisive =
        longest().replace("rise = 4294967295", "rise = 1").replace("fall = 4294967295", "fall = 1");
    let output = simulate(&decisive, events);
    let (said, shown) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success() && said.is_empty(), "{said}");
    assert!(shown.contains("announce route 192.0.2.55/32 next-hop 10.1.0.2 med 4294967295"), "{shown}");
}

#[test]
fn an_order_keeps_the_user_id_of_who_asked() {
    let config = Config::parse(Path::new("trace.toml"), TOML, "host").unwrap();
    let names = Names::new(&config);
    for line in [
        "drain resolver alice 2h@1000 new disk",
        "drain * alice -@0 move",
        "drain */later alice - move",
        "undrain */later alice",
        "hold resolver bob 1h@1001 it serves",
    ] {
        let trace = read(&format!("exabgp silent\n0 start\n1 {line}\n")).unwrap();
        let Effect::Event(event) = &trace.steps[1].what else { panic!("{trace:?}") };
        assert_eq!(dnsherald::trace::write_event(event, &names), line);
    }
    refused("exabgp silent\n0 start\n1 drain resolver alice 2h@x new disk\n", "`x` is not a user id");
}
