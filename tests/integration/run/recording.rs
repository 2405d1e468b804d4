//! Recordings replay to the same commands at the same times.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use dnsherald::responder::Fault;

use crate::support::binary;
use crate::support::helper::{ANNOUNCE, Plan, Pop, WITHDRAW, ideal};

/// The commands of a replay, with times.
fn replayed(trace: &Path, options: &[&str]) -> Vec<(String, String)> {
    let output =
        Command::new(binary()).args(["simulate", "--trace"]).arg(trace).args(options).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let said = text.lines().filter_map(|line| line.split_once(" > "));
    said.map(|(time, line)| (time.trim().to_owned(), line.to_owned())).collect()
}

#[test]
fn a_recording_replays_to_the_same_commands() {
    let pop = Pop::with(Plan {
        service: "disable-file = \"FOLDER/off\"",
        dampening: "mode = \"enforce\"\npenalty = 1500\nsuppress = 3500",
        ..Plan::default()
    });
    let mut predecessor = pop.helper(ideal("5.0.15"));
    predecessor.opens();
    predecessor.says(ANNOUNCE);
    pop.server.becomes(Fault::Refuse);
    predecessor.says(WITHDRAW);
    pop.remembers("\"acknowledged\": \"down\"");
    predecessor.dies_suddenly();
    pop.server.becomes(Fault::None);

    let trace = pop.file("run.trace");
    let began = Instant::now();
    let mut helper = pop.helper_with(&["--record", trace.to_str().unwrap()], ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.receives("neighbor 10.0.0.1 up\n");
    helper.says(ANNOUNCE);
    for (fault, line) in [(Fault::Closed, WITHDRAW), (Fault::None, ANNOUNCE), (Fault::Silent, WITHDRAW)] {
        pop.server.becomes(fault);
        helper.says(line);
    }
    helper.receives(b"\xff what \x01 is this?   x3 every 1s ");
    pop.server.becomes(Fault::None);
    helper.logs("suppressed");
    std::fs::write(pop.file("off"), "").unwrap();
    helper.logs("-> drained");
    helper.is_sent("TERM");
    helper.exits_well();
    let lasted = began.elapsed().as_secs_f64();

    let played = replayed(&trace, &[]);
    let lines: Vec<_> = played.iter().map(|(_, line)| line.clone()).collect();
    assert_eq!(lines, helper.said());
    assert_eq!(replayed(&trace, &["--annotate"]), played);
    let times: Vec<f64> = played.iter().map(|(time, _)| time.parse().unwrap()).collect();
    assert!(times.is_sorted() && times.iter().all(|time| *time < lasted), "{times:?} of {lasted}");
}

#[test]
fn runs_without_a_recording_that_cannot_be_written() {
    let pop = Pop::new();
    for trace in ["/nowhere/run.trace", "/dev/full"] {
        let mut helper = pop.helper_with(&["--record", trace], ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        helper.logs(&format!("cannot record to {trace}"));
    }
}

#[test]
fn runs_with_a_recording_that_is_not_read() {
    let pop = Pop::new();
    let pipe = pop.file("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // At first no reader opens the pipe, then a reader does not read from it.
    let mut reader = None;
    for _ in 0..2 {
        let mut helper = pop.helper_with(&["--record", pipe.to_str().unwrap()], ideal("5.0.15"));
        helper.opens();
        helper.says(ANNOUNCE);
        helper.hears_all("neighbor 10.0.0.1 connected\n\n".repeat(5000).as_bytes());
        pop.server.becomes(Fault::Refuse);
        helper.says(WITHDRAW);
        helper.is_sent("TERM");
        helper.exits_well();
        pop.server.becomes(Fault::None);
        reader = Some(OpenOptions::new().read(true).write(true).open(&pipe).unwrap());
    }
    drop(reader);
}
