//! When the configuration in force is kept: once its first verdicts are in.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use super::LastGood;
use crate::config::{Config, DEFAULT_STATE, Origin};
use crate::engine::Engine;
use crate::engine::service::State;
use crate::handoff::Handoff;

/// What is to be kept, and where.
type Due = (LastGood, Arc<Origin>);

/// Keeps every configuration that has led to verdicts. The loop does not wait for the disk.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// The state directory, whatever the configuration says.
    state: Option<PathBuf>,
    /// What is in force, as long as it is not kept.
    due: Option<Due>,
    /// The newest waits here; the thread that takes it is started by the first.
    newest: Option<Arc<Handoff<Due>>>,
}

impl Keeper {
    /// Keeps in this directory, where one is given, or else in that of the configuration.
    #[must_use]
    pub(crate) const fn new(state: Option<PathBuf>) -> Self {
        Self { state, due: None, newest: None }
    }

    /// From now on this configuration is in force.
    pub(crate) fn becomes(&mut self, config: &Config) {
        let state = self.state.as_ref().unwrap_or(&config.state);
        self.due = config.origin.clone().map(|origin| (LastGood::new(state, &origin.file), origin));
    }

    /// Keeps what is in force, if every service has decided and that is not done yet.
    pub(crate) fn look(&mut self, engine: &Engine) {
        let is_undecided = |state: State| state == State::Starting;
        if self.due.is_none() || engine.services().iter().any(|service| is_undecided(service.state())) {
            return;
        }
        let Some(due) = self.due.take() else { return };
        if self.newest.is_none() {
            let newest = Arc::new(Handoff::new(0));
            let (taken, is_given) = (Arc::clone(&newest), self.state.is_some());
            let keeping = move || keep_each(&taken, is_given);
            if let Err(error) = thread::Builder::new().name("last-good".into()).spawn(keeping) {
                newest.abandon();
                complain(&due.0, &error);
            }
            self.newest = Some(newest);
        }
        if let Some(newest) = &self.newest {
            newest.supersede(due);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(newest) = &self.newest {
            newest.close();
        }
    }
}

/// Writes the newest, again and again. An older one in the default directory is of no use any more where the
/// configuration names another directory, and would be found if that became illegible.
fn keep_each(newest: &Handoff<Due>, is_given: bool) {
    while let Some((last_good, origin)) = newest.take() {
        if let Err(error) = last_good.save(&origin.text) {
            complain(&last_good, &error);
        }
        let by_default = LastGood::new(Path::new(DEFAULT_STATE), &origin.file);
        if !is_given && by_default.file() != last_good.file() {
            by_default.remove();
        }
    }
}

fn complain(last_good: &LastGood, error: &io::Error) {
    log::warn!(
        "cannot keep the configuration in {}: {error}; should its file be broken at the next start, the helper \
         withdraws everything",
        last_good.file().display()
    );
}
