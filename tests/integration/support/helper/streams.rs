//! The three pipes of a helper, each with a thread of its own, so that none ever waits for another.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use super::Parent;
use super::grammar;

/// What has come from standard output.
#[derive(Default)]
pub(super) struct Ears {
    pub(super) lines: Vec<String>,
    /// What was no command.
    pub(super) problems: Vec<String>,
    /// Nothing is read for now.
    pub(super) covered: bool,
    pub(super) ended: bool,
}

/// What has come from standard error.
#[derive(Default)]
pub(super) struct Log {
    pub(super) text: String,
    /// Nothing is read for now.
    pub(super) ignored: bool,
    /// Nothing more is read, ever.
    pub(super) over: bool,
}

/// What goes to standard input.
pub(super) enum Speech {
    /// Text, and whom to tell when the pipe has taken it.
    Text(Vec<u8>, Option<mpsc::Sender<()>>),
    End,
}

/// Writes what is to be said.
pub(super) fn speak(mut stdin: ChildStdin, speeches: &mpsc::Receiver<Speech>) {
    while let Ok(Speech::Text(text, told)) = speeches.recv() {
        if stdin.write_all(&text).is_ok()
            && let Some(told) = told
        {
            let _ = told.send(());
        }
    }
}

/// Reads every line, and answers as the parent does.
pub(super) fn listen(
    stdout: ChildStdout,
    ears: &Mutex<Ears>,
    mut parent: Parent,
    mouth: &mpsc::Sender<Speech>,
) {
    hear(BufReader::new(stdout), ears, &mut parent, mouth);
    ears.lock().unwrap().ended = true;
}

fn hear(mut stdout: impl BufRead, ears: &Mutex<Ears>, parent: &mut Parent, mouth: &mpsc::Sender<Speech>) {
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

/// Keeps the log, as long as it is wanted.
pub(super) fn keep(mut stderr: ChildStderr, log: &Mutex<Log>) {
    let mut chunk = [0; 8192];
    while let Ok(count @ 1..) = stderr.read(&mut chunk) {
        while log.lock().unwrap().ignored {
            thread::park_timeout(Duration::from_millis(1));
        }
        let mut log = log.lock().unwrap();
        log.text.push_str(&String::from_utf8_lossy(&chunk[..count]));
        if log.over {
            return;
        }
    }
}
