//! A configuration that is bad, or not there, when it starts: it stays, withdraws, and waits for a better one.

use std::fs;

use crate::support::helper::{Helper, Plan, Pop, announce, ideal, withdraw};

/// How the log points at a place.
fn place(pop: &Pop, text: &str, word: &str) -> String {
    let line = 1 + text[..text.find(word).unwrap()].matches('\n').count();
    format!("{}:{line}:", pop.configuration_file().display())
}

/// A helper announces two prefixes, is answered, and is killed.
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

/// Mended, the same process does what it should have done from the start.
fn begins_once_mended(pop: &Pop, helper: &mut Helper) {
    pop.is_configured(&pop.configuration());
    helper.comes_to_say("# dnsherald");
    helper.says("system version 0");
    helper.says_all((0..2).map(announce));
    helper.logs("is valid now");
}

#[test]
fn a_bad_one_withdraws_what_it_names_and_what_was_announced() {
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
    begins_once_mended(&pop, &mut helper);
}

#[test]
fn one_that_is_torn_in_the_middle_is_bad_as_well() {
    let pop = pop_of_two();
    let whole = pop.configuration();
    pop.is_configured(&whole[..whole.find("up = {").unwrap() + 6]);
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(withdraw));
}

#[test]
fn a_missing_one_withdraws_what_was_announced() {
    let pop = pop_of_two();
    one_dies_suddenly_while_announced(&pop);
    fs::remove_file(pop.configuration_file()).unwrap();
    let state = pop.file("state");
    let mut helper = pop.helper_with(&["--state", state.to_str().unwrap()], ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(withdraw));
    helper.logs("cannot read the configuration");
    begins_once_mended(&pop, &mut helper);
}

#[test]
fn while_it_waits_it_still_ends_when_it_should() {
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
fn where_it_is_to_exit_it_does_not_do_so_at_once() {
    let pop = Pop::new();
    pop.is_configured("[node");
    let mut helper = pop.helper_with(&["--exit-on-bad-config"], ideal("5.0.15"));
    helper.logs(&format!("{}:1:", pop.configuration_file().display()));
    helper.opens();
    assert!(helper.is_alive());
    helper.has_said_no_more();
}

#[test]
fn where_it_is_to_exit_it_can_be_told_to_do_so_sooner() {
    let pop = Pop::new();
    pop.is_configured("[node");
    let mut helper = pop.helper_with(&["--exit-on-bad-config"], ideal("5.0.15"));
    helper.logs(&format!("{}:1:", pop.configuration_file().display()));
    helper.is_sent("TERM");
    helper.exits();
}
