//! Hooks: shell commands that are run when a state changes.
//!
//! ```text
//! run ──► queue, oldest first ──► one task: `sh -c`, one at a time ──► log, if it went wrong
//! ```
//!
//! [`Hooks::run`] only queues, so that no hook holds up a probe or a withdraw; and since one begins when the one
//! before has ended, they see the changes in their order. A hook that hangs is complained about, then killed as a
//! check is. What queues up behind it beyond the bound pushes out the oldest: what hooks leave behind, a file, a page,
//! a flag, is to match the present state in the end, and what was before is in the log.

use std::collections::VecDeque;
use std::fmt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::handoff::lock;
use crate::period::Period;
use crate::program::child::{ChildGroup, describe_exit, shell};
use crate::text::excerpt::beginning;

#[cfg(test)]
mod tests;

/// A command, and what it is told in its environment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Hook {
    /// What `sh -c` is given. It has nothing to read, and what it writes is not kept.
    pub(crate) text: String,
    /// `STATE`: the state that the service is in now, as the hook is to see it.
    pub(crate) state: String,
    /// `SERVICE`: whose state it is.
    pub(crate) service: String,
    /// `REASON`: the sentence that explains the change.
    pub(crate) reason: String,
}

impl Hook {
    /// A program and its arguments, quoted so that the shell takes them as they are.
    #[must_use]
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

/// What hooks may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// How many may wait.
    waiting: usize,
    /// After this a hook that runs is complained about.
    patience: Duration,
    /// After this much more it is killed.
    grace: Duration,
}

impl Limits {
    const USUAL: Self =
        Self { waiting: 100, patience: Duration::from_secs(30), grace: Duration::from_secs(270) };
}

/// The queue, and the task that works it off. Dropped, it kills the hook that runs and forgets those that wait.
#[derive(Debug)]
pub(crate) struct Hooks {
    queue: Arc<Queue>,
    task: JoinHandle<()>,
}

impl Hooks {
    /// Nothing to run yet. To be called on a tokio runtime with I/O and time enabled.
    #[must_use]
    pub(crate) fn start() -> Self {
        Self::within(Limits::USUAL)
    }

    fn within(limits: Limits) -> Self {
        let queue = Arc::new(Queue { limits, waiting: Mutex::default(), changed: Notify::new() });
        let task = tokio::spawn(work(Arc::clone(&queue)));
        Self { queue, task }
    }

    /// Runs it when those before it have ended. Never waits.
    pub(crate) fn run(&self, hook: Hook) {
        if let Some(oldest) = self.queue.push(hook) {
            log::error!("{oldest}: dropped, since {} newer ones wait", self.queue.limits.waiting);
        }
    }

    /// Waits until all have been run.
    pub(crate) async fn finish(mut self) {
        self.queue.close();
        // An error would mean that the task has panicked; then there is nothing to wait for.
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
}

#[derive(Debug, Default)]
struct Waiting {
    hooks: VecDeque<Hook>,
    closed: bool,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }

    /// Queues a hook, and returns the one for which there is no room any more.
    fn push(&self, hook: Hook) -> Option<Hook> {
        let mut waiting = self.waiting();
        waiting.hooks.push_back(hook);
        self.changed.notify_one();
        if waiting.hooks.len() > self.limits.waiting { waiting.hooks.pop_front() } else { None }
    }

    fn close(&self) {
        self.waiting().closed = true;
        self.changed.notify_one();
    }

    /// The next hook, once there is one, or nothing, if there will be none.
    async fn next(&self) -> Option<Hook> {
        loop {
            {
                let mut waiting = self.waiting();
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
        carry_out(&hook, &queue).await;
    }
}

async fn carry_out(hook: &Hook, queue: &Queue) {
    let Limits { patience, grace, .. } = queue.limits;
    let mut command = shell(&hook.text);
    command.env("STATE", &hook.state).env("SERVICE", &hook.service).env("REASON", &hook.reason);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut group = match ChildGroup::spawn(command) {
        Ok(group) => group,
        Err(error) => return log::error!("{hook}: cannot start a shell: {error}"),
    };
    let exit = match timeout(patience, group.wait()).await {
        Ok(exit) => Ok(exit),
        Err(_) => {
            let (behind, limit) = (queue.waiting().hooks.len(), Period(patience));
            log::error!("{hook}: still running after {limit}, and {behind} wait behind it");
            timeout(grace, group.wait()).await
        }
    };
    match exit {
        Ok(Ok(status)) if status.success() => log::debug!("{hook}: done"),
        Ok(Ok(status)) => log::warn!("{hook}: {}", describe_exit(status)),
        Ok(Err(error)) => log::error!("{hook}: cannot wait for it: {error}"),
        Err(_) => {
            let survivors = group.kill().await;
            log::error!("{hook}: killed after {}{survivors}", Period(patience + grace));
        }
    }
}
