//! A configuration file that cannot be used: read again until it is valid, with reminders in the log.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::config::cite::ConfigError;
use crate::status::Trouble;

/// How often the file is read.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// How often the error is logged again.
const REMINDER_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// The file and its error. A thread reads it, because the disk may hang.
pub(super) struct BrokenFile {
    path: PathBuf,
    host: String,
    error: ConfigError,
    trouble: Trouble,
    last_read: Instant,
    reader: Option<mpsc::Receiver<Result<Config, ConfigError>>>,
    reminder: Reminder,
}

impl BrokenFile {
    /// Creates a file with an error that has been logged. `last_good` is the file in force instead.
    pub(super) fn new(path: &Path, host: &str, error: ConfigError, last_good: Option<PathBuf>) -> Self {
        let now = Instant::now();
        Self {
            path: path.to_owned(),
            host: host.to_owned(),
            trouble: Trouble { error: error.summary(), last_good },
            error,
            last_read: now,
            reader: None,
            reminder: Reminder { said: now },
        }
    }

    /// The error, and what is in force instead.
    pub(super) const fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    /// The last good configuration, if that is in force.
    pub(super) fn last_good(&self) -> Option<&Path> {
        self.trouble.last_good.as_deref()
    }

    /// Whether the file is missing.
    pub(super) fn is_gone(&self) -> bool {
        self.error.is_gone()
    }

    /// Called at every turn of the loop. Returns the configuration once it is valid.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Config> {
        if self.reminder.is_due(now) {
            log::error!("{}", self.trouble);
        }
        match self.reader.as_ref().map(mpsc::Receiver::try_recv) {
            Some(Ok(Ok(config))) => return Some(config),
            Some(Ok(Err(error))) => {
                self.reader = None;
                if error != self.error {
                    log::error!("{error}");
                    self.trouble.error = error.summary();
                    self.error = error;
                }
            }
            Some(Err(mpsc::TryRecvError::Empty)) => {}
            // No thread could be started.
            Some(Err(mpsc::TryRecvError::Disconnected)) | None => self.start_reading(now),
        }
        None
    }

    fn start_reading(&mut self, now: Instant) {
        if now.duration_since(self.last_read) < READ_INTERVAL {
            return;
        }
        self.last_read = now;
        let (found, reader) = mpsc::channel();
        let (path, host) = (self.path.clone(), self.host.clone());
        let read = move || drop(found.send(Config::load_file(&path, &host)));
        self.reader = thread::Builder::new().spawn(read).is_ok().then_some(reader);
    }
}

/// Schedules repeated messages.
struct Reminder {
    said: Instant,
}

impl Reminder {
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now.duration_since(self.said) >= REMINDER_INTERVAL;
        if is_due {
            self.said = now;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_a_reminder_every_hour() {
        let began = Instant::now();
        let mut reminder = Reminder { said: began };
        let minutes = (0..=180).filter(|minute| reminder.is_due(began + Duration::from_secs(60 * minute)));
        assert_eq!(minutes.collect::<Vec<_>>(), [60, 120, 180]);
    }
}
