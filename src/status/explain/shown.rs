//! The chain for people, in lines as wide as the terminal.

use std::fmt;

use super::{Explanation, Stage, Step};
use crate::status::view::View;
use crate::text::sentence;
use crate::text::wrap::wrapped;

/// Chains, to be shown.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    /// What is shown.
    pub(crate) explanations: &'a [Explanation],
    /// How.
    pub(crate) view: &'a View,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, explanation) in self.explanations.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            self.line(f, 0, &format!("{} is {}:", explanation.service, explanation.state))?;
            let mut before: Option<&Step> = None;
            for step in &explanation.steps {
                let heading = heading(step);
                if before.is_none_or(|before| self::heading(before) != heading) {
                    self.line(f, 2, &heading)?;
                }
                self.line(f, 4, &step.text)?;
                before = Some(step);
            }
        }
        Ok(())
    }
}

impl Shown<'_> {
    fn line(&self, f: &mut fmt::Formatter<'_>, indent: usize, text: &str) -> fmt::Result {
        let text = format!("{:indent$}{}", "", sentence(text));
        wrapped(&text, self.view.width, indent + 2).iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn heading(step: &Step) -> String {
    let subject = step.subject.as_deref();
    match step.stage {
        Stage::Asked | Stage::Answered | Stage::Counted => format!("check {}", subject.unwrap_or("?")),
        Stage::Decided => "decision".to_owned(),
        Stage::Sent => subject.unwrap_or("?").to_owned(),
        Stage::Session => subject.map_or_else(|| "BGP".to_owned(), |neighbor| format!("BGP {neighbor}")),
        Stage::Next => "next".to_owned(),
        Stage::Remedy => "what to do".to_owned(),
    }
}
