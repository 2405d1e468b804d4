//! The configuration file: one option per line, without dashes.
//!
//! ```text
//! # options of the command line follow and take precedence
//! ```
//!
//! A value ends at the end of its line. There are no quotes and no escapes, and `#` starts a comment only at the
//! beginning of a line.

use std::io;
use std::path::Path;

use super::argparse::Word;

/// Reads the file at `path` as the words of a command line.
///
/// # Errors
/// Returns an error that says why the file cannot be read.
pub(crate) fn read(path: &Path) -> Result<Vec<Word>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    Ok(read_words(&path.display().to_string(), &text))
}

/// The error about a file that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read the configuration file {}: {error}", path.display())
}

fn read_words(path: &str, text: &str) -> Vec<Word> {
    let text = text.replace("\r\n", "\n");
    let mut words = vec![];
    for (line, number) in text.split(['\n', '\r']).map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let word = |text: String| Word { text, place: Some(format!("{path}:{number}")) };
        match line.split_once('=') {
            Some((key, value)) => {
                words.push(word(format!("--{}", key.trim_end())));
                words.push(word(value.trim_start().to_owned()));
            }
            None => words.push(word(format!("--{line}"))),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::super::Refusal;
    use super::super::advertising::Rung;
    use super::super::options::{Check, Options};
    use super::super::tests::{given, line, refused, sentence};
    use super::*;
    use crate::probe::command::CommandLine;

    fn read(text: &str) -> Vec<String> {
        read_words("hc.conf", text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn a_line_is_split_at_its_first_equals_sign() {
        assert_eq!(read("command = dig +time=1\n"), ["--command", "dig +time=1"]);
        assert_eq!(read("  rise=2  \n\tdebounce\n"), ["--rise", "2", "--debounce"]);
        assert_eq!(read("name ="), ["--name", ""]);
        assert_eq!(read("= 5"), ["--", "5"]);
    }

    #[test]
    fn comments_are_whole_lines() {
        assert_eq!(read("# one\n\n  # two\nrise = 2 # three"), ["--rise", "2 # three"]);
    }

    #[test]
    fn counts_lines_with_any_line_ending() {
        let words = read_words("hc.conf", "debug\r\n\r\nsudo\rno-ack\n");
        let shown: Vec<_> = words.iter().map(|word| word.at_place(&word.text)).collect();
        assert_eq!(shown, ["hc.conf:1: --debug", "hc.conf:3: --sudo", "hc.conf:4: --no-ack"]);
    }

    /// A configuration file for one test.
    struct Configuration(PathBuf);

    impl Configuration {
        fn new(name: &str, text: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("dnsherald-healthcheck-{}-{name}", std::process::id()));
            fs::write(&path, text).unwrap();
            Self(path)
        }

        fn with(&self, rest: &str) -> Result<Options, Refusal> {
            line(&format!("--config {} {rest}", self.0.display()))
        }

        /// The error about the file, without its directory.
        fn refused(&self, rest: &str) -> String {
            let sentence = sentence(&self.with(rest).expect_err(rest));
            sentence.replace(&self.0.display().to_string(), "hc.conf")
        }
    }

    impl Drop for Configuration {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn the_command_line_follows_the_file() {
        let text =
            "# a comment\nname = file\nip = 192.0.2.1\n\nfast = 2\nwithdraw-on-down\ncommand = a | b=c # d\n";
        let file = Configuration::new("order", text);
        let options = file.with("--name line --ip 192.0.2.2").unwrap();
        assert_eq!(options.name.as_deref(), Some("line"));
        assert_eq!(options.fast_interval, Duration::from_secs(2));
        assert_eq!(options.advertising.down, Rung::Withdraw);
        assert!(
            matches!(&options.check, Check::Command(command) if command.line == CommandLine::Shell("a | b=c # d".to_owned()))
        );
        let networks = given(options).networks.into_iter().map(|network| network.to_string());
        assert_eq!(networks.collect::<Vec<_>>(), ["192.0.2.1/32", "192.0.2.2/32"]);
    }

    #[test]
    fn errors_in_the_file_name_their_line() {
        let refused = |name, text| Configuration::new(name, text).refused("");
        assert!(
            refused("value", "debug\nrise = x\n").starts_with("hc.conf:2: --rise: `x` is not a whole number")
        );
        assert_eq!(refused("flag", "debug = true"), "hc.conf:1: unexpected `true`");
        assert_eq!(refused("unknown", "\n\nbogus"), "hc.conf:3: unexpected `--bogus`");
        assert_eq!(refused("dash", "name = -x"), "hc.conf:1: `--name` expects a value after it");
        assert!(refused("short", "no = 1").starts_with("hc.conf:1: `--no` is ambiguous"));
        assert_eq!(refused("nothing", "= 1"), "hc.conf:1: unexpected `--`, expected options only");
        assert!(refused("comment", "debug # more").starts_with("hc.conf:1: unexpected `--debug # more`"));
        assert!(
            refused("inner", "config = /nowhere").starts_with("cannot read the configuration file /nowhere")
        );
    }

    #[test]
    fn the_command_line_must_be_valid_alone_and_with_the_file() {
        let file = Configuration::new("agree", "silent\n");
        assert!(file.refused("--no-syslog").contains("cannot be combined"));
        assert_eq!(file.refused("--name"), "`--name` expects a value after it");
        assert!(refused("--config /nowhere").contains("/nowhere: No such file"));
    }

    #[test]
    fn ignores_a_file_named_in_the_file() {
        let inner = Configuration::new("followed", "name = inner\n");
        let outer = Configuration::new("following", &format!("config = {}\nname =\n", inner.0.display()));
        assert_eq!(outer.with("").unwrap().name.as_deref(), Some(""));
    }
}
