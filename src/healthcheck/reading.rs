//! From words to arguments: clap reads them when they are spelled out, and what is wrong is said at its place.

use std::error::Error as _;
use std::iter::once;

use clap::error::{ContextKind, ErrorKind};
use clap::{Command, CommandFactory, Parser};

use super::arguments::{Arguments, NAME, OURS};
use super::words::{Vocabulary, Word};

impl Arguments {
    /// All options, as clap knows them.
    #[must_use]
    pub(crate) fn described() -> Command {
        let mut command = Self::command();
        command.build();
        command
    }

    /// Reads the words of a command line.
    ///
    /// # Errors
    /// The help, if it is asked for, or what is wrong, at its place.
    pub(crate) fn read(words: &[Word]) -> Result<Self, clap::Error> {
        let mut command = Self::described();
        let spelled = Vocabulary::of(&command, OURS).spell_out(words);
        let spelled = spelled.map_err(|message| command.error(ErrorKind::InvalidValue, message))?;
        Self::from_all(&spelled).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp => error,
            _ => match spelled.iter().find_map(|word| Some((word, Self::from_all([word]).err()?))) {
                Some((word, why)) => command.error(why.kind(), word.complain(&sentence(word, &why))),
                None => error,
            },
        })
    }

    fn from_all<'a>(words: impl IntoIterator<Item = &'a Word>) -> Result<Self, clap::Error> {
        Self::try_parse_from(once(NAME).chain(words.into_iter().map(|word| word.text.as_str())))
    }
}

/// What is wrong with one word that has been spelled out.
fn sentence(word: &Word, error: &clap::Error) -> String {
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
