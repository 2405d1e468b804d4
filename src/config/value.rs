//! Values of the configuration file. Each type refuses invalid input at its place in the file.
//!
//! The derived alternatives of serde (`untagged`, `flatten`) lose the place of an error, so this module uses visitors.

use std::fmt;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor,
};

use crate::exabgp::Dialect;
use crate::exabgp::attributes::PathInformation;
use crate::probe::dns::{EdnsUse, PLAIN_PAYLOAD};

pub(crate) use self::network::{
    Address, Device, Listen, Prefix, Server, Unscoped, WrittenAddress, WrittenNextHop,
};
pub(crate) use self::size::Size;

mod network;
mod size;

/// A value parsed from a string.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Text<T>(pub(crate) T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = None;
        let mut read = |text: &str| {
            value = Some(text.parse().map_err(|error: T::Err| error.to_string())?);
            Ok(())
        };
        deserializer.deserialize_str(Seen(&mut read))?;
        value.map(Text).ok_or_else(|| D::Error::custom("found nothing, expected a string"))
    }
}

/// Hands a string to a function. One visitor for all types, since the parser is compiled once for each visitor.
///
/// It parses while it visits: an error in a list then has the place of its element.
struct Seen<'a>(&'a mut dyn FnMut(&str) -> Result<(), String>);

impl Visitor<'_> for Seen<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        (self.0)(text).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for Seen<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

/// One value, or a list of them, each parsed from a string.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OneOrMany<T>(pub(crate) Vec<T>);

impl<T: Clone> OneOrMany<T> {
    /// The values, in order.
    pub(crate) fn values(&self) -> Vec<T> {
        self.0.clone()
    }
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = vec![];
        let mut read = |text: &str| {
            values.push(text.parse().map_err(|error: T::Err| error.to_string())?);
            Ok(())
        };
        deserializer.deserialize_any(SeenMany(&mut read))?;
        Ok(Self(values))
    }
}

/// Hands a string, or each of a list, to a function, as [`Seen`] does.
struct SeenMany<'a>(&'a mut dyn FnMut(&str) -> Result<(), String>);

impl<'de> Visitor<'de> for SeenMany<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        (self.0)(text).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element_seed(Seen(self.0))?.is_some() {}
        Ok(())
    }
}

/// A command: a line for the shell, or a program and its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WrittenCommand {
    /// For `sh -c`.
    Shell(String),
    /// Without a shell.
    Words(Vec<String>),
}

impl<'de> Deserialize<'de> for WrittenCommand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;

        impl<'de> Visitor<'de> for Seen {
            type Value = WrittenCommand;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a shell command or a list of a program and its arguments")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(WrittenCommand::Shell(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(WrittenCommand::Words)
            }
        }

        deserializer.deserialize_any(Seen)
    }
}

/// A word or a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum WordOr<W, T> {
    /// The word.
    Word(W),
    /// The table.
    Table(T),
}

impl<'de, W: FromStr<Err = String>, T: Deserialize<'de>> Deserialize<'de> for WordOr<W, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen<W, T>(PhantomData<(W, T)>);

        impl<'de, W: FromStr<Err = String>, T: Deserialize<'de>> Visitor<'de> for Seen<W, T> {
            type Value = WordOr<W, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a table")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map(WordOr::Word).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(WordOr::Table)
            }
        }

        deserializer.deserialize_any(Seen(PhantomData))
    }
}

/// Deserializes a number or a string: `api = "auto"`, `path-information = "0.0.0.1"`.
macro_rules! number_or_text {
    ($name:ident, $expected:literal, $from_number:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Seen;

                impl Visitor<'_> for Seen {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                        let read: fn(i64) -> Option<$name> = $from_number;
                        read(number).ok_or_else(|| E::custom(format!("`{number}` is not {}", $expected)))
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                deserializer.deserialize_any(Seen)
            }
        }
    };
}

/// The API version of ExaBGP; `None` to detect it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Api(pub(crate) Option<Dialect>);

number_or_text!(Api, "\"auto\", 4, 5, 6 or a version such as \"4.2.22\"", |number| {
    Dialect::from_api(&number.to_string()).map(|dialect| Api(Some(dialect)))
});

impl FromStr for Api {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, Dialect::from_api(text)) {
            ("auto", _) => Ok(Self(None)),
            (_, Some(dialect)) => Ok(Self(Some(dialect))),
            _ => Err(format!(
                "`{text}` is not a version of ExaBGP, expected \"auto\", 4, 5, 6 or a version from 3.4 to 6 such as \"4.2.22\""
            )),
        }
    }
}

/// A path identifier, as a number or in dotted notation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WrittenPath(pub(crate) PathInformation);

number_or_text!(WrittenPath, "a number up to 4294967295 or its dotted form", |number| {
    u32::try_from(number).ok().map(|number| WrittenPath(PathInformation(number)))
});

impl FromStr for WrittenPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let dotted: Ipv4Addr = text.parse().map_err(|_| {
            format!("`{text}` is not a path identifier, expected a number or its dotted form `0.0.0.1`")
        })?;
        Ok(Self(PathInformation(dotted.into())))
    }
}

/// `fall`: a number of failures in a row, or a table `{ consecutive = 3, failures = 30, of = 60 }`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Fall {
    /// Failures in a row.
    pub(crate) consecutive: Option<NonZeroU32>,
    /// Failures in the window.
    pub(crate) failures: Option<u32>,
    /// Rounds of the window.
    pub(crate) of: Option<u32>,
}

impl Fall {
    /// Whether it says something about the window.
    pub(crate) const fn has_window(&self) -> bool {
        self.failures.is_some() || self.of.is_some()
    }
}

impl<'de> Deserialize<'de> for Fall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;

        impl<'de> Visitor<'de> for Seen {
            type Value = Fall;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 1 on, or a table such as { failures = 30, of = 60 }")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                let consecutive = u32::try_from(number).ok().and_then(NonZeroU32::new);
                match consecutive {
                    Some(_) => Ok(Fall { consecutive, failures: None, of: None }),
                    None => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                // The derived function, for the table.
                Fall::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(Seen)
    }
}

/// The octets that EDNS offers for a response over UDP, or none for a question without EDNS.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct WrittenEdns(pub(crate) EdnsUse);

number_or_text!(WrittenEdns, "a number of octets from 512 to 65535 or \"none\"", |number| {
    let octets = u16::try_from(number).ok().filter(|octets| *octets >= PLAIN_PAYLOAD)?;
    NonZeroU16::new(octets).map(|octets| WrittenEdns(EdnsUse::Offer(octets)))
});

impl FromStr for WrittenEdns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self(EdnsUse::Never)),
            _ => Err(format!("found `{text}`, expected a number of octets from 512 to 65535 or \"none\"")),
        }
    }
}

/// The word `withdraw`, which may replace a table of attributes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Withdraw;

impl FromStr for Withdraw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "withdraw" => Ok(Self),
            _ => Err(format!(
                "found `{text}`, expected \"withdraw\" or a table of attributes such as {{ med = 100 }}"
            )),
        }
    }
}
