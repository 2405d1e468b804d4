//! `dnsherald run` with the test in the place of ExaBGP.
//!
//! A [`Pop`] is a point of presence: a scripted DNS server, a folder, a configuration. It starts [`Helper`]s, each
//! with a [`Parent`] that reads what is said and answers. A test reads like the conversation that it is:
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
//! Nothing waits for a time: everything waits for something, up to [`DEADLINE`]. Whatever a helper says is held
//! against the grammar of ExaBGP ([`grammar`]), in every test.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use self::parent::{
    Parent, answer_of, ideal, once_greeted, reluctant, silent, until, without_acks,
};
pub(crate) use self::pop::{ANNOUNCE, Plan, Pop, WITHDRAW, announce, mode, withdraw};
pub(crate) use self::server::Server;

pub(crate) mod grammar;
mod parent;
mod pop;
mod server;

/// Longer than anything takes on the busiest machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Whether the condition comes true before the deadline.
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
    ears: Arc<Mutex<Ears>>,
    mouth: mpsc::Sender<Speech>,
    log: Arc<Mutex<String>>,
    /// How many of the lines the test has taken.
    taken: usize,
}

/// What has come from standard output.
#[derive(Default)]
struct Ears {
    lines: Vec<String>,
    /// What was no command.
    problems: Vec<String>,
    covered: bool,
    ended: bool,
}

/// What goes to standard input.
enum Speech {
    /// Text, and whom to tell when the pipe has taken it.
    Text(Vec<u8>, Option<mpsc::Sender<()>>),
    End,
}

impl Helper {
    /// Starts a helper as ExaBGP does: in `/`, as a process group of its own, with three pipes.
    fn start(mut command: Command, parent: Parent) -> Self {
        command.current_dir("/").process_group(0).env_remove("RUST_LOG").env_remove("JOURNAL_STREAM");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (ears, log) = (Arc::<Mutex<Ears>>::default(), Arc::<Mutex<String>>::default());
        let (mouth, speeches) = mpsc::channel();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let stderr = child.stderr.take().unwrap();
        thread::spawn(move || speak(stdin, &speeches));
        thread::spawn({
            let (ears, mouth) = (Arc::clone(&ears), mouth.clone());
            move || {
                listen(stdout, &ears, parent, &mouth);
                ears.lock().unwrap().ended = true;
            }
        });
        thread::spawn({
            let log = Arc::clone(&log);
            move || keep(stderr, &log)
        });
        Self { child, ears, mouth, log, taken: 0 }
    }

    /// The first lines of every helper.
    #[track_caller]
    pub(crate) fn opens(&mut self) {
        self.says("# dnsherald");
        self.says("system version 0");
    }

    /// The very next line is this one.
    #[track_caller]
    pub(crate) fn says(&mut self, line: impl AsRef<str>) {
        let said = self.next();
        assert_eq!(said, line.as_ref(), "log:\n{}", self.log());
    }

