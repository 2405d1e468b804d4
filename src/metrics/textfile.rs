//! Writes the metrics to a file for the textfile collector of node_exporter.
//!
//! A thread writes a file beside it and renames that, so that a reader sees a whole one. The loop hands over documents
//! and waits for nothing: while a disk hangs, the file gets old, and an alert on its age says so.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exposition;
use crate::status::Document;
use crate::sys::files::{Draft, remove_leftovers};
use crate::sys::handoff::Handoff;

/// node_exporter runs as another user.
const MODE: u32 = 0o644;

/// The file and its writer.
#[derive(Debug)]
pub(crate) struct Textfile {
    jobs: Arc<Handoff<Job>>,
}

#[derive(Debug)]
enum Job {
    Write(Box<Document>),
    /// The configuration no longer names the file.
    Remove,
}

impl Textfile {
    /// Starts the writer of this file. Without a thread it writes nothing, and the log says so.
    pub(crate) fn start(file: PathBuf) -> Self {
        let jobs = Arc::new(Handoff::new(0));
        let shown = file.display().to_string();
        let writer = Writer { file, is_failing: false };
        if let Err(error) = jobs.start("textfile", |jobs| writer.work(jobs)) {
            log::warn!("cannot start the thread that writes metrics to {shown}: {error}; none are written");
        }
        Self { jobs }
    }

    /// Writes the metrics of this document soon, or those of a later one. Never blocks.
    pub(crate) fn write(&self, document: Document) {
        self.jobs.supersede(Job::Write(Box::new(document)));
    }

    /// Removes the file: old metrics in it would look like those of a helper that hangs. Never blocks.
    pub(crate) fn remove(self) {
        self.jobs.supersede(Job::Remove);
    }
}

impl Drop for Textfile {
    fn drop(&mut self) {
        self.jobs.close();
    }
}

#[derive(Debug)]
struct Writer {
    file: PathBuf,
    /// The last write failed, and that is logged.
    is_failing: bool,
}

impl Writer {
    /// Works until the queue is closed. A failure is logged once, until a file is written again.
    fn work(mut self, jobs: &Handoff<Job>) {
        remove_leftovers(&self.file);
        while let Some(job) = jobs.take() {
            let Job::Write(document) = job else {
                let _ = fs::remove_file(&self.file);
                continue;
            };
            let shown = self.file.display();
            match replace(&self.file, exposition(*document).as_bytes()) {
                Ok(()) if self.is_failing => {
                    self.is_failing = false;
                    log::info!("metrics are written to {shown} again");
                }
                Err(error) if !self.is_failing => {
                    self.is_failing = true;
                    log::warn!(
                        "cannot write metrics to {shown}: {error}; its directory needs to exist, to have room, and to be \
                         writable for the user of the helper; tried again every 15s, all else goes on"
                    );
                }
                _ => {}
            }
        }
    }
}

/// Replaces the file. It need not survive a power failure, so nothing is synced.
fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    // node_exporter reads `*.prom` only.
    beside.push(format!(".{}.new", std::process::id()));
    let (mut draft, mut written) = Draft::create(beside.into(), MODE)?;
    written.write_all(content)?;
    draft.replaces(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::metrics::tests::full;

    const LONG: Duration = Duration::from_secs(20);

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("dnsherald-textfile-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn replaces_the_file_and_tries_again_after_a_failure() {
        let folder = folder("replaced");
        let file = folder.join("dnsherald.prom");
        let textfile = Textfile::start(file.clone());
        textfile.write(full());
        assert!(textfile.jobs.wait_idle(LONG), "a missing directory blocks nothing");
        fs::create_dir(&folder).unwrap();
        for _ in 0..2 {
            textfile.write(full());
            assert!(textfile.jobs.wait_idle(LONG));
            assert!(fs::read_to_string(&file).unwrap().contains("\ndnsherald_up 1.0\n"));
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no other file is left");
        }
        let jobs = Arc::clone(&textfile.jobs);
        textfile.remove();
        assert!(jobs.wait_idle(LONG));
        assert!(!file.exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_failure_leaves_the_previous_file_whole_and_removes_its_own() {
        let folder = folder("failing");
        fs::create_dir(&folder).unwrap();
        let file = folder.join("dnsherald.prom");
        // A directory cannot be replaced by a file, as a file cannot be renamed on a full disk.
        fs::create_dir(&file).unwrap();
        let dead = format!("dnsherald.prom.{}.new", u32::MAX);
        fs::write(folder.join(dead), "left by a killed helper").unwrap();
        let textfile = Textfile::start(file.clone());
        textfile.write(full());
        assert!(textfile.jobs.wait_idle(LONG));
        assert!(file.is_dir());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no other file is left");
        fs::remove_dir_all(folder).unwrap();
    }
}
