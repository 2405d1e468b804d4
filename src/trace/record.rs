//! Records the events that reach the engine of a running helper, as a trace that replays to the same lines.
//!
//! Recording never changes the behavior of the helper. A thread writes the file. If the file cannot be opened, or
//! writing fails, is too slow or exceeds the size limit, or at a reload, the recording ends, the log says so, and the helper continues.
//! A recording never overwrites an earlier one: after a crash, the restarted helper runs with the same options, and the
//! recording of the crashed helper must survive.

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
use crate::sys::handoff::{EXIT_WAIT, Handoff, Offered};
use crate::sys::trusted_path::is_safe_for_new_files;

/// Maximum size of a recording, in bytes.
const MAX_SIZE: u64 = 1 << 30;

/// Maximum amount of unwritten data, in bytes.
const MAX_PENDING: usize = 4 << 20;

/// If FILE exists, the recorder tries FILE.1, FILE.2 and so on up to this number.
const MAX_SUFFIX: usize = 99;

const ORIGIN: &str = "# recorded by `dnsherald run --record`; replay it with `dnsherald simulate --trace`";

/// A trace that is being written. Each event is handed to the writer before the engine handles it.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    lines: Arc<Handoff<String>>,
    names: Names,
}

impl Recorder {
    /// Starts a trace whose header has everything that a replay needs. Logs an error if it cannot be written.
    pub(crate) fn start(path: &Path, header: &Header, names: Names) -> Self {
        let recorder = Self { path: path.to_owned(), lines: Arc::new(Handoff::new(MAX_PENDING)), names };
        let header = format!("{ORIGIN}\n{header}");
        let (path, lines) = (recorder.path.clone(), Arc::clone(&recorder.lines));
        let record = move || {
            if let Err(error) = write(&path, &header, &lines, MAX_SIZE) {
                log::error!("cannot record to {}: {error}; continuing without a recording", path.display());
            }
            lines.abandon();
        };
        if let Err(error) = thread::Builder::new().name("recording".into()).spawn(record) {
            log::error!("cannot start the thread that records: {error}; continuing without a recording");
            recorder.lines.abandon();
        }
        recorder
    }

    /// Appends one event. Returns false if the recording has ended, which the log has reported.
    pub(crate) fn record(&mut self, at: Moment, event: &Event) -> bool {
        let line = format!("{at:>12} {}\n", write_event(event, &self.names));
        let length = line.len();
        match self.lines.offer(line, length) {
            Offered::Taken => true,
            Offered::Closed => false,
            Offered::Full => {
                log::error!(
                    "cannot record to {}: writing is slower than events arrive; the recording ends here",
                    self.path.display()
                );
                self.lines.close();
                false
            }
        }
    }
}

impl Drop for Recorder {
    /// Waits a moment for pending lines to be written.
    fn drop(&mut self) {
        self.lines.close();
        self.lines.wait_idle(EXIT_WAIT);
    }
}

/// Writes lines until the recorder closes or the file reaches `largest` bytes.
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
            log::warn!("the recording in {} reached {mib} MiB and ends here", path.display());
            break;
        }
    }
    Ok(())
}

/// Creates a new file: `path`, or `path` with a number appended. Opens an existing device as it is.
fn open(path: &Path) -> io::Result<(File, PathBuf)> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    is_safe_for_new_files(directory.unwrap_or_else(|| Path::new(".")))?;
    for nth in 0..=MAX_SUFFIX {
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
    Err(io::Error::other(format!(
        "the file and all from .1 to .{MAX_SUFFIX} exist, expected a free name; remove recordings that are no longer needed"
    )))
}

/// Opens an existing device or pipe. Refuses regular files and links to them.
fn device(path: &Path) -> io::Result<File> {
    let is_root = geteuid().is_root();
    let is_foreign = |found: &Metadata| is_root && found.uid() != 0;
    // A terminal belongs to its user. Only root can create devices.
    let found = path.symlink_metadata()?;
    if is_foreign(&found) && !found.file_type().is_char_device() {
        return Err(io::Error::other(
            "it belongs to another user, expected a new file or one that root owns",
        ));
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

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("dnsherald-record-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn never_overwrites_a_recording() {
        let directory = directory("kept");
        let path = directory.join("run.trace");
        for (nth, name) in ["run.trace", "run.trace.1", "run.trace.2"].into_iter().enumerate() {
            let lines = Handoff::new(100);
            lines.offer(format!("{nth}\n"), 2);
            lines.close();
            write(&path, "# header\n", &lines, MAX_SIZE).unwrap();
            assert_eq!(fs::read_to_string(directory.join(name)).unwrap(), format!("# header\n{nth}\n"));
        }
        (3..=MAX_SUFFIX).for_each(|nth| fs::write(directory.join(format!("run.trace.{nth}")), "").unwrap());
        assert!(open(&path).unwrap_err().to_string().contains("all from .1 to .99"));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn writes_the_names_of_checks() {
        let config = "[node]\nmanagement = [\"127.0.0.1\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\n\
                      [[service.check]]\nname = \"0sec\"\ncommand = \"true\"\n";
        let names = Names::new(&Config::parse(Path::new("a.toml"), config, "host").unwrap());
        let check = names.find_check("a/0sec").unwrap();
        let pass = |latency| Event::Outcome(check, Outcome::pass(latency));
        assert_eq!(write_event(&pass(Duration::ZERO), &names), "pass a/0sec");
        assert_eq!(write_event(&pass(Duration::from_millis(3)), &names), "pass a/0sec 3ms");
    }

    #[test]
    fn ends_at_the_size_limit() {
        let directory = directory("large");
        let path = directory.join("run.trace");
        let lines = Handoff::new(1000);
        (0..10).for_each(|_| assert_eq!(lines.offer("0123456789".to_owned(), 10), Offered::Taken));
        write(&path, "", &lines, 50).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 50);
        fs::remove_dir_all(directory).unwrap();
    }

    /// Opening a pipe without a reader blocks, like a file on a network share that is down.
    #[test]
    fn a_hanging_disk_ends_only_the_recording() {
        let directory = directory("hangs");
        let path = directory.join("run.trace");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let config = "[node]\nmanagement = [\"127.0.0.1\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.1/32\"]\n";
        let names = Names::new(&Config::parse(Path::new("a.toml"), config, "host").unwrap());
        let mut recorder = Recorder::start(&path, &Header::default(), names);
        let event = Event::Received("x".repeat(60_000));
        let taken = (0..1000).take_while(|_| recorder.record(Moment::START, &event)).count();
        assert!((10..100).contains(&taken), "{taken}");
        assert!(!recorder.record(Moment::START, &event));
        // Wait for the writer thread: a late one would create the file again while the test removes the directory.
        io::copy(&mut File::open(&path).unwrap(), &mut io::sink()).unwrap();
        fs::remove_dir_all(directory).unwrap();
    }
}
