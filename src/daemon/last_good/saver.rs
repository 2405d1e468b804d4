//! Stores the active configuration once no service is `starting`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::LastGood;
use crate::config::{Config, DEFAULT_STATE, Origin};
use crate::daemon::store::{Failure, Retry};
use crate::engine::Engine;
use crate::engine::service::ServiceState;
use crate::sys::handoff::{Handoff, Taken};
use crate::sys::lock;

/// A configuration to store, and its place.
type Job = (LastGood, Arc<Origin>);

/// Stores each configuration under which every service has left `starting`. The loop does not wait for the disk.
#[derive(Debug)]
pub(crate) struct Saver {
    /// The state directory from the command line.
    state: Option<PathBuf>,
    /// The active configuration, until it is stored.
    pending: Option<Job>,
    /// The queue of the writer thread, which starts with the first job.
    newest: Option<Arc<Handoff<Job>>>,
    failure: Failure,
}

impl Saver {
    /// Uses this state directory, or that of the configuration if none is given.
    pub(crate) fn new(state: Option<PathBuf>) -> Self {
        Self { state, pending: None, newest: None, failure: Failure::default() }
    }

    pub(crate) fn set_config(&mut self, config: &Config) {
        let state = self.state.as_ref().unwrap_or(&config.state);
        self.pending = config.origin.clone().map(|origin| (LastGood::new(state, &origin.file), origin));
    }

    /// Stores the active configuration, if it is not stored yet, once each service has a verdict, or needs none because it is
    /// drained, held or not enabled.
    pub(crate) fn save_if_decided(&mut self, engine: &Engine) {
        let is_undecided = |state: ServiceState| state == ServiceState::Starting;
        if self.pending.is_none() || engine.services().iter().any(|service| is_undecided(service.state())) {
            return;
        }
        let Some(pending) = self.pending.take() else { return };
        let newest = self.newest.get_or_insert_with(|| {
            let newest = Arc::new(Handoff::new(0));
            let default = self.state.is_none().then(|| PathBuf::from(DEFAULT_STATE));
            let writer = Writer::new(default, Arc::clone(&self.failure));
            if let Err(error) = newest.start("last-good", move |jobs| writer.work(jobs)) {
                let why = format!("cannot start the thread that stores the last good configuration: {error}");
                log::warn!("{why}");
                *lock(&self.failure) = Some(why);
            }
            newest
        });
        newest.supersede(pending);
    }

    /// Why the last write has failed, while it is tried again.
    pub(crate) fn unwritten(&self) -> Option<String> {
        lock(&self.failure).clone()
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        if let Some(newest) = &self.newest {
            newest.close();
        }
    }
}

/// Writes each configuration, and repeats a failed write until it succeeds.
#[derive(Debug)]
struct Writer {
    /// The default state directory, unless one is given on the command line.
    default: Option<PathBuf>,
    failure: Failure,
    /// The configuration whose write failed last.
    unwritten: Option<Job>,
    retry: Retry,
}

impl Writer {
    fn new(default: Option<PathBuf>, failure: Failure) -> Self {
        Self { default, failure, unwritten: None, retry: Retry::default() }
    }

    /// Runs until the queue is closed.
    fn work(mut self, newest: &Handoff<Job>) {
        loop {
            let again_in = self.unwritten.as_ref().and_then(|_| self.retry.again_in());
            match newest.take_within(again_in.unwrap_or(Duration::MAX)) {
                Taken::Item(job) => self.carry_out(job),
                Taken::Nothing => {
                    let failed = self.unwritten.take();
                    failed.into_iter().for_each(|job| self.carry_out(job));
                }
                Taken::Closed => return,
            }
        }
    }

