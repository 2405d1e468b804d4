use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

/// Characters that a terminal interprets, that reverse text, or that are invisible.
const HOSTILE: &str = "\x1b]0;pwned\x07\x1b[31mEVIL\u{9b}2J\r\n\x7f\u{202a}\u{202e}\u{2066}\u{2069}\u{200e}\u{200f}\
                       \u{61c}\u{200b}\u{200d}\u{2060}\u{feff}\u{ad}\u{2028}\u{2029}\u{e000}\u{f8ff}\u{10ffff}\u{fff9}\
                       \u{fe0f}\u{e0041}\u{e0100}\u{115f}\u{3164}\u{a0}\u{3000}\u{378}";

#[test]
fn control_and_invisible_characters_are_escaped() {
    let expected: String = HOSTILE
        .chars()
        .flat_map(|c| if c.is_ascii_graphic() { vec![c] } else { c.escape_default().collect() })
        .collect();
    assert_eq!(foreign_within(HOSTILE, 1000), expected);
    assert!(expected.is_ascii());
}

#[test]
fn printable_text_of_any_script_stays() {
    for text in ["fra1.example.org", "Köln", "ko\u{308}ln", "Москва", "東京", "हिन्दी", "ไทย", "🙂", r"a\b"]
    {
        assert_eq!(foreign(text), text);
        assert_eq!(printable(text), text);
    }
}

#[test]
fn the_length_is_bounded_and_no_escape_is_cut() {
    assert_eq!(foreign(&"x".repeat(10_000)).chars().count(), LONGEST + 1);
    assert_eq!(foreign_within("ab\u{202e}c", 9), "ab…", "the escape has eight characters");
    assert_eq!(foreign_within("ab\u{202e}", 10), "ab\\u{202e}");
    assert_eq!(sentence(&"x".repeat(10_000)).chars().count(), LONGEST_SENTENCE + 1);
    let many = sentences(&"y\n".repeat(10_000));
    assert_eq!(many.lines().count(), MOST_LINES + 1);
    assert_eq!(sentences("a\r\nb\tc"), "a\\r\nb\\tc");
}

#[test]
fn octets_that_are_no_text_are_shown() {
    assert_eq!(foreign_octets(b"a\xff\x1b\xc3\xa9"), "a\\xff\\u{1b}é");
}

#[test]
fn a_command_prints_line_breaks_and_nothing_that_moves_the_cursor() {
    let mut printed = Printed(vec![]);
    writeln!(printed, "a\tb\n{HOSTILE}").unwrap();
    printed.write_all(b"\x1b[2J\xff\n").unwrap();
    let text = String::from_utf8(printed.0).unwrap();
    assert!(text.starts_with("a\tb\n\\u{1b}]0;"), "{text}");
    assert!(text.ends_with("\n\\u{1b}[2J\\xff\n"), "{text}");
    assert!(text.chars().all(|c| matches!(c, '\n' | '\t') || !is_doubtful(c)));
}

/// The second rule of this module, for new commands.
#[test]
fn commands_print_through_this_module() {
    let mut sources = vec![];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for part in ["commands", "commands.rs", "control", "main.rs"] {
        collect(&root.join(part), &mut sources);
    }
    assert!(sources.len() > 15);
    for path in sources {
        // Its output is ours, and becomes a file.
        if path.ends_with("commands/completions.rs") {
            continue;
        }
        for (line, text) in (1..).zip(fs::read_to_string(&path).unwrap().lines()) {
            let is_raw = (text.contains("io::stdout()") || text.contains("io::stderr()"))
                && !text.contains(".is_terminal()");
            assert!(!is_raw, "{}:{line}: print through text::stdout() or text::stderr()", path.display());
        }
    }
}

fn collect(path: &Path, into: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| collect(&entry.unwrap().path(), into));
    } else {
        into.push(path.to_owned());
    }
}

proptest! {
    #[test]
    fn nothing_doubtful_is_left_and_escaping_twice_changes_nothing(
        text in proptest::collection::vec(any::<char>(), 0..400),
    ) {
        let text: String = text.into_iter().chain(HOSTILE.chars()).collect();
        let shown = foreign(&text);
        prop_assert!(!shown.chars().any(is_doubtful), "{shown}");
        prop_assert!(shown.chars().count() <= LONGEST + 1);
        prop_assert_eq!(foreign(&shown), shown.clone());
        let lines = sentences(&text);
        prop_assert!(lines.chars().all(|c| c == '\n' || !is_doubtful(c)));
        let whole = printable(&text);
        prop_assert!(whole.chars().all(|c| matches!(c, '\n' | '\t') || !is_doubtful(c)));
    }

    #[test]
    fn a_json_document_reads_the_same_and_has_nothing_doubtful(
        text in proptest::collection::vec(any::<char>(), 0..60),
    ) {
        let text: String = text.into_iter().chain(HOSTILE.chars()).collect();
        let document = json(serde_json::to_string_pretty(&[&text]).unwrap());
        prop_assert!(document.chars().all(|c| c == '\n' || !is_doubtful(c)), "{document}");
        prop_assert_eq!(serde_json::from_str::<Vec<String>>(&document).unwrap(), [text]);
    }
}

#[test]
fn a_count_of_one_is_singular() {
    let counts = [counted(0, "prefix"), counted(1, "prefix"), counted(2, "prefix"), counted(3, "check")];
    assert_eq!(counts, ["0 prefixes", "1 prefix", "2 prefixes", "3 checks"]);
}
