//! `healthcheck`: a replacement for `exabgp healthcheck` of ExaBGP 5.0.15.
//!
//! Many exabgp.conf files run that program. An operator replaces its name with `dnsherald healthcheck` and changes
//! nothing else, so this command accepts all of its options with the same meaning. [`mod@parse`] converts the command line
//! to options:
//!
//! ```text
//!  command line ──► argparse ─► arguments ──────────► options
//!  --config FILE ─► file ───┘   typed; each value     all values resolved and
//!                               checked at its place  checked against each other
//! ```
//!
//! * [`argparse`]: splits a command line as Python's argparse does, with abbreviations and `-sF`. [`mod@parse`] hands the
//!   result to clap.
//! * [`mod@file`]: the configuration file, which holds options of the command line.
//! * [`arguments`]: every option with its help. [`attribute`], [`dns`], [`network`], [`number`] parse the values. They
//!   refuse an invalid value even if it has no effect.
//! * [`options`]: the resolved options; [`resolve`] builds them. [`advertising`] turns prefixes into routes.
//! * [`setup`] finds, adds and removes addresses, [`identity`] drops root privileges.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;

use clap::error::ErrorKind;

use self::argparse::Word;
use self::arguments::Arguments;
use self::options::Options;
use crate::exit::Exit;
use crate::text;

pub(crate) mod advertising;
pub(crate) mod argparse;
pub(crate) mod arguments;
pub(crate) mod attribute;
pub(crate) mod configuration;
pub(crate) mod dns;
pub(crate) mod file;
pub(crate) mod identity;
pub(crate) mod network;
pub(crate) mod number;
pub(crate) mod options;
pub(crate) mod parse;
pub(crate) mod print;
pub(crate) mod resolve;
pub(crate) mod setup;
#[cfg(test)]
mod tests;

/// Why there are no options: the command line is invalid, or asks for help.
#[derive(Debug)]
pub(crate) struct Refusal {
    error: clap::Error,
    /// Whether to delay the exit, so that ExaBGP does not exceed its limit of restarts. `--no-wait` clears it.
    pub(crate) wait: bool,
}

impl Refusal {
    /// Creates a refusal of valid options that cannot be applied on this host.
    pub(crate) fn new(message: String, options: &Options) -> Self {
        Self { error: refuse(message), wait: options.wait }
    }

    /// Prints help to standard output, or an error with the usage to standard error.
    pub(crate) fn print(&self) {
        // Nothing can report a failed write here.
        text::usage(&self.error);
    }

    /// The exit status of the process.
    pub(crate) fn exit(&self) -> Exit {
        if self.error.use_stderr() { Exit::Usage } else { Exit::Success }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Parses the arguments of `dnsherald healthcheck` and the configuration file that they name.
///
/// # Errors
/// Returns the help or error to print and the exit status.
pub(crate) fn parse(argv: impl Iterator<Item = OsString>) -> Result<Options, Refusal> {
    let argv: Vec<OsString> = argv.collect();
    let wait = !argv.iter().any(|word| word == "--no-wait");
    parse_all(argv).map_err(|error| Refusal { error, wait })
}

/// The command line must be valid alone, and again after the options of the file.
fn parse_all(argv: Vec<OsString>) -> Result<Options, clap::Error> {
    let typed = argv.into_iter().map(Word::typed).collect::<Result<Vec<_>, _>>().map_err(refuse)?;
    let mut arguments = Arguments::read(&typed)?;
    if let Some(path) = arguments.config.last() {
        let mut argparse = file::read(path).map_err(refuse)?;
        argparse.extend(typed);
        arguments = Arguments::read(&argparse)?;
        // Only the last file is read, and a file named in a file is ignored. All of them must exist.
        for path in &arguments.config {
            File::open(path).map_err(|error| refuse(file::unreadable(path, &error)))?;
        }
    }
    Options::try_from(arguments).map_err(refuse)
}

/// An error followed by the usage.
fn refuse(message: String) -> clap::Error {
    Arguments::described().error(ErrorKind::ValueValidation, message)
}
