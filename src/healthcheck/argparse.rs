//! Reads a command line as Python's argparse does.
//!
//! Existing command lines rely on rules that clap does not have: `--withdraw` stands for `--withdraw-on-down`, `-sF` is
//! one option, `-sd` are two, `-5` is a value and `-x` is an option, and a word that starts with a dash and contains a
//! space is a value. So this module normalizes the words before clap sees them: each option in full, with its value
//! after `=`. The names come from the clap command, so that each is written only once.

use std::ffi::OsString;
use std::iter::Peekable;

use clap::Command;

/// A word, and its place if it comes from a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Word {
    /// The text, without a line break.
    pub(crate) text: String,
    /// `FILE:LINE`.
    pub(crate) place: Option<String>,
}

impl Word {
    /// Creates a word of the command line.
    ///
    /// # Errors
    /// Returns an error if it is not UTF-8.
    pub(crate) fn typed(text: OsString) -> Result<Self, String> {
        match text.into_string() {
            Ok(text) => Ok(Self { text, place: None }),
            Err(text) => Err(format!("`{}` is not UTF-8", text.display())),
        }
    }

    /// Creates a word with other text at the same place.
    fn spelled(&self, text: String) -> Self {
        Self { text, place: self.place.clone() }
    }

    /// Puts the place of the word in front of a message.
    pub(crate) fn at_place(&self, message: &str) -> String {
        match &self.place {
            Some(place) => format!("{place}: {message}"),
            None => message.to_owned(),
        }
    }
}

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Takes {
    None,
    Optional,
    One,
}

/// One name of an option.
#[derive(Clone, Debug)]
struct Name {
    /// `--rise`, `-c`, `-sF`.
    spelled: String,
    /// The full name: `--command`.
    full: String,
    takes: Takes,
    /// Whether it may be abbreviated.
    abbreviable: bool,
}

impl Name {
    /// Whether other letters may follow it after the same dash.
    fn is_letter(&self) -> bool {
        !self.spelled.starts_with("--")
    }
}

/// The kind of a word, independent of its neighbors.
enum Reading<'a> {
    /// An option, with the rest of its word if any.
    Option(&'a Name, Option<&'a str>),
    /// A word that looks like an option but is unknown, or `--`.
    Unexpected,
    /// A word that an option can take as its value.
    Value,
}

/// All names of all options.
#[derive(Debug)]
pub(crate) struct OptionTable(Vec<Name>);

impl OptionTable {
    /// Collects the options of `command`, which must be built. Options under the heading `ours` cannot be abbreviated,
    /// so that they make no abbreviation of the original ambiguous.
    pub(crate) fn new(command: &Command, ours: &str) -> Self {
        let mut names = vec![];
        for option in command.get_arguments() {
            let full = format!("--{}", option.get_long().unwrap_or_default());
            let takes = match option.get_num_args() {
                Some(range) if range.max_values() == 0 => Takes::None,
                Some(range) if range.min_values() == 0 => Takes::Optional,
                _ => Takes::One,
            };
            let long = option.get_long_and_visible_aliases().unwrap_or_default();
            let long = long.iter().map(|name| format!("--{name}"));
            let letter = option.get_short().map(|letter| format!("-{letter}"));
            // clap has no names of two letters after a single dash.
            let facility = (full == "--syslog-facility").then(|| "-sF".to_owned());
            names.extend(long.chain(letter).chain(facility).map(|spelled| Name {
                spelled,
                full: full.clone(),
                takes,
                abbreviable: option.get_help_heading() != Some(ours),
            }));
        }
        Self(names)
    }

