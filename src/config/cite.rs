//! Formats errors with their place: `file:line:column: message`, the line, and a caret.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use crate::text::{foreign_octets, foreign_within, printable};

/// Number of characters to show before the place of an error.
const BEFORE: usize = 120;

/// Number of characters to show from the place of an error on.
const AFTER: usize = 120;

/// The text of a configuration file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// Its path.
    pub(crate) path: &'a Path,
    /// Its text.
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// Creates an error about the bytes of `span`.
    pub(crate) fn fault(&self, span: Range<usize>, message: impl Into<String>) -> Fault {
        let start = floor_char_boundary(self.text, span.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let column = self.text[line_start..start].chars().count();
        let (before_it, from_it) = line.split_at(floor_char_boundary(line, start - line_start));
        let cited = &self.text[start..floor_char_boundary(self.text, span.end.max(start))];
        let before_it = end_of(&before_it.replace('\t', " "));
        let from_it = foreign_within(&from_it.trim_end().replace('\t', " "), AFTER);
        let cited = foreign_within(cited.lines().next().unwrap_or_default(), AFTER);
        Fault {
            message: message.into(),
            place: Some(Place {
                line: before.matches('\n').count() + 1,
                column: column + 1,
                indent: before_it.chars().count(),
                text: format!("{before_it}{from_it}").trim_end().to_owned(),
                width: cited.chars().count().max(1),
                span,
            }),
        }
    }

    /// Combines all errors of the file in the order of their places, without duplicates.
    pub(crate) fn error(&self, mut faults: Vec<Fault>) -> ConfigError {
        faults.sort_by_key(|fault| fault.span().start);
        let mut said = HashSet::new();
        faults.retain(|fault| said.insert((fault.span().start, fault.message.clone())));
        ConfigError { path: self.path.to_owned(), faults, unread: None }
    }
}

/// The last [`BEFORE`] characters, escaped for a terminal.
fn end_of(text: &str) -> String {
    let shown = foreign_octets(text.as_bytes());
    match shown.chars().count().checked_sub(BEFORE) {
        None | Some(0) => shown,
        Some(over) => format!("…{}", shown.chars().skip(over).collect::<String>()),
    }
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// Maximum number of errors to show.
const MAX_SHOWN: usize = 20;

/// Why a configuration was refused, with at least one error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigError {
    path: PathBuf,
    faults: Vec<Fault>,
    /// The reason if the file could not be read.
    unread: Option<io::ErrorKind>,
}

/// One error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    message: String,
    place: Option<Place>,
}

impl Fault {
    /// The bytes of its place; empty if it concerns the whole file.
    pub(crate) fn span(&self) -> Range<usize> {
        self.place.as_ref().map_or(0..0, |place| place.span.clone())
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Place {
    line: usize,
    column: usize,
    /// Column of the caret, in characters of `text`.
    indent: usize,
    /// The line or the part around the place, escaped for a terminal.
    text: String,
    width: usize,
    span: Range<usize>,
}

impl ConfigError {
    /// The file could not be read.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::NotFound => "; restore it, or name another with -c FILE",
            io::ErrorKind::PermissionDenied => {
                "; ExaBGP starts helpers as its own user, which needs permission to read it"
            }
            _ => "",
        };
        let message = format!("cannot read the configuration: {error}{advice}");
        Self {
            path: path.to_owned(),
            faults: vec![Fault { message, place: None }],
            unread: Some(error.kind()),
        }
    }

