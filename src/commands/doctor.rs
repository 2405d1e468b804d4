//! `doctor`: prints what is wrong on this host. [`crate::doctor`] finds it.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stderr};
use std::pin::pin;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::{Either, select};
use serde::Serialize;

use super::{host_name, runtime};
use crate::cli::Doctor;
use crate::doctor::Report;
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Id, Severity};
use crate::doctor::gather::{Places, facts};
use crate::exit::Exit;
use crate::sys::terminal::{Size, has_colors};
use crate::text;
use crate::text::counted;
use crate::text::paint::Paint;
use crate::text::wrap::wrapped;

/// The time without output after which a terminal shows that the command is at work.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);

/// The narrowest and the widest output, in columns.
const WIDTHS: (usize, usize) = (40, 120);

/// Makes all checks and prints the findings.
///
/// Exit status: 0 without a finding, 1 if the worst is a warning, 2 if it is an error.
///
/// # Errors
/// If nothing can be printed, or no descriptor is left.
pub(crate) fn run(options: &Doctor) -> anyhow::Result<Exit> {
    let places =
        Places { config: options.config.clone(), confs: options.exabgp_conf.clone(), host: host_name() };
    let runtime = runtime()?;
    let facts = runtime.block_on(gather(&places));
    // Do not wait for tasks that hang.
    runtime.shutdown_background();
    let report = Report::of(&facts);
    if options.json {
        let document = text::json(serde_json::to_string_pretty(&Document::of(&report))? + "\n");
        let mut out = text::stdout();
        out.write_all(document.as_bytes()).and_then(|()| out.flush())
    } else {
        let width = Size::of_stdout().columns.clamp(WIDTHS.0, WIDTHS.1);
        text::print_painted(&shown(&report, width, has_colors()))
    }
    .context("cannot print the findings")?;
    Ok(match report.worst() {
        None => Exit::Success,
        Some(Severity::Warning) => Exit::Warning,
        Some(Severity::Error) => Exit::Critical,
    })
}

/// Gathers the facts; on a terminal tells that it takes a while.
async fn gather(places: &Places) -> Facts {
    let gathering = pin!(facts(places));
    let patience = pin!(tokio::time::sleep(PROGRESS_AFTER));
    match select(gathering, patience).await {
        Either::Left((facts, _)) => facts,
        Either::Right(((), gathering)) => {
            let is_shown = stderr().is_terminal();
            if is_shown {
                let _ = write!(stderr(), "waiting for answers of servers and programs");
            }
            let facts = gathering.await;
            if is_shown {
                let _ = write!(stderr(), "\r\x1b[K");
            }
            facts
        }
    }
}

/// A line for each finding, with its remedy below.
fn shown(report: &Report, width: usize, colored: bool) -> String {
    let mut out = String::new();
    let mut print = |paint: Paint, line: &str, indent: usize| {
        for line in wrapped(&text::foreign_lines(line), width, indent) {
            let line = if colored { paint.on(&line) } else { line };
            let _ = writeln!(out, "{line}");
        }
    };
    for finding in &report.findings {
        let (word, paint) = match finding.id.severity() {
            Severity::Error => ("ERROR", Paint::Bad),
            Severity::Warning => ("warning", Paint::Warning),
        };
        print(paint, &format!("{word} {}: {}", finding.id.word(), finding.what), 4);
        for line in finding.remedy.lines() {
            print(Paint::Plain, &format!("    remedy: {line}"), 12);
        }
    }
    for (checks, why) in by_reason(report) {
        print(Paint::Plain, &format!("not checked: {}: {why}", checks.join(", ")), 4);
    }
    let of = |severity| report.findings.iter().filter(|finding| finding.id.severity() == severity).count();
    print(
        Paint::Plain,
        &format!(
            "{} of {} made: {}, {}",
            report.made(),
            counted(report.checks, "check"),
            counted(of(Severity::Error), "error"),
            counted(of(Severity::Warning), "warning")
        ),
        4,
    );
    out
}

/// The reasons why checks could not be made, each once, with the checks.
fn by_reason(report: &Report) -> Vec<(Vec<&str>, &str)> {
    let mut reasons: Vec<(Vec<&str>, &str)> = vec![];
    for (check, why) in &report.not_checked {
        match reasons.iter_mut().find(|(_, known)| known == why) {
            Some((checks, _)) => checks.push(check),
            None => reasons.push((vec![check], why)),
        }
    }
    reasons
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    findings: Vec<FindingReport<'a>>,
    not_checked: Vec<NotChecked<'a>>,
    /// The number of checks that were made in full.
    checked: usize,
    /// The number of all checks.
    checks: usize,
}

#[derive(Serialize)]
struct FindingReport<'a> {
    id: Id,
    severity: Severity,
    what: &'a str,
    remedy: &'a str,
}

#[derive(Serialize)]
struct NotChecked<'a> {
    check: &'a str,
    why: &'a str,
}

impl<'a> Document<'a> {
    fn of(report: &'a Report) -> Self {
        let finding = |finding: &'a crate::doctor::finding::Finding| FindingReport {
            id: finding.id,
            severity: finding.id.severity(),
            what: &finding.what,
            remedy: &finding.remedy,
        };
        Self {
            findings: report.findings.iter().map(finding).collect(),
            not_checked: report.not_checked.iter().map(|(check, why)| NotChecked { check, why }).collect(),
            checked: report.made(),
            checks: report.checks,
        }
    }
}
