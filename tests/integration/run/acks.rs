//! Answers of ExaBGP: refused, late, lost, missing, disabled.

use dnsherald::responder::Fault;

use crate::support::helper::{
    ANNOUNCE, Parent, Plan, Pop, WITHDRAW, announce, answer_of, ideal, once_greeted, silent, until, withdraw,
    without_acks,
};

const ASK: &str = "system version 0";

/// A short timeout of acknowledgments.
fn waiting_for(ack_timeout: &'static str) -> Pop {
    Pop::with(Plan { exabgp: ack_timeout, ..Plan::default() })
}

#[test]
fn repeats_refused_commands() {
    let pop = Pop::new();
    let mut refused = false;
    let parent: Parent = Box::new(move |line| {
        let refuse = line.contains("announce") && !std::mem::replace(&mut refused, line.contains("announce"));
        Some(if refuse {
            "error: no neighbor matching the command\nerror\n".to_owned()
        } else {
            answer_of("6.0.0", line)
        })
    });
    let mut helper = pop.helper(parent);
    helper.opens();
    let announce = ANNOUNCE.replace("neighbor", "peer");
    helper.says(&announce);
    helper.logs(&format!("refused `{announce}`: no neighbor matching the command; again in 1s"));
    helper.says(&announce);
    pop.remembers("\"acknowledged\": \"up\"");
    helper.has_said_no_more();
}

