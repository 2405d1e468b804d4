//! Children that exit in time, and children that do not.

use std::fs;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::program::adopt_orphans;
use crate::test_support::{eventually, running, sleeping, unique_seconds};

/// Starts a shell that writes nowhere.
fn start(text: &str) -> ChildGroup {
    let mut command = shell(text);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    ChildGroup::spawn(command).unwrap()
}

#[test]
fn survivors_end_a_sentence() {
    assert_eq!(Survivors::default().to_string(), "");
    let survivors = Survivors([17, 4].map(Pid::from_raw).to_vec());
    assert_eq!(survivors.to_string(), ", and could not be killed: process 17, 4");
}

/// A hook may start a daemon.
#[tokio::test]
async fn processes_left_by_a_child_survive_a_plain_wait() {
    let long = unique_seconds();
    let mut run = start(&format!("sleep {long} & setsid sleep {long} & exit 0"));
    assert!(run.wait().await.unwrap().success());
    drop(run);
    eventually(|| sleeping(&long) == 2).await;
    for pid in running(&long) {
        kill(pid, Signal::SIGKILL).unwrap();
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_child_that_is_killed() {
    let scripts = [
        (1, "sleep LONG"),
        (2, "sleep LONG & sleep LONG"),
        (1, "trap '' TERM HUP INT; sleep LONG & wait"),
        (2, "setsid sleep LONG & sleep LONG"),
        (2, "(setsid sh -c 'sleep LONG & wait' &) & sleep LONG"),
        (4, "set -m; sleep LONG & timeout 1000 sleep LONG & sleep LONG"),
        (3, "env -i sleep LONG & env -i setsid sh -c 'sleep LONG; :' & sleep LONG"),
        (1, "sh -c 'kill -STOP $$; :' LONG & setsid sleep LONG & wait"),
    ];
    for (sleepers, script) in scripts {
        let long = unique_seconds();
        let run = start(&script.replace("LONG", &long));
        eventually(|| sleeping(&long) == sleepers).await;
        run.kill().await;
        eventually(|| running(&long).is_empty()).await;
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_child_that_keeps_moving() {
    let long = unique_seconds();
    // Each starts the next in a session of its own, and is gone. Should they get away, it ends by itself.
    let next = format!(r#"sleep 0.02; N=$((N-1)); [ $N -gt 0 ] && setsid sh -c "$NEXT" {long} & exit"#);
    let run = start(&format!("export NEXT='{next}' N=1000; (eval \"$NEXT\") & sleep {long}"));
    eventually(|| sleeping(&long) == 1).await;
    run.kill().await;
    let left = running(&long);
    eventually(|| left.iter().all(|pid| !running(&long).contains(pid))).await;
    assert_eq!(running(&long), []);
}

#[tokio::test]
async fn adopted_orphans_are_reaped_and_children_are_not() {
    adopt_orphans().unwrap();
    let ours = Command::new("true").spawn();
    let long = unique_seconds();
    let text = format!("sleep {long} & setsid sleep {long} & timeout 1000 sleep {long} & sleep {long} & :");
    assert!(start(&text).wait().await.unwrap().success());
    eventually(|| sleeping(&long) == 5).await;
    let orphans = running(&long);
    let (last, others) = orphans.split_last().unwrap();
    for orphan in others {
        kill(*orphan, Signal::SIGKILL).unwrap();
    }
    assert!(start(&format!("kill -40 {last}")).wait().await.unwrap().success());
    let is_there = |pid: &Pid| fs::exists(format!("/proc/{pid}")).unwrap();
    eventually(|| !orphans.iter().any(is_there)).await;
    assert!(ours.unwrap().wait().await.unwrap().success());
}
