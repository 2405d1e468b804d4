//! Hooks: shell commands that run when a state changes.
//!
//! ```text
//! run ──► queue, oldest first ──► one task: `sh -c`, one at a time ──► log, on failure
//! ```
//!
//! [`Hooks::run`] only queues, so no hook delays a probe or a withdraw. Hooks run one after the other and so see
//! changes in order. A hook that hangs logs an error and is killed later, like a check. If the queue is full, the
//! oldest hook is dropped: what hooks leave behind (a file, a page, a flag) must match the latest state, and the log
//! has earlier ones.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::program::child::{ChildGroup, describe_exit, shell};
use crate::sys::lock;
use crate::text::excerpt::beginning;
use crate::text::ordered;
use crate::text::period::Period;

#[cfg(test)]
mod tests;

/// A command with its environment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Hook {
    /// The text for `sh -c`. Its input is empty and its output is discarded.
    pub(crate) text: String,
    /// `STATE`: the new state, by its hook name.
    pub(crate) state: String,
    /// `SERVICE`: the name of the service.
    pub(crate) service: String,
    /// `REASON`: the reason of the change.
    pub(crate) reason: String,
}

impl Hook {
    /// Creates a hook from a program and its arguments, quoted for the shell.
    pub(crate) fn from_words(words: &[String], state: &str, service: &str, reason: &str) -> Self {
        let quoted: Vec<_> = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        Self {
            text: format!("exec {}", quoted.join(" ")),
            state: state.to_owned(),
            service: service.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hook `{}` for {} {}", beginning(&self.text), self.service, self.state)
    }
}

/// Limits of hooks.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Size of the queue.
    waiting: usize,
    /// A running hook logs an error after this time.
    warn_after: Duration,
    /// The hook is killed this much later.
    kill_after: Duration,
}

impl Limits {
    const USUAL: Self =
        Self { waiting: 100, warn_after: Duration::from_secs(30), kill_after: Duration::from_secs(270) };
}

/// The queue and the task that runs the hooks. Dropping it kills the running hook and drops waiting ones.
#[derive(Debug)]
pub(crate) struct Hooks {
    queue: Arc<Queue>,
    task: JoinHandle<()>,
}

impl Hooks {
    /// Starts the task with an empty queue. Must run on a tokio runtime with I/O and time enabled.
    pub(crate) fn start() -> Self {
        Self::within(Limits::USUAL)
    }

    fn within(limits: Limits) -> Self {
        let queue = Arc::new(Queue {
            limits,
            waiting: Mutex::default(),
            changed: Notify::new(),
            counts: Counts::default(),
        });
        let task = tokio::spawn(work(Arc::clone(&queue)));
        Self { queue, task }
    }

    /// Queues a hook. Never blocks.
    pub(crate) fn run(&self, hook: Hook) {
        if let Some(oldest) = self.queue.push(hook) {
            self.queue.counts.dropped.fetch_add(1, Ordering::Relaxed);
            log::error!("{oldest}: dropped, because {} newer hooks wait", self.queue.limits.waiting);
        }
    }

    /// How many hooks ended with each result.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let Counts { succeeded, failed, dropped } = &self.queue.counts;
        let counts = [("succeeded", succeeded), ("failed", failed), ("dropped", dropped)];
        ordered(counts.map(|(result, count)| (result.to_owned(), count.load(Ordering::Relaxed))))
    }

    /// Waits until all queued hooks have run.
    pub(crate) async fn finish(mut self) {
        self.queue.close();
        // An error means that the task panicked; then there is nothing to wait for.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Queue {
    limits: Limits,
    waiting: Mutex<Waiting>,
    changed: Notify,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    succeeded: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    hooks: VecDeque<Hook>,
    closed: bool,
}

impl Queue {
    /// Queues a hook and returns the one that was dropped for it.
    fn push(&self, hook: Hook) -> Option<Hook> {
        let mut waiting = lock(&self.waiting);
        waiting.hooks.push_back(hook);
        self.changed.notify_one();
        if waiting.hooks.len() > self.limits.waiting { waiting.hooks.pop_front() } else { None }
    }

    fn close(&self) {
        lock(&self.waiting).closed = true;
        self.changed.notify_one();
    }

    /// Waits for the next hook. Returns `None` if the queue is empty and closed.
    async fn next(&self) -> Option<Hook> {
        loop {
            {
                let mut waiting = lock(&self.waiting);
                let next = waiting.hooks.pop_front();
                if next.is_some() || waiting.closed {
                    return next;
                }
            }
            self.changed.notified().await;
        }
    }
}

async fn work(queue: Arc<Queue>) {
    while let Some(hook) = queue.next().await {
        let counts = &queue.counts;
        let counter = if carry_out(&hook, &queue).await { &counts.succeeded } else { &counts.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Returns whether the hook succeeded.
async fn carry_out(hook: &Hook, queue: &Queue) -> bool {
    let Limits { warn_after, kill_after, .. } = queue.limits;
    let mut command = shell(&hook.text);
    command.env("STATE", &hook.state).env("SERVICE", &hook.service).env("REASON", &hook.reason);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut group = match ChildGroup::spawn(command) {
        Ok(group) => group,
        Err(error) => {
            log::error!("{hook}: cannot start a shell: {error}");
            return false;
        }
    };
    let exit = match timeout(warn_after, group.wait()).await {
        Ok(exit) => Ok(exit),
        Err(_) => {
            let (waiting_hooks, limit) = (lock(&queue.waiting).hooks.len(), Period(warn_after));
            log::error!("{hook}: still running after {limit}; {waiting_hooks} hooks wait for it");
            timeout(kill_after, group.wait()).await
        }
    };
    let succeeded = matches!(&exit, Ok(Ok(status)) if status.success());
    match exit {
        Ok(Ok(status)) if status.success() => log::debug!("{hook}: done"),
        Ok(Ok(status)) => log::warn!("{hook}: {}", describe_exit(status)),
        Ok(Err(error)) => log::error!("{hook}: cannot wait for it: {error}"),
        Err(_) => {
            let survivors = group.kill().await;
            log::error!("{hook}: killed after {}{survivors}", Period(warn_after + kill_after));
        }
    }
    succeeded
}
