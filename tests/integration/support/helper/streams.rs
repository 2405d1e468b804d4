//! The three pipes of a helper, each with a thread of its own, so that none blocks another.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use super::Parent;
use super::grammar;

/// Lines from standard output.
#[derive(Default)]
pub(super) struct StdoutLines {
    pub(super) lines: Vec<String>,
    /// Lines that are no valid command.
    pub(super) problems: Vec<String>,
    /// Reading is paused.
    pub(super) paused: bool,
    pub(super) ended: bool,
}

/// Text from standard error.
#[derive(Default)]
pub(super) struct Log {
    pub(super) text: String,
    /// Reading is paused.
    pub(super) ignored: bool,
    /// Reading has ended.
    pub(super) over: bool,
}

/// A write to standard input.
pub(super) enum StdinChunk {
    /// Text, and a channel to report that the pipe has taken it.
    Text(Vec<u8>, Option<mpsc::Sender<()>>),
    End,
}

/// Writes the chunks in order.
pub(super) fn write_stdin(mut stdin: ChildStdin, chunks: &mpsc::Receiver<StdinChunk>) {
    while let Ok(StdinChunk::Text(text, written)) = chunks.recv() {
        if stdin.write_all(&text).is_ok()
            && let Some(written) = written
        {
            let _ = written.send(());
        }
    }
}

/// Reads every line, and answers as the parent does.
pub(super) fn listen(
    stdout: ChildStdout,
    received: &Mutex<StdoutLines>,
    mut parent: Parent,
    to_stdin: &mpsc::Sender<StdinChunk>,
) {
    read_stdout(BufReader::new(stdout), received, &mut parent, to_stdin);
    received.lock().unwrap().ended = true;
}

fn read_stdout(
    mut stdout: impl BufRead,
    received: &Mutex<StdoutLines>,
    parent: &mut Parent,
    to_stdin: &mpsc::Sender<StdinChunk>,
) {
    let mut line = vec![];
    loop {
        while received.lock().unwrap().paused {
            thread::park_timeout(Duration::from_millis(1));
        }
        line.clear();
        if stdout.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
        {
            let mut received = received.lock().unwrap();
            received.problems.extend(grammar::problem(&line));
            received.lines.push(text.clone());
        }
        let Some(answer) = parent(&text) else { return };
        let _ = to_stdin.send(StdinChunk::Text(answer.into_bytes(), None));
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
