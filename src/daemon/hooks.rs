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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use humantime::format_duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::probe::command::run::{Run, how, shell};
use crate::probe::command::text::beginning;

/// A command, and what it is told in its environment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hook {
    /// What `sh -c` is given. It has nothing to read, and what it writes is not kept.
    pub text: String,
    /// `STATE`: the state that the service is in now, as the hook is to see it.
    pub state: String,
    /// `SERVICE`: whose state it is.
    pub service: String,
    /// `REASON`: the sentence that explains the change.
    pub reason: String,
}

impl Hook {
    /// A program and its arguments, quoted so that the shell takes them as they are.
    #[must_use]
    pub fn of_words(words: &[String], state: &str, service: &str, reason: &str) -> Self {
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
pub struct Hooks {
    queue: Arc<Queue>,
    task: JoinHandle<()>,
}

impl Hooks {
    /// Nothing to run yet. To be called on a tokio runtime with I/O and time enabled.
    #[must_use]
    pub fn start() -> Self {
        Self::within(Limits::USUAL)
    }

    fn within(limits: Limits) -> Self {
        let queue = Arc::new(Queue { limits, ..Queue::default() });
        let task = tokio::spawn(work(Arc::clone(&queue)));
        Self { queue, task }
    }

    /// Runs it when those before it have ended. Never waits.
    pub fn run(&self, hook: Hook) {
        if let Some(oldest) = self.queue.push(hook) {
            log::error!("{oldest}: dropped, since {} newer ones wait", self.queue.limits.waiting);
        }
    }

    /// Waits until all have been run.
    pub async fn finish(mut self) {
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

impl Default for Queue {
    fn default() -> Self {
        Self { limits: Limits::USUAL, waiting: Mutex::default(), changed: Notify::new() }
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
    let mut run = match Run::start(command) {
        Ok(run) => run,
        Err(error) => return log::error!("{hook}: cannot start a shell: {error}"),
    };
    let exit = match timeout(patience, run.exit()).await {
        Ok(exit) => Ok(exit),
        Err(_) => {
            let (behind, limit) = (queue.waiting().hooks.len(), format_duration(patience));
            log::error!("{hook}: still running after {limit}, and {behind} wait behind it");
            timeout(grace, run.exit()).await
        }
    };
    match exit {
        Ok(Ok(status)) if status.success() => log::debug!("{hook}: done"),
        Ok(Ok(status)) => log::warn!("{hook}: {}", how(status)),
        Ok(Err(error)) => log::error!("{hook}: cannot wait for it: {error}"),
        Err(_) => {
            let left = run.end().await;
            log::error!("{hook}: killed after {}{left}", format_duration(patience + grace));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::probe::command::tests::{eventually, long, running, sleeping};

    /// Hooks that write down what they are told, and what they have written.
    struct Notes(PathBuf);

    impl Notes {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("dnsherald-hooks-{}", long()));
            fs::write(&path, "").unwrap();
            Self(path)
        }

        fn hook(&self, state: &str) -> Hook {
            hook(&format!("echo \"$STATE: $SERVICE $REASON\" >> {}", self.0.display()), state)
        }

        fn written(self) -> String {
            let written = fs::read_to_string(&self.0).unwrap();
            fs::remove_file(self.0).unwrap();
            written
        }
    }

    fn hook(text: &str, state: &str) -> Hook {
        let [state, service, reason] = [state, "resolver", "it's \"so\""].map(str::to_owned);
        Hook { text: text.to_owned(), state, service, reason }
    }

    #[tokio::test]
    async fn hooks_run_in_order_and_see_their_environment() {
        let notes = Notes::new();
        let hooks = Hooks::start();
        for state in ["FALLING", "DOWN", "RISING", "UP"] {
            hooks.run(notes.hook(state));
        }
        hooks.finish().await;
        let line = |state| format!("{state}: resolver it's \"so\"\n");
        assert_eq!(notes.written(), ["FALLING", "DOWN", "RISING", "UP"].map(line).concat());
    }

    #[tokio::test]
    async fn a_hook_that_fails_or_cannot_start_does_not_stop_those_behind_it() {
        let notes = Notes::new();
        let hooks = Hooks::start();
        for text in ["exit 1", "kill -KILL $$", "\0"] {
            hooks.run(hook(text, "DOWN"));
        }
        hooks.run(notes.hook("UP"));
        hooks.finish().await;
        assert_eq!(notes.written(), "UP: resolver it's \"so\"\n");
    }

    #[tokio::test]
    async fn a_hook_that_hangs_holds_up_nobody_and_is_killed_in_the_end() {
        let (notes, long) = (Notes::new(), long());
        let [patience, grace] = [30, 20].map(Duration::from_millis);
        let hooks = Hooks::within(Limits { patience, grace, ..Limits::USUAL });
        hooks.run(hook(&format!("(setsid sleep {long} &) & sleep {long}"), "DOWN"));
        hooks.run(notes.hook("UP"));
        hooks.finish().await;
        assert_eq!(running(&long), []);
        assert_eq!(notes.written(), "UP: resolver it's \"so\"\n");
    }

    #[tokio::test]
    async fn beyond_the_bound_the_newest_are_kept() {
        let notes = Notes::new();
        let hooks = Hooks::within(Limits { waiting: 2, ..Limits::USUAL });
        // Nothing is awaited here, so that none of them begins.
        for state in ["1", "2", "3", "4"] {
            hooks.run(notes.hook(state));
        }
        hooks.finish().await;
        assert_eq!(notes.written(), "3: resolver it's \"so\"\n4: resolver it's \"so\"\n");
    }

    #[tokio::test]
    async fn dropped_hooks_are_killed_and_forgotten() {
        let (notes, long) = (Notes::new(), long());
        let hooks = Hooks::start();
        hooks.run(hook(&format!("sleep {long}"), "DOWN"));
        hooks.run(notes.hook("UP"));
        eventually(|| sleeping(&long) == 1).await;
        drop(hooks);
        eventually(|| sleeping(&long) == 0).await;
        assert_eq!(notes.written(), "");
    }
}
