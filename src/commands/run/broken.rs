//! A configuration file that cannot be used: looked at until it can, and complained about as long as it cannot.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::config::cite::ConfigError;
use crate::status::Trouble;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is complained about again.
const REMIND: Duration = Duration::from_secs(60 * 60);

/// The file, and what is known of it. It is read on a thread, for it may be on a disk that hangs.
pub(super) struct BrokenFile {
    path: PathBuf,
    host: String,
    error: ConfigError,
    trouble: Trouble,
    looked: Instant,
    looking: Option<mpsc::Receiver<Result<Config, ConfigError>>>,
    reminder: Reminder,
}

impl BrokenFile {
    /// A file with an error that was logged. `last_good` is the file with what is in force instead.
    pub(super) fn new(path: &Path, host: &str, error: ConfigError, last_good: Option<PathBuf>) -> Self {
        let now = Instant::now();
        Self {
            path: path.to_owned(),
            host: host.to_owned(),
            trouble: Trouble { error: error.summary(), last_good },
            error,
            looked: now,
            looking: None,
            reminder: Reminder { said: now },
        }
    }

    /// What is wrong with it, and what is in force instead.
    pub(super) const fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    /// Whether there is no file.
    pub(super) fn is_gone(&self) -> bool {
        self.error.is_gone()
    }

    /// To be called at every turn of the loop. The configuration, once it is in order.
    pub(super) fn look(&mut self, now: Instant) -> Option<Config> {
        if self.reminder.is_due(now) {
            log::error!("{}", self.trouble);
        }
        match self.looking.as_ref().map(mpsc::Receiver::try_recv) {
            Some(Ok(Ok(config))) => return Some(config),
            Some(Ok(Err(error))) => {
                self.looking = None;
                if error != self.error {
                    log::error!("{error}");
                    self.trouble.error = error.summary();
                    self.error = error;
                }
            }
            Some(Err(mpsc::TryRecvError::Empty)) => {}
            // No thread could be had.
            Some(Err(mpsc::TryRecvError::Disconnected)) | None => self.look_again(now),
        }
        None
    }

    fn look_again(&mut self, now: Instant) {
        if now.duration_since(self.looked) < LOOK {
            return;
        }
        self.looked = now;
        let (found, looking) = mpsc::channel();
        let (path, host) = (self.path.clone(), self.host.clone());
        let look = move || drop(found.send(Config::load_file(&path, &host)));
        self.looking = thread::Builder::new().spawn(look).is_ok().then_some(looking);
    }
}

/// Says when it is time to complain again.
struct Reminder {
    said: Instant,
}

impl Reminder {
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now.duration_since(self.said) >= REMIND;
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
    fn it_is_complained_about_every_hour() {
        let began = Instant::now();
        let mut reminder = Reminder { said: began };
        let minutes = (0..=180).filter(|minute| reminder.is_due(began + Duration::from_secs(60 * minute)));
        assert_eq!(minutes.collect::<Vec<_>>(), [60, 120, 180]);
    }
}
