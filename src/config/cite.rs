//! Errors that show their place: `file:line:column: message`, the line, and a caret.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

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
            gone: false,
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
    /// There is no such file.
    gone: bool,
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
            gone: error.kind() == io::ErrorKind::NotFound,
            place: None,
        }
    }

    /// Whether there is no such file: whoever has removed it wants nothing announced. Whatever else is wrong says
    /// nothing about what is wanted.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Its first line; the others show the place.
    #[must_use]
    pub fn summary(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }

    /// The file is not UTF-8, shown at the first byte that is not.
    #[must_use]
    pub fn not_text(path: &Path, error: &FromUtf8Error) -> Self {
        let at = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(at).copied().unwrap_or_default();
        // Up to that byte the places are the same.
        let text = String::from_utf8_lossy(error.as_bytes());
        let message = format!("expected UTF-8, found the byte 0x{byte:02x}; save the file as UTF-8");
        Source { path, text: &text }.error(at..at + char::REPLACEMENT_CHARACTER.len_utf8(), message)
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
    fn shows_what_is_not_text() {
        let error = String::from_utf8(b"[node]\nname = \"K\xf6ln\"\n".into()).unwrap_err();
        let shown = ConfigError::not_text(Path::new("a.toml"), &error).to_string();
        let place = "2 | name = \"K\u{fffd}ln\"\n  |          ^";
        assert_eq!(
            shown,
            format!("a.toml:2:10: expected UTF-8, found the byte 0xf6; save the file as UTF-8\n  |\n{place}")
        );
    }

    #[test]
    fn survives_any_span() {
        for (start, end) in [(0, 0), (3, 1), (100, 200), (1, 2), (6, 7)] {
            assert!(cited("äö\n\nü", start..end).contains(": bad"));
        }
        assert!(cited("", 0..0).starts_with("a.toml:1:1: bad"));
    }
}
