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

mod clients;
mod drains;
mod holds;
mod reloads;

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
fn undampen_ends_a_suppression_and_reports_it() {
    let pop = Pop::with(Plan { dampening: "mode = \"enforce\"\npenalty = 3000", ..Plan::default() });
    let mut helper = pop.settled();
    let nothing = pop.command(&["undampen"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nothing to clear"), "{nothing:?}");
    assert_eq!(pop.told(&["undampen", "--quiet-if-none"]), "");
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    helper.logs(" UTC) even if its checks pass; to end it: dnsherald undampen resolver");
    pop.server.becomes(Fault::None);
    helper.logs("passes again; suppressed, returns in ");
    pop.comes_to_be(|status| status.services[0].dampening.returns_in_seconds.is_some());
    let table = pop.told(&["status"]);
    let words: Vec<_> = table.split_whitespace().collect();
    assert!(words.join(" ").contains("to end it: dnsherald undampen resolver"), "{table}");
    for options in [&["undrain", "resolver"][..], &["undrain", "resolver", "--once-healthy"]] {
        let undrained = pop.command(options);
        assert_eq!(undrained.status.code(), Some(1));
        let undrained = stdout(&undrained);
        assert!(undrained.starts_with("resolver is not drained, but suppressed for "), "{undrained}");
        assert!(undrained.ends_with("; to end it: dnsherald undampen resolver\n"), "{undrained}");
    }
    pop.told(&["drain", "resolver", "--for", "1h", "--wait"]);
    let returns = pop.told(&["undrain", "resolver", "--once-healthy"]);
    assert_eq!(returns, "resolver returns once no check takes it down and dampening releases it\n");
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
    let control = pop.file("control");
    let history = || stdout(&pop.command(&["history", "--control", control.to_str().unwrap()]));
    let refusal = ["reload ", "reload refused, nothing is changed: ", "dnsherald.toml:16:8: "];
    assert!(eventually(|| refusal.iter().all(|words| history().contains(words))), "{}", history());
    fs::remove_file(pop.configuration_file()).unwrap();
    refused(
        &["reload", "--control", control.to_str().unwrap()],
        "; a helper that starts without this file withdraws every prefix that may be announced",
    );
    helper.has_said_no_more();
    assert!(eventually(|| helper.log().contains("reload refused, nothing is changed: ")));
    helper.is_sent("TERM");
    helper.says(WITHDRAW);
    helper.exits_well();
    assert!(!status_socket(&pop.file("control")).exists());
}

#[test]
fn a_probe_that_has_never_passed_is_not_shown_as_passed() {
    let pop = Pop::new();
    let uncounted = pop.configuration().replace("dns = { ", "dns = { once-seen = true, ");
    pop.is_configured(&format!("{uncounted}[[service.check]]\nname = \"works\"\ncommand = \"true\"\n"));
    pop.server.becomes(Fault::Silent);
    let _helper = pop.settled();
    for command in ["status", "explain"] {
        let told = pop.told(&[command]);
        assert!(told.contains("no pass yet, so its failure (see"), "{told}");
    }
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
fn the_drain_of_a_service_that_a_reload_removes_goes_on_until_undrain() {
    let pop = Pop::new();
    let _helper = pop.settled();
    let text = pop.configuration();
    pop.told(&["drain", "resolver", "--reason", "new disk", "--as", "alice", "--wait"]);
    pop.is_configured(&text.replace("\"resolver\"", "\"other\"").replace("192.0.2.53", "192.0.2.59"));
    let goes_on = "resolver: no longer configured; a service that gets its prefixes begins drained: alice drains it: new disk; \
                   until `dnsherald undrain --as alice`";
    let told = pop.told(&["reload"]);
    assert!(told.contains(goes_on), "{told}");
    let status = pop.told(&["status"]);
    assert!(status.contains("resolver is no longer configured, and drained by alice"), "{status}");
    let by_name = stderr(&pop.command(&["undrain", "resolver"]));
    assert!(by_name.contains("expected one of other; `dnsherald undrain` ends its drain"), "{by_name}");
    pop.is_configured(&text);
    let told = pop.told(&["reload"]);
    assert!(pop.status().services[0].state == ServiceState::Drained, "{told}");
    pop.is_configured(&text.replace("\"resolver\"", "\"other\"").replace("192.0.2.53", "192.0.2.59"));
    pop.told(&["reload"]);
    assert_eq!(pop.told(&["undrain"]), "undrained resolver\n");
    assert!(!pop.told(&["status"]).contains("no longer configured, and drained"));
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
