//! Passes normalized words to clap and names the place of each error.

use std::error::Error as _;
use std::iter::once;

use clap::error::{ContextKind, ErrorKind};
use clap::{Command, CommandFactory, Parser};

use super::argparse::{OptionTable, Word};
use super::arguments::{Arguments, NAME, OURS};

impl Arguments {
    /// All options, as a clap command.
    pub(crate) fn described() -> Command {
        let mut command = Self::command();
        command.build();
        command
    }

    /// Parses the words of a command line.
    ///
    /// # Errors
    /// Returns the help if the words ask for it, or an error at its place.
    pub(crate) fn read(words: &[Word]) -> Result<Self, clap::Error> {
        let mut command = Self::described();
        let normalized = OptionTable::new(&command, OURS).normalize(words);
        let normalized = normalized.map_err(|message| command.error(ErrorKind::InvalidValue, message))?;
        Self::from_all(&normalized).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp => error,
            _ => match normalized.iter().find_map(|word| Some((word, Self::from_all([word]).err()?))) {
                Some((word, why)) => command.error(why.kind(), word.at_place(&describe(word, &why))),
                None => error,
            },
        })
    }

    fn from_all<'a>(words: impl IntoIterator<Item = &'a Word>) -> Result<Self, clap::Error> {
        Self::try_parse_from(once(NAME).chain(words.into_iter().map(|word| word.text.as_str())))
    }
}

/// Describes what is wrong with one normalized word.
fn describe(word: &Word, error: &clap::Error) -> String {
    if error.kind() == ErrorKind::UnknownArgument {
        let similar = error.get(ContextKind::SuggestedArg);
        let similar = similar.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
        return format!("unexpected `{}`{similar}", word.text);
    }
    let option = word.text.split('=').next().unwrap_or_default();
    match error.source() {
        Some(why) => format!("{option}: {why}"),
        None => format!("{option}: expected a value"),
    }
}
