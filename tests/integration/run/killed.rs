//! A helper after one that was killed, and after one that ended in order.

use std::fs;

use crate::support::helper::{ANNOUNCE, Pop, ideal};

const KILLED: &str = "it was killed or crashed";

/// Whether the history has a stop with this sentence.
fn history_has(pop: &Pop, text: &str) -> bool {
    let history = pop.told(&["history"]);
    history.split_whitespace().collect::<Vec<_>>().join(" ").contains(text)
}

#[test]
fn a_helper_names_the_one_before_that_was_killed() {
    let pop = Pop::new();
    let killed = pop.settled();
    pop.remembers("\"acknowledged\": \"up\"");
    let pid = pop.status().pid;
    killed.dies_suddenly();
    let mut next = pop.announced();
    next.logs(&format!("the helper before (process {pid}, which last saved its state at "));
    next.logs(&format!(
        "did not end in order: {KILLED}, or could not write its state when it ended; unless ExaBGP was restarted since, \
         it keeps its routes"
    ));
    assert_eq!(next.log().matches(KILLED).count(), 1, "{}", next.log());
    assert!(history_has(&pop, KILLED));
    next.is_sent("TERM");
    next.exits_well();
    assert!(!pop.announced().log().contains(KILLED), "the one before ended in order");
}

#[test]
fn a_helper_after_an_orderly_end_names_none() {
    let pop = Pop::new();
    assert!(!pop.settled().log().contains(KILLED), "there was none before");
    let pop = Pop::new();
    for ends in ["TERM", "stdin closed"] {
        let mut helper = pop.announced();
        assert!(!helper.log().contains(KILLED), "{ends}: {}", helper.log());
        pop.remembers("\"acknowledged\": \"up\"");
        if ends == "TERM" {
            helper.is_sent(ends);
        } else {
            helper.hears_the_end();
        }
        helper.exits_well();
    }
    let older = pop.announced();
    pop.remembers("\"acknowledged\": \"up\"");
    let newer = pop.announced();
    for helper in [older, newer] {
        assert!(!helper.log().contains(KILLED), "both run: {}", helper.log());
    }
}

/// The state directory cannot be used when it ends.
#[test]
fn a_helper_that_cannot_write_its_end_warns_last() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    pop.remembers("\"acknowledged\": \"up\"");
    let (state, aside) = (pop.file("state"), pop.file("aside"));
    fs::rename(&state, &aside).unwrap();
    fs::write(&state, "in the way").unwrap();
    helper.is_sent("TERM");
    helper.exits_well();
    helper.logs("the state is not on disk: cannot write the state to ");
    let log = helper.log();
    assert!(log.lines().last().is_some_and(|line| line.contains("the state is not on disk")), "{log}");
    fs::remove_file(&state).unwrap();
    fs::rename(&aside, &state).unwrap();
    pop.announced().logs("or could not write its state when it ended");
}

#[test]
fn a_helper_that_was_killed_before_a_reboot_is_not_named() {
    let pop = Pop::new();
    let helper = pop.settled();
    pop.remembers("\"acknowledged\": \"up\"");
    helper.dies_suddenly();
    let state = fs::read_to_string(pop.state_file()).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(state.contains(boot.trim()), "{state}");
    fs::write(pop.state_file(), state.replace(boot.trim(), "another")).unwrap();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    assert!(!helper.log().contains(KILLED), "{}", helper.log());
}
