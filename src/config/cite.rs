//! Errors that show their place: `file:line:column: message`, the line, and a caret.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A file being understood.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Its name.
    pub path: &'a Path,
    /// What is in it.
    pub text: &'a str,
}

impl Source<'_> {
    /// An error about the bytes of `span`.
    #[must_use]
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) -> ConfigError {
        let start = floor_char_boundary(self.text, span.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let column = self.text[line_start..start].chars().count();
        let width = self.text[start..floor_char_boundary(self.text, span.end.max(start))]
            .lines()
            .next()
            .map_or(1, |shown| shown.chars().count().max(1));
        ConfigError {
            path: self.path.to_owned(),
            message: message.into(),
            place: Some(Place {
                line: before.matches('\n').count() + 1,
                column: column + 1,
                text: line.trim_end().replace('\t', " "),
                width,
            }),
        }
    }
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// Why a configuration was refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    path: PathBuf,
    message: String,
    place: Option<Place>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Place {
    line: usize,
    column: usize,
    text: String,
    width: usize,
}

impl ConfigError {
    /// The file could not be read at all.
    #[must_use]
    pub fn unreadable(path: &Path, error: &io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::NotFound => "; name another with -c FILE",
            io::ErrorKind::PermissionDenied => {
                "; exabgp starts helpers as its own user, which must be able to read it"
            }
            _ => "",
        };
        Self {
            path: path.to_owned(),
            message: format!("cannot read the configuration: {error}{advice}"),
            place: None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.place {
            None => write!(f, "{path}: {}", self.message),
            Some(Place { line, column, text, width }) => {
                let margin = " ".repeat(line.to_string().len());
                let indent = " ".repeat(column - 1);
                let caret = "^".repeat(*width);
                writeln!(f, "{path}:{line}:{column}: {}", self.message)?;
                write!(f, "{margin} |\n{line} | {text}\n{margin} | {indent}{caret}")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn cited(text: &str, span: Range<usize>) -> String {
        let source = Source { path: Path::new("a.toml"), text };
        source.error(span, "bad").to_string()
    }

    #[test]
    fn shows_the_line_and_points_at_the_place() {
        let shown = cited("[node]\nname = \"x\"\n", 14..17);
        assert_eq!(shown, "a.toml:2:8: bad\n  |\n2 | name = \"x\"\n  |        ^^^");
    }

    #[test]
    fn survives_any_span() {
        for (start, end) in [(0, 0), (3, 1), (100, 200), (1, 2), (6, 7)] {
            assert!(cited("äö\n\nü", start..end).contains(": bad"));
        }
        assert!(cited("", 0..0).starts_with("a.toml:1:1: bad"));
    }
}
