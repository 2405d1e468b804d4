//! Runs the command `ip` with a deadline. It waits in the thread of its caller, which must not be that of a runtime.

use std::time::Duration;

use tokio::runtime::Builder;

use crate::program::{Program, run};

/// Time limit of one call.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Exit status if the kernel refuses: the address exists, does not exist, or the caller lacks the right.
const REFUSED: i32 = 2;

/// How to call `ip`.
#[derive(Debug)]
pub(super) struct Ip {
    /// The program and its leading arguments.
    pub(super) words: Vec<String>,
    pub(super) limit: Duration,
}

/// Why a call failed, as the end of a message.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// The kernel refused.
    Refused(String),
    /// Anything else.
    Failed(String),
}

impl Ip {
    pub(super) fn new(sudo: bool) -> Self {
        let words: &[&str] = if sudo { &["sudo", "ip"] } else { &["ip"] };
        Self { words: words.iter().copied().map(str::to_owned).collect(), limit: LIMIT }
    }

    /// Runs it until it exits or the deadline passes.
    pub(super) fn run(&self, arguments: &[String]) -> Result<(), Failure> {
        let words = [&self.words, arguments].concat();
        let shown = words.join(" ");
        let failed = |why: String| Failure::Failed(format!("`{shown}` {why}"));
        let program = Program::from_words(&words).ok_or_else(|| failed("is no program".to_owned()))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(format!("cannot be run: {error}")))?;
        let ended = runtime.block_on(run(&program, self.limit));
        match ended.code() {
            Some(0) => Ok(()),
            Some(REFUSED) => Err(Failure::Refused(format!("`{shown}` {ended}"))),
            _ => Err(failed(ended.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn run(script: &str) -> Result<(), Failure> {
        run_within(DEADLINE, script)
    }

    fn run_within(limit: Duration, script: &str) -> Result<(), Failure> {
        let words = ["sh", "-c", script, "sh"].map(str::to_owned).to_vec();
        Ip { words, limit }.run(&["address".to_owned()])
    }

    #[test]
    fn distinguishes_a_refusal_by_the_kernel() {
        assert_eq!(run("test $1 = address"), Ok(()));
        assert_eq!(
            run("echo 'Error: exists.' >&2; echo; exit 2"),
            Err(Failure::Refused(
                "`sh -c echo 'Error: exists.' >&2; echo; exit 2 sh address` exited with status 2: Error: exists."
                    .to_owned()
            ))
        );
        assert_eq!(
            run("exit 1"),
            Err(Failure::Failed("`sh -c exit 1 sh address` exited with status 1".to_owned()))
        );
    }

    #[test]
    fn reports_a_missing_program() {
        let missing = Ip { words: vec!["/nowhere/ip".to_owned()], limit: LIMIT }.run(&[]);
        let Err(Failure::Failed(why)) = missing else { panic!("{missing:?}") };
        assert_eq!(why, "`/nowhere/ip` not found");
    }

    #[test]
    fn kills_the_command_at_the_deadline() {
        let began = Instant::now();
        let Err(Failure::Failed(why)) = run_within(Duration::from_millis(300), "exec sleep 60") else {
            panic!("the command finished")
        };
        assert!(why.ends_with("not done within 300ms"), "{why}");
        assert!(began.elapsed() < DEADLINE);
    }

    #[test]
    fn does_not_wait_for_background_processes() {
        let began = Instant::now();
        assert_eq!(run("sleep 40 & exit 0"), Ok(()));
        assert!(matches!(run("sleep 40 & echo no >&2; exit 2"), Err(Failure::Refused(_))));
        assert!(began.elapsed() < DEADLINE);
    }
}
