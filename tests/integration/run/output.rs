//! Standard output when nobody reads it, and when nobody is left to write it.

use std::fs::OpenOptions;
use std::process::Command;

use dnsherald::responder::Fault;

use crate::support::helper::{
    Helper, Parent, Plan, Pop, announce, answer_of, eventually, ideal, until, withdraw,
};

/// Three statements of so many fill a pipe.
const MANY: usize = 300;

fn large() -> Pop {
    Pop::with(Plan { prefixes: MANY, ..Plan::default() })
}

/// A helper whose parent has stopped reading, but still answers, until the pipe was full.
fn stuffed(pop: &Pop, parent: Parent) -> Helper {
    let mut helper = pop.helper(parent);
    helper.opens();
    helper.says_all((0..MANY).map(announce));
    helper.is_ignored();
    let answered = format!("neighbor 10.0.0.1 up\n\n{}", "done\n".repeat(MANY));
    helper.hears_all(answered.repeat(5).as_bytes());
    helper.logs("reads no more of our standard output");
    helper
}

#[test]
fn with_a_full_pipe_probing_goes_on_and_the_newest_comes_out() {
    let pop = large();
    let mut answered = 2 + MANY;
    let helper = stuffed(
        &pop,
        Box::new(move |line| {
            answered = answered.saturating_sub(1);
            let answers = answered > 0 || line.contains("withdraw");
            Some(if answers { answer_of("5.0.15", line) } else { String::new() })
        }),
    );
    for (fault, transition) in
        [(Fault::Closed, "up -> down"), (Fault::None, "down -> up"), (Fault::Refuse, "answered REFUSED")]
    {
        pop.server.becomes(fault);
        helper.logs(transition);
    }
    pop.server.is_asked_again(2);
    helper.is_listened_to();
    let since_the_first_withdraw = || {
        let mut said = helper.said();
        said.drain(..said.iter().position(|line| line.contains("withdraw")).unwrap_or(said.len()));
        said
    };
    let all = (0..MANY).map(withdraw).collect::<Vec<_>>();
    assert!(eventually(|| all.iter().all(|line| since_the_first_withdraw().contains(line))));
    assert_eq!(since_the_first_withdraw().iter().find(|line| line.contains("announce")), None);
    helper.logs("reads our standard output again");
}

#[test]
fn a_full_pipe_does_not_keep_it_from_ending() {
    let pop = large();
    let mut helper = stuffed(&pop, until(2 + MANY, "5.0.15"));
    helper.is_sent("TERM");
    helper.exits_well();
}

#[test]
fn without_answers_a_full_pipe_takes_no_memory() {
    let pop = Pop::with(Plan { prefixes: MANY, exabgp: "ack-timeout = \"400ms\"", ..Plan::default() });
    let mut helper = pop.helper(crate::support::helper::without_acks("5.0.15"));
    helper.opens();
    helper.says_all((0..MANY).map(announce));
    helper.is_ignored();
    helper.hears_all("neighbor 10.0.0.1 up\n\n".repeat(1000).as_bytes());
    helper.logs("reads no more of our standard output");
    helper.hears("that is all");
    helper.logs("unexpected: that is all");
    assert!(helper.peak_memory() < 12 * 1024, "{} KiB", helper.peak_memory());
    pop.server.becomes(Fault::Closed);
    helper.logs("up -> down");
    helper.is_listened_to();
    (0..MANY).for_each(|nth| helper.comes_to_say(&withdraw(nth)));
}

/// The recording goes to a pipe that nobody reads, and so the loop comes to a halt.
#[test]
fn a_loop_that_hangs_is_withdrawn_by_another() {
    let pop = Pop::with(Plan { prefixes: 2, ..Plan::default() });
    let trace = pop.file("trace");
    assert!(Command::new("mkfifo").arg(&trace).status().unwrap().success());
    let _never_read = OpenOptions::new().read(true).write(true).open(&trace).unwrap();
    let mut helper = pop.helper_with(&["--record", trace.to_str().unwrap()], ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(announce));
    helper.is_shouted_at(&"neighbor 10.0.0.1 connected\n\n".repeat(5000));
    helper.says_all((0..2).map(withdraw));
    helper.logs("the loop has not turned for 5s: withdrew 2 prefixes");
    assert!(helper.is_alive(), "it waits, for exabgp gives up on what dies too often");
    helper.has_said_no_more();
}