    /// Each of these lines comes next.
    #[track_caller]
    pub(crate) fn says_all(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            self.says(line);
        }
    }

    /// This line comes, after whatever others.
    #[track_caller]
    pub(crate) fn comes_to_say(&mut self, line: &str) {
        while self.next() != line {}
    }

    /// The next line, whatever it is.
    #[track_caller]
    pub(crate) fn next(&mut self) -> String {
        let came = eventually(|| self.ears.lock().unwrap().lines.len() > self.taken);
        assert!(came, "nothing more was said after {:?}; log:\n{}", self.said().last(), self.log());
        self.taken += 1;
        self.ears.lock().unwrap().lines[self.taken - 1].clone()
    }

    /// No line has come that the test has not taken.
    #[track_caller]
    pub(crate) fn has_said_no_more(&self) {
        assert_eq!(self.ears.lock().unwrap().lines[self.taken..], [""; 0], "log:\n{}", self.log());
    }

    /// Every line so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.ears.lock().unwrap().lines.clone()
    }

    /// The parent says a line.
    #[track_caller]
    pub(crate) fn hears(&self, line: impl AsRef<[u8]>) {
        self.hears_all(&[line.as_ref(), b"\n"].concat());
    }

    /// The parent says all this, and is not kept waiting for ever.
    #[track_caller]
    pub(crate) fn hears_all(&self, text: &[u8]) {
        let (taken, wait) = mpsc::channel();
        let _ = self.mouth.send(Speech::Text(text.to_vec(), Some(taken)));
        let drained = wait.recv_timeout(DEADLINE).is_ok();
        assert!(drained, "standard input is not drained; log:\n{}", self.log());
    }

    /// The parent says nothing more, ever.
    pub(crate) fn hears_the_end(&self) {
        let _ = self.mouth.send(Speech::End);
    }

    /// The parent says all this, whether or not anybody listens.
    pub(crate) fn is_shouted_at(&self, text: &str) {
        let _ = self.mouth.send(Speech::Text(text.into(), None));
    }

    /// The parent reads no more of what is said.
    pub(crate) fn is_ignored(&self) {
        self.ears.lock().unwrap().covered = true;
    }

    /// The parent reads again.
    pub(crate) fn is_listened_to(&self) {
        self.ears.lock().unwrap().covered = false;
    }

    /// The log comes to contain this.
    #[track_caller]
    pub(crate) fn logs(&self, text: &str) {
        let logged = eventually(|| self.log.lock().unwrap().contains(text));
        assert!(logged, "`{text}` is not in the log:\n{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends TERM, INT, HUP or KILL.
    pub(crate) fn is_sent(&self, signal: &str) {
        let kill = format!("kill -s {signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// Dies without a chance to do anything about it.
    pub(crate) fn is_killed(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends by itself, well within the time that ExaBGP has patience for, and all it has said has been heard.
    #[track_caller]
    pub(crate) fn exits(&mut self) -> ExitStatus {
        let began = Instant::now();
        assert!(eventually(|| !self.is_alive()), "it does not exit; log:\n{}", self.log());
        assert!(began.elapsed() < Duration::from_secs(3), "took {:?} to exit", began.elapsed());
        self.is_listened_to();
        assert!(eventually(|| self.ears.lock().unwrap().ended));
        self.child.wait().unwrap()
    }

    /// Ends by itself, with status 0.
    #[track_caller]
    pub(crate) fn exits_well(&mut self) {
        let status = self.exits();
        assert!(status.success(), "{status}; log:\n{}", self.log());
    }

    /// The most memory it has ever taken, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// How many files it has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let Ok(mut ears) = self.ears.lock() else { return };
        ears.covered = false;
        if !thread::panicking() {
            assert_eq!(ears.problems, [""; 0], "standard output is ExaBGP's");
        }
    }
}

fn speak(mut stdin: ChildStdin, speeches: &mpsc::Receiver<Speech>) {
    while let Ok(Speech::Text(text, told)) = speeches.recv() {
        if stdin.write_all(&text).is_ok()
            && let Some(told) = told
        {
            let _ = told.send(());
        }
    }
}

fn listen(stdout: ChildStdout, ears: &Mutex<Ears>, mut parent: Parent, mouth: &mpsc::Sender<Speech>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = vec![];
    loop {
        while ears.lock().unwrap().covered {
            thread::park_timeout(Duration::from_millis(1));
        }
        line.clear();
        if stdout.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
        {
            let mut ears = ears.lock().unwrap();
            ears.problems.extend(grammar::problem(&line));
            ears.lines.push(text.clone());
        }
        let Some(answer) = parent(&text) else { return };
        let _ = mouth.send(Speech::Text(answer.into_bytes(), None));
    }
}

fn keep(mut stderr: ChildStderr, log: &Mutex<String>) {
    let mut chunk = [0; 8192];
    while let Ok(count @ 1..) = stderr.read(&mut chunk) {
        log.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
}
