//! Stores the active configuration once its first verdicts are in.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::LastGood;
use crate::config::{Config, DEFAULT_STATE, Origin};
use crate::engine::Engine;
use crate::engine::service::ServiceState;
use crate::sys::handoff::Handoff;

/// A configuration to store, and its place.
type Job = (LastGood, Arc<Origin>);

/// Stores every configuration that has led to verdicts. The loop does not wait for the disk.
#[derive(Debug)]
pub(crate) struct Saver {
    /// The state directory from the command line.
    state: Option<PathBuf>,
    /// The active configuration, until it is stored.
    pending: Option<Job>,
    /// The queue of the writer thread, which starts with the first job.
    newest: Option<Arc<Handoff<Job>>>,
}

impl Saver {
    /// Uses this state directory, or that of the configuration if none is given.
    #[must_use]
    pub(crate) const fn new(state: Option<PathBuf>) -> Self {
        Self { state, pending: None, newest: None }
    }

    pub(crate) fn set_config(&mut self, config: &Config) {
        let state = self.state.as_ref().unwrap_or(&config.state);
        self.pending = config.origin.clone().map(|origin| (LastGood::new(state, &origin.file), origin));
    }

    /// Stores the active configuration if every service has a verdict and it is not stored yet.
    pub(crate) fn save_if_decided(&mut self, engine: &Engine) {
        let is_undecided = |state: ServiceState| state == ServiceState::Starting;
        if self.pending.is_none() || engine.services().iter().any(|service| is_undecided(service.state())) {
            return;
        }
        let Some(pending) = self.pending.take() else { return };
        let is_given = self.state.is_some();
        let newest = self.newest.get_or_insert_with(|| {
            let newest = Arc::new(Handoff::new(0));
            if let Err(error) = newest.start("last-good", move |jobs| save_each(jobs, is_given)) {
                warn(&pending.0, &error);
            }
            newest
        });
        newest.supersede(pending);
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        if let Some(newest) = &self.newest {
            newest.close();
        }
    }
}

/// Writes each configuration. If the configuration names another directory, it removes an older file in the default
/// one, which would be found if the configuration became unreadable.
fn save_each(newest: &Handoff<Job>, is_given: bool) {
    while let Some((last_good, origin)) = newest.take() {
        if let Err(error) = last_good.save(&origin.text) {
            warn(&last_good, &error);
        }
        let by_default = LastGood::new(Path::new(DEFAULT_STATE), &origin.file);
        if !is_given && by_default.file() != last_good.file() {
            by_default.remove();
        }
    }
}

fn warn(last_good: &LastGood, error: &io::Error) {
    log::warn!(
        "cannot store the last good configuration in {}: {error}; if the configuration file is broken at the \
         next start, the helper withdraws everything",
        last_good.file().display()
    );
}