#[test]
fn continues_to_probe_without_answers() {
    let pop = waiting_for("ack-timeout = \"200ms\"");
    let mut helper = pop.helper(once_greeted("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    pop.server.is_asked_again(4);
    helper.says(ASK);
    helper.logs("has not answered `neighbor * announce");
    helper.says(ANNOUNCE);
    helper.says(ASK);
    pop.server.becomes(Fault::Closed);
    helper.comes_to_say(WITHDRAW);
}

#[test]
fn uses_answers_that_start_late() {
    let pop = waiting_for("ack-timeout = \"100ms\"");
    let mut helper = pop.helper(silent());
    helper.opens();
    helper.says(ANNOUNCE.replace("neighbor * ", ""));
    helper.says(ASK);
    pop.server.is_asked_again(4);
    helper.receives("exabgp 5.0.15");
    helper.receives("done");
    helper.comes_to_say(ANNOUNCE);
}

#[test]
fn a_late_answer_does_not_match_the_next_command() {
    let pop = waiting_for("ack-timeout = \"400ms\"");
    let mut helper = pop.helper(once_greeted("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.says(ASK);
    helper.receives("done");
    helper.receives(answer_of("5.0.15", ASK).trim_end());
    helper.receives("neighbor 10.0.0.1 up\n");
    helper.says(ANNOUNCE);
    helper.receives("done");
    pop.remembers("\"acknowledged\": \"up\"");
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    helper.receives("error");
    helper.logs(&format!("refused `{WITHDRAW}`: no reason given; usual causes: "));
    helper.logs("exabgp-cli show neighbor summary");
    assert!(!helper.log().contains("once more than"), "{}", helper.log());
}

#[test]
fn events_are_no_answers() {
    const DOWN: &str = "neighbor 10.0.0.1 down - peer reset, message [closing connection]";
    const FSM: &str = r#"{ "exabgp": "5.0.0", "type": "fsm", "state": "ESTABLISHED" }"#;
    const UP: &str = r#"{ "exabgp": "5.0.0", "time": 1.5, "pid": 12, "ppid": 1, "counter": 9, "type": "state",
        "neighbor": { "address": { "local": "10.0.0.2", "peer": "10.0.0.1" }, "state": "up" } }"#;
    let pop = Pop::with(Plan { prefixes: 2, exabgp: "ack-timeout = \"1h\"", ..Plan::default() });
    let mut helper = pop.helper(once_greeted("5.0.15"));
    helper.opens();
    helper.says(announce(0));
    for event in [DOWN, "", "neighbor 10.0.0.1 connected", "", FSM] {
        helper.receives(event);
    }
    helper.logs("session with 10.0.0.1 is down: peer reset");
    pop.server.is_asked_again(3);
    helper.has_said_no_more();
    helper.receives("done");
    helper.says(announce(1));
    helper.receives("done");
    for up in ["neighbor 10.0.0.1 up\n".to_owned(), UP.replace('\n', " ")] {
        helper.receives(up);
        for nth in [0, 1] {
            helper.says(announce(nth));
            helper.receives("done");
        }
    }
    helper.has_said_no_more();
}

#[test]
fn does_not_wait_if_answers_are_off() {
    let pop = Pop::with(Plan { prefixes: 50, exabgp: "ack-timeout = \"400ms\"", ..Plan::default() });
    let mut helper = pop.helper(without_acks("5.0.15"));
    helper.opens();
    helper.says_all((0..50).map(announce));
    helper.logs("answers no commands");
    helper.receives("neighbor 10.0.0.1 up");
    helper.says_all((0..50).map(announce));
}

/// Independent of the timeout and the number of withdraws.
#[test]
fn withdraws_do_not_wait_for_other_answers() {
    let pop = Pop::with(Plan { prefixes: 50, exabgp: "ack-timeout = \"1h\"", ..Plan::default() });
    let mut helper = pop.helper(until(2 + 50, "5.0.15"));
    helper.opens();
    helper.says_all((0..50).map(announce));
    pop.comes_to_be(|status| status.services[0].settled());
    helper.receives("neighbor 10.0.0.1 up\n");
    helper.says(announce(0));
    pop.server.becomes(Fault::Closed);
    helper.says_all((0..50).map(withdraw));
    helper.says(ASK);
    helper.logs("ExaBGP is unresponsive: sending 50 withdraws without waiting for its answers");
    for _ in 0..51 {
        helper.receives("done");
    }
    helper.receives(answer_of("5.0.15", ASK).trim_end());
    for nth in 0..50 {
        helper.says(withdraw(nth));
        helper.receives("done");
    }
    pop.comes_to_be(|status| status.services[0].settled());
}

/// If ExaBGP answers no commands, it may have refused them all.
#[test]
fn sent_is_not_acknowledged() {
    let pop = Pop::new();
    let mut helper = pop.helper(without_acks("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs(
        "resolver: ANNOUNCED 192.0.2.53/32 med 100 (NOT acknowledged: exabgp.api.ack is off): required checks pass",
    );
    let json: serde_json::Value = serde_json::from_str(&pop.told(&["status", "--json"])).unwrap();
    let prefix = &json["services"][0]["prefixes"][0];
    assert_eq!(prefix["acknowledged"], "unknown");
    assert_ne!(prefix["acknowledged"], prefix["desired"], "the alert that the README recommends fires");
    let table = pop.told(&["status"]);
    let table = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(table.contains("(acknowledgment unknown: exabgp.api.ack is off)"), "{table}");
    assert!(table.contains("exabgp.api.ack is off"), "{table}");
    assert!(!pop.status().services[0].settled());
    let drained = pop.command(&["drain", "--reason", "new disk", "--wait"]);
    let said = String::from_utf8(drained.stdout).unwrap();
    helper.says(WITHDRAW);
    assert_eq!(drained.status.code(), Some(5), "{said}");
    assert!(said.contains("sent, not acknowledged: exabgp.api.ack is off; waited 2s instead"), "{said}");
    assert!(!helper.log().contains("(acknowledged)"), "{}", helper.log());
}

/// No command is answered, although answers are on.
#[test]
fn unanswered_commands_are_unacknowledged() {
    let pop = Pop::new();
    let mut helper = pop.helper(once_greeted("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    let json: serde_json::Value = serde_json::from_str(&pop.told(&["status", "--json"])).unwrap();
    assert_eq!(json["services"][0]["prefixes"][0]["acknowledged"], "unknown");
}

#[test]
fn does_not_repeat_acknowledged_commands() {
    let pop = Pop::with(Plan { prefixes: 3, ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..3).map(announce));
    pop.server.is_asked_again(4);
    helper.has_said_no_more();
}
