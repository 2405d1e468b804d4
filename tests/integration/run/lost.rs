//! Commands find the running helper even if their configuration file is broken or names another directory.

use std::fs;
use std::process::{Command, Output};

use crate::support::binary;
use crate::support::helper::{ANNOUNCE, Plan, Pop, WITHDRAW};

const UNIT: &str = "ns@1.service";

/// A PoP with a backend that no file names once it is broken.
fn pop() -> Pop {
    let pop = Pop::with(Plan { service: "backend = \"generic\"", ..Plan::default() });
    pop.is_configured(&configuration(&pop));
    pop
}

fn configuration(pop: &Pop) -> String {
    format!("{}\n[backend.generic]\nunit = {UNIT:?}\nsettle = \"0s\"\n", pop.configuration())
}

/// Ways to break a file that the helper has read.
fn breakages(pop: &Pop) -> [String; 3] {
    let whole = configuration(pop);
    let typo = whole.replace("rise = 2", "rize = 2");
    let elsewhere = typo.replace(&format!("{:?}", pop.file("control")), "\"/nonexistent/control\"");
    [typo, elsewhere, String::new()]
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn finds_the_running_helper_with_any_file() {
    let pop = pop();
    let mut helper = pop.settled();
    for text in breakages(&pop) {
        pop.is_configured(&text);
        let output = pop.command(&["status"]);
        let table = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && table.contains("resolver: up since"), "{table}{}", said(&output));
        assert!(said(&output).contains("note: the configuration cannot be used: "), "{}", said(&output));
        let output = pop.command(&["drain", "--wait"]);
        assert!(output.status.success(), "{}", said(&output));
        helper.says(WITHDRAW);
        let output = pop.command(&["undrain"]);
        assert!(output.status.success() && said(&output).contains("dnsherald.toml"), "{}", said(&output));
        helper.says(ANNOUNCE);
        let output = pop.command(&["reload"]);
        assert!(
            !output.status.success() && said(&output).contains("nothing is changed"),
            "{}",
            said(&output)
        );
    }
    // A valid file whose directory takes effect at the next start.
    let other = format!("{:?}", pop.file("other"));
    pop.is_configured(&configuration(&pop).replace(&format!("{:?}", pop.file("control")), &other));
    assert!(pop.told(&["status"]).contains("resolver: up since"));
    let directory = pop.file("control");
    pop.is_configured("");
    assert!(pop.told(&["status", "--control", directory.to_str().unwrap()]).contains("resolver: up since"));
}

#[test]
fn drains_for_a_stopping_unit_with_any_file() {
    let pop = pop();
    let mut helper = pop.settled();
    let hook = |words: &[&str]| {
        let mut command = Command::new(binary());
        command.args(words).arg("-c").arg(pop.configuration_file()).env("MAINPID", "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "whatever happens, the unit stops and starts");
        said(&output)
    };
    let valid = configuration(&pop);
    for text in breakages(&pop).into_iter().chain([valid.clone()]) {
        pop.is_configured(&text);
        let said = hook(&["backend", "stopping", "other"]);
        assert!(said.contains("no service has a backend with the unit other.service"), "{said}");
        let said = hook(&["backend", "stopping", UNIT]);
        helper.says(WITHDRAW);
        assert_eq!(said.contains("the configuration cannot be used"), text != valid, "{said}");
        hook(&["backend", "started", UNIT]);
        helper.says(ANNOUNCE);
    }
    // The service of the running helper has another name by now.
    pop.is_configured(&configuration(&pop).replace("\"resolver\"", "\"renamed\""));
    hook(&["backend", "stopping", UNIT]);
    helper.says(WITHDRAW);
}

#[test]
fn uses_the_backend_of_the_last_good_configuration() {
    let pop = pop();
    let _helper = pop.settled();
    pop.keeps_its_configuration();
    pop.is_configured(&breakages(&pop)[0]);
    let output = pop.command(&["backend", "check"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("unknown key `rize`"), "{}", said(&output));
    assert!(said(&output).contains("using the last good configuration in"), "{}", said(&output));
    fs::remove_file(pop.last_good().file()).unwrap();
    assert_eq!(pop.command(&["backend", "check"]).status.code(), Some(78));
}

#[test]
fn leaves_the_helper_of_another_file_alone() {
    let pop = pop();
    let helper = pop.settled();
    let other = pop.file("other.toml");
    fs::write(&other, breakages(&pop)[0].clone()).unwrap();
    let output = Command::new(binary()).arg("drain").arg("-c").arg(&other).output().unwrap();
    assert!(!output.status.success() && said(&output).contains("no helper of "), "{}", said(&output));
    helper.has_said_no_more();
}
