//! Commands that exit in time, and commands that do not.

use std::time::Duration;

use super::{CommandLine, CommandProbe, Leftovers, Statuses};
use crate::outcome::{Cause, Failure, Outcome};
use crate::program::{Program, adopt_orphans};
use crate::test_support::{eventually, running, sleeping, unique_seconds};

/// Not to be reached.
const PATIENT: Duration = Duration::from_secs(60);

fn command(text: &str) -> CommandProbe {
    CommandProbe { leftovers: Leftovers::Killed, ..CommandProbe::shell(text.to_owned(), Some(PATIENT)) }
}

async fn failure(command: CommandProbe) -> Failure {
    match command.ask().await {
        Outcome::Fail(failure) | Outcome::Unknown(failure) => failure,
        Outcome::Pass { .. } => panic!("{command} passed"),
    }
}

/// The failure of a command that does not end in time. On a busy host a timeout may be noticed so late that it is unknown.
async fn timed_out(command: CommandProbe) -> Failure {
    for _ in 0..100 {
        let failure = failure(command.clone()).await;
        if failure.cause == Cause::Timeout {
            return failure;
        }
        assert!(failure.detail.contains("but this process did not run for"), "{failure}");
    }
    panic!("{command} never timed out");
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
    assert!(CommandProbe::shell("exit 0".to_owned(), None).ask().await.passed());
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

#[test]
fn a_command_is_named_between_marks_that_it_does_not_contain() {
    assert_eq!(command("exit 0").to_string(), "`exit 0`");
    assert_eq!(command("test `hostname` = a").to_string(), "``test `hostname` = a``");
}

fn program(words: &[&str], statuses: Statuses) -> CommandProbe {
    let program = Program::new(words[0], &words[1..]);
    CommandProbe {
        line: CommandLine::Program(program),
        statuses,
        timeout: Some(PATIENT),
        leftovers: Leftovers::Killed,
    }
}

#[tokio::test]
async fn a_program_gets_its_arguments_as_they_are() {
    assert!(program(&["true"], Statuses::ZeroPasses).ask().await.passed());
    assert!(program(&["test", "a b;$c", "=", "a b;$c"], Statuses::ZeroPasses).ask().await.passed());
    let failure = failure(program(&["/bin/ls", "/no such"], Statuses::ZeroPasses)).await;
    assert_eq!(failure.cause, Cause::Command);
    assert!(failure.detail.starts_with("`/bin/ls '/no such'`: exited with status 2: "), "{failure}");
}

#[tokio::test]
async fn a_missing_program_is_unknown() {
    for (name, why) in [
        ("no-such-plugin", "`no-such-plugin`: cannot start it: `no-such-plugin` is not found"),
        ("/no/plugin", "`/no/plugin`: cannot start it: No such file"),
    ] {
        let outcome = program(&[name], Statuses::Plugin).ask().await;
        let Outcome::Unknown(failure) = outcome else { panic!("{outcome:?}") };
        assert_eq!(failure.cause, Cause::Local);
        assert!(failure.detail.starts_with(why), "{failure}");
    }
}

#[tokio::test]
async fn the_exit_statuses_of_a_plugin_have_four_meanings() {
    let plugin = |status: &str| {
        let script = format!("echo 'DISK - / is full | /=9G;8;9'; echo more; {status}");
        program(&["sh", "-c", &script], Statuses::Plugin)
    };
    assert!(plugin("exit 0").ask().await.passed());
    for (status, cause, how) in [
        ("exit 1", Cause::CommandWarning, "exited with status 1 (warning): DISK - / is full"),
        ("exit 2", Cause::Command, "exited with status 2 (critical): DISK - / is full"),
        ("exit 3", Cause::CommandUnknown, "exited with status 3 (unknown): DISK - / is full"),
        (
            "exit 4",
            Cause::CommandUnknown,
            "exited with status 4, expected 0 to 3 from a monitoring plugin: DISK - / is full",
        ),
        ("kill -KILL $$", Cause::CommandUnknown, "was killed by SIGKILL: DISK - / is full"),
    ] {
        let outcome = plugin(status).ask().await;
        assert_eq!(matches!(outcome, Outcome::Unknown(_)), cause == Cause::CommandUnknown, "{outcome:?}");
        let failure = outcome.failure().unwrap();
        assert_eq!(failure.cause, cause);
        assert!(failure.detail.ends_with(how), "{failure}");
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_program_that_passes() {
    adopt_orphans().unwrap();
    for statuses in [Statuses::ZeroPasses, Statuses::Plugin] {
        let long = unique_seconds();
        let script = format!("setsid sleep {long} & sleep {long} & exit 0");
        assert!(program(&["sh", "-c", &script], statuses).ask().await.passed());
        eventually(|| running(&long).is_empty()).await;
    }
}

#[tokio::test]
async fn a_killed_command_fails() {
    assert_eq!(detail("kill -KILL $$").await, "`kill -KILL $$`: was killed by SIGKILL");
    assert_eq!(detail("kill -40 $$").await, "`kill -40 $$`: was killed by signal 40");
}

#[tokio::test]
async fn the_last_lines_of_both_outputs_are_reported_and_escaped() {
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
    let command = CommandProbe::shell("sleep 100".to_owned(), Some(Duration::from_millis(100)));
    let standstill = async { std::thread::sleep(Duration::from_secs(1)) };
    let (outcome, ()) = tokio::join!(command.ask(), standstill);
    let Outcome::Unknown(failure) = outcome else { panic!("{outcome:?}") };
    assert!(failure.detail.contains("but this process did not run for"), "{failure}");
}

#[tokio::test]
async fn a_command_times_out_after_a_fraction_of_a_second() {
    for text in [format!("sleep {}", unique_seconds()), "yes".to_owned(), "while :; do :; done".to_owned()] {
        let failure = timed_out(CommandProbe::shell(text, Some(Duration::from_secs_f64(0.05)))).await;
        assert!(failure.detail.contains("`: not done within 50ms"), "{failure}");
        assert!(failure.detail.len() < 300, "{failure}");
    }
}

#[tokio::test]
async fn a_background_process_with_the_pipe_delays_no_verdict_and_is_killed() {
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
        let long = unique_seconds();
        let script = script.replace("LONG", &long);
        // Shown if the wait below fails.
        eprintln!("{script}");
        assert!(command(&script).ask().await.passed(), "{script}");
        eventually(|| running(&long).is_empty()).await;
        let failing = script.replace("exit 0", "exit 7") + "; exit 7";
        let detail = detail(&failing).await;
        assert!(detail.contains("exited with status 7"), "{detail}");
        eventually(|| running(&long).is_empty()).await;
    }
}

#[tokio::test]
async fn a_timeout_kills_processes_that_left_the_group() {
    let long = unique_seconds();
    let text = format!("(setsid sh -c 'sleep {long} & wait' &) & sleep {long}");
    timed_out(CommandProbe::shell(text, Some(Duration::from_millis(300)))).await;
    eventually(|| running(&long).is_empty()).await;
}

#[tokio::test]
async fn a_dropped_future_kills_its_command_at_once() {
    let long = unique_seconds();
    let command = command(&format!("setsid sleep {long} & sleep {long}"));
    tokio::select! {
        outcome = command.ask() => panic!("{outcome:?}"),
        () = eventually(|| sleeping(&long) == 2) => {}
    }
    eventually(|| running(&long).is_empty()).await;
}

#[test]
fn the_end_of_the_program_ends_its_commands() {
    let long = unique_seconds();
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

#[tokio::test]
async fn a_command_of_healthcheck_may_leave_a_process_that_it_started() {
    let text = "sleep 600 </dev/null >/dev/null 2>&1 & echo $! > \"$0\"";
    let file = std::env::temp_dir().join(format!("dnsherald-left-{}", std::process::id()));
    let line = text.replace("$0", &file.display().to_string());
    let passed = CommandProbe::shell(line, Some(PATIENT)).ask().await.passed();
    let written = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let pid = nix::unistd::Pid::from_raw(written.trim().parse().unwrap());
    let ended = nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL);
    assert!(passed);
    assert_eq!(ended, Ok(()), "the process was gone");
}
