//! Recording: what reaches the engine of a running helper, as a trace that replays to the same lines.
//!
//! Looking must not change what is looked at. The file is written by a thread; where it cannot be opened, takes no
//! more, is too slow or too large, the recording ends, the log says so, and the helper goes on. And what was recorded
//! is not overwritten: the recording of a helper that died is what one wants to see, and its successor is started
//! with the same words.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rustix::process::geteuid;

use super::names::Names;
use super::{Header, write_event};
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::handoff::{Handoff, Offered, PATIENCE};
use crate::sys::trusted_path::is_safe_for_new_files;

/// The recording ends when its file is as large, in bytes.
const LARGEST: u64 = 1 << 30;

/// What may wait for the disk, in bytes.
const ROOM: usize = 4 << 20;

/// Where FILE is taken, FILE.1 is tried, and so on up to this.
const OTHERS: usize = 99;

const ORIGIN: &str = "# recorded by `dnsherald run --record`; replay it with `dnsherald simulate --trace`";

/// A trace being written. Each event is on its way to the file before the engine sees it.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    lines: Arc<Handoff<String>>,
    names: Names,
}

impl Recorder {
    /// Begins a trace whose header has all that a replay needs. Where it cannot be written, the log says so.
    #[must_use]
    pub(crate) fn start(path: &Path, header: &Header, names: Names) -> Self {
        let recorder = Self { path: path.to_owned(), lines: Arc::new(Handoff::new(ROOM)), names };
        let header = format!("{ORIGIN}\n{header}");
        let (path, lines) = (recorder.path.clone(), Arc::clone(&recorder.lines));
        let record = move || {
            if let Err(error) = write(&path, &header, &lines, LARGEST) {
                log::error!("cannot record to {}: {error}; going on without", path.display());
            }
            lines.abandon();
        };
        if let Err(error) = thread::Builder::new().name("recording".into()).spawn(record) {
            log::error!("cannot start a thread to record: {error}; going on without");
            recorder.lines.abandon();
        }
        recorder
    }

    /// Appends one event. False when the recording is over, which the log then knows.
    pub(crate) fn record(&mut self, at: Moment, event: &Event) -> bool {
        let line = format!("{at:>12} {}\n", write_event(event, &self.names));
        let length = line.len();
        match self.lines.offer(line, length) {
            Offered::Taken => true,
            Offered::Closed => false,
            Offered::Full => {
                log::error!(
                    "cannot record to {}: it takes less than there is to record; the recording ends here",
                    self.path.display()
                );
                self.lines.close();
                false
            }
        }
    }
}

impl Drop for Recorder {
    /// Gives what is still to be written a moment.
    fn drop(&mut self) {
        self.lines.close();
        self.lines.wait_idle(PATIENCE);
    }
}

/// Writes until there is no more, or the file is as large as it may be.
fn write(path: &Path, header: &str, lines: &Handoff<String>, largest: u64) -> io::Result<()> {
    let (mut file, path) = open(path)?;
    log::info!("recording to {}", path.display());
    file.write_all(header.as_bytes())?;
    let mut size = header.len() as u64;
    while let Some(line) = lines.take() {
        file.write_all(line.as_bytes())?;
        size += line.len() as u64;
        if size >= largest {
            let mib = largest >> 20;
            log::warn!("the recording in {} is {mib} MiB large: it ends here", path.display());
            break;
        }
    }
    Ok(())
}

/// A file that was not there before: `path`, or `path` and a number. What is no file, as a device, is taken as it is.
fn open(path: &Path) -> io::Result<(File, PathBuf)> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    is_safe_for_new_files(directory.unwrap_or_else(|| Path::new(".")))?;
    for nth in 0..=OTHERS {
        let mut candidate = path.as_os_str().to_owned();
        if nth > 0 {
            candidate.push(format!(".{nth}"));
        }
        let candidate = PathBuf::from(candidate);
        match OpenOptions::new().write(true).create_new(true).open(&candidate) {
            Ok(file) => return Ok((file, candidate)),
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            Err(_) if candidate.metadata().is_ok_and(|metadata| !metadata.is_file()) => {
                return device(&candidate).map(|file| (file, candidate));
            }
            Err(_) => {}
        }
    }
    Err(io::Error::other(format!("it exists, and so do all from .1 to .{OTHERS}; remove what is not needed")))
}

