//! State that survives `kill -9`, and what happens if it does not.

use std::fs;

use dnsherald::responder::Fault;

use crate::support::helper::{ANNOUNCE, Helper, Plan, Pop, WITHDRAW, announce, ideal, withdraw};

/// A helper announces, gets its answer, and is killed.
fn one_dies_suddenly_while_announced(pop: &Pop) {
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.remembers("\"acknowledged\": \"up\"");
    helper.dies_suddenly();
}

#[test]
fn the_successor_withdraws_earlier_announcements() {
    let pop = Pop::new();
    one_dies_suddenly_while_announced(&pop);
    pop.server.becomes(Fault::Closed);
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(WITHDRAW);
    pop.server.becomes(Fault::Silent);
    pop.server.is_asked_again(3);
    successor.has_said_no_more();
}

/// ExaBGP keeps routes through a change of configuration, `kill`, SIGUSR1 and SIGUSR2.
#[test]
fn the_successor_withdraws_prefixes_that_are_no_longer_configured() {
    let pop = Pop::with(Plan { prefixes: 2, ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(announce));
    pop.remembers("\"acknowledged\": \"up\"");
    helper.dies_suddenly();
    pop.is_configured(&pop.configuration().replace(", \"198.18.0.1/32\"", ""));
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    let mut said = [successor.next(), successor.next()];
    said.sort();
    assert_eq!(said, [announce(0), withdraw(1)]);
}

#[test]
fn the_successor_adopts_before_it_has_a_verdict() {
    let slow = "interval = \"1m\"\ntimeout = \"1m\"";
    let pop = Pop::with(Plan { service: "start = \"adopt\"", check: slow, ..Plan::default() });
    one_dies_suddenly_while_announced(&pop);
    pop.server.becomes(Fault::Silent);
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(ANNOUNCE);
    successor.logs("adopting up");
    assert!(!successor.log().contains("check resolver/answers"), "{}", successor.log());
}

#[test]
fn decides_first_without_a_route_to_adopt() {
    let pop = Pop::with(Plan { service: "start = \"adopt\"", ..Plan::default() });
    pop.server.becomes(Fault::Refuse);
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(WITHDRAW);
}

/// Dates the state to this time, in milliseconds since 1970, before a reboot.
fn is_dated(pop: &Pop, saved_at: u64) {
    let state = fs::read_to_string(pop.state_file()).unwrap();
    let mut state: serde_json::Value = serde_json::from_str(&state).unwrap();
    state["saved-at"] = saved_at.into();
    state["uptime"]["boot"] = "another".into();
    fs::write(pop.state_file(), state.to_string()).unwrap();
}

/// The clock went back during a reboot, so the age of the state is unknown.
#[test]
fn does_not_adopt_state_from_the_future() {
    let pop = Pop::with(Plan { service: "start = \"adopt\"", ..Plan::default() });
    one_dies_suddenly_while_announced(&pop);
    is_dated(&pop, 1 << 43);
    pop.server.becomes(Fault::Refuse);
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.logs("in the future: the clock of this host is or was wrong; no route is adopted");
    helper.opens();
    helper.says(WITHDRAW);
}

#[test]
fn a_suppression_survives_a_restart() {
    let pop = Pop::with(Plan {
        dampening: "mode = \"enforce\"\npenalty = 3000\nhalf-life = \"15m\"",
        ..Plan::default()
    });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    pop.server.becomes(Fault::None);
    helper.logs("rising -> up");
    pop.remembers("\"suppressed\": true");
    helper.has_said_no_more();
    helper.dies_suddenly();

    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(WITHDRAW);
    successor.logs("carried over from before the restart, still suppressed");
    pop.server.is_asked_again(5);
    successor.has_said_no_more();
    successor.dies_suddenly();

    // In 1970.
    is_dated(&pop, 0);
    let mut forgiven = pop.helper(ideal("5.0.15"));
    forgiven.opens();
    forgiven.says(ANNOUNCE);
}

/// A helper whose service has fallen in mode `observe`, so that the penalty crossed `suppress`, and serves again, with a file
/// that enforces.
fn enforces_from_now_on() -> (Pop, Helper) {
    let observe = "mode = \"observe\"\npenalty = 3000\nhalf-life = \"15m\"";
    let pop = Pop::with(Plan { dampening: observe, ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    helper.logs("would be suppressed for");
    pop.server.becomes(Fault::None);
    helper.says(ANNOUNCE);
    pop.remembers("\"served-since\": true");
    pop.is_configured(&pop.configuration().replace("observe", "enforce"));
    assert!(!pop.told(&["check-config"]).contains("suppressed by dampening for"));
    (pop, helper)
}

/// The next fall of the service suppresses it.
fn is_suppressed_by_its_next_fall(pop: &Pop, helper: &mut Helper) {
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    helper.logs("held down for");
    pop.server.becomes(Fault::None);
    helper.logs("passes again; suppressed, returns in");
    helper.has_said_no_more();
    pop.remembers("\"served-since\": false");
    assert!(pop.told(&["check-config"]).contains("suppressed by dampening for"));
}

#[test]
fn a_reload_that_enforces_does_not_suppress_what_serves() {
    let (pop, mut helper) = enforces_from_now_on();
    pop.told(&["reload"]);
    helper.logs("changed: resolver (dampening; route unchanged)");
    helper.logs("service resolver: dampening is enforced from now on; penalty 29");
    pop.server.is_asked_again(5);
    helper.has_said_no_more();
    is_suppressed_by_its_next_fall(&pop, &mut helper);
}

#[test]
fn a_restart_that_enforces_does_not_suppress_what_served() {
    let (pop, helper) = enforces_from_now_on();
    helper.dies_suddenly();
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(ANNOUNCE);
    successor.logs("carried over from before the restart");
    is_suppressed_by_its_next_fall(&pop, &mut successor);
}

#[test]
fn warns_about_unusable_state() {
    let pop = Pop::new();
    one_dies_suddenly_while_announced(&pop);
    let whole = fs::read_to_string(pop.state_file()).unwrap();
    let foreign = whole.replace("dnsherald.toml", "other.toml");
    for useless in ["", &whole[..whole.len() / 2], "\u{0}\u{0}\u{0}", "{\"format\": 1}", &foreign] {
        fs::write(pop.state_file(), useless).unwrap();
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        helper.logs("cannot be used");
        pop.remembers("\"acknowledged\": \"up\"");
    }
}

#[test]
fn warns_about_an_unwritable_directory() {
    let pop = Pop::with(Plan { state: "dnsherald.toml/state", ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs("cannot read the state");
    helper.logs("cannot write the state");
    for (fault, line) in [(Fault::Refuse, WITHDRAW), (Fault::None, ANNOUNCE)] {
        pop.server.becomes(fault);
        helper.says(line);
    }
    assert_eq!(helper.log().matches("cannot write the state").count(), 1, "it says so once");
}

/// The disk is full or the directory is missing at the time of the drain.
#[test]
fn stores_a_drain_as_soon_as_possible() {
    let pop = Pop::new();
    fs::write(pop.file("state"), "in the way").unwrap();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    let output = pop.command(&["drain", "--reason", "new disk"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("is not on disk yet"), "{said}");
    helper.says(WITHDRAW);
    pop.comes_to_be(|status| status.unwritten.is_some());
    let table = pop.told(&["status"]);
    assert!(table.contains("NOT ON DISK") && table.contains("not a directory"), "{table}");
    fs::remove_file(pop.file("state")).unwrap();
    pop.comes_to_be(|status| status.unwritten.is_none());
    helper.logs("wrote the state to ");
    assert_eq!(helper.log().matches("cannot write the state").count(), 1, "{}", helper.log());
    helper.dies_suddenly();
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(WITHDRAW);
}

/// Changes the state file as another helper does.
fn another_helper_writes(pop: &Pop, change: &dyn Fn(&mut serde_json::Value)) {
    let lock = fs::File::open(pop.state_file().with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let state = fs::read_to_string(pop.state_file()).unwrap();
    let mut state: serde_json::Value = serde_json::from_str(&state).unwrap();
    state["process"] = 1.into();
    change(&mut state["services"]);
    let beside = pop.file("state.new");
    fs::write(&beside, state.to_string()).unwrap();
    fs::rename(beside, pop.state_file()).unwrap();
}

/// Another helper is ending while this one has started.
#[test]
fn applies_drains_of_another_helper_at_once() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.remembers("\"acknowledged\": \"up\"");
    let age = serde_json::json!({ "secs": 0, "nanos": 0 });
    another_helper_writes(&pop, &|services| {
        services["resolver"]["drains"] = serde_json::json!({
            "operator": { "reason": "new disk", "remaining": null, "age": age, "returning": false }
        });
    });
    helper.says(WITHDRAW);
    helper.logs("another helper has begun a drain of operator of resolver");
    pop.remembers("new disk");
    pop.comes_to_be(|status| status.services[0].settled());
    another_helper_writes(&pop, &|services| services["resolver"]["drains"] = serde_json::json!({}));
    helper.says(ANNOUNCE);
}

/// `undrain --once-healthy` of all services has reached the other helper.
#[test]
fn applies_the_end_of_a_drain_of_all_by_another_helper() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    assert!(pop.command(&["drain", "--reason", "new disk"]).status.success());
    helper.says(WITHDRAW);
    pop.comes_to_be(|status| status.drains_of_all.len() == 1 && status.services[0].settled());
    another_helper_writes(&pop, &|services| {
        services["resolver"]["drains"]["operator"]["returning"] = true.into();
        services.as_object_mut().unwrap().remove("(all services)").unwrap();
    });
    helper.says(ANNOUNCE);
    helper.logs("another helper has ended a drain of operator of (all services)");
    pop.comes_to_be(|status| {
        status.drains_of_all.is_empty() && status.services[0].drains.is_empty() && status.unwritten.is_none()
    });
}
