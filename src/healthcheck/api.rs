//! The version of ExaBGP's commands, by number.

use std::str::FromStr;

use crate::exabgp::Dialect;

/// `auto`, 4, 5 or 6; `None` to find out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Api(pub Option<Dialect>);

impl FromStr for Api {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self(None)),
            "4" => Ok(Self(Some(Dialect::Plain))),
            "5" => Ok(Self(Some(Dialect::Neighbor))),
            "6" => Ok(Self(Some(Dialect::Peer))),
            _ => Err(format!("`{text}` is no version of ExaBGP's commands, expected auto, 4, 5 or 6")),
        }
    }
}
