//! Programs that exit in time, and programs that do not.

use std::fs;

use super::*;
use crate::test_support::{eventually, running, unique_seconds};

/// Not to be reached.
const PATIENT: Duration = Duration::from_secs(60);

fn script(text: &str) -> Program {
    Program::new("/bin/sh", &["-c", text])
}

async fn ran(text: &str) -> Ended {
    run(&script(text), PATIENT).await
}

#[tokio::test]
async fn both_outputs_and_the_status_are_returned() {
    let ended = ran("echo asked; echo 'no such zone' >&2; exit 3").await;
    assert_eq!(
        (ended.code(), ended.out.as_str(), ended.err.as_str()),
        (Some(3), "asked\n", "no such zone\n")
    );
    assert_eq!(ended.to_string(), "exited with status 3: no such zone");
    assert!(ended.prints("NO SUCH") && ended.prints("Asked") && !ended.prints("refused"));
    assert_eq!(ended.lines(), ["no such zone", "asked"]);
    assert!(ran("exit 0").await.succeeded());
}

#[tokio::test]
async fn it_has_no_input_and_the_c_locale() {
    assert_eq!(ran("cat; echo $LC_ALL").await.out, "C\n");
}

#[tokio::test]
async fn arguments_are_not_read_by_a_shell() {
    let ended = run(&Program::new("printf", &["%s|", "*", "$HOME", "a b", "';"]), PATIENT).await;
    assert_eq!(ended.out, "*|$HOME|a b|';|");
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_its_children() {
    let long = unique_seconds();
    let hung = script(&format!("echo begun; setsid sleep {long} & sleep {long}"));
    let ended = run(&hung, Duration::from_millis(300)).await;
    assert!(ended.is_late());
    assert_eq!(ended.to_string(), "not done within 300ms: begun");
    eventually(|| running(&long).is_empty()).await;
}

#[tokio::test]
async fn megabytes_neither_block_nor_are_kept() {
    let ended = ran("head -c 3000000 /dev/zero; yes no | head -c 3000000 >&2").await;
    assert!(ended.succeeded());
    assert_eq!((ended.out.len(), ended.err.len()), (KEPT_OUTPUT, KEPT_OUTPUT));
    let endless = run(&Program::new("yes", &[]), Duration::from_millis(200)).await;
    assert!(endless.is_late() && endless.out.len() == KEPT_OUTPUT);
}

#[tokio::test]
async fn unprintable_output_is_escaped() {
    let ended = ran(r"printf '\033[31m\377\n\000' >&2; exit 200").await;
    assert_eq!(ended.code(), Some(200));
    assert_eq!(ended.lines(), [r"\u{1b}[31m�", r"\u{0}"]);
    assert_eq!(ran("kill -KILL $$").await.to_string(), "was killed by SIGKILL");
}

#[tokio::test]
async fn a_missing_program_differs_from_one_that_is_not_permitted() {
    let of = |name: &str| Program::new(name, &[]);
    assert_eq!(run(&of("dnsherald-no-such-program"), PATIENT).await.end, End::Missing);
    assert_eq!(run(&of("/nowhere/dnsherald"), PATIENT).await.end, End::Missing);
    let file = std::env::temp_dir().join(format!("dnsherald-not-executable-{}", std::process::id()));
    fs::write(&file, "#!/bin/sh\n").unwrap();
    let ended = run(&of(file.to_str().unwrap()), PATIENT).await;
    fs::remove_file(&file).unwrap();
    assert_eq!(ended.end, End::NotPermitted);
    assert_eq!(ended.to_string(), "not executable by this user");
}
