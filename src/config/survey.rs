//! Reads a file as far as single values go, and finds every value that cannot be read, not only the first.
//!
//! serde stops at the first error. So the value is taken out of the parsed tree, and the rest is read again, until it
//! can be read. What a rule between values then finds in the same table may be a consequence of that, and is not said:
//! [`Survey::hides`].

use std::collections::HashSet;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::cite::{Fault, Source};
use super::file::File;
use super::misplaced::Misplaced;
use super::tree::{Path, take};

/// How many values are taken out before what is left is given up.
const MOST: usize = 50;

/// What was found.
#[derive(Debug)]
pub(super) struct Survey<'s> {
    /// The file without the values that cannot be read; `None` where nothing can be read.
    pub(super) file: Option<File>,
    /// What is wrong with those.
    pub(super) faults: Vec<Fault>,
    tree: Option<Spanned<DeTable<'s>>>,
    /// What cannot be read.
    hurt: Vec<Path>,
    /// The tables with an unknown key, which may be meant to be one that is missed there.
    misspelt: Vec<Path>,
}

/// A value that cannot be read, and the way to it in the whole tree.
struct Unread {
    error: Error,
    path: Option<Path>,
}

impl<'s> Survey<'s> {
    /// Reads the text.
    pub(super) fn of(source: Source<'s>) -> Self {
        let tree = match DeTable::parse(source.text) {
            Ok(tree) => tree,
            Err(error) => {
                let fault = source.fault(error.span().unwrap_or(0..0), in_plain_words(error.message()));
                return Self { file: None, faults: vec![fault], tree: None, hurt: vec![], misspelt: vec![] };
            }
        };
        let (file, unread) = read(&tree);
        let misplaced = Misplaced::new(source.text, &tree);
        let (mut faults, mut hurt, mut misspelt) = (vec![], vec![], vec![]);
        for Unread { error, path } in unread {
            let span = error.span().unwrap_or(0..0);
            let word = error.message().split('`').nth(1).unwrap_or_default();
            let message = match (&path, error.message()) {
                (Some(path), unknown) if unknown.starts_with("unknown field") => {
                    misspelt.push(path.parent());
                    misplaced.message(path, &span, word, unknown)
                }
                (Some(path), missing) if missing.starts_with("missing field") => {
                    hurt.push(path.clone());
                    if tree_lacks(&tree, path, word) {
                        format!("{} has no `{word}`, expected one", path.header())
                    } else {
                        // It is there, and its value is what cannot be read.
                        continue;
                    }
                }
                (path, message) => {
                    hurt.extend(path.clone());
                    in_plain_words(message)
                }
            };
            faults.push(source.fault(span, message));
        }
        Self { file, faults, tree: Some(tree), hurt, misspelt }
    }

    /// Whether something of the table at these steps could not be read.
    pub(super) fn is_hurt(&self, table: &[&str]) -> bool {
        self.hurt.iter().any(|path| path.is_in(table))
    }

    /// Whether an error at this place may come from nothing but a value that could not be read. A check suffers from
    /// what its service lacks, and never the other way round.
    pub(super) fn hides(&self, fault: &Fault) -> bool {
        let Some(at) = self.tree.as_ref().and_then(|tree| Path::of(tree, &fault.span())) else {
            return !self.hurt.is_empty() && fault.span().is_empty();
        };
        self.misspelt.contains(&at) || self.hurt.iter().any(|hurt| at.starts_with(hurt.item()))
    }
}

/// Reads the tree again and again, each time without what could not be read before.
fn read(tree: &Spanned<DeTable<'_>>) -> (Option<File>, Vec<Unread>) {
    let mut left = tree.clone();
    let mut unread = vec![];
    while unread.len() < MOST {
        match File::deserialize(Deserializer::from(left.clone())) {
            Ok(file) => return (Some(file), unread),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let here = Path::of(&left, &span);
                let is_out = here.is_some_and(|here| take(left.get_mut(), &here.0).is_some());
                let path = Path::of(tree, &span);
                unread.push(Unread { error, path });
                if !is_out {
                    break;
                }
            }
        }
    }
    (None, unread)
}

/// Where in the text values cannot be read.
pub(super) fn unread(tree: &Spanned<DeTable<'_>>) -> HashSet<usize> {
    let starts = read(tree).1.into_iter().filter_map(|unread| Some(unread.error.span()?.start));
    starts.collect()
}

fn tree_lacks(tree: &Spanned<DeTable<'_>>, path: &Path, key: &str) -> bool {
    match path.value(tree) {
        Some(DeValue::Table(table)) => !table.contains_key(key),
        _ => true,
    }
}

/// What serde and the parser say, without the names of types in Rust.
fn in_plain_words(message: &str) -> String {
    let line = message.lines().collect::<Vec<_>>().join(", ");
    let words = [
        ("invalid type: ", "found the "),
        ("invalid value: ", "found the "),
        ("expected a nonzero u32", "expected a whole number from 1 on"),
        ("expected a nonzero usize", "expected a whole number from 1 on"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
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
