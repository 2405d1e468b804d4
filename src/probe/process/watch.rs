//! The process that a check watches.
//!
//! The check passes while the watched process runs, and fails for certain (`process-gone`) from its exit on until
//! another process is found; also before any was found, if systemd says that the unit is inactive or failed. Otherwise, as long
//! as no process was ever found, it is unknown (`process-unknown`). An exit is
//! reported exactly once: at once by a task that waits for the pidfd, or by the next probe if that is first.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::state::{WatchEvent, WatchState};
use super::succession::{LASTING, Mention, Succession};
use crate::outcome::{Cause, Outcome};
use crate::process::find::Finder;
use crate::process::handle::ProcessHandle;
use crate::process::{Missing, ProcessSource};
use crate::sys::lock;
use crate::text::period::Shown;

/// After an exit, the time between two searches for the next process.
const SEARCH_INTERVAL: Duration = Duration::from_millis(20);

/// Number of those searches. The probes of the check find later processes.
const SEARCHES: usize = 50;

/// A watched process. All checks that watch the same process share it.
pub(crate) struct Watch {
    finder: Finder,
    state: Mutex<WatchState<Arc<ProcessHandle>>>,
    /// Waits for the exit of the running process. Replaced with it, and aborted when dropped.
    exit_task: Mutex<JoinSet<()>>,
    /// Whether the search for the next process has started since the last exit.
    is_searching: AtomicBool,
    succession: Mutex<Succession>,
    on_exit: Box<dyn Fn(&str) + Send + Sync>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("finder", &self.finder)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Watch {
    /// Has no process yet. Calls `on_exit` with a sentence about each exit, on the runtime that probes.
    pub(crate) fn new(source: ProcessSource, on_exit: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            finder: Finder::new(source),
            state: Mutex::new(WatchState::Unknown),
            exit_task: Mutex::default(),
            is_searching: AtomicBool::new(false),
            succession: Mutex::default(),
            on_exit: Box::new(on_exit),
        }
    }

    /// Probes once, for at most `limit`. Await it on a tokio runtime with I/O and time enabled.
    pub(crate) async fn ask(self: &Arc<Self>, limit: Duration) -> Outcome {
        let began = Instant::now();
        match self.running() {
            Some(process) if process.has_exited() => self.exited(&process),
            Some(process) => {
                process.update_name();
                // While the old process runs, only the pid-file can name another one.
                let named = self.finder.named(limit).await;
                if let Some(named) = named.filter(|named| named.pid != process.pid) {
                    self.watch(named);
                }
                return Outcome::pass(began.elapsed());
            }
            None => {}
        }
        match self.finder.find(limit).await {
            Ok(process) => {
                self.watch(process);
                Outcome::pass(began.elapsed())
            }
            Err(missing) => self.missing(missing),
        }
    }

    fn running(&self) -> Option<Arc<ProcessHandle>> {
        match &*lock(&self.state) {
            WatchState::Running(process) => Some(Arc::clone(process)),
            WatchState::Unknown | WatchState::Gone(_) => None,
        }
    }

    /// The number of the process, while it runs.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.running().filter(|process| !process.has_exited()).map(|process| process.pid)
    }

    fn handle(&self, event: WatchEvent<Arc<ProcessHandle>>) {
        let mut state = lock(&self.state);
        *state = std::mem::replace(&mut *state, WatchState::Unknown).after(event);
    }

    /// Watches this process instead of the earlier one.
    fn watch(self: &Arc<Self>, found: ProcessHandle) {
        if self.running().is_some_and(|process| process.pid == found.pid && !process.has_exited()) {
            return;
        }
        let process = Arc::new(found);
        self.log_found(&process);
        self.handle(WatchEvent::Found(Arc::clone(&process)));
        self.wait_for_exit_of(process);
    }

    fn log_found(&self, process: &ProcessHandle) {
        let source = self.finder.source();
        match lock(&self.succession).next(Instant::now()) {
            Mention::Named => log::info!("{source}: watching {process}"),
            Mention::NamedLast => log::warn!(
                "{source}: watching {process}; it exits and is started again and again: the next ones are not logged \
                 until one has run for {}; its own log tells why it exits",
                Shown(LASTING)
            ),
            Mention::Silent => log::debug!("{source}: watching {process}"),
        }
    }

    /// Starts the task that reports the exit, and ends the one before.
    fn wait_for_exit_of(self: &Arc<Self>, process: Arc<ProcessHandle>) {
        let mut tasks = JoinSet::new();
        match process.watch() {
            Ok(watcher) => {
                let watch = Arc::downgrade(self);
                tasks.spawn(async move {
                    if watcher.exited().await.is_ok()
                        && let Some(watch) = watch.upgrade()
                    {
                        watch.exited(&process);
                    }
                });
            }
            Err(error) => log::error!(
                "{}: cannot wait for the exit of {process}: {error}; the next probe of the check sees it",
                self.finder.source()
            ),
        }
        *lock(&self.exit_task) = tasks;
    }

    /// Reports an exit. Without effect if the process is no longer the watched one.
    fn exited(&self, exited: &Arc<ProcessHandle>) {
        let mut state = lock(&self.state);
        if !matches!(&*state, WatchState::Running(process) if Arc::ptr_eq(process, exited)) {
            return;
        }
        *state = std::mem::replace(&mut *state, WatchState::Unknown).after(WatchEvent::Exited);
        self.is_searching.store(false, Ordering::Relaxed);
        if let WatchState::Gone(why) = &*state {
            (self.on_exit)(why);
        }
    }

    /// The outcome of a probe that found no process.
    fn missing(self: &Arc<Self>, missing: Missing) -> Outcome {
        let why = missing.why().to_owned();
        self.handle(WatchEvent::Missing(missing));
        match &*lock(&self.state) {
            // Another search has found it meanwhile.
            WatchState::Running(_) => Outcome::pass(Duration::ZERO),
            WatchState::Unknown => Outcome::from_cause(Cause::ProcessUnknown, why),
            WatchState::Gone(how) => {
                if !self.is_searching.swap(true, Ordering::Relaxed) {
                    tokio::spawn(search_for_next(Arc::downgrade(self)));
                }
                let sentence = if *how == why { why } else { format!("{how}, and no other is found: {why}") };
                Outcome::from_cause(Cause::ProcessGone, sentence)
            }
        }
    }
}

/// Searches for the next process: a restart takes tenths of a second, and the new process may exit as soon.
async fn search_for_next(watch: Weak<Watch>) {
    for _ in 0..SEARCHES {
        tokio::time::sleep(SEARCH_INTERVAL).await;
        let Some(watch) = watch.upgrade() else { return };
        if watch.running().is_some() {
            return;
        }
        if let Some(found) = watch.finder.find_cheaply().await {
            return watch.watch(found);
        }
    }
}

#[cfg(test)]
mod tests;
