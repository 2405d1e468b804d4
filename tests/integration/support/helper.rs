//! Runs `dnsherald run`; the test acts as ExaBGP.
//!
//! A [`Pop`] is a PoP: a scripted DNS server, a folder and a configuration. It starts [`Helper`]s, each with a
//! [`Parent`] that reads commands and answers:
//!
//! ```text
//! let pop = Pop::new();
//! let mut helper = pop.helper(ideal("5.0.15"));
//! helper.opens();
//! helper.says(ANNOUNCE);
//! pop.server.becomes(Fault::Closed);
//! helper.says(WITHDRAW);
//! ```
//!
//! Tests never wait for a fixed time, but for a condition, up to [`DEADLINE`]. Every command of a helper is checked
//! against the grammar of ExaBGP ([`grammar`]).

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use dnsherald::daemon::deadman::PAUSE_BEFORE_EXIT;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

pub(crate) use self::parent::{
    Parent, answer_of, ideal, once_greeted, reluctant, silent, until, without_acks,
};
pub(crate) use self::pop::{ANNOUNCE, Plan, Pop, WITHDRAW, announce, mode, withdraw};
pub(crate) use self::server::Server;
use self::streams::{Log, StdinChunk, StdoutLines};

pub(crate) mod grammar;
mod parent;
mod pop;
mod server;
mod streams;

/// Longer than any step takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The most memory that a helper may ever use, in KiB.
pub(crate) const MODEST: u64 = 10 * 1024;

/// The capacity of a pipe.
const PIPE: usize = 64 * 1024;

/// Whether the condition becomes true before the deadline.
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !condition() {
        if began.elapsed() > DEADLINE {
            return false;
        }
        thread::park_timeout(Duration::from_millis(1));
    }
    true
}

/// A running helper; killed and reaped when dropped.
pub(crate) struct Helper {
    child: Child,
    received: Arc<Mutex<StdoutLines>>,
    to_stdin: mpsc::Sender<StdinChunk>,
    log: Arc<Mutex<Log>>,
    /// The number of lines that the test has consumed.
    taken: usize,
}

impl Helper {
    /// Starts a helper as ExaBGP does: in `/`, in its own process group, with three pipes.
    fn start(mut command: Command, parent: Parent) -> Self {
        command.current_dir("/").process_group(0).env_remove("RUST_LOG").env_remove("JOURNAL_STREAM");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (received, log) = (Arc::<Mutex<StdoutLines>>::default(), Arc::<Mutex<Log>>::default());
        let (to_stdin, chunks) = mpsc::channel();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let stderr = child.stderr.take().unwrap();
        thread::spawn(move || streams::write_stdin(stdin, &chunks));
        let (heard, answers) = (Arc::clone(&received), to_stdin.clone());
        thread::spawn(move || streams::listen(stdout, &heard, parent, &answers));
        let kept = Arc::clone(&log);
        thread::spawn(move || streams::keep(stderr, &kept));
        Self { child, received, to_stdin, log, taken: 0 }
    }

    /// The first lines of every helper.
    #[track_caller]
    pub(crate) fn opens(&mut self) {
        self.says("# dnsherald");
        self.says("system version 0");
    }

    /// Expects this as the next line.
    #[track_caller]
    pub(crate) fn says(&mut self, line: impl AsRef<str>) {
        let said = self.next();
        assert_eq!(said, line.as_ref(), "log:\n{}", self.log());
    }

