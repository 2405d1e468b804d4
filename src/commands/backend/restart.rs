//! `backend restart`: runs the transaction and shows its steps.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::backend::Backend;
use crate::cli::BackendRestart;
use crate::config::Config;
use crate::control::client::Client;
use crate::exit::Exit;
use crate::program::Program;
use crate::restart::{Done, End, Operation, Outcome, Progress, Step, Transaction};
use crate::sys::signal_stream::SignalStream;
use crate::sys::signals::STOPS;
use crate::text;
use crate::text::period::{Period, Shown};

/// The JSON document.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    backend: &'a str,
    outcome: Outcome,
    /// The drain of a failure could not be renewed: it ends by itself within this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    drain_ends_in_seconds: Option<u64>,
    steps: &'a [Done],
}

/// Shows each step at its end; on a terminal also while it runs.
struct Show {
    quiet: bool,
    live: bool,
    /// The step that runs.
    current: Option<Step>,
    steps: Vec<Done>,
}

impl Progress for Show {
    fn step_started(&mut self, step: Step) {
        self.current = Some(step);
        if self.live {
            let _ = write!(text::stdout(), "  {step:<14}…").and_then(|()| text::stdout().flush());
        }
    }

    fn step_finished(&mut self, done: &Done) {
        self.steps.push(done.clone());
        if self.quiet {
            return;
        }
        if self.live {
            let _ = text::move_cursor("\r\x1b[K");
        }
        self.current = None;
        let took = Shown(Duration::from_secs_f64(done.seconds)).to_string();
        let failed = if done.ok { "" } else { "FAILED: " };
        let found = done.found.replace('\n', &format!("\n{:26}", ""));
        let _ = writeln!(text::stdout(), "  {:<14}{took:>8}  {failed}{found}", done.step);
    }

    fn note(&mut self, text: &str) {
        if self.quiet {
            return;
        }
        if self.live {
            let _ = text::move_cursor("\r\x1b[K");
        }
        let step = self.current.map_or_else(String::new, |step| step.to_string());
        let _ = writeln!(text::stdout(), "  {step:<14}{:>8}  {text}", "");
        if let (true, Some(step)) = (self.live, self.current) {
            self.step_started(step);
        }
    }
}

/// Runs the transaction, and prints the result.
pub(super) async fn run(
    config: &Config,
    backend: &Backend,
    helper: &Client,
    options: &BackendRestart,
) -> anyhow::Result<Exit> {
    let operation = match &options.command {
        Some(text) => {
            let limit = options.limit.map(|Period(limit)| limit);
            Operation::Command(Program::new("/bin/sh", &["-c", text]), limit)
        }
        None if options.reload => Operation::Reload,
        None => Operation::Restart,
    };
    let transaction = Transaction {
        config,
        backend,
        helper,
        operation,
        rollback: options.rollback,
        removed: options.removed.clone(),
        reason: options.reason.clone(),
        unattended: options.unattended,
    };
    let mut signals = SignalStream::catch(&STOPS)?;
    let mut show = Show {
        quiet: options.json,
        live: io::stdout().is_terminal() && !options.json,
        current: None,
        steps: vec![],
    };
    let began = Instant::now();
    let end = transaction.run(&mut show, signals.received()).await;
    let took = Shown(began.elapsed());
    // From here on only the exit status matters: the reader of the output may be gone.
    let (name, mut out) = (&backend.name, text::stdout());
    if options.json {
        let drain_ends_in_seconds = end.drain_ends.map(|ends| ends.as_secs());
        let report =
            Report { backend: name, outcome: end.outcome, drain_ends_in_seconds, steps: &show.steps };
        let _ = writeln!(out, "{}", text::json(serde_json::to_string(&report)?));
        return Ok(exit(end.outcome));
    }
    let _ = writeln!(out, "{name}: {}", summary(backend, &end, &show.steps, options.unattended, &took));
    Ok(exit(end.outcome))
}

/// The last line.
fn summary(backend: &Backend, end: &End, steps: &[Done], unattended: bool, took: &Shown) -> String {
    let (name, holder, drained) = (&backend.name, &backend.holder, end.drained.join(", "));
    match (end.outcome, end.drain_ends) {
        (Outcome::Restarted, _) => format!("done after {took}"),
        (Outcome::Untouched, _) if steps.iter().any(|done| done.step == Step::Drain) => {
            "not touched; its drain has ended: what it drained returns once the checks pass".to_owned()
        }
        (Outcome::Untouched, _) => "not touched, everything is as before".to_owned(),
        (Outcome::LeftDrained, Some(limit)) => format!(
            "no recovery, and the helper could not be told: the drain ends by itself within {}, and the services then \
             return once their checks pass. Drain again as soon as a helper runs: dnsherald drain",
            Period(limit)
        ),
        (Outcome::LeftDrained, None) if unattended => format!(
            "no recovery; drained until the checks pass: {drained}. See: dnsherald backend status {name}"
        ),
        (Outcome::LeftDrained, None) => format!(
            "no recovery; drained until `undrain`: {drained}. See: dnsherald backend status {name}. \
             Once it is repaired: dnsherald undrain --as {holder} --once-healthy"
        ),
        (Outcome::RolledBack, _) => {
            "failed with the new configuration; the one before is restored, and the server is back".to_owned()
        }
    }
}

const fn exit(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Restarted => Exit::Success,
        Outcome::Untouched => Exit::Failure,
        Outcome::LeftDrained => Exit::LeftDrained,
        Outcome::RolledBack => Exit::RolledBack,
    }
}
