//! The reference of the configuration: every table and key with its type, default and meaning.
//!
//! `dnsherald config-schema` prints it as JSON Schema for editors, and as the tables of the page on the configuration.
//! Tests compare it with the parser: its keys are those that the parser accepts, its defaults are in force, and its
//! words and bounds are those of the parser.

mod backend;
mod check;
mod dns;
mod forms;
pub(crate) mod markdown;
mod node;
pub(crate) mod schema;
mod service;

/// A table of the file, or a table in the place of a value.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its dotted name, such as `service.check`; empty for the file itself. `NAME` stands for a name of the operator.
    pub(crate) path: &'static str,
    /// Its heading, as the file writes it where it can.
    pub(crate) title: &'static str,
    /// What it is about, in sentences.
    pub(crate) about: &'static str,
    /// Its keys, in the order of the parser's structures as far as that helps the reader.
    pub(crate) keys: &'static [Key],
}

/// A key of a table.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its name.
    pub(crate) name: &'static str,
    /// The values that it accepts.
    pub(crate) kind: Kind,
    /// The value without the key.
    pub(crate) preset: Preset,
    /// What it means, in sentences.
    pub(crate) about: &'static str,
}

/// The value that is in force if the file lacks a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Preset {
    /// The file must have the key.
    Required,
    /// This value, in a notation that TOML and JSON share.
    Value(&'static str),
    /// A value that depends on others, in words.
    Words(&'static str),
    /// None: the key adds something.
    Absent,
}

/// The values that a key accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A string of this form.
    Text(&'static Form),
    /// One of these strings.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Bool,
    /// Only `false`.
    False,
    /// A number with its unit, within these bounds; empty for none. `"0s"` is also valid where it switches something off.
    Period { least: &'static str, most: &'static str },
    /// A whole number within these bounds, both included.
    Whole { from: u64, to: u64 },
    /// A number above 0, at most 1.
    Share,
    /// A list.
    List(&'static Self),
    /// A value, or a list of them.
    OneOrMany(&'static Self),
    /// One of these kinds.
    OneOf(&'static [Self]),
    /// The table of this path.
    Table(&'static str),
    /// A list of tables of this path.
    Tables(&'static str),
    /// Tables of this path, each below a name.
    Named(&'static str),
    /// A table of causes with the effect of each.
    ByCause,
}

/// The form of a string.
#[derive(Debug)]
pub(crate) struct Form {
    /// What it is: "address".
    pub(crate) one: &'static str,
    /// Several of it: "addresses".
    pub(crate) many: &'static str,
    /// A regular expression that every valid string matches; empty for any string.
    pub(crate) pattern: &'static str,
}

/// Every table, those that a table refers to behind it.
const TABLES: &[&[Table]] = &[node::TABLES, backend::TABLES, service::TABLES, check::TABLES, dns::TABLES];

/// Every table.
pub(crate) fn tables() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().copied().flatten()
}

/// The effects of a failure, worst first. `ignore` is the former name of `observe`.
pub(crate) const EFFECTS: &[&str] = &["down", "degraded", "observe", "ignore"];

const fn key(name: &'static str, kind: Kind, preset: Preset, about: &'static str) -> Key {
    Key { name, kind, preset, about }
}

/// A period without bounds of its own.
const PERIOD: Kind = Kind::Period { least: "", most: "" };

/// A period of at least this.
const fn at_least(least: &'static str) -> Kind {
    Kind::Period { least, most: "" }
}

/// A period of at most this.
const fn at_most(most: &'static str) -> Kind {
    Kind::Period { least: "", most }
}

/// A whole number from 1 on.
const COUNT: Kind = Kind::Whole { from: 1, to: MOST };
/// A whole number of 32 bits.
const NUMBER: Kind = Kind::Whole { from: 0, to: MOST };
/// A number without a bound that matters.
const SIZE: Kind = Kind::Whole { from: 0, to: u64::MAX };

/// The greatest number of 32 bits.
const MOST: u64 = u32::MAX as u64;