    /// Expects these as the next lines.
    #[track_caller]
    pub(crate) fn says_all(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            self.says(line);
        }
    }

    /// Waits for this line and skips others.
    #[track_caller]
    pub(crate) fn comes_to_say(&mut self, line: &str) {
        while self.next() != line {}
    }

    /// Returns the next line.
    #[track_caller]
    pub(crate) fn next(&mut self) -> String {
        let came = eventually(|| self.received.lock().unwrap().lines.len() > self.taken);
        assert!(came, "nothing more was said after {:?}; log:\n{}", self.said().last(), self.log());
        self.taken += 1;
        self.received.lock().unwrap().lines[self.taken - 1].clone()
    }

    /// Expects no further line.
    #[track_caller]
    pub(crate) fn has_said_no_more(&self) {
        assert_eq!(self.received.lock().unwrap().lines[self.taken..], [""; 0], "log:\n{}", self.log());
    }

    /// Returns all lines so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.received.lock().unwrap().lines.clone()
    }

    /// Sends a line as the parent.
    #[track_caller]
    pub(crate) fn receives(&self, line: impl AsRef<[u8]>) {
        self.hears_all(&[line.as_ref(), b"\n"].concat());
    }

    /// Sends all this as the parent, within the deadline.
    #[track_caller]
    pub(crate) fn hears_all(&self, text: &[u8]) {
        let (taken, wait) = mpsc::channel();
        let _ = self.to_stdin.send(StdinChunk::Text(text.to_vec(), Some(taken)));
        let drained = wait.recv_timeout(DEADLINE).is_ok();
        assert!(drained, "standard input is not drained; log:\n{}", self.log());
    }

    /// Closes the input of the helper.
    pub(crate) fn hears_the_end(&self) {
        let _ = self.to_stdin.send(StdinChunk::End);
    }

    /// Waits until the helper has read its input: the pipe holds no more than the following spaces.
    #[track_caller]
    pub(crate) fn has_heard_all(&self) {
        self.receives(" ".repeat(PIPE - 1));
    }

    /// Sends all this as the parent without waiting for the helper to read.
    pub(crate) fn is_shouted_at(&self, text: &str) {
        let _ = self.to_stdin.send(StdinChunk::Text(text.into(), None));
    }

    /// The parent stops reading commands.
    pub(crate) fn is_ignored(&self) {
        self.received.lock().unwrap().paused = true;
    }

    /// The parent reads again.
    pub(crate) fn is_listened_to(&self) {
        self.received.lock().unwrap().paused = false;
    }

    /// Waits until the log contains this.
    #[track_caller]
    pub(crate) fn logs(&self, text: &str) {
        let logged = eventually(|| self.log.lock().unwrap().text.contains(text));
        assert!(logged, "`{text}` is not in the log:\n{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().text.clone()
    }

    /// Stops reading the log, which is a pipe and fills up.
    pub(crate) fn is_logged_in_vain(&self) {
        self.log.lock().unwrap().ignored = true;
    }

    /// Closes the log after the next line.
    pub(crate) fn loses_its_log(&self) {
        self.log.lock().unwrap().over = true;
    }

    /// Stops the loop's thread until the helper is killed; the other threads run.
    pub(crate) fn hangs(&self) {
        let main = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        ptrace::attach(main).unwrap();
        // Otherwise the parent would see its end.
        assert!(matches!(waitpid(main, None).unwrap(), WaitStatus::Stopped(..)));
    }

    /// Stops the thread of this name, as a hanging disk does, until the helper is killed.
    #[track_caller]
    pub(crate) fn hangs_in(&self, name: &str) {
        let is_it = |task: &std::fs::DirEntry| {
            std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
        };
        let mut task = None;
        let is_there = eventually(|| {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().flatten();
            task = tasks.into_iter().find(is_it);
            task.is_some()
        });
        assert!(is_there, "no thread is named {name}");
        let thread = Pid::from_raw(task.unwrap().file_name().to_str().unwrap().parse().unwrap());
        ptrace::attach(thread).unwrap();
        let waits = move || waitpid(thread, Some(WaitPidFlag::__WALL));
        assert!(matches!(waits().unwrap(), WaitStatus::Stopped(..)));
        // The process ends when all its threads have ended; the tracer of a stopped one is notified first.
        thread::spawn(move || while matches!(waits(), Ok(WaitStatus::Stopped(..))) {});
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends TERM, INT, HUP, KILL, STOP or CONT.
    pub(crate) fn is_sent(&self, signal: &str) {
        let kill = format!("kill -s {signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// Kills the helper with SIGKILL.
    pub(crate) fn dies_suddenly(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the helper to exit without the delay after a failure, and reads all its output.
    #[track_caller]
    pub(crate) fn exits(&mut self) -> ExitStatus {
        let began = Instant::now();
        assert!(eventually(|| !self.is_alive()), "it does not exit; log:\n{}", self.log());
        assert!(began.elapsed() < PAUSE_BEFORE_EXIT, "took {:?} to exit", began.elapsed());
        self.is_listened_to();
        assert!(eventually(|| self.received.lock().unwrap().ended));
        self.child.wait().unwrap()
    }

    /// Waits for the helper to exit with status 0.
    #[track_caller]
    pub(crate) fn exits_well(&mut self) {
        let status = self.exits();
        assert!(status.success(), "{status}; log:\n{}", self.log());
    }

    /// The most memory it has ever used, in KiB, without the pages of the executable.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let of = |key: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            value.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        of("VmHWM:") - of("RssFile:")
    }

    /// The bytes it has read so far, from any file.
    pub(crate) fn bytes_read(&self) -> u64 {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
    }

    /// The number of its open files.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Ok(mut log) = self.log.lock() {
            log.ignored = false;
        }
        let Ok(mut received) = self.received.lock() else { return };
        received.paused = false;
        if !thread::panicking() {
            assert_eq!(received.problems, [""; 0], "standard output is ExaBGP's");
        }
    }
}
