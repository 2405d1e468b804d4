//! Tests of hooks that succeed, fail and hang.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::test_support::{eventually, running, sleeping, unique_seconds};

/// A file to which hooks write their environment.
struct Notes(PathBuf);

impl Notes {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("dnsherald-hooks-{}", unique_seconds()));
        fs::write(&path, "").unwrap();
        Self(path)
    }

    fn hook(&self, state: &str) -> Hook {
        hook(&format!("echo \"$STATE: $SERVICE $REASON\" >> {}", self.0.display()), state)
    }

    /// The states in the file, after checking the other variables.
    fn states(self) -> Vec<String> {
        let written = fs::read_to_string(&self.0).unwrap();
        fs::remove_file(self.0).unwrap();
        let state = |line: &str| line.strip_suffix(": resolver it's \"so\"").map(str::to_owned);
        written.lines().map(|line| state(line).unwrap_or_else(|| panic!("{line}"))).collect()
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
    assert_eq!(notes.states(), ["FALLING", "DOWN", "RISING", "UP"]);
}

#[tokio::test]
async fn later_hooks_run_after_a_failure() {
    let notes = Notes::new();
    let hooks = Hooks::start();
    for text in ["exit 1", "kill -KILL $$", "\0"] {
        hooks.run(hook(text, "DOWN"));
    }
    hooks.run(notes.hook("UP"));
    hooks.finish().await;
    assert_eq!(notes.states(), ["UP"]);
}

#[tokio::test]
async fn a_slow_hook_delays_only_later_hooks() {
    let notes = Notes::new();
    let hooks = Hooks::within(Limits { warn_after: Duration::from_millis(10), ..Limits::USUAL });
    let gate = std::env::temp_dir().join(format!("dnsherald-hooks-{}", unique_seconds()));
    let wait = format!("until [ -e {} ]; do sleep 0.01; done; ", gate.display());
    let slow = notes.hook("DOWN");
    hooks.run(Hook { text: wait + &slow.text, ..slow });
    hooks.run(notes.hook("UP"));
    eventually(|| running(&gate.display().to_string()).len() == 1).await;
    fs::write(&gate, "").unwrap();
    hooks.finish().await;
    fs::remove_file(gate).unwrap();
    assert_eq!(notes.states(), ["DOWN", "UP"]);
}

#[tokio::test]
async fn kills_a_hanging_hook() {
    let long = unique_seconds();
    let [warn_after, kill_after] = [30, 20].map(Duration::from_millis);
    let hooks = Hooks::within(Limits { warn_after, kill_after, ..Limits::USUAL });
    hooks.run(hook(&format!("(setsid sleep {long} &) & sleep {long}"), "DOWN"));
    hooks.finish().await;
    eventually(|| running(&long).is_empty()).await;
}

#[tokio::test]
async fn a_full_queue_keeps_the_newest_hooks() {
    let notes = Notes::new();
    let hooks = Hooks::within(Limits { waiting: 2, ..Limits::USUAL });
    // The task does not run before the first await.
    for state in ["1", "2", "3", "4"] {
        hooks.run(notes.hook(state));
    }
    hooks.finish().await;
    assert_eq!(notes.states(), ["3", "4"]);
}

#[tokio::test]
async fn dropping_kills_and_forgets_hooks() {
    let (notes, long) = (Notes::new(), unique_seconds());
    let hooks = Hooks::start();
    hooks.run(hook(&format!("sleep {long}"), "DOWN"));
    hooks.run(notes.hook("UP"));
    eventually(|| sleeping(&long) == 1).await;
    drop(hooks);
    eventually(|| sleeping(&long) == 0).await;
    assert!(notes.states().is_empty());
}

#[tokio::test]
async fn passes_words_to_a_program_unchanged() {
    let notes = Notes::new();
    let hooks = Hooks::start();
    let words =
        ["sh", "-c", "echo \"$1\" > \"$2\"", "sh", "it's: resolver it's \"so\"", notes.0.to_str().unwrap()];
    hooks.run(Hook::from_words(&words.map(str::to_owned), "UP", "resolver", ""));
    hooks.finish().await;
    assert_eq!(notes.states(), ["it's"]);
}
