//! Standard output and the log if they are not read, and a stalled loop.

use std::collections::BTreeSet;

use dnsherald::responder::Fault;

use crate::support::helper::{
    Helper, MODEST, Parent, Plan, Pop, announce, answer_of, eventually, ideal, until, withdraw, without_acks,
};

/// This many prefixes fill a pipe within three refreshes.
const MANY: usize = 300;

fn large() -> Pop {
    Pop::with(Plan { prefixes: MANY, ..Plan::default() })
}

/// A helper whose parent stopped reading but still answered until the pipe was full.
fn stuffed(pop: &Pop, parent: Parent) -> Helper {
    let mut helper = pop.helper(parent);
    helper.opens();
    helper.says_all((0..MANY).map(announce));
    helper.is_ignored();
    let answered = format!("neighbor 10.0.0.1 up\n\n{}", "done\n".repeat(MANY));
    helper.hears_all(answered.repeat(4).as_bytes());
    helper.logs("no longer reads our standard output");
    helper
}

#[test]
fn probes_with_a_full_pipe_and_sends_the_newest_state() {
    let pop = large();
    let mut announces = until(2 + MANY, "5.0.15");
    let parent: Parent = Box::new(move |line| match line.contains("withdraw") {
        true => Some(answer_of("5.0.15", line)),
        false => announces(line),
    });
    let helper = stuffed(&pop, parent);
    pop.server.becomes(Fault::Refuse);
    helper.logs("resolver: up -> down");
    pop.server.is_asked_again(2);
    helper.is_listened_to();
    let withdrawn = || {
        let withdraws = helper.said().into_iter().filter(|line| line.contains("withdraw"));
        withdraws.collect::<BTreeSet<_>>()
    };
    assert!(eventually(|| withdrawn().len() >= MANY), "only {}; log:\n{}", withdrawn().len(), helper.log());
    assert_eq!(withdrawn(), (0..MANY).map(withdraw).collect());
    let said = helper.said();
    let mut newest = said.iter().skip_while(|line| !line.contains("withdraw"));
    assert_eq!(newest.find(|line| line.contains("announce")), None, "the old comes after the new");
    helper.logs("reads our standard output again");
}

#[test]
fn exits_with_a_full_pipe() {
    let pop = large();
    let mut helper = stuffed(&pop, until(2 + MANY, "5.0.15"));
    helper.is_sent("TERM");
    helper.exits_well();
}

#[test]
fn a_full_pipe_needs_no_memory() {
    let pop = Pop::with(Plan { prefixes: MANY, exabgp: "ack-timeout = \"400ms\"", ..Plan::default() });
    let mut helper = pop.helper(without_acks("5.0.15"));
    helper.opens();
    helper.says_all((0..MANY).map(announce));
    helper.is_ignored();
    helper.hears_all("neighbor 10.0.0.1 up\n\n".repeat(300).as_bytes());
    helper.logs("no longer reads our standard output");
    helper.has_heard_all();
    assert!(helper.peak_memory() < MODEST, "{} KiB", helper.peak_memory());
    pop.server.becomes(Fault::Closed);
    helper.logs("up -> down");
    helper.is_listened_to();
    (0..MANY).for_each(|nth| helper.comes_to_say(&withdraw(nth)));
}

#[test]
fn works_with_a_closed_log() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(announce(0));
    helper.loses_its_log();
    for (fault, line) in
        [(Fault::Refuse, withdraw(0)), (Fault::None, announce(0)), (Fault::Closed, withdraw(0))]
    {
        pop.server.becomes(fault);
        helper.says(line);
    }
    assert!(!helper.log().contains("down -> up"), "{}", helper.log());
}

#[test]
fn works_with_a_full_log() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(announce(0));
    helper.is_logged_in_vain();
    helper.is_shouted_at(&"what is this?\n".repeat(5000));
    pop.server.is_asked_again(10);
    pop.server.becomes(Fault::Refuse);
    helper.says(withdraw(0));
    pop.server.becomes(Fault::None);
    helper.says(announce(0));
}

/// Only the loop's thread is stopped.
#[test]
fn the_deadman_withdraws_if_the_loop_stalls() {
    let pop = Pop::with(Plan { prefixes: 2, ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(announce));
    // The dead-man's withdraws are updated together with the state.
    pop.remembers("\"acknowledged\": \"up\"");
    helper.hangs();
    helper.says_all((0..2).map(withdraw));
    helper.logs("the loop has not turned for 5s: withdrew 2 prefixes");
    assert!(helper.is_alive(), "it waits, for ExaBGP gives up on what dies too often");
    helper.has_said_no_more();
    helper.hears_all(&b"done\n".repeat(40_000));
    helper.is_sent("TERM");
    assert_eq!(helper.exits().code(), Some(1));
}
