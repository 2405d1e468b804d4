//! `healthcheck`: a drop-in for `exabgp healthcheck` of ExaBGP 5.0.15.
//!
//! Thousands of lines in exabgp.conf were written for that program. Replacing its name by `dnsherald healthcheck` is
//! to be all that an operator does, so that whatever it takes is taken here, and means the same. [`parse`] is the way
//! from what was typed to what is meant:
//!
//! ```text
//!  command line ──► words ───► arguments ───────────► options
//!  --config FILE ─► file ──┘   typed, each value      what is meant; values that
//!                              refused at its place   depend on each other
//! ```
//!
//! * [`words`]: how Python's argparse reads a line, down to abbreviations and `-sF`. [`reading`] gives clap its findings.
//! * [`mod@file`]: the configuration file, which is a command line in disguise.
//! * [`arguments`]: every option with its help. [`attribute`], [`dns`], [`facility`], [`network`], [`number`]
//!   are the types of their values, and refuse what makes no sense, whether or not it is going to be used.
//! * [`options`]: what is meant, and [`meaning`], the way to it. [`advertising`] makes routes out of prefixes.
//! * [`setup`] finds, adds and removes addresses, [`identity`] drops privileges, [`syslog`] is the log of the host.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;

use clap::error::ErrorKind;

use self::arguments::Arguments;
use self::options::Options;
use self::words::Word;
use crate::exit::Exit;
use crate::text;

pub(crate) mod advertising;
pub(crate) mod arguments;
pub(crate) mod attribute;
pub(crate) mod configuration;
pub(crate) mod dns;
pub(crate) mod facility;
pub(crate) mod file;
pub(crate) mod identity;
pub(crate) mod meaning;
pub(crate) mod network;
pub(crate) mod number;
pub(crate) mod options;
pub(crate) mod print;
pub(crate) mod reading;
pub(crate) mod setup;
pub(crate) mod syslog;
#[cfg(test)]
mod tests;
pub(crate) mod words;

/// Why there are no options: they make no sense, or only help was asked for.
#[derive(Debug)]
pub(crate) struct Refusal {
    error: clap::Error,
    /// Whether to let time pass before the process ends, lest ExaBGP give up on it: there was no `--no-wait`.
    pub(crate) wait: bool,
}

impl Refusal {
    /// Options that make sense, but cannot be followed.
    #[must_use]
    pub(crate) fn of(message: String, options: &Options) -> Self {
        Self { error: refuse(message), wait: options.wait }
    }

    /// Says it: help on standard output, an error with the usage on standard error.
    pub(crate) fn print(&self) {
        // Nobody is left to be told of a closed pipe.
        text::usage(&self.error);
    }

    /// How the process is to end.
    #[must_use]
    pub(crate) fn exit(&self) -> Exit {
        if self.error.use_stderr() { Exit::Usage } else { Exit::Success }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Understands the words behind `dnsherald healthcheck`, and the configuration file that they name.
///
/// # Errors
/// With what to print, and how to exit.
pub(crate) fn parse(argv: impl Iterator<Item = OsString>) -> Result<Options, Refusal> {
    let argv: Vec<OsString> = argv.collect();
    let wait = !argv.iter().any(|word| word == "--no-wait");
    understand(argv).map_err(|error| Refusal { error, wait })
}

/// The command line has to make sense by itself, and again behind what is in the file.
fn understand(argv: Vec<OsString>) -> Result<Options, clap::Error> {
    let typed = argv.into_iter().map(Word::typed).collect::<Result<Vec<_>, _>>().map_err(refuse)?;
    let mut arguments = Arguments::read(&typed)?;
    if let Some(path) = arguments.config.last() {
        let mut words = file::read(path).map_err(refuse)?;
        words.extend(typed);
        arguments = Arguments::read(&words)?;
        // The last one counts, and one inside the file is not followed; but each has to be there.
        for path in &arguments.config {
            File::open(path).map_err(|error| refuse(file::unreadable(path, &error)))?;
        }
    }
    Options::try_from(arguments).map_err(refuse)
}

/// An error that ends with the usage.
fn refuse(message: String) -> clap::Error {
    Arguments::described().error(ErrorKind::ValueValidation, message)
}
