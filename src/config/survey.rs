//! Parses a file and finds every invalid value, not only the first.
//!
//! serde stops at the first error. So this module removes the invalid value from the parsed tree and parses the rest
//! again, until it succeeds. A missing key gets a placeholder, so that the rest of its table is parsed. An error that
//! may be a consequence is not reported: [`Survey::hides`].

use std::collections::HashSet;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};

use super::cite::{Fault, Source};
use super::file::File;
use super::misplaced;
use super::tree::{Path, put, remove};

/// Maximum number of values to remove before giving up.
const MAX_REMOVED: usize = 50;

/// The result of parsing.
#[derive(Debug, Default)]
pub(super) struct Survey<'s> {
    /// The file without invalid values; `None` if it cannot be parsed at all.
    pub(super) file: Option<File>,
    /// The errors.
    pub(super) faults: Vec<Fault>,
    tree: Option<Spanned<DeTable<'s>>>,
    /// The paths of invalid values.
    invalid: Vec<Path>,
    /// Tables with an unknown key. That key may be the misspelled name of a missing key.
    misspelled: Vec<Path>,
}

/// What an error depends on, besides the value at its place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Basis {
    /// Nothing else.
    Value,
    /// These keys of the same service, check, backend or table.
    Keys(&'static [&'static str]),
    /// Any key of the same service, check, backend or table.
    Item,
}

/// The error of an invalid value, and the path of the value in the complete tree.
type Invalid = (Error, Option<Path>);

impl<'s> Survey<'s> {
    /// Parses the text.
    pub(super) fn new(source: Source<'s>) -> Self {
        let tree = match DeTable::parse(source.text) {
            Ok(tree) => tree,
            Err(error) => {
                let fault = source.fault(error.span().unwrap_or(0..0), in_plain_words(error.message()));
                return Self { faults: vec![fault], ..Self::default() };
            }
        };
        let (file, invalid_values) = read(&tree);
        let (mut faults, mut invalid, mut misspelled) = (vec![], vec![], vec![]);
        // The keys that misspelled ones stand for.
        let mut meant = HashSet::new();
        for (error, path) in invalid_values {
            let span = error.span().unwrap_or(0..0);
            let word = error.message().split('`').nth(1).unwrap_or_default();
            let message = match (&path, error.message()) {
                (Some(path), unknown) if unknown.starts_with("unknown field") => {
                    misspelled.push(path.parent());
                    meant.extend(misplaced::nearest(word, unknown).map(|near| path.parent().child(near)));
                    misplaced::message((source.text, &tree), path, &span, word, unknown)
                }
                (Some(path), missing) if missing.starts_with("missing field") => {
                    invalid.push(path.child(word));
                    match path.value(&tree) {
                        // The error about the misspelled key names it.
                        _ if meant.contains(&path.child(word)) => continue,
                        // The key is present, and its value is the invalid one.
                        Some(DeValue::Table(table)) if table.contains_key(word) => continue,
                        _ => format!("{} has no `{word}`, expected one", path.header()),
                    }
                }
                (path, message) => {
                    invalid.extend(path.clone());
                    in_plain_words(message)
                }
            };
            faults.push(source.fault(span, message));
        }
        Self { file, faults, tree: Some(tree), invalid, misspelled }
    }

    /// Whether the table at these steps has an invalid value.
    pub(super) fn has_invalid(&self, table: &[&str]) -> bool {
        self.invalid.iter().any(|path| path.is_in(table))
    }

    /// Whether an error at this place may be a consequence of an invalid value. An invalid value of a service affects
    /// its checks, but not the reverse.
    pub(super) fn hides(&self, fault: &Fault, basis: Basis) -> bool {
        let Some(at) = self.tree.as_ref().and_then(|tree| Path::to(tree, &fault.span())) else {
            return !self.invalid.is_empty() && fault.span().is_empty();
        };
        let affects = |invalid: &Path| match basis {
            Basis::Value => invalid.0.starts_with(&at.0),
            Basis::Keys(keys) => {
                at.0.starts_with(invalid.item()) && keys.iter().any(|key| invalid.names(key))
            }
            Basis::Item => at.0.starts_with(invalid.item()),
        };
        self.misspelled.contains(&at) || self.invalid.iter().any(affects)
    }
}

/// The key that a table lacks, if this is the error.
fn missing_key(error: &Error) -> Option<&str> {
    error.message().strip_prefix("missing field `")?.split('`').next()
}

/// A valid name, unique by `number`, or an empty list; `None` for other keys.
fn placeholder(key: &str, number: usize) -> Option<DeValue<'static>> {
    match key {
        "name" => Some(DeValue::String(format!("unnamed-{number}").into())),
        "prefixes" | "management" | "neighbors" => Some(DeValue::Array(DeArray::new())),
        _ => None,
    }
}

/// Parses the tree repeatedly, each time without the value that was invalid before.
fn read(tree: &Spanned<DeTable<'_>>) -> (Option<File>, Vec<Invalid>) {
    let mut left = tree.clone();
    let mut invalid_values = vec![];
    while invalid_values.len() < MAX_REMOVED {
        match File::deserialize(Deserializer::from(left.clone())) {
            Ok(file) => return (Some(file), invalid_values),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let here = Path::to(&left, &span);
                let missing =
                    missing_key(&error).and_then(|key| Some((key, placeholder(key, invalid_values.len())?)));
                let is_repaired = here.is_some_and(|here| match missing {
                    Some((key, value)) => {
                        put(left.get_mut(), &here.0, key, Spanned::new(span.clone(), value))
                    }
                    None => remove(left.get_mut(), &here.0),
                });
                invalid_values.push((error, Path::to(tree, &span)));
                if !is_repaired {
                    break;
                }
            }
        }
    }
    (None, invalid_values)
}

/// The positions of invalid values in the text.
pub(super) fn invalid_values(tree: &Spanned<DeTable<'_>>) -> HashSet<usize> {
    read(tree).1.into_iter().filter_map(|(error, _)| Some(error.span()?.start)).collect()
}

/// Rewrites messages of serde and the TOML parser without names of Rust types.
fn in_plain_words(message: &str) -> String {
    let line = message.lines().collect::<Vec<_>>().join(", ");
    let words = [
        ("invalid type: ", "found the "),
        ("invalid value: ", "found the "),
        ("expected a nonzero u32", "expected a whole number from 1 on"),
        ("expected a nonzero u64", "expected a whole number from 1 on"),
        ("expected a nonzero usize", "expected a whole number from 1 on"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected f64", "expected a number"),
        ("expected usize", "expected a whole number from 0 on"),
        ("expected a boolean", "expected true or false"),
        ("expected path string", "expected a path"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected a table"),
        ("unknown variant ", "found "),
    ];
    let plain = words.iter().fold(line, |line, (from, to)| line.replace(from, to));
    match plain.split_once("expected struct ") {
        Some((found, _)) => format!("{found}expected a table"),
        None => plain,
    }
}
