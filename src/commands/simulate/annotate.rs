//! `simulate --annotate`: the trace with its effects.

use crate::config::Config;
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::Event;
use crate::engine::moment::Moment;
use crate::simulate::{Watcher, play};
use crate::trace::{Step, Trace};

/// The text of an action in an annotated trace.
#[must_use]
pub(crate) fn remark(action: &Action) -> Option<String> {
    match action {
        Action::Print(line) => Some(format!("> {line}")),
        Action::Log(notice) => Some(format!("! {notice}")),
        Action::Exit => Some("! exit".to_owned()),
        Action::Probe(_)
        | Action::WarmUp(_)
        | Action::Enter { .. }
        | Action::Settled(_)
        | Action::Said(_)
        | Action::Save => None,
    }
}

/// The trace with the actions of each line below it. Annotating twice changes nothing.
pub(crate) fn annotate(config: &Config, text: &str, trace: &Trace) -> String {
    struct Annotator {
        /// The line of the trace that each remark follows, and the remark.
        remarks: Vec<(usize, String)>,
        line: usize,
    }

    impl Watcher for Annotator {
        fn step(&mut self, _at: Moment, step: &Step) {
            self.line = self.line.max(step.line);
        }

        fn after(&mut self, at: Moment, _event: &Event, actions: &[Action], _engine: &Engine) {
            let remarks = actions.iter().filter_map(remark);
            self.remarks.extend(remarks.map(|remark| (self.line, format!("{at:>12} {remark}"))));
        }
    }

    let mut annotator = Annotator { remarks: vec![], line: 0 };
    play(config, trace, &mut annotator);
    let mut remarks = annotator.remarks.into_iter().peekable();
    let mut annotated = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        if is_remark(line) {
            continue;
        }
        annotated.push_str(line);
        annotated.push('\n');
        while let Some((_, remark)) = remarks.next_if(|(after, _)| *after == number) {
            annotated.push_str(&remark);
            annotated.push('\n');
        }
    }
    annotated
}

fn is_remark(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let timed = words.next().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    timed && matches!(words.next(), Some(">" | "!"))
}
