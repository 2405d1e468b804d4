//! Text that is safe in XML, and how wide it is.

use crate::text::is_doubtful;

/// Escapes text for an element or an attribute. Characters that XML forbids or that nothing shows are replaced.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ if is_doubtful(character) || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}');
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// The width of text in cells of a monospaced font. Characters behind the scripts of Europe may take two.
pub(super) fn cells(text: &str) -> usize {
    text.chars().map(wide).sum()
}

const fn wide(character: char) -> usize {
    if character < '\u{1100}' { 1 } else { 2 }
}

/// Breaks text into lines of at most `most` cells, at a space or behind a sign where there is one.
pub(super) fn broken(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![];
    let mut line = String::new();
    for character in text.chars() {
        if cells(&line) + wide(character) > most {
            let place = line.rfind([' ', '-', '/', '.', ':']).map_or(line.len(), |place| place + 1);
            let rest = line.split_off(place);
            lines.push(std::mem::replace(&mut line, rest).trim_end().to_owned());
        }
        line.push(character);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_hidden_characters_are_escaped() {
        assert_eq!(escaped("<&\">\u{1b}\u{202e}é"), "&lt;&amp;&quot;&gt;\u{fffd}\u{fffd}é");
    }

    #[test]
    fn a_long_name_is_broken_and_loses_nothing() {
        let name = "resolver-with-a-long-name/and-a-check-whose-name-does-not-end";
        let lines = broken(name, 20);
        assert!(lines.iter().all(|line| cells(line) <= 20), "{lines:?}");
        assert_eq!(lines.concat(), name);
        assert_eq!(broken(&"w".repeat(45), 20).len(), 3);
        assert_eq!(broken("", 20), [""]);
    }
}
