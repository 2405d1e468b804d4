//! A program and its arguments as a list. No shell reads it, so nothing needs quoting.

use std::fmt;

/// A program, by its path or a name to search for, and its arguments. Shown as one would type it in a shell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Program {
    /// Its path or name.
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
}

impl Program {
    /// From words, of which the first is the program. `None` if there is none, or if it is empty.
    pub(crate) fn from_words(words: &[String]) -> Option<Self> {
        let (name, arguments) = words.split_first()?;
        (!name.is_empty()).then(|| Self { name: name.clone(), arguments: arguments.to_vec() })
    }

    /// A program and its arguments.
    pub(crate) fn new(name: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { name: name.to_owned(), arguments }
    }

    /// The same with `value` for `placeholder` in every argument.
    pub(crate) fn with(&self, placeholder: &str, value: &str) -> Self {
        let arguments = self.arguments.iter().map(|argument| argument.replace(placeholder, value)).collect();
        Self { name: self.name.clone(), arguments }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&typed(&self.name))?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", typed(argument)))
    }
}

/// A word, quoted for a shell if necessary.
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
        assert_eq!(Program::from_words(&[]), None);
        assert_eq!(Program::from_words(&[String::new(), "x".to_owned()]), None);
        assert_eq!(Program::from_words(&["true".to_owned()]), Some(Program::new("true", &[])));
    }
}
