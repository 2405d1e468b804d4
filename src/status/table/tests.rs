use super::*;
use crate::sys::local_time::Zone;

/// As a helper writes it: a service that returns, one that is drained, and one that is suppressed.
const DOCUMENT: &str = r#"{
"format": "dnsherald status 1", "version": "0.1.0", "node": "fra1", "pid": 4711,
"configuration": "/etc/dnsherald/dnsherald.toml", "running-seconds": 90000.0, "at": "2026-11-27T03:04:31.250Z",
"exabgp": {"version": "5.0.15", "dialect": "neighbor", "answers": true, "latency-seconds": 0.0012, "refused": 0, "unanswered": 2,
  "bgp-sessions": [
    {"neighbor": "10.1.0.1", "state": "up", "for-seconds": 18000.0},
    {"neighbor": "10.1.0.9", "state": "down", "for-seconds": 61.5, "reason": "peer reset, message [closing connection] error[the TCP connection was closed by the remote end]"},
    {"neighbor": "2001:db8:1::1", "state": "unknown"}]},
"services": [
  {"name": "resolver", "enabled": true, "state": "down", "for-seconds": 75.0, "reason": "check answers: no answer within 500ms",
   "next": {"text": "announced at the earliest 2026-11-27T03:04:33.050Z (answers: 1 of 3 passes)", "at": "2026-11-27T03:04:33.050Z", "in-seconds": 1.8},
   "backend": "unbound", "disabled": false, "drains": [],
   "prefixes": [
    {"prefix": "192.0.2.53/32", "desired": "withdraw", "acknowledged": "withdraw"},
    {"prefix": "2001:db8:53:aaaa:bbbb::53/128", "desired": "announce next-hop 2001:db8:1::2 med 100 community [ 64512:100 64512:200 ]", "acknowledged": "unknown"}],
   "checks": [{"name": "answers", "state": "rising", "streak": 1, "rise": 3, "fall": 3, "severity": "down",
    "last": {"ago-seconds": 0.25, "passed": true, "latency-seconds": 0.00042}}],
   "dampening": {"penalty": 986, "suppressed": false, "reuse-in-seconds": null, "falls": 1}},
  {"name": "nameserver", "enabled": true, "state": "drained", "for-seconds": 18000.0, "reason": "alice drains it: new disk",
   "next": {"text": "drain ends 2026-11-27T05:10:00.000Z, then the checks must pass", "at": "2026-11-27T05:10:00.000Z", "in-seconds": 7528.75},
   "disabled": false, "prefixes": [], "checks": [],
   "drains": [{"holder": "alice", "reason": "new disk", "for-seconds": 18000.0, "expires-in-seconds": 7528.75, "returning": false}],
   "dampening": {"penalty": 0, "suppressed": false, "reuse-in-seconds": null}},
  {"name": "flapping", "enabled": true, "state": "down", "for-seconds": 300.0, "reason": "suppressed by dampening",
   "next": {"text": "suppressed until 2026-11-27T03:31:00.000Z, or `dnsherald undampen flapping`", "at": "2026-11-27T03:31:00.000Z", "in-seconds": 1588.75},
   "disabled": false, "prefixes": [], "checks": [], "drains": [],
   "dampening": {"mode": "enforce", "penalty": 2828, "suppressed": true, "reuse-in-seconds": 1588.75, "falls": 3}}],
"left-behind": []}"#;

fn shown(json: &str, width: usize) -> String {
    let document: Document = serde_json::from_str(json).unwrap();
    Table { document: &document, view: View::new(&document, width, Zone::default()) }.to_string()
}

/// `undrain` takes no name that is not configured.
#[test]
fn a_drain_of_a_removed_service_has_its_end_its_reason_and_the_command_for_all() {
    let drains = r#""removed-drained": [{"name": "old", "drains": [
        {"holder": "me", "reason": "disk", "for-seconds": 5.0, "expires-in-seconds": 25.0, "returning": false},
        {"holder": "you", "reason": "move", "for-seconds": 5.0, "expires-in-seconds": null, "returning": false}]}], "left"#;
    let table = shown(&DOCUMENT.replacen("\"left", drains, 1), 200);
    let lines = "\
old is no longer configured, and drained by me since 03:04:26, until 03:04:56: disk; to end it: dnsherald undrain --as me
old is no longer configured, and drained by you since 03:04:26, until `dnsherald undrain --as you`: move
";
    assert!(table.ends_with(lines), "{table}");
}

/// Each uplink has an announcement of its own.
#[test]
fn the_end_of_a_hold_names_a_prefix_of_two_uplinks_once() {
    let document: Document = serde_json::from_str(DOCUMENT).unwrap();
    let mut after = document.services[0].clone();
    after.prefixes[1] = after.prefixes[0].clone();
    let mut before = after.clone();
    let announce = Some("announce next-hop 10.1.0.2".to_owned());
    before.prefixes.iter_mut().for_each(|prefix| prefix.desired.clone_from(&announce));
    let said = after.after_holds(Some(&before)).unwrap();
    assert!(said.starts_with("is withdrawn now (192.0.2.53/32)"), "{said}");
}

#[test]
fn a_service_that_its_table_down_announces_is_not_called_withdrawn() {
    let document: Document = serde_json::from_str(DOCUMENT).unwrap();
    let mut service = document.services[0].clone();
    service.prefixes.truncate(1);
    let why = |service: &Service| service.why_not_announced().unwrap();
    assert!(why(&service).starts_with("stays withdrawn until its checks pass: "), "{}", why(&service));
    service.prefixes[0].desired = Some("announce next-hop 10.1.0.2 med 500".to_owned());
    assert!(why(&service).starts_with("stays announced as `down` says until its checks pass: "));
}

