//! Runs the command `ip` with a deadline, without input and without access to our standard output.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::child::describe_exit;
use crate::text::period::Period;

/// Time limit of one call.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// How long to wait for a killed process. An unprivileged caller cannot kill `sudo`.
const KILL_WAIT: Duration = Duration::from_millis(50);

/// How much of its error output to report, in octets.
const MAX_ERROR_OUTPUT: u64 = 400;

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
        let shown = [&self.words, arguments].concat().join(" ");
        let (status, error_output) =
            self.status(arguments).map_err(|why| Failure::Failed(format!("`{shown}` {why}")))?;
        if status.success() {
            return Ok(());
        }
        let colon = if error_output.is_empty() { "" } else { ": " };
        let why = format!("`{shown}` {}{colon}{error_output}", describe_exit(status));
        Err(if status.code() == Some(REFUSED) { Failure::Refused(why) } else { Failure::Failed(why) })
    }

    /// The exit status and the error output.
    fn status(&self, arguments: &[String]) -> Result<(ExitStatus, String), String> {
        let (mut child, error_output) =
            self.start(arguments).map_err(|error| format!("cannot be run: {error}"))?;
        match wait(&mut child, self.limit) {
            Ok(Some(status)) => Ok((status, read(error_output))),
            Ok(None) => {
                let _ = child.kill();
                let _ = wait(&mut child, KILL_WAIT);
                Err(format!("did not finish within {}", Period(self.limit)))
            }
            Err(error) => Err(format!("cannot be waited for: {error}")),
        }
    }

    /// The error output goes through a socket, which can be read without waiting for other processes that hold it open.
    fn start(&self, arguments: &[String]) -> io::Result<(Child, UnixStream)> {
        let (error_output, writer) = UnixStream::pair()?;
        error_output.set_nonblocking(true)?;
        let (program, first) = self.words.split_first().ok_or(io::ErrorKind::NotFound)?;
        let child = Command::new(program)
            .args(first)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(OwnedFd::from(writer))
            .spawn()?;
        Ok((child, error_output))
    }
}

/// Returns `None` if it is still running after `limit`.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    let mut pause = Duration::from_micros(250);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() >= limit {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// Reads the available error output as one line.
fn read(error_output: UnixStream) -> String {
    let mut octets = vec![];
    // An error means that no more output is available.
    let _ = error_output.take(MAX_ERROR_OUTPUT).read_to_end(&mut octets);
    let text = String::from_utf8_lossy(&octets);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
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
        assert!(why.starts_with("`/nowhere/ip` cannot be run: No such file"), "{why}");
    }

    #[test]
    fn kills_the_command_at_the_deadline() {
        let began = Instant::now();
        let Err(Failure::Failed(why)) = run_within(Duration::from_millis(300), "exec sleep 60") else {
            panic!("the command finished")
        };
        assert!(why.ends_with("did not finish within 300ms"), "{why}");
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
