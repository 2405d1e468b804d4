//! The history file and the thread that writes it. The loop hands entries over and never waits.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use super::{Entry, Log, MAX_ENTRIES, MAX_SIZE};
use crate::sys::files::{content_of, open_plain, remove_leftovers, replace};
use crate::sys::handoff::{EXIT_WAIT, Handoff};
use crate::sys::trusted_path::{is_own_where_shared, make_for_own_files};

const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// Bytes that may wait for the disk; further entries are dropped.
const MAX_PENDING: usize = 64 << 10;

/// A file of another program, or one that a bug let grow, is not read beyond this many bytes.
const MAX_READ: u64 = 16 << 20;

/// After a rotation the file has at most this share of its bounds, so that rotations are rare.
const KEPT: (usize, usize) = (3, 4);

/// The history file that belongs to a state file.
pub(crate) fn beside(state: &Path) -> PathBuf {
    state.with_extension("history")
}

/// Reads a history file. There is no history where there is no file.
///
/// # Errors
/// If it is no regular file, belongs to another user in a directory that all users can write to, or cannot be read.
pub(crate) fn read(path: &Path) -> io::Result<Log> {
    text(path).map(|text| Log::parse(&text))
}

/// The newest lines of a history file, as they are: what one reply can carry.
///
/// # Errors
/// As [`read`].
pub(crate) fn lines(path: &Path) -> io::Result<Vec<String>> {
    let text = text(path)?;
    let mut room = 2 * MAX_SIZE;
    let newest = text.lines().rev().take_while(|line| {
        room = room.saturating_sub(line.len() + 1);
        room > 0
    });
    let mut newest: Vec<_> = newest.map(ToOwned::to_owned).collect();
    newest.reverse();
    Ok(newest)
}

/// The text of a history file; empty if there is none.
fn text(path: &Path) -> io::Result<String> {
    let file = match open_plain(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        file => file?,
    };
    is_own_where_shared(path, &file.metadata()?)?;
    Ok(String::from_utf8_lossy(&content_of(file, MAX_READ)?).into_owned())
}

/// Where the loop hands over entries.
#[derive(Debug)]
pub(crate) struct History {
    notes: Notes,
}

/// Where another thread hands over entries, while the [`History`] is open.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    lines: Arc<Handoff<String>>,
}

impl History {
    /// Starts the thread that writes to this file.
    pub(crate) fn start(path: PathBuf) -> Self {
        let lines = Arc::new(Handoff::new(MAX_PENDING));
        let shown = path.display().to_string();
        let writer = Writer { path, count: None, is_failing: false };
        if let Err(error) = lines.start("history", |lines| writer.work(lines)) {
            log::warn!(
                "cannot start the thread that writes the history in {shown}: {error}; none is written"
            );
        }
        Self { notes: Notes { lines } }
    }

    #[must_use]
    pub(crate) fn notes(&self) -> Notes {
        self.notes.clone()
    }

    /// Waits until every entry is written or given up, at most `limit`. Returns whether that is so.
    #[cfg(test)]
    pub(crate) fn wait_written(&self, limit: std::time::Duration) -> bool {
        self.notes.lines.wait_idle(limit)
    }

    /// Hands an entry over. While the disk hangs, entries are dropped.
    pub(crate) fn note(&self, entry: Option<&Entry>) {
        self.notes.note(entry);
    }
}

impl Drop for History {
    /// Waits a moment for pending entries to be written.
    fn drop(&mut self) {
        self.notes.lines.close();
        self.notes.lines.wait_idle(EXIT_WAIT);
    }
}

impl Notes {
    /// Hands an entry over. While the disk hangs, entries are dropped.
    pub(crate) fn note(&self, entry: Option<&Entry>) {
        if let Some(line) = entry.map(Entry::line) {
            let length = line.len();
            self.lines.offer(line, length);
        }
    }
}

#[derive(Debug)]
struct Writer {
    path: PathBuf,
    /// Lines of the file; `None` while that is not known.
    count: Option<usize>,
    /// The last write failed, and that is logged.
    is_failing: bool,
}

impl Writer {
    fn work(mut self, lines: &Handoff<String>) {
        while let Some(line) = lines.take() {
            match self.append(&line) {
                Ok(()) if self.is_failing => {
                    self.is_failing = false;
                    log::info!("the history in {} is written again", self.path.display());
                }
                Ok(()) => {}
                Err(error) => {
                    self.count = None;
                    if !std::mem::replace(&mut self.is_failing, true) {
                        log::warn!(
                            "cannot write the history in {}: {error}; events are missing there until the cause is \
                             removed, all else goes on",
                            self.path.display()
                        );
                    }
                }
            }
        }
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let count = match self.count {
            Some(count) => count,
            None => self.begin()?,
        };
        let mut file = open(&self.path)?;
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if count >= MAX_ENTRIES || size.saturating_add(line.len()) > MAX_SIZE {
            return self.rotate(line);
        }
        // After a crash or a full disk the last line may be torn.
        if ends_torn(&mut file)? {
            file.write_all(b"\n")?;
        }
        file.write_all(line.as_bytes())?;
        self.count = Some(count + 1);
        Ok(())
    }

    /// Makes the directory and counts the lines.
    fn begin(&self) -> io::Result<usize> {
        if let Some(directory) = self.path.parent() {
            make_for_own_files(directory, DIRECTORY_MODE)?;
        }
        remove_leftovers(&self.path);
        Ok(text(&self.path)?.lines().count())
    }

    /// Replaces the file by its newest lines and this one. Those of another version stay.
    fn rotate(&mut self, line: &str) -> io::Result<()> {
        let text = text(&self.path)?;
        let (numerator, denominator) = KEPT;
        let (entries, bytes) = (MAX_ENTRIES * numerator / denominator, MAX_SIZE * numerator / denominator);
        let mut room = bytes.saturating_sub(line.len());
        let newest = text.lines().rev().take(entries - 1).take_while(|kept| {
            let fits = kept.len() < room;
            room = room.saturating_sub(kept.len() + 1);
            fits
        });
        let mut kept: Vec<_> = newest.collect();
        kept.reverse();
        let mut content = kept.iter().flat_map(|line| [*line, "\n"]).collect::<String>();
        content.push_str(line);
        let beside = self.path.with_extension(format!("history.{}.new", std::process::id()));
        replace(&self.path, beside, FILE_MODE, content.as_bytes())?;
        self.count = Some(kept.len() + 1);
        Ok(())
    }
}

/// Opens the file to append, and creates it if need be. Follows no link and blocks on no pipe.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    let file = match options.clone().open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            drop(crate::sys::files::create(path, FILE_MODE)?);
            options.open(path)?
        }
        file => file?,
    };
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    is_own_where_shared(path, &found)?;
    Ok(file)
}

fn ends_torn(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