    /// Writes a configuration. If it names another directory than the default one, a copy there is removed after that: it
    /// would be found if the configuration became unreadable.
    fn carry_out(&mut self, job: Job) {
        let (last_good, origin) = &job;
        let default = self.default.as_ref().map(|state| LastGood::new(state, &origin.file));
        let default = default.filter(|default| default.file() != last_good.file());
        let file = last_good.file().display();
        match last_good.save(&origin.text) {
            Ok(()) => {
                self.unwritten = None;
                *lock(&self.failure) = None;
                if let Some(default) = default {
                    default.remove();
                }
                if let Some(failed) = self.retry.succeeded() {
                    log::info!("stored the last good configuration in {file} after {failed}");
                }
            }
            // This is no failure of the disk: the host stores no configuration.
            Err(error) if last_good.machine_id.is_none() => {
                log::warn!(
                    "cannot store the last good configuration in {file}: {error}; a start with a broken configuration \
                     file withdraws everything"
                );
            }
            Err(error) => {
                let older = [Some(last_good), default.as_ref()].into_iter().flatten();
                let then = match older.map(LastGood::file).find(|file| file.exists()) {
                    Some(older) => format!("runs the older copy in {}", older.display()),
                    None => "withdraws everything".to_owned(),
                };
                let why = format!(
                    "cannot store the last good configuration in {file}: {error}; until it succeeds, a start with a broken \
                     configuration file {then}"
                );
                if self.retry.failed() {
                    log::warn!("{why}; retrying");
                }
                *lock(&self.failure) = Some(why);
                self.unwritten = Some(job);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A new directory, and a writer whose default state directory is in it.
    fn writer(name: &str) -> (PathBuf, Writer) {
        let directory = std::env::temp_dir().join(format!("dnsherald-saver-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        let default = Some(directory.join("default"));
        (directory, Writer::new(default, Failure::default()))
    }

    fn job(state: &Path, text: &str) -> Job {
        let origin = Origin { file: "/etc/x/pop.toml".into(), text: text.to_owned() };
        let machine_id = Some("0123456789abcdef0123456789abcdef".to_owned());
        (LastGood { machine_id, ..LastGood::new(state, &origin.file) }, Arc::new(origin))
    }

    fn failure(writer: &Writer) -> String {
        lock(&writer.failure).clone().unwrap_or_default()
    }

    #[test]
    fn the_copy_in_the_default_directory_stays_until_the_next_is_stored() {
        let (directory, mut writer) = writer("default");
        let (older, state) = (directory.join("default"), directory.join("state"));
        let (older, _) = job(&older, "older");
        older.save("older").unwrap();
        fs::write(&state, "in the way").unwrap();
        writer.carry_out(job(&state, "newer"));
        let then = format!(
            "a start with a broken configuration file runs the older copy in {}",
            older.file().display()
        );
        assert!(failure(&writer).ends_with(&then), "{}", failure(&writer));
        assert!(older.file().exists());
        fs::remove_file(older.file()).unwrap();
        let failed = writer.unwritten.take().unwrap();
        writer.carry_out(failed);
        assert!(failure(&writer).ends_with("withdraws everything"), "{}", failure(&writer));
        older.save("older").unwrap();
        fs::remove_file(&state).unwrap();
        let failed = writer.unwritten.take().unwrap();
        let stored = failed.0.file().to_owned();
        writer.carry_out(failed);
        assert!(fs::read_to_string(stored).unwrap().ends_with("\nnewer") && !older.file().exists());
        assert_eq!((failure(&writer).as_str(), writer.unwritten.is_none()), ("", true));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_newer_configuration_takes_the_place_of_one_that_could_not_be_stored() {
        let (directory, mut writer) = writer("newer");
        fs::write(directory.join("state"), "in the way").unwrap();
        writer.carry_out(job(&directory.join("state"), "older"));
        assert!(writer.unwritten.is_some());
        writer.carry_out(job(&directory.join("elsewhere"), "newer"));
        assert_eq!((failure(&writer).as_str(), writer.unwritten.is_none()), ("", true));
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_host_without_a_machine_id_does_not_try_again() {
        let (directory, mut writer) = writer("no-machine");
        let (last_good, origin) = job(&directory.join("state"), "text");
        writer.carry_out((LastGood { machine_id: None, ..last_good }, origin));
        assert_eq!((failure(&writer).as_str(), writer.unwritten.is_none()), ("", true));
        fs::remove_dir_all(directory).unwrap();
    }
}
