//! Excerpts of foreign text that fit into one line of a log: [`foreign_octets`], length bounded.

use crate::text::foreign_octets;

/// Characters of a command that name it.
const NAME: usize = 60;

/// Characters of an output that are shown.
const SHOWN: usize = 160;

/// Between lines that are joined to one.
const BREAK: &str = " | ";

/// The beginning of a command, on one line.
pub(crate) fn beginning(text: &str) -> String {
    cut(foreign_octets(text.trim().as_bytes()), NAME)
}

/// The last lines of an output, joined to one: as many as fit, or the end of the last one if it does not fit.
pub(crate) fn last_lines(output: &[u8]) -> String {
    let mut shown = String::new();
    for line in lines(output).rev().map(foreign_octets) {
        let length = shown.chars().count() + line.chars().count();
        if shown.is_empty() {
            shown = match length.checked_sub(SHOWN) {
                None | Some(0) => line,
                Some(over) => format!("…{}", line.chars().skip(over).collect::<String>()),
            };
        } else if length + BREAK.len() <= SHOWN {
            shown = format!("{line}{BREAK}{shown}");
        } else {
            break;
        }
    }
    shown
}

/// The text that a monitoring plugin prints: its first line that is not empty, up to the `|` before performance data.
pub(crate) fn status_line(output: &[u8]) -> String {
    let line = lines(output).next().unwrap_or_default();
    let text = line.split(|octet| *octet == b'|').next().unwrap_or_default();
    cut(foreign_octets(text.trim_ascii()), SHOWN)
}

/// The first characters of a text.
fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The lines of an output, without blanks around them.
fn lines(output: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let lines = output.split(|octet| matches!(octet, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unprintable_characters_are_escaped() {
        assert_eq!(
            last_lines(b"\x1b[31mno\x1b[0m \xff\0 'a' \"\xc3\xa9\"\n"),
            r#"\u{1b}[31mno\u{1b}[0m \xff\u{0} 'a' "é""#
        );
        assert_eq!(last_lines("\u{202e}drawkcab\tso".as_bytes()), r"\u{202e}drawkcab\tso");
    }

    #[test]
    fn the_last_lines_are_shown_as_far_as_they_fit() {
        assert_eq!(last_lines(b""), "");
        assert_eq!(last_lines(b"\n \n"), "");
        assert_eq!(last_lines(b"one\n\ntwo\r\nthree\n"), "one | two | three");
        let long = "x".repeat(SHOWN - 6);
        assert_eq!(last_lines(format!("before\nmid\n{long}").as_bytes()), format!("mid | {long}"));
        let longer = format!("first\n{}end", "x".repeat(SHOWN));
        assert_eq!(last_lines(longer.as_bytes()), format!("…{}end", "x".repeat(SHOWN - 3)));
    }

    #[test]
    fn a_plugin_is_quoted_by_its_first_line_without_performance_data() {
        assert_eq!(
            status_line(b"\n NTP WARNING: offset \x1b 3 s | offset=3s;1;5\nlong output\n"),
            r"NTP WARNING: offset \u{1b} 3 s"
        );
        assert_eq!(status_line(b""), "");
        assert_eq!(status_line("é".repeat(SHOWN + 1).as_bytes()), format!("{}…", "é".repeat(SHOWN)));
    }

    #[test]
    fn a_command_is_named_by_its_beginning() {
        assert_eq!(beginning(" dig @::1\n\t. NS\n"), r"dig @::1\n\t. NS");
        assert_eq!(beginning(&"é".repeat(NAME)), "é".repeat(NAME));
        assert_eq!(beginning(&"é".repeat(NAME + 1)), format!("{}…", "é".repeat(NAME)));
    }
}