    /// Whether the file does not exist. An operator who removes it wants nothing announced; other errors do not show
    /// what the operator wants.
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self.unread, Some(io::ErrorKind::NotFound))
    }

    /// Whether this user lacks the permission to read the file.
    pub(crate) const fn is_denied(&self) -> bool {
        matches!(self.unread, Some(io::ErrorKind::PermissionDenied))
    }

    /// The first line, with the number of further errors. The remaining lines show the place.
    pub(crate) fn summary(&self) -> String {
        let shown = self.to_string();
        let first = shown.lines().next().unwrap_or_default();
        match self.faults.len() {
            0 | 1 => first.to_owned(),
            many => format!("{first} (and {} more)", many - 1),
        }
    }

    /// The file is not UTF-8. Shows the first invalid byte.
    pub(crate) fn not_text(path: &Path, error: &FromUtf8Error) -> Self {
        let at = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(at).copied().unwrap_or_default();
        // Places before that byte are the same in both texts.
        let text = String::from_utf8_lossy(error.as_bytes());
        let message = format!("expected UTF-8, found the byte 0x{byte:02x}; save the file as UTF-8");
        let source = Source { path, text: &text };
        source.error(vec![source.fault(at..at + char::REPLACEMENT_CHARACTER.len_utf8(), message)])
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = foreign_octets(self.path.as_os_str().as_bytes());
        for (index, Fault { message, place }) in self.faults.iter().take(MAX_SHOWN).enumerate() {
            let message = printable(message);
            if index > 0 {
                writeln!(f)?;
            }
            match place {
                None => write!(f, "{path}: {message}")?,
                Some(Place { line, column, indent, text, width, span: _ }) => {
                    let margin = " ".repeat(line.to_string().len());
                    let indent = " ".repeat(*indent);
                    let caret = "^".repeat(*width);
                    writeln!(f, "{path}:{line}:{column}: {message}")?;
                    write!(f, "{margin} |\n{line} | {text}\n{margin} | {indent}{caret}")?;
                }
            }
        }
        match self.faults.len().checked_sub(MAX_SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "\n{path}: and {more} more errors"),
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn cited(text: &str, span: Range<usize>) -> String {
        let source = Source { path: Path::new("a.toml"), text };
        source.error(vec![source.fault(span, "bad")]).to_string()
    }

    #[test]
    fn shows_the_line_and_points_at_the_place() {
        let shown = cited("[node]\nname = \"x\"\n", 14..17);
        assert_eq!(shown, "a.toml:2:8: bad\n  |\n2 | name = \"x\"\n  |        ^^^");
    }

    #[test]
    fn shows_the_first_invalid_byte() {
        let error = String::from_utf8(b"[node]\nname = \"K\xf6ln\"\n".into()).unwrap_err();
        let shown = ConfigError::not_text(Path::new("a.toml"), &error).to_string();
        let place = "2 | name = \"K\u{fffd}ln\"\n  |          ^";
        assert_eq!(
            shown,
            format!("a.toml:2:10: expected UTF-8, found the byte 0xf6; save the file as UTF-8\n  |\n{place}")
        );
    }

    #[test]
    fn escapes_the_cited_line_and_aligns_the_caret() {
        let shown = cited("a = \"\x1b[2J\u{202e}\" # x\n", 4..13);
        assert_eq!(
            shown,
            "a.toml:1:5: bad\n  |\n1 | a = \"\\u{1b}[2J\\u{202e}\" # x\n  |     ^^^^^^^^^^^^^^^^^^^"
        );
        let shown = cited("\u{9b}\tkey = 1\n", 3..6);
        assert_eq!(shown, "a.toml:1:3: bad\n  |\n1 | \\u{9b} key = 1\n  |        ^^^");
    }

    #[test]
    fn shows_the_part_of_a_long_line_around_the_place() {
        let line = format!("{}KEY = {}", "x".repeat(5000), "y".repeat(5000));
        let shown = cited(&line, 5000..5003);
        let lines: Vec<_> = shown.lines().collect();
        assert!(lines[2].chars().count() < 300, "{shown}");
        assert_eq!(lines[2].find("KEY").map(|at| lines[2][..at].chars().count()), Some(125));
        assert_eq!(lines[3].find('^'), Some(125));
    }

    #[test]
    fn shows_errors_in_order_up_to_a_limit() {
        let text = "a = 1\n".repeat(30);
        let source = Source { path: Path::new("a.toml"), text: &text };
        let faults =
            |count: usize| (0..count).rev().map(|at| source.fault(at * 6..at * 6 + 1, "bad")).collect();
        let two = source.error(faults(2));
        assert_eq!(
            two.to_string(),
            "a.toml:1:1: bad\n  |\n1 | a = 1\n  | ^\na.toml:2:1: bad\n  |\n2 | a = 1\n  | ^"
        );
        assert_eq!(two.summary(), "a.toml:1:1: bad (and 1 more)");
        let many = source.error(faults(23)).to_string();
        assert!(many.contains("a.toml:20:1") && !many.contains("a.toml:21:1"), "{many}");
        assert!(many.ends_with("\na.toml: and 3 more errors"), "{many}");
    }

    #[test]
    fn survives_any_span() {
        for (start, end) in [(0, 0), (3, 1), (100, 200), (1, 2), (6, 7)] {
            assert!(cited("äö\n\nü", start..end).contains(": bad"));
        }
        assert!(cited("", 0..0).starts_with("a.toml:1:1: bad"));
    }
}
