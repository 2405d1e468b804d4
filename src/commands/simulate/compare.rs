//! `simulate --compare`: one trace with two configurations.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use super::annotate::remark;
use super::input::Input;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::simulate::{Watcher, play};
use crate::text::foreign;
use crate::timeline::Timeline;
use crate::trace::Step;

/// Different lines that are shown.
const MOST: usize = 100;

/// What one configuration did.
struct Played {
    timeline: Timeline,
    lines: Vec<(Moment, String)>,
}

impl Watcher for Played {
    fn step(&mut self, at: Moment, step: &Step) {
        super::follow(&mut self.timeline, at, step);
    }

    fn after(&mut self, at: Moment, _event: &Event, actions: &[Action], engine: &Engine) {
        self.timeline.note(at, engine);
        self.lines.extend(actions.iter().filter_map(remark).map(|text| (at, text)));
    }
}

/// Plays both and prints their summaries side by side, then the lines that only one has. Returns what both did.
///
/// # Errors
/// If nothing can be printed.
pub(super) fn run(out: &mut dyn Write, inputs: [(&Path, &Input); 2]) -> io::Result<[Timeline; 2]> {
    let [first, second] = inputs.map(|(_, input)| {
        let timeline = Timeline::new(&input.config, input.trace.begin());
        let mut played = Played { timeline, lines: vec![] };
        play(&input.config, &input.trace, &mut played);
        played
    });
    for (title, (path, _)) in ["A", "B"].into_iter().zip(inputs) {
        writeln!(out, "{title}  {}", foreign(&path.display().to_string()))?;
    }
    let summaries = [&first, &second].map(|played| played.timeline.summary());
    writeln!(out, "\n{}", summaries[0].beside(["A", "B"], &summaries[1]))?;
    print_different(out, &first.lines, &second.lines)?;
    Ok([first.timeline, second.timeline])
}

/// Prints the lines that only one has.
fn print_different(
    out: &mut dyn Write,
    first: &[(Moment, String)],
    second: &[(Moment, String)],
) -> io::Result<()> {
    let different = different(first, second);
    if different.is_empty() {
        return writeln!(out, "Both print the same {} lines.", first.len());
    }
    writeln!(out, "Lines that only one prints (seconds; `>` a line to ExaBGP, `!` a line of the log):")?;
    for (at, title, text) in different.iter().take(MOST) {
        writeln!(out, "{title} {at:>12} {text}")?;
    }
    match different.len().saturating_sub(MOST) {
        0 => Ok(()),
        more => writeln!(out, "and {more} more"),
    }
}

/// The lines that only one has, in order of time.
fn different<'a>(
    first: &'a [(Moment, String)],
    second: &'a [(Moment, String)],
) -> Vec<(Moment, char, &'a str)> {
    let mut counts = BTreeMap::<(Moment, &str), (usize, usize)>::new();
    for (at, text) in first {
        counts.entry((*at, text)).or_default().0 += 1;
    }
    for (at, text) in second {
        counts.entry((*at, text)).or_default().1 += 1;
    }
    let only = |lines: &'a [(Moment, String)], title: char| {
        let alone = |(of_first, of_second): &(usize, usize)| {
            if title == 'A' { of_first > of_second } else { of_second > of_first }
        };
        let found = lines.iter().filter(|(at, text)| counts.get(&(*at, text.as_str())).is_some_and(alone));
        found.map(move |(at, text)| (*at, title, text.as_str())).collect::<Vec<_>>()
    };
    let mut lines = [only(first, 'A'), only(second, 'B')].concat();
    // Lines of one moment stay in their order.
    lines.sort_by_key(|(at, title, _)| (*at, *title));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_one_are_different() {
        let line = |micros: u64, text: &str| {
            (Moment::START + std::time::Duration::from_micros(micros), text.to_owned())
        };
        let first = [line(1, "> a"), line(2, "> z"), line(2, "> b")];
        let second = [line(1, "> a"), line(2, "> b"), line(3, "> z")];
        let found = different(&first, &second);
        assert_eq!(
            found.iter().map(|(_, title, text)| (*title, *text)).collect::<Vec<_>>(),
            [('A', "> z"), ('B', "> z")]
        );
    }
}
