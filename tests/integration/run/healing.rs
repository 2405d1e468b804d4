//! Automatic restarts of a server that stays down, through `backend restart`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use dnsherald::responder::Fault;

use crate::support::binary;
use crate::support::helper::{ANNOUNCE, Helper, Plan, Pop, WITHDRAW, eventually, ideal};

/// A restart that cannot start leaves no drain.
#[test]
fn an_impossible_restart_changes_nothing() {
    let pop = Pop::with(Plan { service: "backend = \"generic\"", ..Plan::default() });
    let backend = "\n[backend.generic]\nrestart = [\"/no/such/program\"]\nsettle = \"0s\"\n";
    pop.is_configured(&format!("{}{backend}", pop.configuration()));
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.comes_to_be(|status| status.services[0].settled());
    let output = pop.command(&["backend", "restart"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("FAILED: /no/such/program: not found"), "{said}");
    assert!(said.contains("not touched; its drain has ended: what it drained returns once"), "{said}");
    helper.says(WITHDRAW);
    helper.says(ANNOUNCE);
    assert_eq!(pop.status().services[0].drains, []);
}

/// An interrupted upgrade would leave an incomplete server.
#[test]
fn a_command_finishes_despite_signals() {
    let pop = Pop::with(Plan { service: "backend = \"generic\"", ..Plan::default() });
    let backend = "\n[backend.generic]\nrestart = [\"true\"]\nsettle = \"0s\"\n";
    pop.is_configured(&format!("{}{backend}", pop.configuration()));
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    let [began, go, done] = ["began", "go", "done"].map(|name| pop.file(name));
    let upgrade = format!(
        "echo > {}; until [ -e {} ]; do sleep 0.02; done; echo > {}",
        began.display(),
        go.display(),
        done.display()
    );
    let mut command = Command::new(binary());
    command.args(["backend", "restart", "--command", &upgrade, "-c"]).arg(pop.configuration_file());
    let mut restart = command.stdout(Stdio::null()).spawn().unwrap();
    assert!(eventually(|| began.exists()), "log:\n{}", helper.log());
    // It receives signals to stop and others.
    for signal in ["USR1", "XCPU", "RTMIN+3", "QUIT", "INT"] {
        let kill = format!("kill -s {signal} {}", restart.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
    fs::write(&go, "").unwrap();
    assert_eq!(restart.wait().unwrap().code(), Some(3));
    assert!(done.exists(), "it came to its end");
    helper.says(WITHDRAW);
    helper.has_said_no_more();
    assert_eq!(pop.status().services[0].drains[0].expires_in_seconds, None);
}

/// A helper that has announced and whose server has exited since.
fn withdrawn(pop: &Pop) -> Helper {
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.server.becomes(Fault::Closed);
    helper.says(WITHDRAW);
    helper
}

#[test]
fn restarts_a_server_that_stays_down() {
    let pop = Pop::with(Plan { service: "backend = \"generic\"", ..Plan::default() });
    let (script, mark) = (pop.file("restart"), pop.file("restarted"));
    fs::write(&script, format!("#!/bin/sh\necho again >> {}\n", mark.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let backend = format!(
        "\n[backend.generic]\nrestart = [{script:?}]\nsettle = \"0s\"\nheal = {{ after = \"1s\", at-most = 1 }}\n"
    );
    pop.is_configured(&format!("{}{backend}", pop.configuration()));
    let mut helper = withdrawn(&pop);
    assert!(eventually(|| mark.exists()), "log:\n{}", helper.log());
    pop.server.becomes(Fault::None);
    helper.says(ANNOUNCE);
    helper.logs("backend generic: restarted; it answers again");
    helper.logs("the drain by backend/generic is over: no check takes it down");
    assert_eq!(fs::read_to_string(&mark).unwrap(), "again\n");
}

/// A fault of all PoPs must not keep all of them withdrawn until an operator comes.
#[test]
fn a_restart_that_failed_unattended_drains_until_the_checks_pass() {
    let pop = Pop::with(Plan { service: "backend = \"generic\"", ..Plan::default() });
    let backend = "\n[backend.generic]\nrestart = [\"false\"]\nsettle = \"0s\"\nheal = { after = \"1s\", at-most = 1 }\n";
    pop.is_configured(&format!("{}{backend}", pop.configuration()));
    let mut helper = withdrawn(&pop);
    helper.logs("backend generic: the restart failed: restart: ");
    pop.comes_to_be(|status| status.services[0].drains.iter().all(|drain| drain.returning));
    let is_critical = || pop.command(&["status", "--plugin"]).status.code() == Some(2);
    assert!(eventually(is_critical), "{}", pop.told(&["status"]));
    pop.server.becomes(Fault::None);
    helper.says(ANNOUNCE);
}

/// The log must show the reason, not the end of a table.
#[test]
fn logs_why_a_restart_failed() {
    let pop = Pop::with(Plan { service: "backend = \"generic\"", ..Plan::default() });
    let backend = "\n[backend.generic]\nrestart = [\"true\"]\nheal = { after = \"1s\", at-most = 1 }\n\
                   config-check = [\"sh\", \"-c\", \"echo line 7: nonsense; exit 1\"]\n";
    pop.is_configured(&format!("{}{backend}", pop.configuration()));
    let helper = withdrawn(&pop);
    helper.logs("backend generic: the restart failed: configuration: the configuration is broken");
    helper.logs("line 7: nonsense");
}
