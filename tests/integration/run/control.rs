//! Requests of an operator to a running helper, and attacks on its sockets.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use dnsherald::control::client::Client;
use dnsherald::control::{Request, control_socket, status_socket};
use dnsherald::engine::drain::{Lasts, Order};
use dnsherald::engine::service::ServiceState;
use dnsherald::responder::Fault;
use dnsherald::status::Document;
use nix::unistd::geteuid;

use crate::cli::{stderr, stdout};
use crate::support::binary;
use crate::support::helper::{ANNOUNCE, Plan, Pop, WITHDRAW, announce, eventually, ideal, mode, withdraw};

#[test]
fn the_status_shows_states_and_reasons() {
    let pop = Pop::new();
    let _helper = pop.settled();
    let status = pop.status();
    assert_eq!((status.node.as_str(), status.configuration), ("test", pop.configuration_file()));
    assert_eq!(status.exabgp.version.as_deref(), Some("5.0.15"));
    let service = &status.services[0];
    assert_eq!((service.state, service.reason.as_str()), (ServiceState::Up, "required checks pass"));
    assert_eq!(service.prefixes[0].acknowledged.as_deref(), Some("announce next-hop 127.0.0.1 med 100"));
    assert!(
        service.checks[0].last.as_ref().is_some_and(|last| last.passed && last.latency_seconds.is_some())
    );
    pop.server.becomes(Fault::Refuse);
    pop.comes_to_be(|status| status.services[0].state == ServiceState::Down && status.services[0].settled());
    let table = pop.told(&["status"]);
    for words in ["resolver: down since", "answered REFUSED", "withdraw (acknowledged)", "ExaBGP 5.0.15"] {
        assert!(table.contains(words), "{words} is not in:\n{table}");
    }
    let too_wide: Vec<_> =
        table.lines().filter(|line| line.chars().count() > 80 && line.contains(' ')).collect();
    assert_eq!(too_wide, [""; 0]);
    let json: serde_json::Value = serde_json::from_str(&pop.told(&["status", "--json"])).unwrap();
    assert_eq!(json["services"][0]["checks"][0]["last"]["cause"], "refused");
}