/// What is there and no plain file, nor a link to one.
fn device(path: &Path) -> io::Result<File> {
    let is_root = geteuid().is_root();
    let is_foreign = |found: &Metadata| is_root && found.uid() != 0;
    // A terminal belongs to its user, and no other user than root can make a device.
    let found = path.symlink_metadata()?;
    if is_foreign(&found) && !found.file_type().is_char_device() {
        return Err(io::Error::other("it belongs to another user, expected a new file, or one of root's"));
    }
    let file = OpenOptions::new().write(true).open(path)?;
    match file.metadata()?.is_file() {
        true => Err(io::Error::other("it is a link to a file, expected a new file")),
        false => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::trace::Outcome;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("dnsherald-record-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn what_is_there_is_not_overwritten() {
        let folder = folder("kept");
        let path = folder.join("run.trace");
        for (nth, name) in ["run.trace", "run.trace.1", "run.trace.2"].into_iter().enumerate() {
            let lines = Handoff::new(100);
            lines.offer(format!("{nth}\n"), 2);
            lines.close();
            write(&path, "# header\n", &lines, LARGEST).unwrap();
            assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), format!("# header\n{nth}\n"));
        }
        (3..=OTHERS).for_each(|nth| fs::write(folder.join(format!("run.trace.{nth}")), "").unwrap());
        assert!(open(&path).unwrap_err().to_string().contains("all from .1 to .99"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn names_are_written_as_they_are() {
        let config = "[node]\nmanagement = [\"127.0.0.1\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\n\
                      [[service.check]]\nname = \"0sec\"\ncommand = \"true\"\n";
        let names = Names::of(&Config::parse(Path::new("a.toml"), config, "host").unwrap());
        let check = names.find_check("a/0sec").unwrap();
        let pass = |latency| Event::Outcome(check, Outcome::Pass { latency });
        assert_eq!(write_event(&pass(Duration::ZERO), &names), "pass a/0sec");
        assert_eq!(write_event(&pass(Duration::from_millis(3)), &names), "pass a/0sec 3ms");
    }

    #[test]
    fn a_recording_does_not_grow_for_ever() {
        let folder = folder("large");
        let path = folder.join("run.trace");
        let lines = Handoff::new(1000);
        (0..10).for_each(|_| assert_eq!(lines.offer("0123456789".to_owned(), 10), Offered::Taken));
        write(&path, "", &lines, 50).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 50);
        fs::remove_dir_all(folder).unwrap();
    }

    /// Opening a pipe that nobody reads takes as long as a share that is gone.
    #[test]
    fn a_disk_that_hangs_ends_the_recording_and_nothing_else() {
        let folder = folder("hangs");
        let path = folder.join("run.trace");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let config = "[node]\nmanagement = [\"127.0.0.1\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\n";
        let names = Names::of(&Config::parse(Path::new("a.toml"), config, "host").unwrap());
        let mut recorder = Recorder::start(&path, &Header::default(), names);
        let event = Event::Heard("x".repeat(60_000));
        let taken = (0..1000).take_while(|_| recorder.record(Moment::START, &event)).count();
        assert!((10..100).contains(&taken), "{taken}");
        assert!(!recorder.record(Moment::START, &event));
        // Until the thread is done with it: one that comes late would make the file anew while the folder is removed.
        io::copy(&mut File::open(&path).unwrap(), &mut io::sink()).unwrap();
        fs::remove_dir_all(folder).unwrap();
    }
}
