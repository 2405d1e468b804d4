//! The command `ip`, which has until its deadline, nothing to read, and no way to our standard output.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::period::Period;
use crate::probe::command::run::how;

/// How long it may take.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// How long it may take to be gone once it is killed. `sudo` cannot be killed by all who may start it.
const PATIENCE: Duration = Duration::from_millis(50);

/// How much of its complaint is told, in octets.
const TOLD: u64 = 400;

/// The exit status for what the kernel refuses: it is there already, it is not there, it is not allowed.
const REFUSED: i32 = 2;

/// How `ip` is called.
#[derive(Debug)]
pub(super) struct Ip {
    /// The program, and its first arguments.
    pub(super) words: Vec<String>,
    pub(super) limit: Duration,
}

/// Why it did not do it, as the end of a sentence.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// The kernel did not want it.
    Refused(String),
    /// Anything else.
    Failed(String),
}

impl Ip {
    pub(super) fn new(sudo: bool) -> Self {
        let words: &[&str] = if sudo { &["sudo", "ip"] } else { &["ip"] };
        Self { words: words.iter().copied().map(str::to_owned).collect(), limit: LIMIT }
    }

    /// Runs it to its end, or to the deadline.
    pub(super) fn run(&self, arguments: &[String]) -> Result<(), Failure> {
        let shown = [&self.words, arguments].concat().join(" ");
        let (status, complaint) =
            self.end(arguments).map_err(|why| Failure::Failed(format!("`{shown}` {why}")))?;
        if status.success() {
            return Ok(());
        }
        let colon = if complaint.is_empty() { "" } else { ": " };
        let why = format!("`{shown}` {}{colon}{complaint}", how(status));
        Err(if status.code() == Some(REFUSED) { Failure::Refused(why) } else { Failure::Failed(why) })
    }

    /// How it ended, and what it said about it.
    fn end(&self, arguments: &[String]) -> Result<(ExitStatus, String), String> {
        let (mut child, complaint) =
            self.start(arguments).map_err(|error| format!("cannot be run: {error}"))?;
        match wait(&mut child, self.limit) {
            Ok(Some(status)) => Ok((status, read(complaint))),
            Ok(None) => {
                let _ = child.kill();
                let _ = wait(&mut child, PATIENCE);
                Err(format!("was not done within {}", Period(self.limit)))
            }
            Err(error) => Err(format!("cannot be waited for: {error}")),
        }
    }

    /// Its complaints come through a socket, which can be read without waiting for whoever else has it open.
    fn start(&self, arguments: &[String]) -> io::Result<(Child, UnixStream)> {
        let (complaint, writer) = UnixStream::pair()?;
        complaint.set_nonblocking(true)?;
        let (program, first) = self.words.split_first().ok_or(io::ErrorKind::NotFound)?;
        let child = Command::new(program)
            .args(first)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(OwnedFd::from(writer))
            .spawn()?;
        Ok((child, complaint))
    }
}

/// `None` if it is not done by then.
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

/// What is there to be read, as one line.
fn read(complaint: UnixStream) -> String {
    let mut octets = vec![];
    // That there is no more, or not yet, is the end.
    let _ = complaint.take(TOLD).read_to_end(&mut octets);
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
    fn what_the_kernel_refuses_is_told_apart() {
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
    fn what_cannot_be_run_says_so() {
        let missing = Ip { words: vec!["/nowhere/ip".to_owned()], limit: LIMIT }.run(&[]);
        let Err(Failure::Failed(why)) = missing else { panic!("{missing:?}") };
        assert!(why.starts_with("`/nowhere/ip` cannot be run: No such file"), "{why}");
    }

    #[test]
    fn it_has_until_its_deadline() {
        let began = Instant::now();
        let Err(Failure::Failed(why)) = run_within(Duration::from_millis(300), "exec sleep 60") else {
            panic!("it was done")
        };
        assert!(why.ends_with("was not done within 300ms"), "{why}");
        assert!(began.elapsed() < DEADLINE);
    }

    #[test]
    fn what_it_leaves_behind_is_not_waited_for() {
        let began = Instant::now();
        assert_eq!(run("sleep 40 & exit 0"), Ok(()));
        assert!(matches!(run("sleep 40 & echo no >&2; exit 2"), Err(Failure::Refused(_))));
        assert!(began.elapsed() < DEADLINE);
    }
}
