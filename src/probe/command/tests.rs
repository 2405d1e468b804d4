//! Commands that behave, and commands that do not.

use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::run::{Run, shell};
use super::{CommandProbe, adopt_orphans};
use crate::outcome::{Cause, Failure, Outcome};

/// Not to be reached.
const PATIENT: Duration = Duration::from_secs(60);

/// A number of seconds to sleep that no other test sleeps, by which its processes are found.
pub(crate) fn long() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1000);
    format!("1000.{}0{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The living that have `mark` on their command line. The dead have none.
pub(crate) fn running(mark: &str) -> Vec<Pid> {
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_marked = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    };
    pids.filter(is_marked).map(Pid::from_raw).collect()
}

/// How many `sleep` for that long.
pub(crate) fn sleeping(long: &str) -> usize {
    running(&format!("sleep\0{long}\0")).len()
}

/// Waits for what is certain to come.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENT, "waited in vain");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Starts it, and lets it write nowhere.
fn start(text: &str) -> Run {
    let mut command = shell(text);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Run::start(command).unwrap()
}

fn command(text: &str) -> CommandProbe {
    CommandProbe { text: text.to_owned(), timeout: Some(PATIENT) }
}

async fn failure(command: CommandProbe) -> Failure {
    match command.ask().await {
        Outcome::Fail(failure) | Outcome::Unknown(failure) => failure,
        Outcome::Pass { .. } => panic!("{command} passed"),
    }
}

/// Why the command fails, if it is not for want of time.
async fn detail(text: &str) -> String {
    let failure = failure(command(text)).await;
    assert_eq!(failure.cause, Cause::Command, "{failure}");
    failure.detail
}

#[tokio::test]
async fn status_0_passes_and_any_other_fails() {
    assert!(command("true").ask().await.passed());
    assert!(CommandProbe { text: "exit 0".to_owned(), timeout: None }.ask().await.passed());
    assert_eq!(detail("false").await, "`false`: exited with status 1");
    assert_eq!(detail("exit 255").await, "`exit 255`: exited with status 255");
}

#[tokio::test]
async fn a_command_that_cannot_be_run_fails() {
    let detail = detail("/nowhere/dnsherald").await;
    assert!(detail.starts_with("`/nowhere/dnsherald`: exited with status 127: "), "{detail}");
    assert!(detail.ends_with("not found"), "{detail}");

    let failure = failure(command("true\0")).await;
    assert_eq!(failure.cause, Cause::Local);
    assert!(failure.detail.starts_with(r"`true\u{0}`: cannot start a shell: "), "{failure}");
}

#[tokio::test]
async fn a_killed_command_fails() {
    assert_eq!(detail("kill -KILL $$").await, "`kill -KILL $$`: was killed by SIGKILL");
    assert_eq!(detail("kill -40 $$").await, "`kill -40 $$`: was killed by signal 40");
}

