//! `status --watch` on a terminal: redraws in place and restores the terminal on every exit.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use crate::support::helper::{Pop, eventually};

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const ROWS: u16 = 10;

/// `status --watch` on a terminal of 60 columns.
struct Watch {
    child: Child,
    keys: File,
    terminal: OwnedFd,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Watch {
    fn new(pop: &Pop) -> Self {
        let size = Winsize { ws_row: ROWS, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
        let ends = openpty(&size, None).unwrap();
        let stdio = || Stdio::from(ends.slave.try_clone().unwrap());
        let mut command = pop.prepared(&["status", "--watch"]);
        command.env("TERM", "xterm").stdin(stdio()).stdout(stdio()).stderr(stdio());
        let child = command.spawn().unwrap();
        drop(command);
        let shown = Arc::new(Mutex::new(vec![]));
        let (mut screen, seen) = (File::from(ends.master.try_clone().unwrap()), Arc::clone(&shown));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                seen.lock().unwrap().extend(&buffer[..count]);
            }
        });
        Self { child, keys: File::from(ends.master), terminal: ends.slave, shown }
    }

    fn shown(&self) -> String {
        String::from_utf8(self.shown.lock().unwrap().clone()).unwrap()
    }

    fn shows(&self, text: &str) {
        assert!(eventually(|| self.shown().contains(text)), "{text:?} is not in {:?}", self.shown());
    }

    fn is_canonical(&self) -> bool {
        tcgetattr(&self.terminal).unwrap().local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO)
    }

    /// Waits for the exit and checks that the terminal is restored.
    fn gives_back(&mut self) -> ExitStatus {
        let mut ended = None;
        assert!(eventually(|| {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        }));
        self.shows(LEAVE);
        let shown = self.shown();
        assert!(shown.starts_with(ENTER) && shown.ends_with(LEAVE), "{shown:?}");
        assert!(self.is_canonical(), "keys are not echoed");
        ended.unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_draws_in_place_and_ends_with_q() {
    let pop = Pop::new();
    let _helper = pop.announced();
    let mut watch = Watch::new(&pop);
    watch.shows("resolver: up since ");
    watch.shows("q: quit; not shown: ");
    assert!(!watch.is_canonical());
    let frames = |watch: &Watch| watch.shown().matches("\x1b[H").count();
    assert!(eventually(|| frames(&watch) >= 3), "it draws again and again");
    for frame in watch.shown().split("\x1b[H").skip(1) {
        let lines = frame.matches('\n').count();
        assert!(lines < usize::from(ROWS), "a line more, and the terminal scrolls: {frame:?}");
    }
    watch.keys.write_all(b"xq").unwrap();
    assert!(watch.gives_back().success());
}

#[test]
fn a_signal_ends_it_as_it_ends_other_commands() {
    let pop = Pop::new();
    let _helper = pop.announced();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut watch = Watch::new(&pop);
        watch.shows("resolver: ");
        kill(Pid::from_raw(watch.child.id().try_into().unwrap()), signal).unwrap();
        assert_eq!(watch.gives_back().signal(), Some(signal as i32));
    }
}

/// `timeout` runs its command in the background of the terminal, where a program that draws is stopped.
#[test]
fn a_signal_ends_it_in_the_background() {
    let pop = Pop::new();
    let size = Winsize { ws_row: ROWS, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
    let ends = openpty(&size, None).unwrap();
    let stdio = || Stdio::from(ends.slave.try_clone().unwrap());
    let watch = pop.prepared(&["status", "--watch"]);
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait", "sh", "-c", "timeout 1 \"$@\"; exit $?", "sh"]);
    command.arg(watch.get_program()).args(watch.get_args()).env("TERM", "xterm");
    let mut child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
    let mut ended = None;
    let has_ended = eventually(|| {
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    // The end of the terminal ends what is left of the session.
    drop((command, ends));
    assert!(has_ended, "the signal of `timeout` did not end it");
    assert_eq!(ended.unwrap().code(), Some(124), "`timeout` ended it");
}

#[test]
fn watch_waits_for_a_missing_helper() {
    let pop = Pop::new();
    let mut watch = Watch::new(&pop);
    watch.shows("no status: ");
    let _helper = pop.announced();
    watch.shows("resolver: ");
    watch.keys.write_all(b"q").unwrap();
    assert!(watch.gives_back().success());
}

#[test]
fn a_helper_that_hangs_does_not_keep_it_from_ending() {
    let pop = Pop::new();
    let helper = pop.announced();
    let mut watch = Watch::new(&pop);
    watch.shows("resolver: ");
    helper.hangs();
    watch.keys.write_all(b"q").unwrap();
    assert!(watch.gives_back().success());
}

#[test]
fn without_a_terminal_each_status_follows_the_last() {
    let pop = Pop::new();
    let _helper = pop.announced();
    let mut child = pop.prepared(&["status", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = vec![];
    let mut out = child.stdout.take().unwrap();
    let headings = |said: &[u8]| String::from_utf8_lossy(said).matches("as of ").count();
    while headings(&said) < 2 {
        let mut buffer = [0; 4096];
        let count = out.read(&mut buffer).unwrap();
        assert!(count > 0, "it goes on");
        said.extend(&buffer[..count]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!said.contains(&0x1b), "no escape sequence reaches a pipe");
}

/// What `status` prints on a terminal of 60 columns with these variables.
fn status_on_a_terminal(pop: &Pop, words: &[&str], variables: &[(&str, &str)]) -> String {
    let size = Winsize { ws_row: 50, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
    let ends = openpty(&size, None).unwrap();
    let mut command = pop.prepared(words);
    command.env_remove("NO_COLOR").env("TERM", "xterm").envs(variables.iter().copied());
    let mut child = command.stdout(Stdio::from(ends.slave)).spawn().unwrap();
    drop(command);
    let (mut screen, mut shown) = (File::from(ends.master), vec![]);
    let mut buffer = [0; 4096];
    // A terminal without another end reports an error.
    while let Ok(count @ 1..) = screen.read(&mut buffer) {
        shown.extend(&buffer[..count]);
    }
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap()
}

#[test]
fn colors_are_for_terminals_that_want_them() {
    let pop = Pop::new();
    let _helper = pop.announced();
    let shown = |words: &[&str], variables: &[(&str, &str)]| status_on_a_terminal(&pop, words, variables);
    assert!(shown(&["status"], &[]).contains("\x1b[32mresolver: up"));
    assert!(shown(&["status"], &[("NO_COLOR", "")]).contains("\x1b[32m"), "empty means not set");
    for (words, variables) in [
        (&["status"][..], ("NO_COLOR", "1")),
        (&["status"], ("TERM", "dumb")),
        (&["status", "--json"], ("TERM", "xterm")),
    ] {
        let shown = shown(words, &[variables]);
        assert!(shown.contains("resolver") && !shown.contains('\x1b'), "{shown:?}");
    }
    assert!(!pop.told(&["status"]).contains('\x1b'));
}