/// ExaBGP answered `done`, and never reported the neighbor.
#[test]
fn an_announcement_to_a_neighbor_without_a_session_is_not_known() {
    let acknowledged = "\"desired\": \"withdraw\", \"acknowledged\": \"withdraw\"";
    assert!(DOCUMENT.contains(acknowledged));
    let announce = "\"neighbor 10.1.0.9 announce next-hop 10.1.0.2\"";
    let with =
        format!("\"desired\": {announce}, \"acknowledged\": {announce}, \"without-session\": [\"10.1.0.9\"]");
    let table = shown(&DOCUMENT.replacen(acknowledged, &with, 1), 200);
    let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("(not known: ExaBGP has told of no session with 10.1.0.9)"), "{table}");
}

#[test]
fn eighty_columns_are_enough() {
    let expected = "\
fra1: dnsherald 0.1.0, process 4711, running since 2026-11-26 02:04:31
as of 2026-11-27 03:04:31 UTC
/etc/dnsherald/dnsherald.toml
ExaBGP 5.0.15, using dialect `neighbor * announce route`, answers within 1.20ms,
    2 unanswered
  BGP 10.1.0.1            up since 2026-11-26 22:04:31 (5h)
  BGP 10.1.0.9            DOWN since 03:03:29 (1m 1s): peer reset, message
                            [closing connection] error[the TCP connection was
                            closed by the remote end]
  BGP 2001:db8:1::1       not known (no neighbor-changes from ExaBGP yet)

resolver: down since 03:03:16 (1m 15s): check answers: no answer within 500ms
  next                    announced at the earliest 03:04:33 (answers: 1 of 3
                            passes)
  backend                 unbound
  192.0.2.53/32           withdraw (acknowledged)
  2001:db8:53:aaaa:bbbb::53/128
                          announce next-hop 2001:db8:1::2 med 100 community [
                            64512:100 64512:200 ] (NOT acknowledged)
  check answers           rising (1 of 3): passed in 0.42ms, 250ms ago
  dampening               penalty 986, 1 fall within 10m

nameserver: drained since 2026-11-26 22:04:31 (5h): alice drains it: new disk
  next                    drain ends 05:10:00, then the checks must pass
  drained                 by alice since 2026-11-26 22:04:31, until 05:10:00:
                            new disk

flapping: down since 02:59:31 (5m): suppressed by dampening
  next                    suppressed until 03:31:00, or `dnsherald undampen
                            flapping`
  dampening               suppressed until 03:31:00, penalty 2828; to end it:
                            dnsherald undampen flapping
";
    let table = shown(DOCUMENT, 80);
    assert_eq!(table, expected, "{table}");
}

#[test]
fn an_unknown_check_is_called_so_once() {
    let checks = |state: &str| {
        let was = r#""state": "rising", "streak": 1"#;
        let is = format!(r#""state": "{state}", "unknown-for-seconds": 61.5, "streak": 1"#);
        shown(&DOCUMENT.replace(was, &is), 80)
    };
    let unknown = checks("unknown");
    assert!(unknown.contains("answers           unknown since 03:03:29: passed"), "{unknown}");
    let up = checks("up");
    assert!(up.contains("answers           up, unknown since 03:03:29: passed"), "{up}");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [60, 80, 132] {
        let table = shown(DOCUMENT, width);
        let too_wide: Vec<_> = table.lines().filter(|line| line.chars().count() > width).collect();
        assert_eq!(too_wide, [""; 0], "{width}");
    }
    assert!(shown(DOCUMENT, 132).lines().count() < shown(DOCUMENT, 60).lines().count());
    let narrow = shown(DOCUMENT, 60);
    for words in ["  next            announced at the earliest 03:04:33", "  check answers   rising (1 of 3)"]
    {
        assert!(narrow.contains(words), "{words} is not in:\n{narrow}");
    }
}

#[test]
fn an_unreported_session_is_shown_as_not_known() {
    let (before, rest) = DOCUMENT.split_once(",\n  \"bgp-sessions\": [").unwrap();
    let (_, after) = rest.split_once("]},").unwrap();
    let table = shown(&format!("{before}}},{after}"), 80);
    assert!(
        table.contains("  BGP sessions            not known (no neighbor-changes from ExaBGP yet)"),
        "{table}"
    );
}

#[test]
fn extreme_times_from_a_helper_are_shown_safely() {
    for seconds in ["1e300", "-1e300", "1e15"] {
        let table = shown(&DOCUMENT.replace("18000.0", seconds).replace("1588.75", seconds), 80);
        assert!(table.contains("flapping"), "{table}");
    }
}

#[test]
fn colors_follow_the_state_and_change_no_line() {
    let document: Document = serde_json::from_str(DOCUMENT).unwrap();
    for width in [60, 80] {
        let view = View::new(&document, width, Zone::default()).colored(true);
        let colored = Table { document: &document, view }.to_string();
        for start in ["\x1b[31mresolver: down", "\x1b[33mnameserver: drained", "\x1b[31m  BGP 10.1.0.9"] {
            assert!(colored.contains(start), "{start:?} is not in {colored:?}");
        }
        let codes = ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"];
        let plain = codes.iter().fold(colored, |text, code| text.replace(code, ""));
        assert_eq!(plain, shown(DOCUMENT, width));
    }
}