#[tokio::test]
async fn the_last_lines_of_both_outputs_are_told_and_escaped() {
    let text = r"printf 'asked\nred: \033[31m\n'; printf 'stray: \377\000\n\n' >&2; exit 9";
    let detail = detail(text).await;
    assert!(
        detail.ends_with(r"exited with status 9: asked | red: \u{1b}[31m | stray: \xff\u{0}"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_lot_of_output_neither_blocks_nor_is_kept() {
    assert!(command("head -c 3000000 /dev/zero").ask().await.passed());
    let detail = detail("yes no | head -c 3000000; exit 1").await;
    assert!(detail.ends_with("no | no | no") && detail.len() < 300, "{detail}");
}

#[tokio::test]
async fn a_timeout_of_a_process_that_did_not_run_is_unknown() {
    let command = CommandProbe { text: "sleep 100".to_owned(), timeout: Some(Duration::from_millis(100)) };
    let standstill = async { std::thread::sleep(Duration::from_secs(1)) };
    let (outcome, ()) = tokio::join!(command.ask(), standstill);
    let Outcome::Unknown(failure) = outcome else { panic!("{outcome:?}") };
    assert!(failure.detail.contains("but this process did not run for"), "{failure}");
}

#[tokio::test]
async fn what_takes_longer_than_a_fraction_of_a_second_times_out() {
    for text in [format!("sleep {}", long()), "yes".to_owned(), "while :; do :; done".to_owned()] {
        let failure = failure(CommandProbe { text, timeout: Some(Duration::from_secs_f64(0.05)) }).await;
        assert_eq!(failure.cause, Cause::Timeout);
        assert!(failure.detail.contains("`: not done within 50ms"), "{failure}");
        assert!(failure.detail.len() < 300, "{failure}");
    }
}

#[tokio::test]
async fn what_stays_in_the_background_with_the_pipe_does_not_delay_the_verdict_and_is_killed() {
    adopt_orphans().unwrap();
    let scripts = [
        "sleep LONG & echo started",
        "sleep LONG >/dev/null 2>&1 & exit 0",
        "setsid sleep LONG >/dev/null 2>&1 & exit 0",
        "(setsid sh -c 'sleep LONG & sleep LONG' &) ; exit 0",
        "env -i sleep LONG & exit 0",
        "trap '' TERM HUP; sh -c 'kill -STOP $$; :' LONG & exit 0",
    ];
    for script in scripts {
        let long = long();
        let script = script.replace("LONG", &long);
        assert!(command(&script).ask().await.passed(), "{script}");
        eventually(|| running(&long).is_empty()).await;
        let failing = script.replace("exit 0", "exit 7") + "; exit 7";
        let detail = detail(&failing).await;
        assert!(detail.contains("exited with status 7"), "{detail}");
        eventually(|| running(&long).is_empty()).await;
    }
}

/// A hook may start a daemon.
#[tokio::test]
async fn what_a_run_leaves_that_is_only_waited_for_lives_on() {
    let long = long();
    let mut run = start(&format!("sleep {long} & setsid sleep {long} & exit 0"));
    assert!(run.exit().await.unwrap().success());
    drop(run);
    eventually(|| sleeping(&long) == 2).await;
    for pid in running(&long) {
        kill(pid, Signal::SIGKILL).unwrap();
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_command_that_is_ended() {
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
        let long = long();
        let run = start(&script.replace("LONG", &long));
        eventually(|| sleeping(&long) == sleepers).await;
        run.end().await;
        eventually(|| running(&long).is_empty()).await;
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_command_that_keeps_moving() {
    let long = long();
    // Each starts the next in a session of its own, and is gone. Should they get away, it ends by itself.
    let next = format!(r#"sleep 0.02; N=$((N-1)); [ $N -gt 0 ] && setsid sh -c "$NEXT" {long} & exit"#);
    let run = start(&format!("export NEXT='{next}' N=1000; (eval \"$NEXT\") & sleep {long}"));
    eventually(|| sleeping(&long) == 1).await;
    run.end().await;
    let left = running(&long);
    eventually(|| left.iter().all(|pid| !running(&long).contains(pid))).await;
    assert_eq!(running(&long), []);
}

#[tokio::test]
async fn a_timeout_kills_what_has_escaped() {
    let long = long();
    let text = format!("(setsid sh -c 'sleep {long} & wait' &) & sleep {long}");
    let failure = failure(CommandProbe { text, timeout: Some(Duration::from_millis(300)) }).await;
    assert_eq!(failure.cause, Cause::Timeout);
    eventually(|| running(&long).is_empty()).await;
}

#[tokio::test]
async fn a_dropped_future_kills_its_command_at_once() {
    let long = long();
    let command = command(&format!("setsid sleep {long} & sleep {long}"));
    tokio::select! {
        outcome = command.ask() => panic!("{outcome:?}"),
        () = eventually(|| sleeping(&long) == 2) => {}
    }
    eventually(|| running(&long).is_empty()).await;
}

#[test]
fn the_end_of_the_program_ends_its_commands() {
    let long = long();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let command = command(&format!("sleep {long}"));
        tokio::spawn(async move { command.ask().await });
        eventually(|| sleeping(&long) == 1).await;
    });
    drop(runtime);
    while sleeping(&long) > 0 {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn adopted_orphans_are_reaped_and_children_are_not() {
    adopt_orphans().unwrap();
    let ours = tokio::process::Command::new("true").spawn();
    let long = long();
    let text = format!("sleep {long} & setsid sleep {long} & timeout 1000 sleep {long} & sleep {long} & :");
    assert!(start(&text).exit().await.unwrap().success());
    eventually(|| sleeping(&long) == 5).await;
    let orphans = running(&long);
    let (last, others) = orphans.split_last().unwrap();
    for orphan in others {
        kill(*orphan, Signal::SIGKILL).unwrap();
    }
    assert!(command(&format!("kill -40 {last}")).ask().await.passed());
    let is_there = |pid: &Pid| fs::exists(format!("/proc/{pid}")).unwrap();
    eventually(|| !orphans.iter().any(is_there)).await;
    assert!(ours.unwrap().wait().await.unwrap().success());
}

#[tokio::test]
async fn many_at_once_have_each_its_own_verdict() {
    adopt_orphans().unwrap();
    let asked: Vec<_> = (0..40)
        .map(|status| {
            tokio::spawn(async move { detail(&format!("setsid true & exit {}", status + 1)).await })
        })
        .collect();
    for (status, asked) in asked.into_iter().enumerate() {
        let detail = asked.await.unwrap();
        assert!(detail.ends_with(&format!(": exited with status {}", status + 1)), "{detail}");
    }
}
