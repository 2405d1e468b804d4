//! Tests `check`: the table, the JSON, the plugin line, and the exit statuses.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dnsherald::responder::Fault;
use dnsherald::status::{CheckStatus, Document};

use crate::cli::{File, dnsherald, stderr, stdout};
use crate::support::binary;
use crate::support::helper::{Plan, Pop, ideal};
use crate::support::server::Server;

/// Runs `check` against a responder with a fault.
fn check(name: &str, fault: Fault, options: &[&str]) -> Output {
    let server = Server::with(fault);
    let configuration = File::new(
        name,
        &format!(
            "[node]\nmanagement = [\"127.0.0.1\"]\n[defaults]\ninterval = \"5s\"\ntimeout = \"2s\"\n[[service]]\n\
             name = \"resolver\"\nprefixes = [\"192.0.2.53/32\"]\naddress = false\ndegraded = {{ med = 400 }}\n[[service.check]]\n\
             name = \"answers\"\non-fail = {{ servfail = \"degraded\" }}\n\
             dns = {{ query = \"localhost. A\", server = \"{}\", transport = [\"udp\", \"tcp\"] }}\n",
            server.address()
        ),
    );
    let mut arguments = vec!["check", "-c", configuration.path()];
    arguments.extend(options);
    dnsherald(&arguments)
}

#[test]
fn check_has_four_exit_statuses() {
    let codes = [("ok", Fault::None), ("degraded", Fault::Servfail), ("down", Fault::Refuse)]
        .map(|(name, fault)| check(name, fault, &[]).status.code());
    assert_eq!(codes, [Some(0), Some(1), Some(2)]);
    assert_eq!(dnsherald(&["check", "-c", "/nowhere/dnsherald.toml"]).status.code(), Some(3));
    assert_eq!(dnsherald(&["check", "--no-such-option"]).status.code(), Some(3));
    assert_eq!(check("service", Fault::None, &["nosuch"]).status.code(), Some(3));
}

/// A pass, a failure and two unknown outcomes, of which two have to pass: the unknown ones could.
#[test]
fn check_is_unknown_where_unknown_probes_could_make_it_pass() {
    let server = Server::with(Fault::None);
    let configuration = File::new(
        "undecided",
        &format!(
            "[node]\nmanagement = [\"127.0.0.1\"]\n[[service]]\nname = \"resolver\"\nprefixes = [\"192.0.2.53/32\"]\n\
             address = false\n[[service.check]]\nname = \"answers\"\ndns = {{ query = \"localhost. A\", \
             server = [\"{}\", \"127.0.0.1:1\"], source = [\"127.0.0.1\", \"192.0.2.77\"], each-source = true, pass = 2 }}\n",
            server.address()
        ),
    );
    let output = dnsherald(&["check", "-c", configuration.path()]);
    let table = stdout(&output);
    assert!(
        table.starts_with("service resolver: unknown\n  check answers: UNKNOWN, 1 of 4 probes, 2 needed\n"),
        "{table}"
    );
    assert_eq!(output.status.code(), Some(3), "{table}");
}

#[test]
fn check_shows_a_table() {
    let table = stdout(&check("table", Fault::Refuse, &[]));
    assert!(
        table.starts_with("service resolver: down\n  check answers: FAILED, 0 of 2 probes, 2 needed\n"),
        "{table}"
    );
    assert!(table.contains("refused (answered REFUSED, expected NOERROR)"), "{table}");
}

