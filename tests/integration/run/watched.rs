//! Watches the process of the DNS server: its exit withdraws, and an unknown state moves no route.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command};
use std::time::{Duration, SystemTime};

use crate::support::helper::{ANNOUNCE, Helper, Pop, WITHDRAW, announce, ideal, withdraw};

/// A substitute for the process, killed and reaped when dropped.
struct Daemon(Child);

impl Daemon {
    fn start(pop: &Pop) -> Self {
        let daemon = Self(Command::new("sleep").arg("1000").spawn().unwrap());
        let beside = pop.file("daemon.pid.new");
        fs::write(&beside, format!("{}\n", daemon.0.id())).unwrap();
        fs::rename(beside, pop.file("daemon.pid")).unwrap();
        daemon
    }

    fn dies(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A PoP with a further check, `alive`.
fn watching(process: &str, check: &str) -> Pop {
    let pop = Pop::new();
    let process = process.replace("FOLDER", &pop.file("").display().to_string());
    pop.is_configured(&format!(
        "{}\n[[service.check]]\nname = \"alive\"\n{check}\nprocess = {{ {process} }}\n",
        pop.configuration()
    ));
    pop
}

const PID_FILE: &str = "pid-file = \"FOLDER/daemon.pid\"";

/// The DNS server stays healthy, and no round of the check is due for an hour.
#[test]
fn the_exit_of_the_process_withdraws_without_a_probe() {
    let pop = watching(PID_FILE, "interval = \"1h\"");
    let mut daemon = Daemon::start(&pop);
    let mut helper = pop.announced();
    daemon.dies();
    helper.says(WITHDRAW);
    helper.logs("(sleep) has ended");
    pop.server.is_asked_again(5);
    helper.has_said_no_more();
}

#[test]
fn watches_the_new_process_as_well() {
    let pop = watching(PID_FILE, "");
    let mut daemon = Daemon::start(&pop);
    let mut helper = pop.announced();
    for _ in 0..3 {
        daemon.dies();
        helper.says(WITHDRAW);
        daemon = Daemon::start(&pop);
        helper.says(ANNOUNCE);
    }
}

#[test]
fn a_stale_pid_file_moves_no_route() {
    let pop = watching(PID_FILE, "");
    let mut dead = Daemon::start(&pop);
    dead.dies();
    let alive = Command::new("sleep").arg("1000").spawn().map(Daemon).unwrap();
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    for (text, sentence) in [
        (None, "does not exist"),
        (Some(String::new()), "is empty"),
        (Some("unbound\n".to_owned()), "holds `unbound`"),
        (Some(dead.0.id().to_string()), "which is gone"),
        (Some(alive.0.id().to_string()), "which began only after"),
    ] {
        let path = pop.file("daemon.pid");
        let _ = fs::remove_file(&path);
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_modified(yesterday).unwrap();
        }
        let helper = pop.announced();
        helper.logs(sentence);
        helper.logs("alive: unknown: ");
        pop.server.is_asked_again(5);
        helper.has_said_no_more();
    }
}

#[test]
fn watches_a_process_that_is_found_late() {
    let pop = watching(PID_FILE, "");
    let mut helper = pop.announced();
    helper.logs("does not exist");
    let mut daemon = Daemon::start(&pop);
    helper.logs("alive: rising -> up");
    daemon.dies();
    helper.says(WITHDRAW);
}

#[test]
fn a_pid_file_of_a_process_of_another_unit_moves_no_route() {
    let pop = watching(&format!("{PID_FILE}, unit = \"dnsherald-test.service\""), "");
    let mut daemon = Daemon::start(&pop);
    let helper = pop.announced();
    helper.logs("(sleep), which is not of dnsherald-test.service");
    daemon.dies();
    helper.logs("alive: unknown: ");
    pop.server.is_asked_again(5);
    helper.has_said_no_more();
}

/// A fake `systemctl`.
fn systemctl(pop: &Pop, commands: &str) {
    let beside = pop.file("systemctl.new");
    fs::write(&beside, format!("#!/bin/sh\n{commands}\n")).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(beside, pop.file("systemctl")).unwrap();
}

fn says(load: &str, active: &str) -> String {
    format!("printf 'MainPID=0\\nControlGroup=\\nActiveState={active}\\nLoadState={load}\\n'")
}

fn with_our_systemctl(pop: &Pop) -> Helper {
    let path = format!("PATH={}:$PATH", pop.file("").display());
    let mut helper = pop.helper_after(&path, ideal("5.0.15"));
    helper.opens();
    helper
}

#[test]
fn withdraws_a_unit_that_does_not_run() {
    let pop = watching("unit = \"dnsherald-test.service\"", "");
    systemctl(&pop, &says("loaded", "failed"));
    let mut helper = with_our_systemctl(&pop);
    helper.says(WITHDRAW);
    helper.logs("dnsherald-test.service is failed and has no main process");
    // The unit is unknown after a failed upgrade, which is no sign of life.
    systemctl(&pop, &says("not-found", "inactive"));
    pop.server.is_asked_again(5);
    helper.has_said_no_more();
}

/// The server was started outside its unit.
#[test]
fn a_living_process_outweighs_its_unit() {
    let pop = watching(&format!("{PID_FILE}, unit = \"dnsherald-test.service\""), "");
    let mut daemon = Daemon::start(&pop);
    systemctl(&pop, &says("loaded", "inactive"));
    let mut helper = with_our_systemctl(&pop);
    helper.says(ANNOUNCE);
    helper.logs("is inactive and has no main process");
    helper.logs("alive: unknown: ");
    helper.has_said_no_more();
    daemon.dies();
    helper.says(WITHDRAW);
}

#[test]
fn an_unknown_unit_moves_no_route() {
    let pop = watching("unit = \"dnsherald-test.service\"", "timeout = \"50ms\"");
    for (commands, sentence) in [
        (says("not-found", "inactive"), "is not known to systemd"),
        (says("masked", "inactive"), "is masked"),
        (says("loaded", "activating"), "is activating"),
        ("exec sleep 1000".to_owned(), " 50ms"),
        ("yes MainPID".to_owned(), ""),
        ("exit 1".to_owned(), "is systemd running?"),
    ] {
        systemctl(&pop, &commands);
        let mut helper = with_our_systemctl(&pop);
        helper.says(ANNOUNCE);
        helper.logs(sentence);
        helper.logs("alive: unknown: ");
        helper.has_said_no_more();
    }
}

#[test]
fn withdraws_every_service_of_the_process() {
    let pop = watching(PID_FILE, "");
    let configuration = fs::read_to_string(pop.configuration_file()).unwrap();
    let (head, service) = configuration.split_once("[[service]]").unwrap();
    let second = service.replace("192.0.2.53/32", "198.18.0.1/32").replace("\"resolver\"", "\"second\"");
    pop.is_configured(&format!("{head}[[service]]{service}[[service]]{second}"));
    let mut daemon = Daemon::start(&pop);
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    let both = |lines: [String; 2], helper: &mut Helper| {
        let mut said = [helper.next(), helper.next()];
        said.sort();
        let mut lines = lines;
        lines.sort();
        assert_eq!(said, lines);
    };
    both([announce(0), announce(1)], &mut helper);
    daemon.dies();
    both([withdraw(0), withdraw(1)], &mut helper);
    assert_eq!(helper.log().matches("watching process").count(), 1, "{}", helper.log());
}

/// Otherwise its pid file would count as stale, which moves no route.
#[test]
fn remembers_an_exit_after_a_reload() {
    let pop = watching(PID_FILE, "");
    let mut daemon = Daemon::start(&pop);
    let mut helper = pop.announced();
    daemon.dies();
    helper.says(WITHDRAW);
    let configuration = fs::read_to_string(pop.configuration_file()).unwrap();
    pop.is_configured(&configuration.replace("med = 100", "med = 200"));
    pop.told(&["reload"]);
    helper.logs("resolver: still WITHDRAWN 192.0.2.53/32 (acknowledged): process ");
    helper.has_said_no_more();
    let mut daemon = Daemon::start(&pop);
    helper.says(ANNOUNCE.replace("med 100", "med 200"));
    daemon.dies();
    helper.says(WITHDRAW);
    assert_eq!(helper.log().matches("watching process").count(), 2, "{}", helper.log());
}