    /// Normalizes `words`. Puts words that are not options first, where clap refuses them. Stops at a request for help.
    ///
    /// # Errors
    /// Returns an error if an option is ambiguous, lacks a value, or takes none.
    pub(crate) fn normalize(&self, words: &[Word]) -> Result<Vec<Word>, String> {
        let (mut spelled, mut unexpected) = (vec![], vec![]);
        let mut rest = words.iter().zip(self.read_all(words)?).peekable();
        while let Some((word, reading)) = rest.next() {
            let Reading::Option(mut name, mut behind) = reading else {
                unexpected.push(word.clone());
                continue;
            };
            while let (Takes::None, Some(more)) = (name.takes, behind) {
                spelled.push(word.spelled(name.full.clone()));
                (name, behind) = self.letter(name, more).ok_or_else(|| {
                    word.at_place(&format!("`{}` takes no value, found `{more}`", name.spelled))
                })?;
            }
            let value =
                match (name.takes, behind) {
                    (Takes::None, _) => None,
                    (_, Some(value)) => Some(value),
                    (Takes::Optional, None) => next_value(&mut rest),
                    (Takes::One, None) => Some(next_value(&mut rest).ok_or_else(|| {
                        word.at_place(&format!("`{}` expects a value after it", name.spelled))
                    })?),
                };
            spelled.push(word.spelled(match value {
                Some(value) => format!("{}={value}", name.full),
                None => name.full.clone(),
            }));
            if spelled.iter().any(|word: &Word| word.text == "--help") {
                return Ok(spelled);
            }
        }
        if let Some(word) = unexpected.iter().find(|word| word.text == "--") {
            return Err(word.at_place("unexpected `--`, expected options only"));
        }
        unexpected.extend(spelled);
        Ok(unexpected)
    }

    /// After `--` no word is an option.
    fn read_all<'a>(&'a self, words: &'a [Word]) -> Result<Vec<Reading<'a>>, String> {
        let mut ended = false;
        let mut readings = vec![];
        for word in words {
            readings.push(match word.text.as_str() {
                _ if ended => Reading::Value,
                "--" => {
                    ended = true;
                    Reading::Unexpected
                }
                _ => self.read(word)?,
            });
        }
        Ok(readings)
    }

    fn read<'a>(&'a self, word: &'a Word) -> Result<Reading<'a>, String> {
        let text = word.text.as_str();
        if !text.starts_with('-') || text == "-" {
            return Ok(Reading::Value);
        }
        if let Some(name) = self.exactly(text) {
            return Ok(Reading::Option(name, None));
        }
        let (before, value) = match text.split_once('=') {
            Some((before, value)) => (before, Some(value)),
            None => (text, None),
        };
        if let Some(name) = self.exactly(before) {
            return Ok(Reading::Option(name, value));
        }
        let found = if text.starts_with("--") {
            self.abbreviated(word, before)?.map(|name| (name, value))
        } else {
            self.first_letter(&text[1..])
        };
        Ok(match found {
            Some((name, behind)) => Reading::Option(name, behind),
            None if is_number(text) || text.contains(' ') => Reading::Value,
            None => Reading::Unexpected,
        })
    }

    fn exactly(&self, text: &str) -> Option<&Name> {
        self.0.iter().find(|name| name.spelled == text)
    }

    fn abbreviated(&self, word: &Word, text: &str) -> Result<Option<&Name>, String> {
        let meant = |name: &&Name| name.abbreviable && name.spelled.starts_with(text);
        let candidates: Vec<_> = self.0.iter().filter(meant).collect();
        match candidates[..] {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => {
                let each: Vec<_> = candidates.iter().map(|name| format!("`{}`", name.spelled)).collect();
                Err(word.at_place(&format!("`{text}` is ambiguous, expected one of {}", each.join(", "))))
            }
        }
    }

    /// The option after `name` within one word: `-sd` is `-s -d`.
    fn letter<'a>(&'a self, name: &Name, more: &'a str) -> Option<(&'a Name, Option<&'a str>)> {
        let (next, behind) = self.first_letter(more).filter(|_| name.is_letter())?;
        Some((next, behind.filter(|behind| !behind.is_empty())))
    }

    /// The option of the first letter, and the remaining letters.
    fn first_letter<'a>(&'a self, letters: &'a str) -> Option<(&'a Name, Option<&'a str>)> {
        let end = letters.chars().next()?.len_utf8();
        let name = self.exactly(&format!("-{}", &letters[..end]))?;
        Some((name, Some(&letters[end..])))
    }
}

/// The next word, if it is a value.
fn next_value<'a>(rest: &mut Peekable<impl Iterator<Item = (&'a Word, Reading<'a>)>>) -> Option<&'a str> {
    let (word, _) = rest.next_if(|(_, reading)| matches!(reading, Reading::Value))?;
    Some(&word.text)
}

/// Whether the text is a negative number such as `-5`, `-0.5` or `-.5`, which is a value.
fn is_number(text: &str) -> bool {
    let all_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = &text[1..];
    match number.split_once('.') {
        Some((whole, fraction)) => all_digits(whole) && all_digits(fraction) && !fraction.is_empty(),
        None => all_digits(number) && !number.is_empty(),
    }
}
