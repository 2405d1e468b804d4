//! The table of `backend status`, within 80 columns.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Known, ProcessReport, Queries, Report, Zone};
use crate::backend::listeners::PORT;
use crate::text::joined;
use crate::text::period::Shown;
use crate::text::wrap::wrapped;

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
            listeners => joined(listeners, "\n"),
        },
    ));
    rows.extend(report.several_servers.iter().map(|warning| ("WARNING", warning.clone())));
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
        rows.push(("zones", joined(report.zones.iter().map(zone), "\n")));
    }
    let mut text = format!("backend {} ({})\n", report.backend, report.kind.facts().name);
    for (label, value) in rows {
        let mut label = label;
        for line in broken(&value, BESIDE) {
            let _ = writeln!(text, "  {label:<13}  {line}");
            label = "";
        }
    }
    for need in &report.needs {
        let _ = writeln!(text, "  needs, for {}:", need.of.join(", "));
        for line in broken(&need.remedy, BELOW) {
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

fn zone(zone: &Zone) -> String {
    let serial = zone.serial.map(|serial| format!("serial {serial}"));
    let found = joined([serial, zone.trouble.clone()].into_iter().flatten(), ", ");
    format!("{} at {}: {found}", zone.zone, zone.server)
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

/// The lines of a text, broken at the width. An indented line stays whole, since it is meant for a file.
fn broken(text: &str, width: usize) -> impl Iterator<Item = String> {
    text.lines().flat_map(move |line| match line.starts_with(' ') {
        true => vec![line.to_owned()],
        false => wrapped(line, width, 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_indented_line_stays_whole() {
        let words = "word ".repeat(20);
        let code = format!("  {words}");
        let text = format!("{words}\n{code}");
        let [first, second, third] = &broken(&text, 63).collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert!(first.len() <= 63 && second.starts_with("word"), "{first} {second}");
        assert_eq!(*third, code);
    }
}
