//! Finds the table to which an unknown key belongs: its header may still be a comment, or the key may follow the header
//! of another table.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::survey::invalid_values;
use super::tree::{Path, Step, single_entry};
use crate::text::similar;

/// Maximum number of commented headers to try.
const CANDIDATES: usize = 8;

/// The message about an unknown `key` at `path` and `span` of a text and its tree. `unknown` is the message of serde. Of
/// more than one key that is expected, the message names the one that is meant, if that is clear.
pub(super) fn message(
    (text, tree): (&str, &Spanned<DeTable<'_>>),
    path: &Path,
    span: &Range<usize>,
    key: &str,
    unknown: &str,
) -> String {
    let parent = path.parent();
    let found = match (parent.0.as_slice(), path.value(tree)) {
        ([], Some(DeValue::Table(_))) => format!("unknown table [{key}]"),
        ([], _) => format!("unknown key `{key}` before the first table"),
        _ => format!("unknown key `{key}` in {}", parent.header()),
    };
    if let Some((header, line)) = commented(text, span) {
        return format!(
            "{found}: it is a key of {header}, whose header is a comment on line {line}; uncomment the header"
        );
    }
    if let Some(owner) = owner(tree, path) {
        let (owner, here) = (owner.header(), parent.header());
        return format!("{found}: it is a key of {owner}, expected it before {here}");
    }
    match nearest(key, unknown) {
        Some(near) => format!("{found}, did you mean `{near}`?"),
        None => format!("{found}, expected {}", expected(unknown).unwrap_or("no key")),
    }
}

/// The key that was meant if `key` is a misspelling of one that the message of serde expects.
pub(super) fn nearest<'a>(key: &str, unknown: &'a str) -> Option<&'a str> {
    // Each is in backquotes.
    similar::nearest(key, expected(unknown)?.split('`').skip(1).step_by(2))
}

fn expected(unknown: &str) -> Option<&str> {
    unknown.split_once("expected ").map(|(_, expected)| expected)
}

/// The nearest preceding header that is a comment and whose table knows the key, with its line.
fn commented(text: &str, span: &Range<usize>) -> Option<(String, usize)> {
    let before = text.get(..span.start)?;
    let lines: Vec<_> = before.split_inclusive('\n').collect();
    let (mut end, mut tried) = (before.len(), 0);
    for (index, line) in lines.iter().enumerate().rev() {
        let start = end - line.len();
        end = start;
        let line = line.trim();
        if line.starts_with('[') {
            return None;
        }
        let Some(header) = header_in(line) else { continue };
        tried += 1;
        if tried > CANDIDATES {
            return None;
        }
        let mark = start + text[start..].find('#')?;
        let mut live = text.to_owned();
        let comment = line.len() - line.trim_start_matches('#').len();
        live.replace_range(mark..mark + comment, &" ".repeat(comment));
        let Ok(tree) = DeTable::parse(&live) else { continue };
        if Path::to(&tree, span).is_some_and(|path| is_known(&tree, &path, &path.parent())) {
            return Some((header.to_owned(), index + 1));
        }
    }
    None
}

/// The enclosing table that knows the key.
fn owner(tree: &Spanned<DeTable<'_>>, path: &Path) -> Option<Path> {
    let mut owner = path.parent();
    while !owner.0.is_empty() {
        owner = owner.parent();
        // Lists have no keys, and each key in `backend` is the name of a backend.
        let Some(DeValue::Table(table)) = owner.value(tree) else { continue };
        let is_there = matches!(path.0.last(), Some(Step::Key(key)) if table.contains_key(key.as_str()));
        if !is_there && owner.header() != "[backend]" && is_known(tree, path, &owner) {
            return Some(owner);
        }
    }
    None
}

/// Whether the table `owner` accepts the key at `path`.
fn is_known(tree: &Spanned<DeTable<'_>>, path: &Path, owner: &Path) -> bool {
    path.entry(tree).is_some_and(|(key, value)| {
        let at = key.span().start;
        !invalid_values(&single_entry(&owner.0, key, value)).contains(&at)
    })
}

/// Returns the table header if the comment contains nothing else: `#[service.up]`, `# [[service.check]]  # more`.
fn header_in(line: &str) -> Option<&str> {
    let header = line.strip_prefix('#')?.trim_start_matches('#').trim_start();
    let end = header.rfind(']')?;
    let (header, rest) = header.split_at(end + 1);
    let inner = header.strip_prefix('[')?.strip_suffix(']')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '"' | '[' | ']');
    let is_header = !inner.is_empty() && inner.chars().all(is_name);
    let is_alone = rest.trim_start().is_empty() || rest.trim_start().starts_with('#');
    (is_header && is_alone).then_some(header)
}
