//! How a program ended, and what it printed.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use super::child::describe_exit;
use super::run::KEPT_OUTPUT;
use crate::text::excerpt::last_lines;
use crate::text::foreign_within;
use crate::text::period::Period;

/// The result of a program that was run.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// How it ended, or why it did not start.
    pub(crate) end: End,
    /// The beginning of its standard output.
    pub(crate) out: String,
    /// The beginning of its standard error.
    pub(crate) err: String,
}

/// How a program ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// It exited, or a signal that we did not send ended it.
    Exited(ExitStatus),
    /// It was killed after this time, the deadline. The text is the end of a sentence about what did not die.
    TimedOut(Duration, String),
    /// There is no such program.
    Missing,
    /// This user must not execute it.
    NotPermitted,
    /// It could not be started for another reason.
    NotStarted(String),
}

impl Ended {
    /// Its exit status, if it exited.
    pub(crate) fn code(&self) -> Option<i32> {
        match &self.end {
            End::Exited(status) => status.code(),
            _ => None,
        }
    }

    /// Whether it exited with status 0.
    pub(crate) fn succeeded(&self) -> bool {
        self.code() == Some(0)
    }

    /// Whether it was killed after its deadline.
    pub(crate) const fn is_late(&self) -> bool {
        matches!(self.end, End::TimedOut(..))
    }

    /// Whether standard output or standard error contains these words, in any case.
    pub(crate) fn prints(&self, words: &str) -> bool {
        let words = words.to_ascii_lowercase();
        [&self.err, &self.out].into_iter().any(|text| text.to_ascii_lowercase().contains(&words))
    }

    /// The last lines of standard error, or of standard output if that is empty, on one line.
    pub(crate) fn last_output(&self) -> String {
        let errors = last_lines(self.err.as_bytes());
        if errors.is_empty() { last_lines(self.out.as_bytes()) } else { errors }
    }

    /// The lines of standard error, then of standard output, fit to be printed.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.err.lines().chain(self.out.lines()).map(str::trim_end);
        lines.filter(|line| !line.is_empty()).map(|line| foreign_within(line, KEPT_OUTPUT)).collect()
    }

    pub(super) fn unstarted(end: End) -> Self {
        Self { end, out: String::new(), err: String::new() }
    }
}

impl fmt::Display for Ended {
    /// The end of a sentence: `exited with status 1: no such zone`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.last_output();
        let colon = if said.is_empty() { "" } else { ": " };
        match &self.end {
            End::Exited(status) => write!(f, "{}{colon}{said}", describe_exit(*status)),
            End::TimedOut(limit, left) => write!(f, "not done within {}{left}{colon}{said}", Period(*limit)),
            End::Missing => f.write_str("not found"),
            End::NotPermitted => f.write_str("not executable by this user"),
            End::NotStarted(why) => write!(f, "cannot be started: {why}"),
        }
    }
}
