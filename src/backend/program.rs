//! A program and its arguments, as an argument list: no shell reads it, so nothing in it needs quoting.

use std::fmt;

/// A program, by its path or by a bare name to be found, and its arguments. Shown as one would type it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Program {
    name: String,
    arguments: Vec<String>,
}

impl Program {
    /// The first word is the program. None without one, or with an empty one.
    #[must_use]
    pub(crate) fn of_words(words: &[String]) -> Option<Self> {
        let (name, arguments) = words.split_first()?;
        (!name.is_empty()).then(|| Self { name: name.clone(), arguments: arguments.to_vec() })
    }

    /// A program and arguments that are known to be there.
    #[must_use]
    pub(crate) fn new(name: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { name: name.to_owned(), arguments }
    }

    /// The same with `value` for `placeholder` in every argument.
    #[must_use]
    pub(crate) fn with(&self, placeholder: &str, value: &str) -> Self {
        let arguments = self.arguments.iter().map(|argument| argument.replace(placeholder, value)).collect();
        Self { name: self.name.clone(), arguments }
    }

    /// Its path or its bare name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it is given.
    #[must_use]
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&typed(&self.name))?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", typed(argument)))
    }
}

/// A word as a shell would have to be given it.
fn typed(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut quoted = String::from("'");
    for character in word.chars() {
        match character {
            '\'' => quoted.push_str("'\\''"),
            '"' | '\\' => quoted.push(character),
            _ => quoted.extend(character.escape_debug()),
        }
    }
    quoted + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_as_one_would_type_it() {
        let program =
            Program::new("dnsdist", &["-C", "/etc/dnsdist.conf", "-e", "showVersion()", "it's", ""]);
        assert_eq!(program.to_string(), r"dnsdist -C /etc/dnsdist.conf -e 'showVersion()' 'it'\''s' ''");
        assert_eq!(Program::new("a", &["\u{1b}[31m"]).to_string(), r"a '\u{1b}[31m'");
    }

    #[test]
    fn without_a_first_word_there_is_no_program() {
        assert_eq!(Program::of_words(&[]), None);
        assert_eq!(Program::of_words(&[String::new(), "x".to_owned()]), None);
        assert_eq!(Program::of_words(&["true".to_owned()]), Some(Program::new("true", &[])));
    }
}
