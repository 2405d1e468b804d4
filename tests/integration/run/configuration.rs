//! A bad or missing configuration at start: the helper keeps running, withdraws, and waits for a valid one.

use std::fs;

use crate::support::helper::{ANNOUNCE, Helper, Plan, Pop, WITHDRAW, announce, ideal, withdraw};

/// The place of an error in the log.
fn place(pop: &Pop, text: &str, word: &str) -> String {
    let line = 1 + text[..text.find(word).unwrap()].matches('\n').count();
    format!("{}:{line}:", pop.configuration_file().display())
}

/// A helper announces two prefixes, gets its answers, and is killed.
fn one_dies_suddenly_while_announced(pop: &Pop) {
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(announce));
    pop.remembers("\"acknowledged\": \"up\"");
    pop.keeps_its_configuration();
    helper.dies_suddenly();
}

fn pop_of_two() -> Pop {
    Pop::with(Plan { prefixes: 2, ..Plan::default() })
}

/// With a corrected file, the same process starts its normal work.
fn begins_once_the_file_is_valid(pop: &Pop, helper: &mut Helper) {
    pop.is_configured(&pop.configuration());
    helper.comes_to_say("# dnsherald");
    helper.says("system version 0");
    helper.says_all((0..2).map(announce));
    helper.logs("is valid now");
}

#[test]
fn a_bad_file_withdraws_its_prefixes_and_earlier_announcements() {
    let pop = pop_of_two();
    one_dies_suddenly_while_announced(&pop);
    let bad = pop.configuration().replace("fall = 10", "fall = \"three\"").replace(", \"198.18.0.1/32\"", "");
    pop.is_configured(&bad);
    fs::remove_file(pop.last_good().file()).unwrap();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(withdraw));
    helper.logs(&place(&pop, &bad, "\"three\""));

    helper.hears_all("done\n".repeat(17_280).as_bytes());
    assert!(helper.is_alive());

    let worse = pop.configuration().replace("rise = 2", "rise = 0");
    pop.is_configured(&worse);
    helper.logs(&place(&pop, &worse, "rise = 0"));
    begins_once_the_file_is_valid(&pop, &mut helper);
}

#[test]
fn an_incomplete_file_is_bad() {
    let pop = pop_of_two();
    let whole = pop.configuration();
    pop.is_configured(&whole[..whole.find("up = {").unwrap() + 6]);
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(withdraw));
}

#[test]
fn a_missing_file_withdraws_earlier_announcements() {
    let pop = pop_of_two();
    one_dies_suddenly_while_announced(&pop);
    fs::remove_file(pop.configuration_file()).unwrap();
    let state = pop.file("state");
    let mut helper = pop.helper_with(&["--state", state.to_str().unwrap()], ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(withdraw));
    helper.logs("cannot read the configuration");
    begins_once_the_file_is_valid(&pop, &mut helper);
}

#[test]
fn exits_on_a_signal_while_waiting() {
    let pop = Pop::new();
    pop.is_configured("[node");
    for end in [|helper: &Helper| helper.is_sent("TERM"), |helper: &Helper| helper.hears_the_end()] {
        let mut helper = pop.helper(ideal("5.0.15"));
        helper.opens();
        assert!(helper.is_alive());
        end(&helper);
        helper.exits_well();
        helper.has_said_no_more();
    }
}

#[test]
fn exit_on_bad_config_delays_the_exit() {
    let pop = Pop::new();
    pop.is_configured("[node");
    let mut helper = pop.helper_with(&["--exit-on-bad-config"], ideal("5.0.15"));
    helper.logs(&format!("{}:1:", pop.configuration_file().display()));
    helper.opens();
    assert!(helper.is_alive());
    helper.has_said_no_more();
}

#[test]
fn a_signal_ends_the_exit_delay() {
    let pop = Pop::new();
    pop.is_configured("[node");
    let mut helper = pop.helper_with(&["--exit-on-bad-config"], ideal("5.0.15"));
    helper.logs(&format!("{}:1:", pop.configuration_file().display()));
    helper.is_sent("TERM");
    helper.exits();
}

/// With a reload, and without one.
#[test]
fn exit_on_bad_config_loads_a_file_that_is_corrected_in_time() {
    for reloads in [true, false] {
        let pop = Pop::new();
        let whole = pop.configuration();
        pop.is_configured(&whole.replace("rise = 2", "rise = 0"));
        let mut helper = pop.helper_with(&["--exit-on-bad-config"], ideal("5.0.15"));
        helper.opens();
        helper.says(WITHDRAW);
        pop.is_configured(&whole);
        if reloads {
            assert!(pop.told(&["reload"]).starts_with("reloaded: "));
        }
        helper.comes_to_say(ANNOUNCE);
        helper.is_sent("TERM");
        helper.exits_well();
    }
}
