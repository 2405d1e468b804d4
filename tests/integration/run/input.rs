//! Standard input: the helper reads everything and ignores unknown lines.

use dnsherald::responder::Fault;

use crate::support::helper::{
    ANNOUNCE, MODEST, Plan, Pop, WITHDRAW, announce, eventually, ideal, once_greeted, reluctant,
};

#[test]
fn logs_unknown_lines() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    let odd: [&[u8]; 8] = [
        b"what is this",
        b"\xff\xfe\x80",
        b"\0\x01\x1b[2J",
        b"{\"type\":",
        b"[]",
        b"exabgp",
        b"done done\r",
        b"error done",
    ];
    for line in odd {
        helper.receives(line);
    }
    helper.receives(vec![b'x'; 200_000]);
    helper.logs("a line of more than 65536 bytes");
    helper.logs("something unexpected: what is this");
    helper.logs("something unexpected: xxxx");
    assert_eq!(helper.log().matches("something unexpected").count(), odd.len() + 1);
    assert!(helper.log().lines().all(|line| line.len() < 500), "a long line is cut short in the log");
    assert!(!helper.log().contains(['\0', '\x1b']), "control characters are shown, not sent to the log");
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
}

/// If the answers stay unread, ExaBGP up to 5.0 stops after 13,107 of them.
#[test]
fn reads_a_day_of_answers_at_once() {
    let pop = Pop::new();
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    let files = helper.open_files();
    let mut day = String::new();
    for nth in 0..17_280 {
        day.push_str("done\n");
        if nth % 10 == 0 {
            day.push_str("neighbor 10.0.0.1 connected\n\n");
            day.push_str("{ \"exabgp\": \"5.0.0\", \"type\": \"fsm\", \"state\": \"ESTABLISHED\" }\n");
        }
    }
    helper.hears_all(day.as_bytes());
    helper.has_heard_all();
    pop.server.is_asked_again(3);
    let memory = helper.peak_memory();
    assert!(memory < MODEST, "{memory} KiB");
    assert!(helper.open_files() <= files + 3);
    pop.server.becomes(Fault::Refuse);
    helper.comes_to_say(WITHDRAW);
}

#[test]
fn ten_thousand_session_events_cause_few_commands() {
    let pop = Pop::with(Plan { prefixes: 3, exabgp: "ack-timeout = \"1h\"", ..Plan::default() });
    let mut helper = pop.helper(reluctant("5.0.15", &pop.server));
    helper.opens();
    helper.says_all((0..3).map(announce));
    let asked = pop.server.queries();
    helper.hears_all("neighbor 10.0.0.1 up\n\n".repeat(10_000).as_bytes());
    helper.has_heard_all();
    let restated = || helper.said().len() - 5;
    assert!(eventually(|| restated() >= 3), "log:\n{}", helper.log());
    pop.server.is_asked_again(4);
    let (restated, asked) = (restated(), pop.server.queries() - asked);
    assert!(restated <= asked + 3, "{restated} lines while {asked} probes were sent");
    assert!(restated < 1000, "{restated} lines");
    assert!(helper.said()[2..].iter().all(|line| line.contains("announce")));
    assert!(helper.peak_memory() < MODEST, "{} KiB", helper.peak_memory());
    pop.server.becomes(Fault::Refuse);
    helper.comes_to_say(WITHDRAW);
}

#[test]
fn joins_a_line_from_pieces() {
    let pop = Pop::with(Plan { exabgp: "ack-timeout = \"1h\"", ..Plan::default() });
    let mut helper = pop.helper(once_greeted("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    for piece in ["d", "on", "e\nneighbor 10.0.", "0.1", " up\n"] {
        helper.hears_all(piece.as_bytes());
        pop.server.is_asked_again(1);
    }
    helper.says(ANNOUNCE);
    assert!(!helper.log().contains("unexpected"));
}