#[test]
fn check_prints_json() {
    let output = check("json", Fault::Servfail, &["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json[0]["service"], "resolver");
    assert_eq!(json[0]["severity"], "degraded");
    assert_eq!(json[0]["checks"][0]["probes"][0]["cause"], "servfail");
}

#[test]
fn check_prints_a_plugin_line() {
    let line = stdout(&check("plugin", Fault::None, &["resolver", "--plugin"]));
    assert!(line.starts_with("DNS OK - resolver up: 2 of 2 probes passed | 'resolver/answers'="), "{line}");
    assert_eq!(line.lines().count(), 1);
    let line = stdout(&check("plugin-down", Fault::Refuse, &["--plugin"]));
    assert!(line.starts_with("DNS CRITICAL - resolver down: 127.0.0.1:"), "{line}");
    let check = |name: &str, keys: &str| format!("[[service.check]]\nname = \"{name}\"\n{keys}\n");
    let observed = check("minor", "on-fail = \"observe\"\ncommand = [\"/bin/sh\", \"-c\", \"exit 3\"]");
    let text = "[node]\nmanagement = [\"127.0.0.1\"]\n[[service]]\nname = \"resolver\"\nprefixes = [\"192.0.2.53/32\"]\n\
                address = false\n";
    let decides = check("major", "command = [\"/bin/false\"]");
    let file = File::new("plugin-observed", &format!("{text}{observed}{decides}"));
    let line = stdout(&dnsherald(&["check", "--plugin", "-c", file.path()]));
    assert!(line.starts_with("DNS CRITICAL - resolver down: `/bin/false`"), "{line}");
    let line = stdout(&dnsherald(&["check", "--plugin", "-c", "/nowhere/dnsherald.toml"]));
    assert!(line.starts_with("DNS UNKNOWN - /nowhere/dnsherald.toml: cannot read"), "{line}");
}

/// Status 1 would be a warning, but the state of the service is unknown.
#[test]
fn check_that_cannot_print_is_unknown() {
    let server = Server::with(Fault::None);
    let configuration = File::new("full", &hanging(&server, 1));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(binary())
        .args(["check", "-c", configuration.path()])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("cannot print the results: "), "{}", stderr(&output));
}

/// Services `s1`, `s2` … with two checks each that wait a second for this server.
fn hanging(server: &Server, services: usize) -> String {
    let mut toml =
        "[node]\nmanagement = [\"127.0.0.1\"]\n[defaults]\ninterval = \"1s\"\ntimeout = \"1s\"\n".to_owned();
    for number in 1..=services {
        toml += &format!(
            "[[service]]\nname = \"s{number}\"\nprefixes = [\"192.0.2.{number}/32\"]\naddress = false\n"
        );
        for check in ["a", "b"] {
            toml += &format!(
                "[[service.check]]\nname = \"{check}\"\ndns = {{ query = \"localhost. A\", server = \"{}\" }}\n",
                server.address()
            );
        }
    }
    toml
}

#[test]
fn check_probes_concurrently_and_reports_in_order() {
    let server = Server::with(Fault::Silent);
    let configuration = File::new("hanging", &hanging(&server, 8));
    let began = Instant::now();
    let output = dnsherald(&["check", "-c", configuration.path()]);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(output.status.code(), Some(2));
    let text = stdout(&output);
    let heads: Vec<_> = text.lines().filter(|line| line.starts_with("service ")).collect();
    let expected: Vec<_> = (1..=8).map(|number| format!("service s{number}: down")).collect();
    assert_eq!(heads, expected);
    assert_eq!(text.matches("  check a: FAILED").count(), 8);
}

#[test]
fn check_shows_the_process_or_why_it_is_missing() {
    let pid_file = File::new("alive", &format!("{}\n", std::process::id()));
    let configuration = |path: &str| {
        let toml = format!(
            "[node]\nmanagement = [\"127.0.0.1\"]\n[[service]]\nname = \"resolver\"\nprefixes = [\"192.0.2.53/32\"]\naddress = false\n\
             [[service.check]]\nname = \"alive\"\nprocess = {{ pid-file = \"{path}\" }}\n"
        );
        File::new("process", &toml)
    };
    let output = dnsherald(&["check", "-c", configuration(pid_file.path()).path()]);
    let found = format!("    process {} (", std::process::id());
    assert!(stdout(&output).contains(&found), "{}", stdout(&output));
    assert_eq!(output.status.code(), Some(0));
    let output = dnsherald(&["check", "-c", configuration("/nowhere/x.pid").path()]);
    let text = stdout(&output);
    let missing = "    the process of /nowhere/x.pid  process-unknown (/nowhere/x.pid does not exist)";
    assert!(text.starts_with("service resolver: up\n  check alive: UNKNOWN"), "{text}");
    assert!(text.contains(missing), "{text}");
    assert_eq!(output.status.code(), Some(0), "nothing certain, so nothing is wrong with the service");
    let line = stdout(&dnsherald(&["check", "-c", configuration("/nowhere/x.pid").path(), "--plugin"]));
    assert!(line.starts_with("DNS OK - resolver up: 0 of 1 probes passed"), "{line}");
}

/// The helper counts such a probe once it has passed.
#[test]
fn check_distinguishes_an_uncounted_probe_from_a_pass() {
    let server = Server::with(Fault::Refuse);
    let configuration = File::new(
        "once-seen",
        &format!(
            "[node]\nmanagement = [\"127.0.0.1\"]\n[[service]]\nname = \"resolver\"\nprefixes = [\"192.0.2.53/32\"]\n\
             address = false\n[[service.check]]\nname = \"records\"\n\
             dns = {{ query = \"localhost. A\", server = \"{}\", once-seen = true }}\n\
             [[service.check]]\nname = \"works\"\ncommand = \"true\"\n",
            server.address()
        ),
    );
    let output = dnsherald(&["check", "-c", configuration.path()]);
    let table = stdout(&output);
    assert_eq!(output.status.code(), Some(0));
    let why = "not counted: it is not known whether it has passed before: answered REFUSED, expected NOERROR";
    assert!(table.contains(why), "{table}");
    assert!(table.contains("  check records: not counted, 0 of 1 probes, 1 needed\n"), "{table}");
}

/// A PoP whose check `answers` counts once it was up, and whose check `records` asks its server and one that never answers,
/// and counts each once it has passed. A third check passes.
fn pop_with_late_checks() -> (Pop, Server) {
    let (pop, dead) = (Pop::with(Plan { check: LATE, ..Plan::default() }), Server::with(Fault::Refuse));
    let (alive, dead_address) = (pop.server.address(), dead.address());
    let records = format!(
        "[[service.check]]\nname = \"records\"\n{LATE}\n\
         dns = {{ query = \"localhost. A\", server = [\"{alive}\", \"{dead_address}\"], once-seen = true }}\n\
         [[service.check]]\nname = \"works\"\ncommand = \"true\"\n"
    );
    pop.is_configured(&format!("{}{records}", pop.configuration()));
    (pop, dead)
}

const LATE: &str = "once-up = true\non-fail = \"degraded\"";

/// Whether each check is up, with a probe that passed.
fn has_passed(status: &Document) -> bool {
    let latency = |check: &CheckStatus| check.last.as_ref().and_then(|last| last.latency_seconds);
    status.services[0].checks.iter().all(|check| check.state == "up" && latency(check).is_some())
}

#[test]
fn check_counts_what_the_running_helper_has_seen_to_pass() {
    let (pop, dead) = pop_with_late_checks();
    let _helper = pop.announced();
    pop.comes_to_be(has_passed);
    let status: serde_json::Value = serde_json::from_str(&pop.told(&["status", "--json"])).unwrap();
    let unseen = &status["services"][0]["checks"][1]["unseen"];
    assert_eq!(*unseen, serde_json::json!([format!("{} udp localhost. A", dead.address())]));
    assert!(pop.told(&["check"]).starts_with("service resolver: up\n"), "{}", pop.told(&["check"]));
    pop.server.becomes(Fault::Servfail);
    let output = pop.command(&["check"]);
    let table = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{table}");
    assert!(
        table.starts_with("service resolver: degraded\n  check answers: FAILED, 0 of 1 probes, 1 needed\n")
    );
    assert!(table.contains("  check records: FAILED, 0 of 2 probes, 2 needed\n"), "{table}");
    let why = "not counted by the helper before its first pass: answered REFUSED, expected NOERROR";
    assert_eq!(table.matches("not counted").count(), 1, "{table}");
    assert!(table.contains(why), "{table}");
    let plugin = pop.command(&["check", "--plugin"]);
    assert!(stdout(&plugin).starts_with("DNS WARNING - resolver degraded: "), "{}", stdout(&plugin));
    assert_eq!(plugin.status.code(), Some(1));
}

/// A helper that does not answer is as good as none.
#[test]
fn check_counts_no_late_check_without_an_answer_of_the_helper() {
    let (pop, _dead) = pop_with_late_checks();
    let helper = pop.announced();
    pop.comes_to_be(has_passed);
    pop.server.becomes(Fault::Servfail);
    helper.hangs();
    check_counts_no_late_check(&pop);
    helper.dies_suddenly();
    check_counts_no_late_check(&pop);
}

fn check_counts_no_late_check(pop: &Pop) {
    let output = pop.command(&["check"]);
    let table = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{table}");
    let untold = "not counted: it is not known whether it has passed before";
    let expected =
        format!("service resolver: up\n  check answers: FAILED, 0 of 1 probes, 1 needed; {untold}\n");
    assert!(table.contains(&expected), "{table}");
    assert!(table.contains("  check records: not counted, 0 of 2 probes, 2 needed\n"), "{table}");
    assert_eq!(table.matches(untold).count(), 3, "{table}");
    assert!(
        stdout(&pop.command(&["check", "--plugin"]))
            .starts_with("DNS OK - resolver up: 1 of 4 probes passed")
    );
}

#[test]
fn check_does_not_count_what_the_running_helper_has_not_seen_to_pass() {
    let (pop, _dead) = pop_with_late_checks();
    pop.server.becomes(Fault::Servfail);
    let _helper = pop.helper(ideal("5.0.15"));
    pop.comes_to_be(|status| status.services[0].checks.iter().all(|check| check.last.is_some()));
    let output = pop.command(&["check"]);
    let table = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{table}");
    assert_eq!(table.matches("not counted by the helper before its first pass").count(), 3, "{table}");
}
