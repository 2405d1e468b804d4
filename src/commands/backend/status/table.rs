//! The table of `backend status`, within 80 columns.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Known, ProcessReport, Queries, Report};
use crate::backend::listeners::PORT;
use crate::text::period::Shown;

/// The width beside the labels.
const BESIDE: usize = 63;

/// The width below them.
const BELOW: usize = 76;

/// A line for each finding, behind its label.
pub(super) fn table(report: &Report) -> String {
    let mut rows: Vec<(&str, String)> = vec![];
    rows.push(("state", state(report)));
    rows.extend(unit(report).map(|unit| ("unit", unit)));
    rows.push(("process", process(&report.process)));
    rows.push(("version", known(report, &report.version, String::clone)));
    rows.push(("identity", report.identity.clone().unwrap_or_else(|| "none reported".to_owned())));
    rows.push((
        "listeners",
        match report.listeners.as_slice() {
            [] => format!("none on port {PORT}"),
            listeners => lines(listeners.iter().map(ToString::to_string)),
        },
    ));
    rows.push((
        "configuration",
        match &report.configuration {
            Known::Found(word) => (*word).to_owned(),
            Known::NotFound(why) => why.clone(),
        },
    ));
    rows.push(("queries", known(report, &report.queries, queries)));
    rows.push(("rate limit", report.rate_limit.to_string()));
    if !report.zones.is_empty() {
        rows.push((
            "zones",
            lines(report.zones.iter().map(|zone| {
                let serial = zone.serial.map(|serial| format!("serial {serial}"));
                let found: Vec<_> = [serial, zone.trouble.clone()].into_iter().flatten().collect();
                format!("{} at {}: {}", zone.zone, zone.server, found.join(", "))
            })),
        ));
    }
    let mut text = format!("backend {} ({})\n", report.backend, report.kind.facts().name);
    for (label, value) in rows {
        let mut label = label;
        for line in value.lines().flat_map(|line| wrapped(line, BESIDE)) {
            let _ = writeln!(text, "  {label:<13}  {line}");
            label = "";
        }
    }
    for need in &report.needs {
        let _ = writeln!(text, "  needs, for {}:", need.of.join(", "));
        for line in need.remedy.lines().flat_map(|line| wrapped(line, BELOW)) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

fn state(report: &Report) -> String {
    let status = &report.status;
    let mut text = format!("{}: {}", status.state, status.why);
    if !status.answers && matches!(report.configuration, Known::NotFound(_)) {
        text.push_str("\nmind that control programs read the same configuration");
    }
    text
}

fn unit(report: &Report) -> Option<String> {
    let name = report.unit.as_ref()?;
    Some(match &report.systemd {
        Known::Found(unit) if unit.since.is_empty() => format!("{name}: {}", unit.words()),
        Known::Found(unit) => format!("{name}: {} since {}", unit.words(), unit.since),
        Known::NotFound(why) => why.strip_prefix("unit ").unwrap_or(why).to_owned(),
    })
}

fn process(process: &Known<ProcessReport>) -> String {
    match process {
        Known::Found(ProcessReport { pid, name, is_stopped, since, seconds }) => {
            let stopped = if *is_stopped { ", STOPPED by a signal" } else { "" };
            format!("{pid} ({name}) since {since}, {}{stopped}", Shown(Duration::from_secs(*seconds)))
        }
        Known::NotFound(why) => why.clone(),
    }
}

fn queries(queries: &Queries) -> String {
    match queries {
        Queries { total, per_second: Some(rate) } => format!("{total}, {rate:.1} per second"),
        Queries { total, per_second: None } => format!("{total}; the counters began anew meanwhile"),
    }
}

/// A finding without an answer of the control channel has no reason of its own: the reason is printed once.
fn known<T>(report: &Report, found: &Known<T>, show: impl Fn(&T) -> String) -> String {
    match found {
        Known::Found(found) => show(found),
        Known::NotFound(why) if report.status.answers => format!("not known: {why}"),
        Known::NotFound(_) => "not known, see its state".to_owned(),
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

/// Breaks a line at the width. A long word stays whole, since it is probably a path; so does an indented line, which is
/// meant for a file.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    if line.starts_with(' ') {
        return vec![line.to_owned()];
    }
    let mut rows = vec![];
    let mut row = String::new();
    for word in line.split_whitespace() {
        if !row.is_empty() && row.chars().count() + 1 + word.chars().count() > width {
            rows.push(std::mem::take(&mut row));
        }
        if !row.is_empty() {
            row.push(' ');
        }
        row.push_str(word);
    }
    rows.push(row);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped_between_words() {
        assert_eq!(wrapped("", 63), [""]);
        let words = "word ".repeat(20);
        let rows = wrapped(&words, 63);
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row.starts_with("word") && row.chars().count() <= 63), "{rows:?}");
        let code = format!("  {words}");
        assert_eq!(wrapped(&code, 63), [code.as_str()]);
        let path = format!("/{}", "x".repeat(100));
        assert_eq!(wrapped(&format!("of {path} only"), 63), ["of", &path, "only"]);
    }
}
