//! `doctor`: prints what is wrong on this host. [`crate::doctor`] finds it.

use std::fmt::Write as _;

use anyhow::Context;

use super::{host_name, print, progress, runtime};
use crate::cli::Doctor;
use crate::doctor::finding::Severity;
use crate::doctor::gather::{Places, facts};
use crate::doctor::{NotChecked, Report};
use crate::exit::Exit;
use crate::sys::terminal::{Size, has_colors};
use crate::text::paint::Paint;
use crate::text::wrap::wrapped;
use crate::text::{self, counted, joined, sentence};

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
    let line = || "waiting for answers of servers and programs".to_owned();
    let facts = runtime.block_on(progress::shown_while(facts(&places), line));
    // Do not wait for tasks that hang.
    runtime.shutdown_background();
    let report = Report::from_facts(&facts);
    if options.json {
        print(&text::json(serde_json::to_string_pretty(&report)? + "\n"))
    } else {
        let width = Size::from_stdout().columns.clamp(WIDTHS.0, WIDTHS.1);
        text::print_painted(&shown(&report, width, has_colors()))
    }
    .context("cannot print the findings")?;
    Ok(match report.worst() {
        None => Exit::Success,
        Some(Severity::Warning) => Exit::Warning,
        Some(Severity::Error) => Exit::Critical,
    })
}

/// A line for each finding, with its remedy below.
fn shown(report: &Report, width: usize, colored: bool) -> String {
    let mut out = String::new();
    let mut line = |paint: Paint, text: &str, indent: usize| {
        let text = joined(text.lines().map(sentence), "\n");
        for part in wrapped(&text, width, indent) {
            let part = if colored { paint.on(&part) } else { part };
            let _ = writeln!(out, "{part}");
        }
    };
    for finding in &report.findings {
        let (word, paint) = match finding.severity {
            Severity::Error => ("ERROR", Paint::Bad),
            Severity::Warning => ("warning", Paint::Warning),
        };
        line(paint, &format!("{word} {}: {}", finding.id.word(), finding.what), 4);
        for remedy in finding.remedy.lines() {
            line(Paint::Plain, &format!("    remedy: {remedy}"), 12);
        }
    }
    for (checks, why) in by_reason(report) {
        line(Paint::Plain, &format!("not checked: {}: {why}", checks.join(", ")), 4);
    }
    let of = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    line(
        Paint::Plain,
        &format!(
            "{} of {} made: {}, {}",
            report.checked,
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
    for NotChecked { check, why } in &report.not_checked {
        match reasons.iter_mut().find(|(_, known)| known == why) {
            Some((checks, _)) => checks.push(check),
            None => reasons.push((vec![check], why)),
        }
    }
    reasons
}
