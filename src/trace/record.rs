//! Recording: what reaches the engine of a running helper, as a trace that replays to the same lines.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::names::Names;
use super::write_event;
use crate::engine::event::Event;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;

/// A trace being written. Each event is in the file before the engine sees it.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: File,
    names: Names,
}

impl Recorder {
    /// Begins a trace with all that a replay needs: the configuration, the host, and what was remembered.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(
        path: &Path,
        configuration: &str,
        host: &str,
        memory: &Memory,
        age: Duration,
        names: Names,
    ) -> io::Result<Self> {
        let mut header = String::from(
            "# recorded by `dnsherald run --record`; replay it with `dnsherald simulate --trace`\n",
        );
        for line in configuration.lines() {
            header.push_str(format!("| {line}").trim_end());
            header.push('\n');
        }
        header.push_str(&format!("host {host}\nexabgp recorded\n"));
        if !memory.services.is_empty() {
            let age = humantime::format_duration(age).to_string().replace(' ', "");
            header.push_str(&format!("memory {age} {}\n", serde_json::to_string(memory)?));
        }
        let mut file = File::create(path)?;
        file.write_all(header.as_bytes())?;
        Ok(Self { path: path.to_owned(), file, names })
    }

    /// Where it is written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one event.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record(&mut self, at: Moment, event: &Event) -> io::Result<()> {
        let line = format!("{at:>12} {}\n", write_event(event, &self.names));
        self.file.write_all(line.as_bytes())
    }
}