#[test]
fn the_chain_from_the_probe_to_the_route_is_explained() {
    let pop = Pop::new();
    let _helper = pop.settled();
    let why = pop.told(&["explain", "resolver"]);
    for words in [
        "resolver is up:",
        "probes every ",
        "passed in ",
        "is up: ",
        "decided by the worst of its checks",
        "it answered `done` at",
    ] {
        assert!(why.contains(words), "{words} is not in:\n{why}");
    }
    pop.server.becomes(Fault::Refuse);
    pop.comes_to_be(|status| status.services[0].state == ServiceState::Down && status.services[0].settled());
    let why = pop.told(&["explain"]);
    for words in
        ["(refused): ", "it brings the service down", "sent ExaBGP `withdraw`", "dnsherald hold resolver"]
    {
        assert!(why.contains(words), "{words} is not in:\n{why}");
    }
    let json: serde_json::Value = serde_json::from_str(&pop.told(&["explain", "--json"])).unwrap();
    assert_eq!((&json[0]["state"], &json[0]["rule"]), (&"down".into(), &"worst-check".into()));
    let none = pop.command(&["explain", "other"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("no service `other`, expected one of resolver"), "{none:?}");
}

#[test]
fn the_history_is_kept_over_a_restart_and_read_without_a_helper() {
    let pop = Pop::new();
    let helper = pop.settled();
    pop.told(&["drain", "resolver", "--reason", "new disk", "--wait"]);
    let holds = |text: &str, words: &[&str]| words.iter().all(|words| text.contains(words));
    let expected = ["start      dnsherald ", "transition ", "drain      ", "new disk"];
    assert!(eventually(|| holds(&pop.told(&["history"]), &expected)));
    let of_it = pop.told(&["history", "resolver", "--since", "1h", "--json"]);
    assert!(holds(&of_it, &[r#""kind":"start""#, "new disk"]), "{of_it}");
    let of_another = pop.command(&["history", "other"]);
    assert_eq!((of_another.status.code(), stdout(&of_another)), (Some(1), String::new()));
    assert!(stderr(&of_another).contains("no service `other`, expected one of resolver\n"), "{of_another:?}");
    assert_eq!(pop.command(&["history", "--since", "yesterday"]).status.code(), Some(2));
    let between = |since: &str, until: &str| pop.command(&["history", "--since", since, "--until", until]);
    assert!(holds(&stdout(&between("1h", "0s")), &expected), "{:?}", between("1h", "0s"));
    assert_eq!(stdout(&between("2h", "1h")), "", "nothing has happened an hour ago");
    let reversed = between("1h", "2h");
    assert_eq!(reversed.status.code(), Some(1));
    assert!(stderr(&reversed).contains("expected an earlier --since or a later --until"), "{reversed:?}");
    let trace = pop.file("incident.trace");
    let path = trace.to_str().unwrap();
    assert!(pop.told(&["history", "--dump", path]).starts_with("wrote "));
    assert_eq!(pop.command(&["history", "--dump", path]).status.code(), Some(1), "an existing file is kept");
    let replay = Command::new(binary()).args(["simulate", "--trace", path]).output().unwrap();
    assert!(replay.status.success() && stdout(&replay).contains(WITHDRAW), "{replay:?}");
    drop(helper);
    let offline = || pop.command(&["history"]);
    assert!(eventually(|| stderr(&offline()).contains("note: no helper runs; ")));
    assert!(holds(&stdout(&offline()), &expected), "{:?}", offline());
    let _helper = pop.helper(ideal("5.0.15"));
    assert!(eventually(|| {
        let both = pop.command(&["history"]);
        let text = stdout(&both);
        stderr(&both).is_empty()
            && holds(&text, &expected)
            && text.matches("start      dnsherald ").count() == 2
    }));
}

#[test]
fn a_drain_withdraws_and_its_end_announces() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let said = pop.told(&["drain", "resolver", "--for", "1h", "--reason", "new disk", "--wait"]);
    assert!(said.starts_with("drained resolver for 1h, acknowledged within "), "{said}");
    helper.says(WITHDRAW);
    let status = pop.status();
    let drain = &status.services[0].drains[0];
    assert_eq!((drain.holder.as_str(), drain.reason.as_str()), ("operator", "new disk"));
    assert!(drain.expires_in_seconds.is_some_and(|left| (3500.0..=3600.0).contains(&left)));
    let table = pop.told(&["status"]);
    assert!(table.contains("by operator (uid ") && table.contains(", until "), "{table}");
    let still = pop.command(&["undrain", "--as", "another"]);
    assert_eq!(still.status.code(), Some(1));
    assert_eq!(
        stdout(&still),
        "resolver is still drained: operator drains it: new disk; to end that: dnsherald undrain resolver --as operator\n"
    );
    assert_eq!(stderr(&still), "dnsherald: nothing to undrain: no drain of any service held by another\n");
    let refused = pop.command(&["drain", "--for", "0s"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(stderr(&refused).contains("a drain of no time would end before it withdraws"), "{refused:?}");
    assert_eq!(pop.told(&["undrain"]), "undrained resolver\n");
    helper.says(ANNOUNCE);
}

#[test]
fn undrain_reports_when_there_is_no_drain() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let nothing = pop.command(&["undrain", "resolver"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert_eq!(stderr(&nothing), "dnsherald: nothing to undrain: no drain of resolver\n");
    assert_eq!(pop.told(&["undrain", "--quiet-if-none"]), "");
    assert_eq!(pop.command(&["undrain", "--once-healthy"]).status.code(), Some(1));
    pop.told(&["drain", "--wait"]);
    helper.says(WITHDRAW);
    let announced = pop.told(&["undrain", "--wait"]);
    assert!(
        announced.starts_with("undrained resolver\nannounced resolver, acknowledged within "),
        "{announced}"
    );
    assert!(pop.status().services[0].settled() && pop.status().services[0].is_serving());
    helper.says(ANNOUNCE);
    // Idempotent for scripts.
    let again = pop.command(&["undrain", "--wait", "--quiet-if-none"]);
    assert_eq!(
        (again.status.code(), stdout(&again), stderr(&again)),
        (Some(0), String::new(), String::new())
    );
    pop.told(&["drain", "--as", "other", "--reason", "new disk"]);
    let beside = pop.told(&["drain"]);
    assert!(
        beside.contains(
            "resolver is also drained by other: new disk; to end that: dnsherald undrain --as other\n"
        ),
        "{beside}"
    );
    let held = pop.command(&["undrain", "--as", "operator", "--wait"]);
    assert_eq!(held.status.code(), Some(1));
    let why =
        "resolver is still drained: other drains it: new disk; to end that: dnsherald undrain --as other";
    assert!(stderr(&held).contains(why), "{held:?}");
}

#[test]
fn a_hold_announces_against_the_checks_until_its_end_over_a_restart() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let refused = pop.command(&["hold", "resolver", "--for", "25h", "--reason", "check is wrong"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("at most 1d") || stderr(&refused).contains("at most 24h"),
        "{refused:?}"
    );
    assert_eq!(pop.command(&["unhold"]).status.code(), Some(1));
    assert_eq!(pop.told(&["unhold", "--quiet-if-none"]), "");
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    let held = pop.told(&["hold", "resolver", "--for", "1h", "--reason", "check is wrong", "--wait"]);
    assert!(
        held.starts_with("holding resolver announced for 1h\nannounced resolver, acknowledged"),
        "{held}"
    );
    helper.says(ANNOUNCE);
    helper.logs("held announced against its checks by operator (uid ");
    let status = pop.status();
    let service = &status.services[0];
    assert_eq!((service.state, service.without_hold), (ServiceState::Up, Some(ServiceState::Down)));
    assert_eq!(
        (service.holds[0].holder.as_str(), service.holds[0].reason.as_str()),
        ("operator", "check is wrong")
    );
    let table = pop.told(&["status"]);
    assert!(table.contains("resolver: up since") && table.contains("held announced"), "{table}");
    let alert = pop.command(&["status", "--plugin"]);
    assert_eq!(alert.status.code(), Some(1));
    assert!(
        stdout(&alert)
            .starts_with("DNSHERALD WARNING - resolver up: operator holds it announced: check is wrong"),
        "{alert:?}"
    );
    pop.remembers("check is wrong");
    helper.dies_suddenly();
    let shown = pop.told(&["check-config"]);
    assert!(
        shown.starts_with("now: resolver would be announced, independent of its checks: operator holds it announced: check is wrong\n"),
        "{shown}"
    );
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(ANNOUNCE);
    let drained = pop.told(&["drain", "--for", "1h", "--wait"]);
    assert!(drained.starts_with("drained resolver for 1h"), "{drained}");
    successor.says(WITHDRAW);
    let all_the_same = pop.told(&["hold", "resolver", "--for", "1h", "--reason", "check is wrong"]);
    assert!(all_the_same.contains("resolver is still drained: "), "{all_the_same}");
    pop.told(&["undrain"]);
    successor.says(ANNOUNCE);
    pop.comes_to_be(|status| status.services[0].without_hold == Some(ServiceState::Down));
    let unheld = pop.told(&["unhold", "resolver"]);
    assert!(
        unheld.starts_with("no longer held: resolver; the checks decide\nresolver stays withdrawn"),
        "{unheld}"
    );
    assert!(unheld.contains("answered REFUSED"), "{unheld}");
    successor.says(WITHDRAW);
}

#[test]
fn undrain_says_why_the_route_stays_withdrawn() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.told(&["drain", "resolver", "--wait"]);
    helper.says(WITHDRAW);
    pop.server.becomes(Fault::Refuse);
    pop.comes_to_be(|status| status.services[0].checks.iter().any(|check| check.state == "down"));
    let undrained = pop.told(&["undrain", "resolver"]);
    let expected = "undrained resolver\nresolver stays withdrawn until its checks pass: ";
    assert!(undrained.starts_with(expected) && undrained.contains("answered REFUSED"), "{undrained}");
}

#[test]
fn the_end_of_a_drain_of_all_is_named_for_all() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.told(&["drain", "--reason", "new disk", "--wait"]);
    helper.says(WITHDRAW);
    helper.logs("until `dnsherald undrain --as operator` (it ends the drain of all services)");
    let remedy = "dnsherald undrain --as operator";
    assert!(pop.told(&["status"]).matches(remedy).count() == 2, "{}", pop.told(&["status"]));
    assert!(pop.told(&["explain"]).contains(&format!("to end it: `{remedy}`")));
    pop.told(&["undrain", "--as", "operator", "--wait"]);
    helper.says(ANNOUNCE);
    pop.told(&["drain", "resolver", "--reason", "new disk", "--wait"]);
    helper.logs("until `dnsherald undrain resolver`");
}

#[test]
fn the_status_exits_by_the_state_if_asked() {
    let pop = Pop::new();
    let code = |words: &[&str]| pop.command(words).status.code();
    assert_eq!([code(&["status"]), code(&["status", "--exit-code"])], [Some(1), Some(3)]);
    let mut helper = pop.settled();
    assert_eq!(code(&["status", "--exit-code"]), Some(0));
    pop.told(&["drain", "--for", "1h", "--wait"]);
    helper.says(WITHDRAW);
    assert_eq!([code(&["status"]), code(&["status", "--exit-code"])], [Some(0), Some(1)]);
    pop.told(&["undrain", "--wait"]);
    pop.server.becomes(Fault::Refuse);
    pop.comes_to_be(|status| status.services[0].state == ServiceState::Down);
    let json = pop.command(&["status", "--exit-code", "--json"]);
    assert_eq!(json.status.code(), Some(2));
    assert!(stdout(&json).starts_with('{'), "{json:?}");
}

#[test]
fn a_drain_without_end_and_reason_gives_a_hint() {
    let pop = Pop::new();
    let _helper = pop.settled();
    let drained = pop.command(&["drain", "resolver"]);
    assert!(drained.status.success());
    let hint = "to give it both: dnsherald drain resolver --for 2h --reason TEXT\n";
    assert!(stderr(&drained).ends_with(hint), "{drained:?}");
    for words in
        [&["drain", "--for", "1h"][..], &["drain", "--reason", "new disk"], &["drain", "--until-exit"]]
    {
        assert_eq!(stderr(&pop.command(words)), "", "{words:?}");
    }
}

#[test]
fn undampen_ends_a_suppression_and_reports_it() {
    let pop = Pop::with(Plan { dampening: "mode = \"enforce\"\npenalty = 3000", ..Plan::default() });
    let mut helper = pop.settled();
    let nothing = pop.command(&["undampen"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nothing to clear"), "{nothing:?}");
    assert_eq!(pop.told(&["undampen", "--quiet-if-none"]), "");
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    helper.logs(" UTC); to end it: dnsherald undampen resolver");
    pop.server.becomes(Fault::None);
    helper.logs("passes again; suppressed, returns in ");
    pop.comes_to_be(|status| status.services[0].dampening.returns_in_seconds.is_some());
    let table = pop.told(&["status"]);
    let words: Vec<_> = table.split_whitespace().collect();
    assert!(words.join(" ").contains("to end it: dnsherald undampen resolver"), "{table}");
    let undrained = pop.command(&["undrain", "resolver"]);
    assert_eq!(undrained.status.code(), Some(1));
    let undrained = stdout(&undrained);
    assert!(undrained.starts_with("resolver is not drained, but suppressed for "), "{undrained}");
    assert!(undrained.ends_with("; to end it: dnsherald undampen resolver\n"), "{undrained}");
    assert_eq!(pop.command(&["undampen", "other"]).status.code(), Some(1));
    let cleared = pop.told(&["undampen", "resolver"]);
    assert!(
        cleared.starts_with("cleared resolver: penalty 2") && cleared.contains("suppression"),
        "{cleared}"
    );
    helper.says(ANNOUNCE);
    pop.remembers("\"penalty\": 0.0");
    assert_eq!(pop.command(&["undampen"]).status.code(), Some(1));
}

#[test]
fn a_drain_survives_the_helper_and_expires_by_itself() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.told(&["drain", "--reason", "new disk", "--wait"]);
    helper.says(WITHDRAW);
    pop.remembers("new disk");
    helper.dies_suddenly();
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(WITHDRAW);
    pop.comes_to_be(|status| status.services[0].state == ServiceState::Drained);
    pop.told(&["drain", "--for", "50ms"]);
    successor.says(ANNOUNCE);
    successor.logs("the drain by operator has expired");
}

#[test]
fn a_drain_of_all_includes_added_services() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.told(&["drain", "--reason", "new disk", "--wait"]);
    helper.says(WITHDRAW);
    let other = "[[service]]\nname = \"other\"\nprefixes = [\"198.18.9.9/32\"]\naddress = false\n[[service.check]]\nname = \"answers\"\n\
                 dns = { query = \"localhost. A\" }\n";
    pop.is_configured(&format!("{}{other}", pop.configuration()));
    pop.told(&["reload"]);
    let all_are_drained =
        |status: &Document| status.services.iter().all(|service| service.state == ServiceState::Drained);
    pop.comes_to_be(|status| status.services.len() == 2 && all_are_drained(status));
    pop.remembers("(all services)");
    helper.dies_suddenly();
    pop.is_configured(&format!("{}{other}", pop.configuration().replace("resolver", "nameserver")));
    let _successor = pop.helper(ideal("5.0.15"));
    pop.comes_to_be(|status| status.services[0].name == "nameserver" && all_are_drained(status));
    let table = pop.told(&["status"]);
    assert!(table.contains("all services, those added later included, drained by operator"), "{table}");
    // Nothing answers the check of the other: once that is known, a second line says it.
    assert_eq!(pop.told(&["undrain"]).lines().next(), Some("undrained nameserver, other"));
    pop.comes_to_be(|status| status.drains_of_all.is_empty() && status.services[0].state == ServiceState::Up);
}

#[test]
fn a_drain_until_exit_ends_with_the_helper() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let said = pop.told(&["drain", "--as", "exabgp.service", "--until-exit", "--wait"]);
    assert!(said.starts_with("drained resolver until the helper exits, acknowledged within "), "{said}");
    helper.says(WITHDRAW);
    let both = pop.told(&["drain", "--as", "unbound.service", "--until-exit", "--for", "1h"]);
    assert_eq!(
        both,
        "draining resolver for 1h or until the helper exits\nresolver is also drained by exabgp.service: no reason \
         given; to end that: dnsherald undrain --as exabgp.service\n"
    );
    // A reload does not end it.
    pop.is_configured(&pop.configuration().replace("med = 100", "med = 200"));
    pop.told(&["reload"]);
    pop.comes_to_be(|status| status.services[0].state == ServiceState::Drained);
    pop.remembers("exabgp.service");
    helper.dies_suddenly();
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(ANNOUNCE.replace("100", "200"));
    assert!(pop.status().services[0].drains.is_empty());
}

#[test]
fn once_healthy_ends_a_drain_after_new_passes() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.told(&["drain", "--as", "unbound.service", "--wait"]);
    helper.says(WITHDRAW);
    pop.server.becomes(Fault::Closed);
    pop.told(&["undrain", "--as", "unbound.service", "--once-healthy"]);
    pop.comes_to_be(|status| status.services[0].checks[0].state == "down");
    assert!(pop.status().services[0].drains[0].returning);
    helper.has_said_no_more();
    pop.server.becomes(Fault::None);
    helper.says(ANNOUNCE);
}

#[test]
fn refuses_requests_with_the_reason() {
    let pop = Pop::new();
    let refused = |words: &[&str], why: &str| {
        let output = pop.command(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && said.contains(why),
            "{words:?}: {:?} {said}",
            output.status
        );
    };
    refused(&["status"], "no helper is running: there is no");
    refused(&["drain"], "no helper is running");
    refused(&["drain"], "a disable-file keeps the services withdrawn at its next start");
    let mut helper = pop.settled();
    refused(&["drain", "nameserver"], "no service `nameserver`, expected one of resolver");
    pop.is_configured(&pop.configuration().replace("rise = 2", "rise = 0"));
    refused(&["reload"], "nothing is changed");
    refused(&["reload"], "dnsherald.toml:16:8: ");
    fs::remove_file(pop.configuration_file()).unwrap();
    let control = pop.file("control");
    refused(
        &["reload", "--control", control.to_str().unwrap()],
        "; a helper that starts without this file withdraws every prefix",
    );
    helper.has_said_no_more();
    assert!(eventually(|| helper.log().contains("reload refused, the configuration in force stays: ")));
    helper.is_sent("TERM");
    helper.says(WITHDRAW);
    helper.exits_well();
    assert!(!status_socket(&pop.file("control")).exists());
}

#[test]
fn a_reload_applies_the_difference() {
    let pop = Pop::with(Plan { prefixes: 2, ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(announce));
    pop.comes_to_be(|status| status.services[0].settled());
    let before = pop.configuration();
    let address = pop.server.address();
    let other = format!(
        "\n[[service]]\nname = \"other\"\nprefixes = [\"198.18.9.9/32\"]\naddress = false\nup = {{ med = 100 }}\n\
         [[service.check]]\nname = \"answers\"\ndns = {{ query = \"localhost. A\", server = \"{address}\" }}\n"
    );
    pop.is_configured(&format!("{before}{other}"));
    assert_eq!(pop.told(&["reload"]), "reloaded: 1 service unchanged, new: other\n");
    assert_eq!(pop.told(&["reload"]), "reloaded: nothing changed\n");
    helper.logs("configuration reloaded: 1 service unchanged, new: other");
    helper.says("neighbor * announce route 198.18.9.9/32 next-hop 127.0.0.1 med 100");
    pop.is_configured(&format!("{}{other}", before.replace("med = 100", "med = 200")));
    let changed = "changed: resolver (what its states advertise)";
    let said = pop.told(&["reload"]);
    assert!(said.starts_with(&format!("reloaded: 1 service unchanged, {changed}\n")), "{said}");
    helper.logs(&format!("configuration reloaded: 1 service unchanged, {changed}"));
    helper.says_all((0..2).map(|nth| announce(nth).replace("med 100", "med 200")));
    pop.is_configured(&before.replace(", \"198.18.0.1/32\"", "").replace("\"test\"", "\"renamed\""));
    let said = pop.told(&["reload"]);
    let gone = "198.18.9.9/32 is no longer configured, but may be announced: withdrawing it";
    assert!(said.contains(", gone: other\n") && said.contains(gone), "{said}");
    assert_eq!(pop.status().node, "renamed");
    let mut said = [helper.next(), helper.next(), helper.next()];
    said.sort();
    assert_eq!(said, [announce(0), withdraw(1), WITHDRAW.replace("192.0.2.53", "198.18.9.9")]);
    assert!(pop.status().stale_routes.is_empty() || eventually(|| pop.status().stale_routes.is_empty()));
}

/// Each reload precedes the timeout of the running round, which must still count.
#[test]
fn repeated_reloads_do_not_hide_a_hang() {
    let pop =
        Pop::with(Plan { check: "interval = \"500ms\"\ntimeout = \"500ms\"\nfall = 2", ..Plan::default() });
    let helper = pop.settled();
    pop.server.becomes(Fault::Silent);
    let withdrawn = eventually(|| {
        pop.told(&["reload"]);
        helper.said().last().is_some_and(|line| line == WITHDRAW)
    });
    assert!(withdrawn, "log:\n{}", helper.log());
}

#[test]
fn a_probe_that_has_never_passed_is_not_shown_as_passed() {
    let pop = Pop::new();
    pop.is_configured(&pop.configuration().replace("dns = { ", "dns = { once-seen = true, "));
    pop.server.becomes(Fault::Silent);
    let _helper = pop.settled();
    for command in ["status", "explain"] {
        let told = pop.told(&[command]);
        assert!(told.contains("no pass yet: not counted"), "{told}");
    }
}

#[test]
fn a_corrected_file_takes_effect_at_once() {
    let pop = Pop::new();
    let whole = pop.configuration();
    pop.is_configured(&whole.replace("rise = 2", "rise = 0"));
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(WITHDRAW);
    let table = pop.told(&["status"]);
    assert!(table.contains("CONFIGURATION ERROR") && table.contains("dnsherald.toml:16:8: "), "{table}");
    let output = pop.command(&["drain"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("no valid configuration"));
    pop.is_configured(&whole);
    pop.told(&["reload"]);
    helper.comes_to_say(ANNOUNCE);
    pop.comes_to_be(|status| status.trouble.is_none());
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    let pop = Pop::new();
    let (parent, directory) = (pop.file("run"), pop.file("run/control"));
    pop.is_configured(
        &pop.configuration().replace(&format!("{:?}", pop.file("control")), &format!("{directory:?}")),
    );
    let mut helper = pop.helper_after("umask 0137", ideal("5.0.15"));
    helper.opens();
    let (status, control) = (status_socket(&directory), control_socket(&directory));
    assert!(eventually(|| control.exists()), "log:\n{}", helper.log());
    let modes = [&parent, &directory, &status, &control].map(|path| mode(path));
    assert_eq!(modes, ["755", "755", "666", "660"]);
}

#[test]
fn warns_about_a_world_writable_directory() {
    let pop = Pop::new();
    fs::create_dir(pop.file("control")).unwrap();
    for directory in [pop.file(""), pop.file("control")] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).unwrap();
    }
    // Root does not use it at all.
    let other = if geteuid().is_root() { "set -- setpriv --reuid 64731 --clear-groups \"$@\"" } else { ":" };
    let mut helper = pop.helper_after(other, ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs("every user may write to the directory");
}

#[test]
fn a_drain_is_stored_before_it_is_confirmed() {
    let pop = Pop::new();
    let _helper = pop.settled();
    pop.told(&["drain", "--reason", "new disk"]);
    assert!(fs::read_to_string(pop.state_file()).unwrap().contains("new disk"));
    pop.told(&["undrain"]);
    assert!(!fs::read_to_string(pop.state_file()).unwrap().contains("new disk"));
}

#[test]
fn reports_a_drain_that_cannot_be_stored() {
    let pop = Pop::with(Plan { state: "/dev/null/state", ..Plan::default() });
    let mut helper = pop.settled();
    let output = pop.command(&["drain"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("the state is not on disk yet"), "{said}");
    helper.says(WITHDRAW);
    helper.logs("drains and penalties will not survive a restart");
}

#[test]
fn drain_wait_reports_a_drain_that_ends() {
    let pop = Pop::new();
    let _helper = pop.settled();
    let output = pop.command(&["drain", "--for", "1us", "--wait"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("resolver is no longer drained"), "{said}");
}

#[test]
fn limits_the_number_of_holders() {
    let pop = Pop::new();
    let _helper = pop.settled();
    let client = Client::new(&pop.file("control"));
    let drain = |holder: usize| {
        let holder = format!("holder-{holder}").parse().unwrap();
        let order = Order { holder, reason: String::new().into(), lasts: Lasts::UntilLifted, uid: None };
        client.ask(&Request::Drain { service: None, order })
    };
    let drained = (0..20).filter(|holder| drain(*holder).is_ok()).count();
    assert_eq!(drained, 16);
    assert!(drain(3).is_ok(), "whoever has one may give it another end");
    assert!(drain(17).unwrap_err().to_string().contains("` ends all of them"));
    pop.told(&["undrain"]);
    assert!(drain(17).is_ok());
}

/// Reading a pipe without a writer blocks, like a hanging disk.
#[test]
fn a_reload_of_a_pipe_changes_nothing() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    fs::remove_file(pop.configuration_file()).unwrap();
    assert!(Command::new("mkfifo").arg(pop.configuration_file()).status().unwrap().success());
    let client = Client::new(&pop.file("control"));
    for _ in 0..3 {
        let refused = client.ask(&Request::Reload).unwrap_err().to_string();
        assert!(
            refused.starts_with("nothing is changed: ") && refused.ends_with(" not a regular file"),
            "{refused}"
        );
    }
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
}

/// Every user may read the status and so can keep its socket busy.
#[test]
fn drains_for_a_stopping_unit_without_a_status() {
    let pop = Pop::with(Plan { service: "backend = \"generic\"", ..Plan::default() });
    let backend = "\n[backend.generic]\nunit = \"ns@1.service\"\nsettle = \"0s\"\n";
    pop.is_configured(&format!("{}{backend}", pop.configuration()));
    let mut helper = pop.settled();
    fs::remove_file(status_socket(&pop.file("control"))).unwrap();
    let stopping = |unit: &str| {
        let mut command = Command::new(binary());
        command.args(["backend", "stopping", unit, "-c"]).arg(pop.configuration_file());
        let output = command.env("MAINPID", "1").output().unwrap();
        assert!(output.status.success(), "whatever happens, the unit stops");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = stopping("other");
    assert!(said.contains("no service has a backend with the unit other.service"), "{said}");
    helper.has_said_no_more();
    // The helper does not know a service that was not reloaded; the others are drained.
    let new = "\n[[service]]\nname = \"new\"\nprefixes = [\"198.18.9.9/32\"]\naddress = false\nbackend = \"generic\"\n";
    pop.is_configured(&format!("{}{new}{backend}", pop.configuration()).replacen(
        "name = \"resolver\"",
        "name = \"newer\"\nprefixes = [\"198.18.9.8/32\"]\naddress = false\nbackend = \"generic\"\n[[service]]\nname = \"resolver\"",
        1,
    ));
    let said = stopping("ns@1");
    helper.says(WITHDRAW);
    for name in ["newer", "new"] {
        assert!(said.contains(&format!("no service `{name}`, expected one of resolver")), "{said}");
    }
}

/// A client that sends nothing, incomplete lines or garbage delays only itself.
#[test]
fn slow_clients_floods_and_garbage_delay_no_request() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let directory = pop.file("control");
    let sockets = [status_socket(&directory), control_socket(&directory)];
    let open = |number| (0..number).map(|nth| UnixStream::connect(&sockets[nth % 2]).unwrap());
    let silent: Vec<_> = open(20).collect();
    let garbage: Vec<_> = open(40)
        .map(|mut client| {
            let _ = client.write_all(&[0xff; 10_000]);
            let _ = client.write_all(b"{\"drain\": {\n");
            client
        })
        .collect();
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    drop(silent);
    drop(garbage);
    let mut client = UnixStream::connect(&sockets[1]).unwrap();
    client.write_all(b"{\"drain\": 7}\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("{\"refused\":\"not a request: "), "{answer}");
    pop.server.becomes(Fault::None);
    helper.says(ANNOUNCE);
    assert_eq!(pop.status().services[0].drains, []);
}

/// Like a hanging script of another user.
#[test]
fn idle_connections_of_another_user_delay_no_request() {
    if !geteuid().is_root() {
        return crate::support::lacks("root");
    }
    let pop = Pop::with(Plan { prefixes: 3000, ..Plan::default() });
    let mut helper = pop.settled();
    let status = pop.told(&["status", "--json"]);
    assert!(status.len() > 300_000, "{} octets fit into a buffer", status.len());
    let directory = pop.file("control");
    // The path to the sockets and the control socket, as a member of the group.
    for folder in directory.ancestors().take_while(|folder| folder.parent().is_some()) {
        let mode = fs::metadata(folder).unwrap().permissions().mode();
        fs::set_permissions(folder, fs::Permissions::from_mode(mode | 0o055)).unwrap();
    }
    fs::set_permissions(control_socket(&directory), fs::Permissions::from_mode(0o666)).unwrap();
    // It reopens each dropped connection at once, so that it always has as many as possible.
    let script = "
import os, select, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
poll = select.poll(); held = {}
def take(path):
    s = socket.socket(socket.AF_UNIX); s.connect(path); held[s.fileno()] = (s, path); poll.register(s, select.POLLHUP)
for path in sys.argv[1:]:
    for _ in range(20): take(path)
print('held', flush=True)
while True:
    for number, _ in poll.poll():
        s, path = held.pop(number); poll.unregister(number); s.close(); take(path)
";
    let mut other = Command::new("python3")
        .args(["-c", script])
        .args([status_socket(&directory), control_socket(&directory)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 5];
    other.stdout.take().unwrap().read_exact(&mut held).unwrap();
    let drained = pop.command(&["drain"]);
    let status = pop.command(&["status"]);
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(drained.status.success(), "{drained:?}");
    assert!(status.status.success(), "{status:?}");
    helper.comes_to_say(WITHDRAW);
}

/// A request that the command reported as failed must not take effect later.
#[test]
fn a_drain_that_failed_has_no_later_effect() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let pid = pop.status().pid;
    helper.is_sent("STOP");
    let output = pop.command(&["drain"]);
    let said = String::from_utf8(output.stderr).unwrap();
    helper.is_sent("CONT");
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains(&format!("the helper (pid {pid}) behind ")) && said.contains("does not respond"),
        "{said}"
    );
    // A request sent now has an expiry and waits behind the first.
    pop.told(&["drain", "--as", "another"]);
    helper.comes_to_say(WITHDRAW);
    let holders: Vec<_> = pop.status().services[0].drains.iter().map(|drain| drain.holder.clone()).collect();
    assert_eq!(holders, ["another"]);
}

/// On a reload ExaBGP starts the successor before the predecessor has ended.
#[test]
fn the_newest_helper_owns_the_sockets() {
    let pop = Pop::new();
    let mut first = pop.settled();
    let predecessor = pop.status().pid;
    let _second = pop.helper(ideal("5.0.15"));
    pop.comes_to_be(|status| status.pid != predecessor);
    // The other helper learns of requests to the newest from the state, and neither reverts them.
    pop.told(&["drain", "--reason", "new disk", "--wait"]);
    first.says(WITHDRAW);
    first.is_sent("TERM");
    first.exits_well();
    let status = pop.status();
    assert_ne!(status.pid, predecessor);
    assert_eq!(status.services[0].state, ServiceState::Drained);
    pop.remembers("new disk");
}

/// Two ExaBGPs with one file. A helper that ends soon is the one before a reload of ExaBGP.
#[test]
fn another_helper_that_stays_is_named() {
    let pop = Pop::new();
    let first = pop.settled();
    let predecessor = pop.status().pid;
    let second = pop.helper(ideal("5.0.15"));
    let directory = pop.file("control").display().to_string();
    second.logs(&format!("takes over the sockets in {directory} from the helper (process {predecessor})"));
    pop.comes_to_be(|status| status.pid != predecessor);
    let file = pop.configuration_file().display().to_string();
    second
        .logs(&format!("another helper (process {predecessor} with {file}) still runs 10s after the start"));
    second.logs(&format!("this one (process {}): this one has the control sockets", pop.status().pid));
    first.logs(&format!("another helper (process {}) has taken over {directory}/", pop.status().pid));
    assert!(!first.log().contains("takes over"), "{}", first.log());
    assert!(!second.log().contains("has taken over"), "{}", second.log());
}

/// One that was started by hand beside the helper, and ended: killed, or as asked.
#[test]
fn a_helper_takes_its_sockets_back() {
    let pop = Pop::new();
    let first = pop.settled();
    let pid = pop.status().pid;
    for is_killed in [true, false] {
        let mut second = pop.helper(ideal("5.0.15"));
        pop.comes_to_be(|status| status.pid != pid);
        if is_killed {
            second.dies_suddenly();
        } else {
            second.is_sent("TERM");
            second.exits_well();
        }
        assert!(eventually(|| pop.command(&["status"]).status.success()), "{}", first.log());
        assert_eq!(pop.status().pid, pid);
        assert!(pop.command(&["drain", "--wait"]).status.success(), "requests reach it as well");
        assert!(pop.command(&["undrain"]).status.success());
    }
    let told = format!("takes the sockets in {} back", pop.file("control").display());
    assert_eq!(first.log().matches(&told).count(), 2, "{}", first.log());
}

#[test]
fn runs_without_a_control_directory() {
    let pop = Pop::new();
    pop.is_configured(
        &pop.configuration().replace(&format!("{:?}", pop.file("control")), "\"/dev/null/control\""),
    );
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs("cannot use the directory /dev/null/control: /dev/null: not a directory");
}

#[test]
fn the_status_is_an_alert_for_monitoring() {
    let pop = Pop::new();
    let alert = |pop: &Pop| {
        let output = pop.command(&["status", "--plugin"]);
        assert_eq!(stdout(&output).lines().count(), 1, "{output:?}");
        (output.status.code(), stdout(&output))
    };
    let (code, line) = alert(&pop);
    assert!(code == Some(3) && line.starts_with("DNSHERALD UNKNOWN - no helper is running"), "{line}");
    let mut helper = pop.settled();
    let (code, line) = alert(&pop);
    assert!(
        code == Some(0) && line.starts_with("DNSHERALD OK - resolver up | 'resolver/serving'=1;;;0;1"),
        "{line}"
    );
    pop.told(&["drain", "--for", "1h", "--reason", "new disk", "--wait"]);
    helper.says(WITHDRAW);
    let (code, line) = alert(&pop);
    assert_eq!(code, Some(1), "{line}");
    assert!(line.starts_with("DNSHERALD WARNING - resolver drained for "), "{line}");
    assert!(line.contains("operator drains it: new disk | 'resolver/serving'=0"), "{line}");
    pop.told(&["undrain", "--wait"]);
    helper.says(ANNOUNCE);
    pop.server.becomes(Fault::Refuse);
    pop.comes_to_be(|status| status.services[0].state == ServiceState::Down);
    let (code, line) = alert(&pop);
    assert!(code == Some(2) && line.starts_with("DNSHERALD CRITICAL - resolver down: check"), "{line}");
}

#[test]
fn shows_first_what_a_start_would_do() {
    let pop = Pop::with(Plan { service: "disable-file = \"FOLDER/off\"", ..Plan::default() });
    assert!(!pop.told(&["check-config"]).contains("now: "));
    let helper = pop.settled();
    pop.told(&["drain", "--reason", "new disk", "--wait"]);
    helper.dies_suddenly();
    let drained = "now: resolver would be drained: operator drains it: new disk\n";
    let shown = pop.told(&["check-config"]);
    assert!(shown.starts_with(drained) && shown.contains(": valid"), "{shown}");
    let shown = pop.told(&["check"]);
    assert!(shown.starts_with(&format!("{drained}service resolver: up\n")), "{shown}");
    let shown = pop.told(&["check", "--plugin"]);
    assert!(shown.contains("probes passed (would be drained: operator drains it: new disk)"), "{shown}");
    fs::write(pop.file("off"), "").unwrap();
    let shown = pop.told(&["check-config"]);
    let file =
        format!("now: resolver would be drained: the disable-file {} exists\n", pop.file("off").display());
    assert!(shown.starts_with(&file), "{shown}");
    pop.is_configured(&pop.configuration().replace("rise = 2", "rise = 0"));
    let refused = pop.command(&["check-config"]);
    assert!(
        stderr(&refused).starts_with("now: `run` would use the LAST GOOD CONFIGURATION in "),
        "{refused:?}"
    );
}

/// Python provides the terminal; the Rust standard library cannot.
#[test]
fn a_dry_run_runs_no_hooks_and_claims_no_acknowledgment() {
    let pop =
        Pop::with(Plan { service: "on-change = [\"/bin/touch\", \"FOLDER/hooked\"]", ..Plan::default() });
    let mut python = Command::new("python3");
    python.args(["-c", "import pty, sys; pty.spawn(sys.argv[1:])"]).arg(binary()).arg("run").arg("-c");
    python.arg(pop.configuration_file()).env("RUST_LOG", "info");
    let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut shown = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    // The state is entered, then acknowledged.
    while !shown.contains("on-change not run with STATE=DOWN") {
        if shown.contains("on-change not run with STATE=UP") {
            pop.server.becomes(Fault::Refuse);
        }
        assert!(lines.read_line(&mut shown).unwrap() > 0, "{shown}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(shown.contains("announce route 192.0.2.53/32"), "{shown}");
    assert!(!shown.contains("acknowledged"), "{shown}");
    assert!(!pop.file("hooked").exists());
}
