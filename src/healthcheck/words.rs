//! How Python's argparse reads a command line.
//!
//! What has been written for it relies on its ways, and clap has others: `--withdraw` stands for
//! `--withdraw-on-down`, `-sF` is one option, `-sd` are two, `-5` is a value and `-x` is none, and what starts with
//! a dash and contains a blank is a value as well. So words are spelled out before clap sees them: an option in full,
//! with its value behind a `=`. The names come from clap, so that each is written down once.

use std::ffi::OsString;
use std::iter::Peekable;

use clap::Command;

/// A word, and where it stands if not on the command line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Word {
    /// Without a line break at its end.
    pub(crate) text: String,
    /// `FILE:LINE`.
    pub(crate) place: Option<String>,
}

impl Word {
    /// A word of the command line.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub(crate) fn typed(text: OsString) -> Result<Self, String> {
        match text.into_string() {
            Ok(text) => Ok(Self { text, place: None }),
            Err(text) => Err(format!("`{}` is not UTF-8", text.display())),
        }
    }

    /// The same place, other words.
    fn spelled(&self, text: String) -> Self {
        Self { text, place: self.place.clone() }
    }

    /// A sentence about it, with its place in front.
    #[must_use]
    pub(crate) fn complain(&self, sentence: &str) -> String {
        match &self.place {
            Some(place) => format!("{place}: {sentence}"),
            None => sentence.to_owned(),
        }
    }
}

/// How many values an option takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Takes {
    None,
    Perhaps,
    One,
}

/// One spelling of an option.
#[derive(Clone, Debug)]
struct Name {
    /// `--rise`, `-c`, `-sF`.
    spelled: String,
    /// What it is spelled out to: `--command`.
    full: String,
    takes: Takes,
    /// Whether an abbreviation can mean it.
    abbreviable: bool,
}

impl Name {
    /// Whether it may stand in front of other letters behind the same dash.
    fn is_letter(&self) -> bool {
        !self.spelled.starts_with("--")
    }
}

/// What a word is, before it is known what stands around it.
enum Reading<'a> {
    /// An option, perhaps with what stands behind it in the same word.
    Option(&'a Name, Option<&'a str>),
    /// Something that looks like an option and is none, or `--`.
    Stray,
    /// What an option can take.
    Value,
}

/// All spellings of all options.
#[derive(Debug)]
pub(crate) struct Vocabulary(Vec<Name>);

impl Vocabulary {
    /// The options of `command`, which has been built. Those under the heading `ours` are not to be abbreviated, so
    /// that they take no abbreviation away from the others.
    #[must_use]
    pub(crate) fn of(command: &Command, ours: &str) -> Self {
        let mut names = vec![];
        for option in command.get_arguments() {
            let full = format!("--{}", option.get_long().unwrap_or_default());
            let takes = match option.get_num_args() {
                Some(range) if range.max_values() == 0 => Takes::None,
                Some(range) if range.min_values() == 0 => Takes::Perhaps,
                _ => Takes::One,
            };
            let long = option.get_long_and_visible_aliases().unwrap_or_default();
            let long = long.iter().map(|name| format!("--{name}"));
            let letter = option.get_short().map(|letter| format!("-{letter}"));
            // A name of two letters behind one dash is what clap does not have.
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

    /// Spells `words` out. What is no option is put in front, where no option can take it, for clap to refuse. Where
    /// help is asked for, that does not matter, nor does what stands behind.
    ///
    /// # Errors
    /// The sentence that says which option is ambiguous, lacks a value, or takes none.
    pub(crate) fn spell_out(&self, words: &[Word]) -> Result<Vec<Word>, String> {
        let (mut spelled, mut strays) = (vec![], vec![]);
        let mut rest = words.iter().zip(self.read_all(words)?).peekable();
        while let Some((word, reading)) = rest.next() {
            let Reading::Option(mut name, mut behind) = reading else {
                strays.push(word.clone());
                continue;
            };
            while let (Takes::None, Some(more)) = (name.takes, behind) {
                spelled.push(word.spelled(name.full.clone()));
                (name, behind) = self.letter(name, more).ok_or_else(|| {
                    word.complain(&format!("`{}` takes no value, found `{more}`", name.spelled))
                })?;
            }
            let value = match (name.takes, behind) {
                (Takes::None, _) => None,
                (_, Some(value)) => Some(value),
                (Takes::Perhaps, None) => next_value(&mut rest),
                (Takes::One, None) => Some(next_value(&mut rest).ok_or_else(|| {
                    word.complain(&format!("`{}` expects a value behind it", name.spelled))
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
        if let Some(word) = strays.iter().find(|word| word.text == "--") {
            return Err(word.complain("unexpected `--`, expected options only"));
        }
        strays.extend(spelled);
        Ok(strays)
    }

    /// Behind `--` nothing is an option.
    fn read_all<'a>(&'a self, words: &'a [Word]) -> Result<Vec<Reading<'a>>, String> {
        let mut ended = false;
        let mut readings = vec![];
        for word in words {
            readings.push(match word.text.as_str() {
                _ if ended => Reading::Value,
                "--" => {
                    ended = true;
                    Reading::Stray
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
            None => Reading::Stray,
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
                Err(word.complain(&format!("`{text}` is ambiguous, expected one of {}", each.join(", "))))
            }
        }
    }

    /// The option behind `name`, of which the letters are `more`: `-sd` is `-s -d`.
    fn letter<'a>(&'a self, name: &Name, more: &'a str) -> Option<(&'a Name, Option<&'a str>)> {
        let (next, behind) = self.first_letter(more).filter(|_| name.is_letter())?;
        Some((next, behind.filter(|behind| !behind.is_empty())))
    }

    /// The option whose letter `letters` start with, and the others.
    fn first_letter<'a>(&'a self, letters: &'a str) -> Option<(&'a Name, Option<&'a str>)> {
        let end = letters.chars().next()?.len_utf8();
        let name = self.exactly(&format!("-{}", &letters[..end]))?;
        Some((name, Some(&letters[end..])))
    }
}

/// The next word, if an option can take it.
fn next_value<'a>(rest: &mut Peekable<impl Iterator<Item = (&'a Word, Reading<'a>)>>) -> Option<&'a str> {
    let (word, _) = rest.next_if(|(_, reading)| matches!(reading, Reading::Value))?;
    Some(&word.text)
}

/// Whether it is `-5`, `-0.5` or `-.5`: with these a dash makes no option.
fn is_number(text: &str) -> bool {
    let all_digits = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = &text[1..];
    match number.split_once('.') {
        Some((whole, fraction)) => all_digits(whole) && all_digits(fraction) && !fraction.is_empty(),
        None => all_digits(number) && !number.is_empty(),
    }
}
