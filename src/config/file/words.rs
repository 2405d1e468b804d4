//! Words of the file with a type of their own.

use std::str::FromStr;

use crate::probe::dns::Query;

/// A zone name, stored as the query that checks the zone.
#[derive(Clone, Debug)]
pub(in crate::config) struct ZoneName(pub(in crate::config) Query);

impl FromStr for ZoneName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.split_whitespace().count() != 1 {
            return Err(format!("`{text}` is not a zone name, expected one such as `example.org`"));
        }
        format!("{text} SOA").parse().map(Self)
    }
}

/// A name to ask for before a return, `NAME [TYPE [CLASS]]`, by default of type A.
#[derive(Clone, Debug)]
pub(in crate::config) struct Warmed(pub(in crate::config) Query);

impl FromStr for Warmed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_whitespace().count() {
            1 => format!("{text} A").parse().map(Self),
            _ => text.parse().map(Self),
        }
    }
}

/// The word `off`, which leaves out a check.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Off;

impl FromStr for Off {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self),
            _ => Err(format!(
                "found `{text}`, expected \"off\" or a table such as {{ names = [\"example.org. A\"] }}"
            )),
        }
    }
}
