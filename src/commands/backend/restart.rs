//! `backend restart`: the transaction, shown as it goes.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use crate::backend::Backend;
use crate::cli::BackendRestart;
use crate::config::Config;
use crate::control::client::Client;
use crate::daemon::signals::Signals;
use crate::exit::Exit;
use crate::period::{Period, Shown};
use crate::program::Program;
use crate::restart::{Deed, Done, Outcome, Progress, Step, Transaction};
use crate::text;

/// What automation is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    backend: &'a str,
    outcome: Outcome,
    steps: &'a [Done],
}

/// Shows each step, on a terminal from its beginning on.
struct Show {
    quiet: bool,
    live: bool,
    /// What is under way.
    waits: Option<Step>,
    steps: Vec<Done>,
}

impl Progress for Show {
    fn begins(&mut self, step: Step) {
        self.waits = Some(step);
        if self.live {
            let _ = write!(text::stdout(), "  {step:<14}…").and_then(|()| text::stdout().flush());
        }
    }

    fn is_over(&mut self, done: &Done) {
        self.steps.push(done.clone());
        if self.quiet {
            return;
        }
        if self.live {
            let _ = text::move_cursor("\r\x1b[K");
        }
        self.waits = None;
        let took = Shown(Duration::from_secs_f64(done.seconds)).to_string();
        let failed = if done.ok { "" } else { "FAILED: " };
        let found = done.found.replace('\n', &format!("\n{:26}", ""));
        let _ = writeln!(text::stdout(), "  {:<14}{took:>8}  {failed}{found}", done.step);
    }
    fn notes(&mut self, text: &str) {
        if self.quiet {
            return;
        }
        if self.live {
            let _ = text::move_cursor("\r\x1b[K");
        }
        let step = self.waits.map_or_else(String::new, |step| step.to_string());
        let _ = writeln!(text::stdout(), "  {step:<14}{:>8}  {text}", "");
        if let (true, Some(step)) = (self.live, self.waits) {
            self.begins(step);
        }
    }
}

/// Runs the transaction, and says how it ended.
pub(super) async fn run(
    config: &Config,
    backend: &Backend,
    helper: &Client,
    options: &BackendRestart,
) -> anyhow::Result<Exit> {
    let deed = match &options.command {
        Some(text) => {
            Deed::Command(Program::new("/bin/sh", &["-c", text]), options.limit.map(|Period(limit)| limit))
        }
        None if options.reload => Deed::Reload,
        None => Deed::Restart,
    };
    let what = match &deed {
        Deed::Restart => "restart",
        Deed::Reload => "reload",
        Deed::Command(..) => "work on",
    };
    let reason = options.reason.clone().unwrap_or_else(|| format!("{what} {}", backend.name));
    let transaction = Transaction {
        config,
        backend,
        helper,
        deed,
        rollback: options.rollback,
        removed: options.removed.clone(),
        reason,
    };
    let mut signals = Signals::catch()?;
    let mut show = Show {
        quiet: options.json,
        live: io::stdout().is_terminal() && !options.json,
        waits: None,
        steps: vec![],
    };
    let outcome = transaction.run(&mut show, signals.received()).await;
    // From here on nothing but the exit status matters: whoever read the output may have gone.
    let (name, mut out) = (&backend.name, text::stdout());
    if options.json {
        let report = Report { backend: name, outcome, steps: &show.steps };
        let _ = writeln!(out, "{}", text::json(serde_json::to_string(&report)?));
        return Ok(exit(outcome));
    }
    let all: f64 = show.steps.iter().map(|done| done.seconds).sum();
    let text = match outcome {
        Outcome::Restarted => format!("done after {}", Shown(Duration::from_secs_f64(all))),
        Outcome::Untouched => "not touched, all is as it was".to_owned(),
        Outcome::LeftDrained => format!(
            "not well; its services stay drained for {} at most. Look: dnsherald backend status {name}. \
             When it is mended: dnsherald undrain --as {} --once-healthy",
            Period(transaction.longest()),
            backend.holder
        ),
        Outcome::RolledBack => {
            "the new configuration did not do; the one before is back, and so is the server".to_owned()
        }
    };
    let _ = writeln!(out, "{name}: {text}");
    Ok(exit(outcome))
}

const fn exit(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Restarted => Exit::Success,
        Outcome::Untouched => Exit::Failure,
        Outcome::LeftDrained => Exit::LeftDrained,
        Outcome::RolledBack => Exit::RolledBack,
    }
}
